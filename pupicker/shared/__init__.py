"""What the Scipion plugin and the core must say alike: the standard library only, Python 3.8.

``names`` (of micrographs, tables and masks), ``columns`` (of tables), ``lengths``, ``durations``; ``atomic`` (files whole
or not at all), ``json_files``, ``digests``.
"""
