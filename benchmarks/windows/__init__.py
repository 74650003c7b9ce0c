"""Windows: each program has a ``--help``.

``viewer_start``
    How long the windows take to open on 1,000 micrographs, the one that labels on 3,000.
``retraining``
    How soon better suggestions stand in the window that labels.
``look``
    How far particles stand out from a picture, by its filter.
"""
