"""What several commands parse alike: ``arguments``, ``training_arguments`` (what decides which model comes out),
``grid`` (many of them at once, for a comparison) and ``targets`` (what can be written, and what may be written over);
``swapped`` looks whether models and micrographs are in their places.
"""
