"""From a file to what a network sees.

In the order of use: ``recipe`` (the choices of a run, and ``prepare``, which every reader calls),
``working_micrograph`` (read, cut, resample, normalise, flatten), ``exclusion`` (where nothing is picked or learnt);
``preprocessing`` writes micrographs for other programs.
"""
