"""From a file to what a network sees.

In the order of use: ``working_micrograph`` (read, cut, resample, normalise, flatten), ``exclusion`` (where nothing is
picked or learnt); ``preprocessing`` writes micrographs for other programs.
"""
