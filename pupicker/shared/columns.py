"""Columns of the tables that commands write and the plugin reads, and the other way round."""

from __future__ import annotations

POSITION = ("micrograph", "x", "y")
"""Of every table of coordinates; x and y are pixels of the micrograph, the first pixel is (0, 0)."""

OPTIONAL = ("score", "probability", "score_sd", "pickers")
"""Columns that a table of coordinates need not have."""

MATCHES = POSITION + ("score", "outcome")
"""Of the table of an evaluation (``--matches``)."""
