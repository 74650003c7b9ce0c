"""From a file to what a network sees.

In the order of use: ``recipe`` (the choices of a run, and ``prepare``, which every reader calls),
``working_micrograph`` (read, cut, resample, normalise, flatten), ``exclusion`` (where nothing is picked or learnt),
``label_placement`` (whether labels are where particles are); ``task_geometry`` (which lengths follow from the files),
``preprocessing`` writes micrographs for other programs.
"""
