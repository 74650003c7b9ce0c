"""Thresholds on a score: what a user writes in a form, and what it means for a set of scored coordinates."""

from __future__ import annotations

import math
import re
from typing import Any, List, NamedTuple, Optional, Sequence

from pyworkflow.object import Float, Integer

from pupicker.constants import CUT_COUNTS, CUT_FRACTIONS, CUT_PROBABILITIES, CUT_SCORES

MOST_OUTPUTS = 50  # a window of Scipion with more is of no use; a slip of the keyboard makes them quickly


class NumberList(NamedTuple):
    """Numbers that a user writes into one parameter: its name and label, and the limits of the numbers."""

    name: str
    label: str
    least: float
    most: float
    expected: str  # for the message


LISTS = {
    CUT_SCORES: NumberList("scores", "Scores", -math.inf, math.inf, "numbers, e.g. 3 1 -1"),
    CUT_COUNTS: NumberList("counts", "Numbers of particles", 1, math.inf, "whole numbers above 0, e.g. 1000 5000"),
    CUT_FRACTIONS: NumberList(
        "fractions", "Fractions (0 to 1)", 1e-9, 1, "numbers above 0 and at most 1, e.g. 0.25 0.5 1"),
    CUT_PROBABILITIES: NumberList(
        "probabilities", "Probabilities (0 to 1)", 0, 1, "numbers from 0 to 1, e.g. 0.9 0.5 0.1"),
}


def readNumbers(text: Optional[str], numbers: NumberList) -> List[float]:
    """Different numbers in `text`, separated by spaces, commas or semicolons, in the order given.

    Raises
    ------
    ValueError
        There is none, or one is not of the kind expected; the message is one line.
    """
    words = [word for word in re.split(r"[\s,;]+", text or "") if word]
    if not words:
        raise ValueError("*%s*: give %s." % (numbers.label, numbers.expected))
    values: List[float] = []
    for word in words:
        try:
            value = float(word)
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and numbers.least <= value <= numbers.most) \
                or (numbers.name == "counts" and value != int(value)):
            raise ValueError("*%s*: %s was found; give %s." % (numbers.label, word, numbers.expected))
        if value not in values:
            values.append(value)
    if len(values) > MOST_OUTPUTS:
        raise ValueError("*%s*: %d values were found; give at most %d, each makes an output."
                         % (numbers.label, len(values), MOST_OUTPUTS))
    return values


def scoreOfBest(number: float, scores: Sequence[float]) -> float:
    """Score of the `number`-th of `scores` (best first, not empty), that of the last if there are fewer."""
    return scores[min(int(number), len(scores)) - 1]


def scoreThresholds(mode: int, values: Sequence[float], scores: Sequence[float]) -> List[float]:
    """Thresholds on the score that the `values` of a mode stand for; `scores` are those of the set, best first."""
    if mode == CUT_COUNTS:
        return [scoreOfBest(number, scores) for number in values]
    if mode == CUT_FRACTIONS:
        # ceil, less what a product like 0.07 * 100 has too much: the smallest share is one particle
        return [scoreOfBest(math.ceil(fraction * len(scores) - 1e-6), scores) for fraction in values]
    return list(values)


def numericAttributes(coord: Any) -> List[str]:
    """Names of the attributes of a coordinate that can be a score: its numbers, less where it lies."""
    return [name for name, value in coord.getAttributesToStore()
            if isinstance(value, (Float, Integer)) and name not in ("_x", "_y", "_micId")]
