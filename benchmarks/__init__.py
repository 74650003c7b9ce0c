"""Programs that measure pupicker on data, run from the root of the repository: ``python -m benchmarks.NAME --help``.

What they share, in the order of use:

``real_sets``
    The two real data sets, and commands that are run and timed.
``runs``
    Records of finished runs, processes with their processor time, versions.
``datasets``
    Real and simulated data sets with their labels and truth.
``methods``
    One training, picking and scoring of pupicker or of Topaz.
``topaz_minibatches``
    Topaz's training with its minibatches made faster, run by Topaz's Python.
``label_efficiency_report``
    Table and figure of ``label_efficiency``; means and ranges over draws for all tables.

Programs; README.md says what each asks and how long it takes:

``label_efficiency``, ``all_labels``, ``zero_labels``
    Accuracy against the number of labels, from none to all.
``left_out``, ``ablation``
    What options and parts of the training bring.
``calibration``, ``particle_numbers``, ``picking_options``, ``false_picks``, ``pixel_sizes``
    What a model says of its picks, and what it picks.
``viewer_start``
    How fast the windows open.
``paper``
    The experiments of the Topaz paper.
"""
