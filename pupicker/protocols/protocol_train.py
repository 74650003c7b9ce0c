"""Training of a picking model from labelled particles."""

from __future__ import annotations

import os
from typing import Any, Dict, List

import pyworkflow.utils as pwutils
from pyworkflow.constants import NEW

import pupicker
from pupicker.constants import START_MODEL
from pupicker.objects import PuPickerModel
from pupicker.plugin.outcome import CoreError
from pupicker.protocols.bases.learning_base import ProtPuPickerLearningBase
from pupicker.protocols.bases.progress_text import trainingProgress
from pupicker.shared.choices import MODEL_SUFFIX
from pupicker.shared.digests import digest_of
from pupicker.shared.json_files import read_json, write_json
from pupicker.shared.plurals import counted, first_of


class ProtPuPickerTrain(ProtPuPickerLearningBase):
    """
    Trains a picking model from a few labelled particles.

    About a hundred particles, clicked or imported, on a handful of micrographs are enough; ten often do. Not every
    particle of a micrograph has to be labelled: what is not labelled counts as unknown, not as background
    (positive-unlabelled learning). Label what you want to be picked, in thick and thin ice, near and far from focus.

    The one thing to type is the diameter of the particle in Å. Pixel size, box size and distances follow from it.
    Preprocessing is done inside: give the micrographs as they came from motion correction.

    The coordinates may come from any picker and may have been picked on another version of the micrographs
    (downsampled, filtered): they are matched by the micrograph's name and rescaled by the ratio of sampling rates.
    """

    _label = "train"
    _devStatus = NEW
    _possibleOutputs = {"outputModel": PuPickerModel}

    # --------------------------- INSERT steps functions ----------------------
    def _insertAllSteps(self) -> None:
        ProtPuPickerLearningBase._insertAllSteps(self)
        # after the model is registered: it takes minutes, and nobody has to wait for it
        self._insertFunctionStep(self.reportStep, self._training)

    # --------------------------- STEPS functions -----------------------------
    def trainStep(self, training: str) -> List[str]:
        model = self._getModelPath()
        pwutils.cleanPath(self._getStatusPath(), self._getHtmlPath())
        outputs = ["--output", model]
        if self._startedBefore(digest_of(pupicker.__version__, training)):
            outputs.append("--resume")
        self._runLearning("train", "train", outputs)
        return [model, self._getReportPath()]

    def createOutputStep(self, training: str) -> None:
        model = PuPickerModel(self._getModelPath())
        model.setInfo(read_json(self._getReportPath()))
        self._defineOutputs(outputModel=model)
        if self._usesLabels():
            self._defineSourceRelation(self.inputCoordinates, model)
        if self.inputMicrographs.get() is not None:
            self._defineSourceRelation(self.inputMicrographs, model)
        if self.startMode.get() == START_MODEL:
            self._defineSourceRelation(self.startModel, model)

    def reportStep(self, training: str) -> None:
        """Draw the report; the model is whole without it."""
        namesFile = self._getExtraPath("names.json")
        write_json(namesFile, self._getInput()["micrographs"])
        arguments = self._getLearningArguments(self._getNamesById())
        try:
            self._runCore("train", [*arguments, "--output", self._getModelPath(), "--only-html", "--html",
                                    self._getHtmlPath(), "--names", namesFile], "report", gpu=True)
        except CoreError as error:
            self.warning("There is no HTML report: %s" % error)

    # --------------------------- INFO functions ------------------------------
    def _summary(self) -> List[str]:
        model, inputs = getattr(self, "outputModel", None), self._getInput()
        progress = trainingProgress(read_json(self._getStatusPath()), self.isActive())
        if self.isActive() and read_json(self._getStatusPath()).get("stage") == "done":
            progress = ["The report is being drawn ..."]
        if model is None:
            lines = progress or ["No model yet."]
        else:  # while it is trained anew, with what was known of it before
            lines = (progress if self.isActive() else []) + model.getSummary()
        lines += (self._inputSummary(inputs) if inputs else []) + self._quarantineSummary()
        return lines + (self._htmlSummary() if model is not None else [])

    def _inputSummary(self, inputs: Dict[str, Any]) -> List[str]:
        """What the convert step found."""
        micrographs = counted(len(inputs["micrographs"]), "micrograph")
        lines = ["Labels: %d on %s" % (inputs["labels"], micrographs)
                 if self._usesLabels() else
                 "Labels: none, but %s on %s; the average precision above tells how well the model agrees "
                 "with them, not how well it picks" % (self.getEnumText("trainFrom"), micrographs)]
        if abs(inputs["scale"] - 1) > 1e-6:
            lines.append("Coordinates were rescaled by %0.4g to the pixels of the micrographs" % inputs["scale"])
        if inputs["unmatched"]:
            lines.append("*Labelled micrographs left out: %d*, not in the set or of a name that several have (%s)"
                         % (len(inputs["unmatched"]), first_of(inputs["unmatched"])))
        if inputs.get("disabled"):
            lines.append("*Disabled labels left out: %d*" % inputs["disabled"])
        return lines

    def _methods(self) -> List[str]:
        model = getattr(self, "outputModel", None)
        if model is None:
            return []
        return ["A convolutional neural network was trained with %s %s (diameter %0.0f Å) by "
                "positive-unlabelled learning [Bepler2019], objective %s, at %0.3g Å/px."
                % (model.getNumberOfLabels(),
                   "labelled particles" if self._usesLabels() else self.getEnumText("trainFrom"),
                   model.getDiameterAng(), model.getObjective(), model.getWorkingPixelSizeAng())]

    # --------------------------- UTILS functions -----------------------------
    def _startedBefore(self, digest: str) -> bool:
        """Whether a training with the same data and options began and can go on; what another one left is removed."""
        marker = self._getExtraPath("training.json")
        if read_json(marker).get("digest") == digest:
            return True
        for path in pwutils.getFiles(self._getExtraPath()):
            if os.path.basename(path).startswith(os.path.basename(self._getModelPath())):
                pwutils.cleanPath(path)
        write_json(marker, {"digest": digest})
        return False

    def _getModelPath(self) -> str:
        return self._getExtraPath("model" + MODEL_SUFFIX)
