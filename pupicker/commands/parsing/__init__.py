"""What several commands parse alike: ``arguments``, ``training_arguments`` (what decides which model comes out) and
``grid`` (many of them at once, for a comparison).
"""
