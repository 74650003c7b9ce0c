"""How far a run is, in words for its summary."""

from __future__ import annotations

from typing import Any, Dict, List

from pupicker.shared.durations import format_seconds
from pupicker.shared.plurals import counted


def trainingProgress(status: Dict[str, Any], active: bool) -> List[str]:
    """Lines of a training that has no model yet.

    Parameters
    ----------
    status
        What ``pupicker train --status`` wrote last; empty if it has not begun.
    active
        Whether it still runs; otherwise it failed or was stopped.
    """
    stage = status.get("stage")
    if stage == "reading":
        return ["Reading micrographs ..." if active else "It ended before the first epoch."]
    if stage not in ("selection", "refit"):
        return []
    twice = status.get("stages", 2) == 2
    done = "%d of %s%s" % (status["updates"], "at most " if twice and stage == "selection" else "",
                           counted(status["updates_total"], "update"))
    where = ""
    if twice:
        where = "stage 1 of 2 (finding the length)" if stage == "selection" else "stage 2 of 2 (again, on all labels)"
    lines = ["*Training*%s: %s" % (", " + where if where else "", done) if active
             else "*Not finished*: ended %safter %s. _Continue_ goes on from there."
             % ("in %s " % where if where else "", done)]
    if active:
        lines.append("Time left: at most %s" % format_seconds(status["eta_s"]))
    if status.get("validation_average_precision") is not None:
        lines.append("Validation AP: *%0.3f* now, %0.3f best"
                     % (status["validation_average_precision"], status["best_validation_average_precision"]))
    lines.append("Expected particles per micrograph: %0.0f" % status["particles_per_micrograph"])
    return lines


def pickingProgress(picked: int, known: int, elapsedS: float, earlier: int = 0) -> str:
    """One line of a picking that still runs.

    Parameters
    ----------
    picked, known
        Micrographs that are done, and that have arrived so far.
    elapsedS
        Since this start of the run.
    earlier
        Those of `picked` that were done before it.
    """
    here = picked - earlier
    rate = "" if here <= 0 or elapsedS <= 0 else ", %0.1f micrographs a minute" % (60 * here / elapsedS)
    return "*Picking*: %d of %s arrived%s" % (
        picked, counted(known, "micrograph that has", "micrographs that have"), rate)
