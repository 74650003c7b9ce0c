"""Micrographs to coordinates.

``pick`` (for Python programs), ``picker`` (with a model), ``general_picker`` and ``filter_picker`` (without labels);
while micrographs finish, ``tables_in_folder`` (with a ``record``) or ``one_table`` keep the picks, and ``weaker_picks``
what is weaker;
``plausibility`` warns of numbers that cannot be.
"""
