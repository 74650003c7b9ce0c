"""The command line: one module a command, each with ``HELP``, ``EXAMPLE``, ``add_arguments`` and ``run``.

A command module imports nothing heavy at its top (``--help`` must not wait for torch); :func:`run` does.
"""
