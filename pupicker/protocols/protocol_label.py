"""Labelling particles by hand, with suggestions that learn from the labels."""

from __future__ import annotations

import os
import time
from typing import Any, Dict, List

import pyworkflow.utils as pwutils
from pwem.objects import Coordinate, SetOfCoordinates
from pwem.protocols import ProtParticlePicking
from pyworkflow.constants import NEW
from pyworkflow.object import Boolean
from pyworkflow.protocol import params
from pyworkflow.utils import Message

from pupicker.constants import MODEL_GENERAL
from pupicker.convert.labels import matchLabels
from pupicker.convert.micrographs import linkName, writeMicrographStar
from pupicker.objects import PuPickerModel
from pupicker.plugin.child_process import coreWorker
from pupicker.plugin.outcome import CoreError
from pupicker.protocols.bases.progress_text import trainingProgress
from pupicker.protocols.bases.protocol_base import ProtPuPickerBase
from pupicker.protocols.forms.fields import DIAMETER, fieldErrors, tooLarge
from pupicker.protocols.forms.model import ModelForm
from pupicker.protocols.forms.run import Value
from pupicker.shared.digests import file_digest
from pupicker.shared.json_files import read_json
from pupicker.shared.lengths import BOX_SIZE, even_box_size_px
from pupicker.shared.model_header import facts, read_header
from pupicker.shared.plurals import counted
from pupicker.window.label_record import NOT_PARTICLES, PARTICLES, LabelRecord
from pupicker.window.suggester import (
    MODEL_CARD,
    LabelMicrograph,
    modelName,
    modelNumber,
    takeWholeTraining,
    wantsWholeTraining,
)

OUTPUTS = {PARTICLES: ("outputCoordinates", ""), NOT_PARTICLES: ("outputNegatives", "_negatives")}


