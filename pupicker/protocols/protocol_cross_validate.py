"""Cross-validation of a training's options over micrographs."""

from __future__ import annotations

import difflib
import os
from typing import Any, Dict, List

import pyworkflow.utils as pwutils
from pyworkflow.constants import NEW
from pyworkflow.object import Float, String
from pyworkflow.protocol import params

from pupicker.constants import TRAIN_FROM_CHOICES, TRAIN_FROM_LABELS
from pupicker.protocols.bases.learning_base import ProtPuPickerLearningBase
from pupicker.protocols.forms.fields import OptionField, fieldErrors, optionOf
from pupicker.protocols.forms.run import Value
from pupicker.shared import options
from pupicker.shared.json_files import read_json
from pupicker.shared.plurals import counted

FOLDS = OptionField("folds", options.FOLDS)

GRID_HELP = (
    "Options of the training to try, one a line, as name=value,value,... All combinations are trained. The names are "
    "those of the command line, without dashes:\n"
    "_updates=200,400,800_: how long to train.\n"
    "_particles-per-micrograph=100,200,400_: with the number of particles 'automatic' in this form.\n"
    "_objective=ge-binomial,nnpu,pn_\n_start=general,random_\n_diameter=150,180_ (Å)\n"
    "_working-pixel-size=6,9_ (Å/px)\n_learning-rate=0.001,0.0003_\n_no-refit=yes,no_\n"
    "An axis takes the place of the field of this form. Empty: one row, for the form as it is. _pupicker train "
    "--help_ lists all options."
)


