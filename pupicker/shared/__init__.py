"""What the Scipion plugin and the core must say alike: the standard library only, Python 3.8.

``option`` (what one is), ``options`` and ``choices`` (what can be chosen), ``names`` (of micrographs, tables, masks),
``columns``, ``lengths``, ``durations``, ``shares``, ``plurals``; ``atomic`` (files that are whole or not there),
``json_files``, ``digests``; ``model_header`` (a model file without torch) and ``model_library`` (models by name);
``counters`` (what a picking did); ``worker`` (asks a process of the core that stays).
"""
