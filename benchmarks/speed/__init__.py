"""How fast pupicker is beside Topaz: ``python -m benchmarks.speed --help``.

In the order of use:

``inputs``
    Micrographs, lists of them, models: what the parts are measured on.
``measured``
    The file of results: what is recorded, and what is skipped because it is.
``floor``
    A program that does the least that preprocessing must do.
``startup``, ``preprocessing``, ``picking``, ``training``, ``endurance``
    The parts.
``summaries``
    Medians, spreads and marginal times of what was recorded.
``report``
    Table and figure.
"""
