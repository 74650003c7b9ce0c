"""Programs that measure pupicker on data, run from the root of the repository: ``python -m benchmarks.NAME --help``.

They call the command line, the Python functions of :mod:`pupicker` and pure functions of its core, nothing else of it;
but for ``label_placement``, ``class_loop``, ``exclusion``, ``windows`` and ``torture``, which look at parts of it, and
``growth``, which runs its protocols.

What they share:

``common``
    Data sets, records of runs, one run of pupicker or of Topaz, figures.
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
``trust``
    Whether that is true, and whether it picks nothing where there is nothing.
``exclusion``
    Where nothing should be picked: the edges, contamination.
``label_placement``
    How often labels in the wrong place are noticed.
``class_loop``
    Whether learning from good 2D classes of a first picking gains.
``speed``
    Processor seconds and memory of everything, beside Topaz.
``gpu``
    A GPU beside the processor.
``growth``
    What a run costs when it grows, and what it survives while micrographs arrive.
``windows``
    How fast they open, how far particles stand out in a picture.
``torture``
    What it survives, and whether the tests notice faults.
``paper``
    The experiments of the Topaz paper.
"""
