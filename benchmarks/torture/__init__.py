"""What pupicker survives: kills at any moment, bad and mutated files, and the same picks however they are asked for.

    python -m benchmarks.torture            hours: make torture
    python -m benchmarks.torture --short    minutes, the form of continuous integration: make torture ARGS=--short

``scene`` makes the files, ``processes`` runs commands and ends them; ``kills``, ``files`` with ``bad_inputs`` and
``sameness`` do one thing each; ``mutation`` is a program of its own, which looks at the tests.  Everything is drawn
with a seed.  Counts go to results/torture.json and .md, with a table of the kinds of bad input and what each gives; the
exit code is 1 if anything went wrong.
"""
