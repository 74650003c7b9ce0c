"""Warnings of a picking that went wrong, as far as its numbers tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pupicker.shared.plurals import counted, first_of

FEWEST_EXPECTED = 10
LOW, HIGH = 0.1, 6.0
"""Picks over those expected, beyond which something is wrong: micrographs differ by less."""



def expected_picks(found: Mapping[str, int], density: float | None, pixels: int) -> str:
    """A warning if the number of picks is far from what training says; empty if it is not, or nothing is known.

    Parameters
    ----------
    found
        Picks of each micrograph.
    density
        Particles per working pixel in training.
    pixels
        Working pixels that were looked at.
    """
    number, micrographs = sum(found.values()), counted(len(found), "micrograph")
    if found and not number:
        return (f"there is not a single pick on {micrographs}: check the pixel size, the threshold, that"
                " particles are dark, and that the micrographs look like those of the training")
    if not density or density * pixels < FEWEST_EXPECTED:
        return ""
    ratio = number / (density * pixels)
    if LOW <= ratio <= HIGH:
        return ""
    much = f"{ratio:.1f} times as many as" if ratio > 1 else f"{1 / ratio:.0f} times fewer than"
    picks = counted(number, f"pick on {micrographs} is", f"picks on {micrographs} are")
    return (f"{picks} {much} training says that there are: check the"
            " pixel size, that particles are dark, and that the micrographs look like those of the training")


def unusual_micrographs(names: Sequence[str]) -> str:
    """A warning that some micrographs are unlike those of the training; empty if none is."""
    if not names:
        return ""
    some = first_of([Path(name).name for name in names])
    hold, their = ("it holds", "its") if len(names) == 1 else ("they hold", "their")
    return (f"the background of {counted(len(names), 'micrograph')} is unlike that of the training ({some}): noise,"
            f" contrast or pixel size differ, or {hold} no particles; {their} picks had to stand above {their} own"
            " noise")
