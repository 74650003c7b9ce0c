r"""Where the scores of a micrograph's background lie, and whether that is as usual.

The median of a map of logits and the distance from it to the 84 % quantile, one standard deviation were the map
Gaussian: particles cover little of a micrograph, so both tell of its background.  They move with noise, contrast,
defocus, ice and pixel size, and hardly with the number of particles.  A micrograph is usual if its median lies no
farther from those of the training micrographs than these lie apart, or :data:`MEDIAN_MARGIN`, and its spread likewise,
as a factor, or :data:`SPREAD_FACTOR`: the range of four numbers holds three fifths of what they are drawn from, three
times that range nearly all.

Limit: with a single training micrograph others of the same kind may already be unusual.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

MEDIAN_MARGIN = 0.5
SPREAD_FACTOR = 1.2
_UPPER = 0.8413


@dataclass(frozen=True)
class MapLevels:
    """Of one micrograph: median and spread of the logits of its map."""

    median: float
    spread: float


@dataclass(frozen=True)
class UsualLevels:
    """Least and greatest of the training micrographs."""

    lowest_median: float
    highest_median: float
    lowest_spread: float
    highest_spread: float

    def hold(self, levels: MapLevels) -> bool:
        """Whether a micrograph is usual."""
        margin = max(MEDIAN_MARGIN, self.highest_median - self.lowest_median)
        factor = max(SPREAD_FACTOR, self.highest_spread / self.lowest_spread if self.lowest_spread > 0 else 1.0)
        return (self.lowest_median - margin <= levels.median <= self.highest_median + margin
                and self.lowest_spread / factor <= levels.spread <= self.highest_spread * factor)


def map_levels(logits: Tensor, excluded: Tensor | None = None) -> MapLevels:
    """Levels of a map.

    Parameters
    ----------
    logits
        Of any shape.
    excluded
        Bool, of the same shape: what does not count; None: all counts.
    """
    counted = (logits if excluded is None else logits[~excluded]).reshape(-1)
    if not counted.numel():
        return MapLevels(0.0, 0.0)
    median = counted.median()
    upper = counted.kthvalue(max(1, int(_UPPER * counted.numel()))).values  # quantile() takes 16 million at most
    return MapLevels(float(median), float(upper - median))


def usual_levels(several: Sequence[MapLevels]) -> UsualLevels:
    """The span of some micrographs, at least one."""
    medians, spreads = [levels.median for levels in several], [levels.spread for levels in several]
    return UsualLevels(min(medians), max(medians), min(spreads), max(spreads))
