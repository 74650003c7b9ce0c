"""Files that users have.

In the order of use: ``listing`` and ``names`` (which micrographs are meant), ``micrographs`` with
``micrograph_header``, ``mrc`` and ``tiff``; ``masks``, ``templates`` (stacks of images); ``coordinates`` with
``coordinate_table``, ``coordinate_formats`` and ``star``.
"""
