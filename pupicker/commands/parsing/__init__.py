"""What several commands parse alike: ``arguments``, ``training_arguments`` (what decides which model comes out),
``grid`` (many of them at once, for a comparison) and ``targets`` (what may be written over).
"""
