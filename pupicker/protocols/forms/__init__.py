"""Fields of the forms, what is checked, the options of the command line that they stand for.

``run`` (what a form may ask of its protocol), ``fields`` (from the declarations of options), ``gpu``, ``model`` (which
one); ``training`` with ``labels`` and ``network``, ``picking``, ``live``, ``exclusion`` (where not to pick),
``thresholds``.
"""
