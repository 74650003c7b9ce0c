"""Fields of the forms, what is checked, the options of the command line that they stand for.

``training`` with ``network``, ``picking``, ``exclusion`` (where not to pick), ``thresholds``.
"""
