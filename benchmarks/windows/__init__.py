"""Windows: each program has a ``--help``.

``viewer_start``
    How long the windows take to open on 1,000 micrographs.
``look``
    How far particles stand out from a picture, by its filter.
"""
