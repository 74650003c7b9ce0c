"""What the benchmark programs share, in the order of use.

``real_sets``
    The two real data sets, and commands that are run and timed.
``runs``
    Records of finished runs, processes with their processor time, versions.
``datasets``
    Real and simulated data sets with their labels and truth.
``methods``
    One training, picking and scoring of pupicker or of Topaz.
``topaz_choice``
    Settings of Topaz compared on labels that it was not shown.
``figures``
    Figures in small files.
"""
