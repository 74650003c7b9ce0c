"""Picks against truth, table against table; needs no network and no torch."""

from __future__ import annotations

import io
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pupicker.core.scores.metrics import Curve, match_picks, precision_recall
from pupicker.engine.files.coordinates import CoordinateTable
from pupicker.engine.files.names import match_names
from pupicker.engine.runtime.errors import InputError
from pupicker.shared.atomic import write_text
from pupicker.shared.columns import MATCHES
from pupicker.shared.plurals import counted


@dataclass(frozen=True)
class Evaluation:
    """Result over all micrographs, and average precision, recall and counts of each.

    Attributes
    ----------
    curve
        Over the picks of all micrographs.  Picks without scores, or with one score for all, are ranked by nothing: it
        is one point then, without an average precision (`curve.ranked` is False).
    micrographs
        Name -> ``{"picks", "truth", "hits", "average_precision"}``, the last None where there is no truth or nothing
        ranks the picks.
    hit
        bool for each row of the picks that were evaluated.
    picks
        Those rows.
    missed
        Rows of the truth that no pick hit.
    """

    curve: Curve
    micrographs: dict[str, dict[str, float | None]]
    hit: np.ndarray
    picks: CoordinateTable
    missed: CoordinateTable


def evaluate(
    picks: CoordinateTable, truth: CoordinateTable, radius_px: float, only: Sequence[str] | None = None
) -> Evaluation:
    """Match and count.

    Parameters
    ----------
    picks, truth
        In pixels of the same micrographs; names may differ in folder and extension.
    radius_px
        Largest distance of a hit.
    only
        Micrographs to count (as named in the truth or by file), also those of which the truth has no particle;
        default: all of the truth, picked or not.

    Raises
    ------
    InputError
        If there is nothing to compare.
    """
    names = truth.names()
    if not names:
        raise InputError("the truth table is empty")
    if only is not None:
        chosen = match_names(names, [Path(name) for name in only])
        names = [name for name in names if name in chosen]
        if not names:
            raise InputError(f"no micrograph of the truth table is among the {len(only)} chosen ones, e.g. {only[0]}")
        with_truth = {str(path) for path in chosen.values()}
        names += [str(Path(name)) for name in dict.fromkeys(only) if str(Path(name)) not in with_truth]
    renamed = picks.renamed(match_names(picks.names(), [Path(name) for name in names]))
    unknown = sorted(set(renamed.names()) - set(names))
    if len(renamed) and len(unknown) == len(renamed.names()):
        raise InputError(f"no pick lies on a micrograph of the truth: it names {names[0]!r}, the picks {unknown[0]!r}")
    if only is None:
        _say_apart(names, unknown, sorted(set(names) - set(renamed.names())))
    rows, ranked = [renamed.of(name) for name in names], _are_ranked(renamed)
    if not ranked:
        logging.getLogger(__name__).info("the picks have no scores, or one for all: nothing ranks them, so there is one"
                                         " point of precision and recall and no average precision")
    hits, scores, missed, table = [], [], [], {}
    for name, own in zip(names, rows, strict=True):
        known = truth.of(name)
        score = own.score if own.score is not None else np.zeros(len(own))
        taken = match_picks(_xy(own), score, _xy(known), radius_px)
        hit = taken >= 0
        average = precision_recall([hit], [score], len(known)).average_precision if ranked and len(known) else None
        table[name] = {"picks": len(own), "truth": len(known), "hits": int(hit.sum()), "average_precision": average}
        hits.append(hit)
        scores.append(score)
        missed.append(known.select(~np.isin(np.arange(len(known)), taken)))
    curve = precision_recall(hits, scores if ranked else None, sum(len(truth.of(name)) for name in names))
    return Evaluation(
        curve, table, np.concatenate(hits), CoordinateTable.concatenate(rows), CoordinateTable.concatenate(missed)
    )


def _say_apart(names: Sequence[str], unknown: Sequence[str], empty: Sequence[str]) -> None:
    """Micrographs that only the picks have, and only the truth."""
    log = logging.getLogger(__name__)
    if unknown:
        log.info("picks on %s without truth are left out, e.g. %s", counted(len(unknown), "micrograph"), unknown[0])
    if empty:
        log.info("there is no pick on %d of the %s of the truth, e.g. %s: their particles count as missed", len(empty),
                 counted(len(names), "micrograph"), empty[0])


def _are_ranked(picks: CoordinateTable) -> bool:
    """Whether some picks score above others; one pick or none need not be."""
    if picks.score is None:
        return not len(picks)
    return len(picks) < 2 or bool((picks.score != picks.score[0]).any())


def write_matches(path: Path, result: Evaluation) -> None:
    """Write what became of every pick and truth particle as a table ``micrograph x y score outcome`` (tab-separated).

    One row a pick, best of all first, with the outcome ``hit`` or ``false``, then one for each particle without a pick:
    ``missed``, no score.  Picks without scores have none there either.
    """
    picks, missed = result.picks, result.missed
    score = np.zeros(len(picks)) if picks.score is None else picks.score
    text = io.StringIO()
    text.write("\t".join(MATCHES) + "\n")
    for row in np.argsort(-score, kind="stable"):
        outcome = "hit" if result.hit[row] else "false"
        known = "" if picks.score is None else repr(float(score[row]))
        text.write(f"{picks.micrograph[row]}\t{picks.x[row]:.3f}\t{picks.y[row]:.3f}\t{known}\t{outcome}\n")
    for name, x, y in zip(missed.micrograph, missed.x, missed.y, strict=True):
        text.write(f"{name}\t{x:.3f}\t{y:.3f}\t\tmissed\n")
    write_text(path, text.getvalue())


def _xy(table: CoordinateTable) -> np.ndarray:
    return np.stack([table.x, table.y], axis=1)
