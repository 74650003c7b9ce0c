"""The experiments of the Topaz paper, run from the root of the repository: ``python -m benchmarks.paper.NAME --help``.

``experiment``
    What they share: trainings the paper's way, one record each.
``presets``
    Recipes of the paper's Table 1, and its data sets from a download.
``table1``, ``fig5a``, ``fig5b``, ``sf3``, ``sf6``
    One program for a table or figure, named after it.
"""
