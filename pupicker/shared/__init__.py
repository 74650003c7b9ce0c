"""What the Scipion plugin and the core must say alike: the standard library only, Python 3.8.

``names`` (of micrographs and masks), ``json_files``, ``digests``.
"""
