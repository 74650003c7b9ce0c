"""From scenes in which the truth is known to the weights that trainings start from.

In the order of use: ``examples`` (scenes as a network sees them), ``batches`` (patches and their labels), ``loop`` (the
optimisation, and its judge).  Scenes are handed in: the engine knows no simulator.
"""
