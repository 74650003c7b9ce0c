"""Files, training, picking: what works on a disk, from raw micrographs to tables and reports.

In the order of use, imports only downward: ``reports``, ``cross_validation``, ``pretraining``, ``training``,
``evaluation``, ``picking``, ``preparation``, ``models``, ``files``, ``runtime``.
"""
