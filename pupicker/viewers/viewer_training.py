"""Training: its curves, and the labels it learnt from."""

from __future__ import annotations

import csv
import os
from typing import Any, Dict, List, Sequence, Tuple

from pyworkflow.viewer import View, Viewer

from pupicker.convert.micrographs import micIdOf
from pupicker.convert.set_columns import collectorPaused
from pupicker.protocols import ProtPuPickerTrain
from pupicker.shared.columns import POSITION
from pupicker.shared.json_files import read_json
from pupicker.shared.plurals import counted
from pupicker.shared.shares import roughly
from pupicker.viewers.browser import MicrographBrowser, WindowView
from pupicker.viewers.scored_set import MicrographEntry, ViewerError, readMicrographs
from pupicker.window.micrograph_canvas import Circle

LABEL = "#2ca02c"
LEGEND: Dict[str, Any] = {"fontsize": 8, "framealpha": 0.6, "edgecolor": "none", "loc": "best"}
STAGES = (("selection", "#1f77b4"), ("refit", "#ff7f0e"))  # of a training, with their colours
STAGE_NAMES = {"selection": "finding the length", "refit": "again, on all labels"}
Points = Dict[int, List[Tuple[float, float]]]


def readLabels(path: str) -> Points:
    """Labelled centres by micrograph id, px; raises :class:`ViewerError`."""
    if not os.path.exists(path):
        raise ViewerError("%s: no such file; run the training first." % path)
    byName: Dict[str, List[Tuple[float, float]]] = {}
    with open(path, encoding="utf-8", newline="") as stream, collectorPaused():
        rows = csv.reader(stream, delimiter="\t")
        header = next(rows, [])
        if not header:
            raise ViewerError("%s: the table is empty; run the training again." % path)
        micrograph, x, y = (header.index(column) for column in POSITION)
        for row in rows:
            byName.setdefault(row[micrograph], []).append((float(row[x]), float(row[y])))
    return {micIdOf(name): some for name, some in byName.items()}


def drawCurves(figure: Any, report: Dict[str, Any]) -> None:
    """Loss, validation, number of particles and expected precision and recall of a training report.

    Where no labels were held out there is no validation, and one stage.
    """
    heldOut = any(epoch["validation"] is not None for epoch in report["curve"])
    panels = iter(figure.subplots(3 + heldOut, 1))
    loss = next(panels)
    if heldOut:
        drawValidation(next(panels), report)
    number, expectation = panels
    for stage, colour in STAGES:
        epochs = [epoch for epoch in report["curve"] if epoch["stage"] == stage]
        updates = [epoch["updates"] for epoch in epochs]
        if epochs:
            loss.plot(updates, [epoch["loss"] for epoch in epochs], ".-", color=colour, label=STAGE_NAMES[stage])
            number.plot(updates, [epoch["particles_per_micrograph"] for epoch in epochs], ".-", color=colour)
    if heldOut:
        loss.legend(**LEGEND)
    loss.set(ylabel="loss", xlabel="" if heldOut else "updates; no labels were held out")
    drawNumber(number, report)
    drawExpectation(expectation, report)


def drawValidation(axes: Any, report: Dict[str, Any]) -> None:
    """Average precision on the held-out labels, and the length that was chosen by it."""
    best = (report.get("validation") or {}).get("best_updates")
    for stage, colour in STAGES:
        known = [epoch for epoch in report["curve"] if epoch["stage"] == stage and epoch["validation"] is not None]
        if known:
            axes.plot([epoch["updates"] for epoch in known], [epoch["validation"] for epoch in known], ".-",
                      color=colour)
            axes.axvline(best, color="black", linestyle="--",
                         label="chosen: %s, the last as good\nas the best within its error"
                               % counted(best or 0, "update"))
            axes.legend(**LEGEND)
    axes.set(ylabel="validation AP")


def drawNumber(axes: Any, report: Dict[str, Any]) -> None:
    """The interval of the expected number of particles, and the class prior beside it."""
    interval = report.get("particles_interval")
    if interval and axes.lines:
        axes.axhspan(interval["low"], interval["high"], color="#1f77b4", alpha=0.15, linewidth=0,
                     label="%0.0f %% interval" % (100 * interval["level"]))
    settled = report.get("particles_per_micrograph")
    if settled and axes.lines:
        axes.axhline(settled, color="black", linestyle="--", label="taken: %0.0f" % settled)
        axes.legend(**LEGEND)
    if settled and report.get("class_prior"):  # the class prior is their number times the area of a disc
        share = report["class_prior"] / settled
        axes.secondary_yaxis("right", functions=(lambda n: n * share, lambda prior: prior / share)).set_ylabel(
            "share of the area", fontsize=8)
    axes.set(ylabel="particles /\nmicrograph", xlabel="updates")


def drawExpectation(axes: Any, report: Dict[str, Any]) -> None:
    """Expected precision and recall against the threshold, with the suggested one."""
    rows = report.get("expected_curve") or []
    for place, name, colour in ((1, "precision", "#1f77b4"), (2, "recall", "#2ca02c")):
        axes.plot([row[0] for row in rows], [row[place] for row in rows], color=colour, label=name)
    if rows:
        axes.axvline(report["suggested_threshold"], color="black", linestyle="--",
                     label="suggested: %0.2f" % report["suggested_threshold"])
        axes.legend(**LEGEND)
        if report.get("expected_precision") is not None:
            axes.set_title("suggested: precision %s, recall %s" % (
                roughly(report["expected_precision"]), roughly(report["expected_recall"])), fontsize=9)
    axes.set(xlabel="threshold (score)", ylabel="expected", ylim=(0, 1.05))


class TrainingWindow(MicrographBrowser):
    """Labels on the micrographs beside the curves."""

    def __init__(self, parent: Any, micrographs: Sequence[MicrographEntry], labels: Points, radiusPx: float,
                 report: Dict[str, Any], pixelSizeAng: float = 0.0) -> None:
        MicrographBrowser.__init__(self, "pupicker: training", parent, micrographs, radiusPx, ["labels"], pixelSizeAng)
        self.labels = labels
        drawCurves(self.addFigure(8.2), report)
        self.refreshCounts()
        self.selectFirst()

    def circles(self, micId: int) -> List[Circle]:
        return [(x, y, LABEL) for x, y in self.labels.get(micId, ())]

    def count(self, micId: int) -> Sequence[int]:
        return [len(self.labels.get(micId, ()))]


class PuPickerTrainingViewer(Viewer):
    """Curves and labels of a training."""

    _name = "pupicker training"
    _targets = [ProtPuPickerTrain]

    def _visualize(self, obj: Any, **kwargs: Any) -> List[View]:
        report = read_json(obj._getReportPath())
        try:
            if not report.get("curve"):
                raise ViewerError("%s: no training report; the run has not finished." % obj._getReportPath())
            labels, micSet = readLabels(obj._getLabelsFile()), obj._getMicrographs()
            micrographs = [entry for entry in readMicrographs(micSet) if entry.micId in labels]
        except ViewerError as error:
            return [self.errorMessage(str(error), "pupicker training")]
        radiusPx = obj.diameter.get() / micSet.getSamplingRate() / 2
        return [WindowView(lambda parent: TrainingWindow(parent, micrographs, labels, radiusPx, report,
                                                          micSet.getSamplingRate() or 0.0),
                           self.formWindow)]
