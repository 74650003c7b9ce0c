"""Files, training, picking: what works on a disk, from raw micrographs to tables and reports.

In the order of use, imports only downward: ``reports``, ``cross_validation``, ``pretraining``, ``training``,
``evaluation``, ``picking``, ``preparation``, ``models``, ``files``, ``runtime``.
"""

import logging

# A program that uses the library and has not configured logging is told nothing.
logging.getLogger(__name__).addHandler(logging.NullHandler())
