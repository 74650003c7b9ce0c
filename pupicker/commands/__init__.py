"""The command line: one module a command, each with ``HELP``, ``EXAMPLE``, ``add_arguments`` and ``run``.

A command module imports nothing heavy at its top (``--help`` must not wait for torch); ``run`` does.

``main`` parses and words errors; ``launch`` is the door through which the plugin comes; what several commands share is
in ``parsing``.  The commands in the order of use: ``info``, ``simulate``, ``preprocess``, ``label`` (a window),
``train``, ``recalibrate``, ``cross_validate``, ``pick``, ``baseline`` (without a model), ``report``, ``combine``
(several pickers), ``evaluate``, ``convert``; ``models`` is the library, and ``serve`` answers requests instead.
"""
