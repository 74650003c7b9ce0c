"""Files that users have.

In the order of use: ``sample`` (what a file is, from its first bytes), ``listing`` and ``names`` (which micrographs are
meant), ``micrographs`` with ``micrograph_header``, ``packed`` (compressed files), ``mrc``, ``tiff``, ``png`` and
``digital_micrograph``; ``masks``, ``templates`` (stacks of images); ``star`` and ``coordinate_table``, which the folder
``coordinates`` reads and writes in all formats; ``tensors`` writes what is pupicker's own; ``targets`` (what
can be written, and replaces nothing else).
"""
