"""A process that loads once and answers requests: one JSON object a line, both ways (docs/serve.md).

In the order of use: ``requests`` (what can be asked, and the check of it), ``turns`` (a training makes room for a
request), ``pickers`` (what is loaded), ``picking`` and ``training`` (the work),
``server`` (queues, answers), ``watching`` (a folder in place of requests).
"""
