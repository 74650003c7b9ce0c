"""From a file to what a network sees.

In the order of use: ``recipe`` (the choices of a run, and ``prepare``, which every reader calls),
``working_micrograph`` (read, cut, resample, normalise, flatten), ``exclusion`` (where nothing is picked or learnt),
``label_places`` and ``general_witness`` (where else labels could be meant, what the general model says of it),
``label_placement`` (whether labels are where particles are), ``doubtful_labels`` (rows that are none);
``task_geometry`` (which lengths follow from the files), ``preprocessing`` writes micrographs for other programs.
"""
