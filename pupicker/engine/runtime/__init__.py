"""What every run needs.

``errors`` (one line that says what to do), ``checks`` (of options), ``device``, ``progress``, ``interruption``
(signals), ``run_report`` (what was done, what was set aside), ``quarantine`` (the loop over micrographs),
``sole_writer`` (one run writes an output), ``memory`` (what readers share), ``torchrun`` and ``processes`` (a training
by several).
"""
