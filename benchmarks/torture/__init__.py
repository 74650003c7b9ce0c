"""What pupicker survives: kills at any moment, bad and mutated files, and the same picks however they are asked for.

    python -m benchmarks.torture            hours: make torture
    python -m benchmarks.torture --short    minutes, the form of continuous integration: make torture ARGS=--short

``scene`` makes the files, ``processes`` runs commands and ends them; ``kills``, ``files`` with ``bad_inputs`` and
``sameness`` do one thing each.  Programs of their own: ``mutation``, which looks at the tests and finds with ``calls``
which of them to ask; ``guided``, which finds bad files by coverage; ``scipion_kills``, which ends runs of a Scipion
project.  Everything is drawn with a seed.  Counts go to results/torture.json and .md, with a table of the kinds of bad
input and what each gives; the exit code is 1 if anything went wrong.
"""