class ProtPuPickerLabel(ModelForm, ProtPuPickerBase, ProtParticlePicking):
    """
    Opens a window in which you click particles. It needs nothing but micrographs, and is the first step of a project.

    A left click labels a particle, a click on a circle removes it, a right click says that there is no particle, the
    wheel changes the diameter. Suggestions of a general model, or of one that you choose, stand there from the start as
    thin circles; accept them, or correct them: a model learns from what you click, in the background, and suggests
    anew. What is clicked is on disk at once.

    _Done_ registers the labels, the places that are no particles, and a model with which _pupicker - pick_ can follow:
    it is trained on all labels to its end, as _pupicker - train_ does by itself, once the window is closed. Run it
    again (_Continue_) to go on labelling.
    """

    _label = "label"
    _modelPicks = False  # it suggests only
    _devStatus = NEW
    _possibleOutputs = {"outputCoordinates": SetOfCoordinates, "outputNegatives": SetOfCoordinates,
                        "outputModel": PuPickerModel}
    inputMicrographs: Value
    inputCoordinates: Value
    diameter: Value
    trainAtEnd: Value

    def __init__(self, **kwargs: Any) -> None:
        ProtParticlePicking.__init__(self, **kwargs)
        self.done = Boolean(False)

    # --------------------------- DEFINE param functions ----------------------
    def _defineParams(self, form: Any) -> None:
        form.addSection(label=Message.LABEL_INPUT)
        self._defineGpuParams(form)
        form.addParam("inputMicrographs", params.PointerParam, pointerClass="SetOfMicrographs", important=True,
                      label="Input micrographs",
                      help="Micrographs to label, as they came from motion correction, neither filtered nor "
                           "normalised. A handful is enough; they are shown in their order, and the window says which "
                           "to label next.")
        form.addParam("inputCoordinates", params.PointerParam, pointerClass="SetOfCoordinates", allowsNull=True,
                      label="Begin with (optional)",
                      help="Coordinates of any picker on these micrographs, to correct them. Only a first start "
                           "reads them; afterwards the labels are those of the window.")
        self._defineModelParams(form, "Model for suggestions", general=True)
        DIAMETER.addTo(form, allowsNull=True, default=None, label="Particle diameter (Å, optional)", help=(
            "Longest extent of the particle in Å. Empty: found in the window, where the wheel changes the circles and "
            "the mean of the labels tells the diameter."))
        form.addParam("trainAtEnd", params.BooleanParam, default=True, label="Train to the end after Done",
                      condition="modelSource==%d" % MODEL_GENERAL,
                      help="The trainings of the window are short, so that it answers; their models find less. _Yes_: "
                           "after _Done_ one more follows, of one to three minutes, as _pupicker - train_ does it. "
                           "_No_: the last model of the window is registered at once.")

    # --------------------------- INSERT steps functions ----------------------
    def _insertAllSteps(self) -> None:
        # the time: each start opens the window
        self._insertFunctionStep(self.labelStep, repr(time.time()))
        self._insertFunctionStep(self.trainStep, repr(time.time()))
        self._insertFunctionStep(self.createOutputStep, repr(time.time()), needsGPU=False)

    # --------------------------- STEPS functions -----------------------------
    def labelStep(self, start: str) -> None:
        """Open the window and wait until it is closed."""
        from pupicker.gui.label_dialog import labelMicrographs  # only this step needs a screen

        self.done.set(False)
        self._store(self.done)
        self._cleanQuarantine()
        pwutils.cleanPath(self._getStatusPath())
        self._takeLibraryModel()
        micSet = self.inputMicrographs.get()
        folder = self._getExtraPath("micrographs")
        links = {os.path.splitext(os.path.basename(link))[0]: link
                 for link in self._linkMicrographs((mic.clone() for mic in micSet), folder)}
        mics = {linkName(mic.getObjId()): mic.clone() for mic in micSet if linkName(mic.getObjId()) in links}
        if not mics:
            raise Exception("None of the micrographs can be read: see the summary.")
        rate = micSet.getSamplingRate()
        entries = [LabelMicrograph(key, mic.getMicName(), links[key], rate) for key, mic in mics.items()]
        record = self._beginRecord(micSet)
        with open(self._getLogsPath("serve.log"), "w", encoding="utf-8") as log:
            worker = coreWorker(self._getExtraPath(), ["--threads", "0"], self._chosenGpu(), log)
            try:
                self.done.set(labelMicrographs(entries, {key: mic.getLocation() for key, mic in mics.items()}, record,
                                               worker, self._getExtraPath(), self._getFirstModel()))
            finally:
                worker.close()
        self._store(self.done)

    def _getFirstModel(self) -> Dict[str, Any]:
        """Of the first suggestions, as a card; empty: the general one."""
        model = self.getModel()
        return dict(facts(read_header(model.getPath())), path=model.getPath()) if model is not None else {}

    def _beginRecord(self, micSet: Any) -> LabelRecord:
        """The labels so far; at the first start those that were given."""
        begun = os.path.exists(self._getLabelsFile())
        record = LabelRecord(self._getLabelsFile())
        if not begun:
            model = self.getModel()
            record.setDiameter(self.diameter.get() or (model.getDiameterAng() if model is not None else 0.0))
            coordSet = self.inputCoordinates.get()
            points = matchLabels(coordSet, micSet).points if coordSet is not None else {}
            for micId, places in points.items():
                record.add(linkName(micId), places)
            record.save()
        return record

    def trainStep(self, start: str) -> None:
        """Train as *train* does: the trainings of the window are short, so that it answers."""
        record, digest = LabelRecord(self._getLabelsFile()), file_digest(self._getLabelsFile())
        if (not self.done.get() or not self.trainAtEnd.get() or self.modelSource.get() != MODEL_GENERAL
                or not wantsWholeTraining(record, self._getExtraPath())):
            return
        model = self._getExtraPath(modelName(modelNumber(read_json(self._getModelCardFile())) + 1))
        report = self._getExtraPath("train_report.json")
        try:
            self._runCore("train", self._getTrainingArguments(record) + [
                "--output", model, "--report", report, "--status", self._getStatusPath()], "train", gpu=True)
        except CoreError as error:
            self.warning("The model of the window is registered, because the training after it failed: %s" % error)
            return
        takeWholeTraining(record, self._getExtraPath(), model, digest)

    def _getTrainingArguments(self, record: LabelRecord) -> List[Any]:
        """Micrographs and labels for the command; links and tables are written."""
        micSet, folder = self.inputMicrographs.get(), self._getExtraPath("training")
        used = set(record.labelled()) | set(record.labelled(NOT_PARTICLES))
        links = self._linkMicrographs((mic.clone() for mic in micSet if linkName(mic.getObjId()) in used), folder)
        starFile = os.path.join(folder, "micrographs.star")
        writeMicrographStar(links, starFile)
        arguments = [starFile, "--pixel-size", repr(micSet.getSamplingRate()), "--diameter", repr(record.diameterAng)]
        for kind, option in ((PARTICLES, "--picks"), (NOT_PARTICLES, "--negatives")):
            if record.number(kind):
                table = os.path.join(folder, kind + ".tsv")
                record.writeTable(table, kind)
                arguments += [option, table]
        return arguments

    def createOutputStep(self, start: str) -> None:
        """Register what was labelled, if *Done* was pressed."""
        if not self.done.get():
            return
        record = LabelRecord(self._getLabelsFile())
        self._emptyOtherOutputs([name for kind, (name, _) in OUTPUTS.items() if record.number(kind)], "0 places")
        for kind, (name, suffix) in OUTPUTS.items():
            if record.number(kind):
                output = self._newCoordinates(record, kind, suffix)
                self._defineOutputs(**{name: output})
                self._defineSourceRelation(self.inputMicrographs, output)
        card = read_json(self._getModelCardFile())
        if card:
            model = PuPickerModel(card["path"])
            model.setInfo(card)
            self._defineOutputs(outputModel=model)
            self._defineSourceRelation(self.inputMicrographs, model)

    def _newCoordinates(self, record: LabelRecord, kind: str, suffix: str) -> Any:
        """A set of the places of one kind."""
        micSet = self.inputMicrographs.get()
        output = self._createSetOfCoordinates(self.inputMicrographs, suffix=suffix)
        output.setBoxSize(even_box_size_px(BOX_SIZE * record.diameterAng, micSet.getSamplingRate()))
        for mic in micSet:
            for x, y in record.places(linkName(mic.getObjId()), kind):
                coord = Coordinate(x=round(x), y=round(y))
                coord.setMicrograph(mic)
                output.append(coord)
        return output

    def _cleanExtraFiles(self) -> None:
        pwutils.cleanPath(self._getExtraPath("micrographs"), self._getExtraPath("training"))

    # --------------------------- INFO functions ------------------------------
    def _validate(self) -> List[str]:
        errors = self._validateModel("Model for suggestions")
        errors += fieldErrors(self, [DIAMETER._replace(optional=True)]) + tooLarge(self, self.inputMicrographs.get())
        coordSet = self.inputCoordinates.get()
        if coordSet is not None and coordSet.getMicrographs() is None:
            errors.append("*Begin with*: the micrographs of these coordinates are gone from the project.")
        return errors

    def _warnings(self) -> List[str]:
        return self._warnGpu() + self._warnModel()

    def _summary(self) -> List[str]:
        record = self._countLabels()
        if not record["labels"]:
            return ["No labels yet."] + self._quarantineSummary()
        lines = ["*%s* on %s, %s, diameter %0.0f Å" % (
            counted(record["labels"], "label"), counted(record["micrographs"], "micrograph"),
            counted(record["negatives"], "place that is no particle", "places that are no particles"),
            record["diameter"])]
        if getattr(self, "outputModel", None) is not None:
            lines += self.outputModel.getSummary()
        if self.isActive():
            training = trainingProgress(read_json(self._getStatusPath()), True) if self.done.get() else []
            lines += training or ["They are kept; _Done_ in the window registers them."]
        elif not self.done.get():
            lines.append("They are kept, not registered: run it again with _Continue_ and press _Done_ in the window.")
        return lines + self._modelSummary() + self._quarantineSummary()

    def _countLabels(self) -> Dict[str, Any]:
        record = LabelRecord(self._getLabelsFile())
        return {"labels": record.number(), "micrographs": len(record.labelled()),
                "negatives": record.number(NOT_PARTICLES), "diameter": record.diameterAng}

    def _methods(self) -> List[str]:
        record = self._countLabels()
        return ["%s labelled by hand on %s." % (
            counted(record["labels"], "particle was", "particles were"), counted(record["micrographs"], "micrograph"))
                ] if record["labels"] else []

    # --------------------------- UTILS functions -----------------------------
    def _chosenGpu(self) -> str:
        """Number of the GPU; empty: the processor."""
        gpus = self.getGpuList()
        return str(gpus[0]) if gpus else ""

    def _getLabelsFile(self) -> str:
        return self._getExtraPath("labels.json")

    def _getModelCardFile(self) -> str:
        return self._getExtraPath(MODEL_CARD)

    def _getStatusPath(self) -> str:
        return self._getExtraPath("train_status.json")
