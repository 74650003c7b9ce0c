"""Where nothing should be picked, from the root of the repository: ``python -m benchmarks.exclusion.NAME --help``.

``edges``
    How picks fare beside the edges of a micrograph, and what a margin there costs and brings.
``learnt_contamination``
    Whether contamination that is learnt is better than what is dark.
"""
