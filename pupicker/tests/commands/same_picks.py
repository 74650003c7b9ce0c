"""Comparison of coordinate tables."""

from __future__ import annotations

import numpy as np

from pupicker.engine.files.coordinates import CoordinateTable


def assert_same_picks(table: CoordinateTable, other: CoordinateTable) -> None:
    """The same picks up to rounding of the arithmetic, in any order of micrographs."""
    assert sorted(table.names()) == sorted(other.names())
    for name in table.names():
        own, its = table.of(name), other.of(name)
        assert len(own) == len(its)
        for column in ("x", "y", "score"):
            np.testing.assert_allclose(getattr(own, column), getattr(its, column), atol=1e-3, rtol=0)