class ProtPuPickerCrossValidate(ProtPuPickerLearningBase):
    """
    Compares options of the training by cross-validation over micrographs.

    The labelled micrographs are dealt into folds. For each fold and each combination of options a model is trained on
    the others and picks the fold; its labels tell how good that is. The summary names the best combination, the
    command and the values to type into _pupicker - train_. No model is kept.

    It takes as long as folds times combinations trainings. Combinations that differ by less than the standard error
    are equally good: take the simpler one. What was trained is kept: after an interruption, or with more values in the
    field, _Continue_ trains only what is missing.
    """

    _label = "cross-validate"
    _devStatus = NEW
    _possibleOutputs: Dict[str, Any] = {}
    folds: Value
    grid: Value

    def __init__(self, **kwargs: Any) -> None:
        ProtPuPickerLearningBase.__init__(self, **kwargs)
        self.bestOptions = String()
        self.bestAveragePrecision = Float()

    # --------------------------- DEFINE param functions ----------------------
    def _defineTrainFrom(self, form: Any) -> None:
        form.addHidden("trainFrom", params.EnumParam, choices=list(TRAIN_FROM_CHOICES), default=TRAIN_FROM_LABELS,
                       help="Only labels tell which options are better.")

    def _defineOwnParams(self, form: Any) -> None:
        FOLDS.addTo(form, label="Folds (number of parts)", help=(
            "Number of parts into which the labelled micrographs are dealt; each is left out once. No more than there "
            "are labelled micrographs; more folds take longer and tell more."))
        form.addParam("grid", params.TextParam, default="updates=200,400,800", height=3, width=50,
                      label="Options to try", help=GRID_HELP)

    # --------------------------- STEPS functions -----------------------------
    def trainStep(self, training: str) -> List[str]:
        pwutils.cleanPath(self._getStatusPath(), self.getFigurePath(), self.getTablePath())
        self._runLearning("cross-validate", "cross_validate", ["--output", self._getResultFolder()])
        return [self.getTablePath(), self.getFigurePath()]

    def createOutputStep(self, training: str) -> None:
        table = self.getTable()
        best = next(cell for cell in table["cells"] if cell["cell"] == table["best"])
        self.bestOptions.set(table["best"])
        self.bestAveragePrecision.set(best["average_precision"])
        self._store(self.bestOptions, self.bestAveragePrecision)

    # --------------------------- INFO functions ------------------------------
    def _validate(self) -> List[str]:
        errors = ProtPuPickerLearningBase._validate(self) + fieldErrors(self, [FOLDS])
        for line in self._getAxes():
            name, sign, values = line.partition("=")
            if not (sign and name.strip() and values.strip(" ,")):
                errors.append("*Options to try*: %r is not of the form name=value,value; write for example "
                              "updates=400,800 and each option on a line of its own." % line)
            else:
                errors += axisErrors(name, values)
        coordSet = self.inputCoordinates.get()
        if not errors and coordSet is not None and len(self._matchLabels().points) < 2:
            errors.append("*Labelled particles*: they are on one micrograph only, and whole micrographs are left out. "
                          "Label particles on two or more.")
        return errors

    def _summary(self) -> List[str]:
        table = self.getTable()
        if not table:
            status = read_json(self._getStatusPath())
            of_all = "of %s*" % counted(status["total"], "training") if status else ""
            done = "*" + counted(status["done"], of_all + " is done.", of_all + " are done.") if status else ""
            return [done or "No comparison yet."] + self._quarantineSummary()
        lines = ["Best: *%s*" % table["best"]]
        if table["as_good"]:
            lines.append("As good within one standard error: %s" % "; ".join(table["as_good"]))
        lines += ["", "Average precision on what was left out, %d folds (± standard error):" % table["folds"]]
        lines += ["  %s: %s" % (cell["cell"], cellText(cell)) for cell in table["cells"]]
        lines += ["", "The same on the command line: %s" % table["command"],
                  "[[%s][Open the figure]]" % os.path.abspath(self.getFigurePath())]
        return lines + self._quarantineSummary()

    def _methods(self) -> List[str]:
        if self.bestOptions.get() is None:
            return []
        return ["Options of the training were compared by %d-fold cross-validation over micrographs; best: %s (average "
                "precision %0.3f)." % (self.folds.get(), self.bestOptions.get(), self.bestAveragePrecision.get())]

    # --------------------------- UTILS functions -----------------------------
    def _getTrainingArguments(self) -> List[str]:
        arguments = ProtPuPickerLearningBase._getTrainingArguments(self) + FOLDS.arguments(self)
        for axis in self._getAxes():
            arguments += ["--grid", axis]
        return arguments

    def _getAxes(self) -> List[str]:
        return [line.strip() for line in (self.grid.get() or "").splitlines() if line.strip()]

    def _getResultFolder(self) -> str:
        return self._getExtraPath("cross_validation")

    def getFigurePath(self) -> str:
        """The figure, a PNG file."""
        return os.path.join(self._getResultFolder(), "figure.png")

    def getTablePath(self) -> str:
        """The table as JSON."""
        return os.path.join(self._getResultFolder(), "table.json")

    def getTable(self) -> Dict[str, Any]:
        """Content of the table; empty if it is not there yet."""
        return read_json(self.getTablePath())


def axisErrors(name: str, values: str) -> List[str]:
    """What is wrong with one of the options to try, in one line; the command line would say it after the start."""
    key = name.strip().lstrip("-").replace("-", "_")
    known = {option.name: option for option in options.TRAINING + options.OTHERS}
    option = known.get(key) or known.get(key[len("no_"):] if key.startswith("no_") else "")
    if option is None:
        near = difflib.get_close_matches(key, known, n=1)
        hint = "; do you mean %s?" % optionOf(near[0])[2:] if near else "."
        return ["*Options to try*: there is no option %s%s" % (name.strip(), hint)]
    for value in (value.strip() for value in values.split(",") if value.strip()):
        problem = "" if option.kind is bool else option.problem(_read(value, option.kind))
        if problem:
            return ["*Options to try*: %s." % problem]
    return []


def _read(value: str, kind: Any) -> Any:
    try:
        return kind(value)
    except ValueError:
        return value


def cellText(cell: Dict[str, Any]) -> str:
    """Results of one combination in words."""
    if "failed" in cell:
        return "failed: %s" % cell["failed"]
    error = cell["average_precision_error"]
    return "*%0.3f*%s, recall %0.3f at the suggested threshold" % (
        cell["average_precision"], "" if error is None else " ± %0.3f" % error, cell["recall"])
