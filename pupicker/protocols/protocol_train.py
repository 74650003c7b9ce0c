"""Training of a picking model from labelled particles."""

from __future__ import annotations

import os
from typing import Any, Dict, Iterable, List, Tuple

import pyworkflow.utils as pwutils
from pwem.protocols import ProtParticlePicking
from pyworkflow.constants import NEW

import pupicker
from pupicker.constants import (
    MODEL_SUFFIX,
    OBJECTIVES,
    START_MODEL,
    TRAIN_FROM_LABELS,
)
from pupicker.convert.labels import Labels, matchLabels, writeLabels
from pupicker.convert.micrographs import linkName, micIdOf, writeMicrographStar
from pupicker.objects import PuPickerModel
from pupicker.protocols.forms.training import TrainingForm
from pupicker.protocols.progress_text import trainingProgress
from pupicker.protocols.protocol_base import ProtPuPickerBase
from pupicker.shared.digests import digest_of, file_digest
from pupicker.shared.json_files import read_json, write_json


class ProtPuPickerTrain(TrainingForm, ProtPuPickerBase, ProtParticlePicking):
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
        labels = self._matchLabels()
        mics = self._getUsedMicrographs(labels)
        # What is used, not the whole set: more micrographs may arrive without a change for the training.
        inputs = digest_of([[mic.getObjId(), mic.getMicName()] for mic in mics],
                          self._getMicrographs().getSamplingRate(), sorted(labels.points.items()), labels.unmatched,
                          self._negativesDigest(labels))
        start = self.startModel.get() if self.startMode.get() == START_MODEL else None
        training = digest_of(inputs, self._filesDigest(mics), self._getTrainingArguments(),
                            file_digest(start.getPath()) if start else None, self._getMasksDigest(mics))
        self._insertFunctionStep(self.convertInputStep, inputs, needsGPU=False)
        self._insertFunctionStep(self.trainStep, training)
        self._insertFunctionStep(self.createOutputStep, training, needsGPU=False)

    # --------------------------- STEPS functions -----------------------------
    def convertInputStep(self, inputs: str) -> List[str]:
        labels = self._matchLabels()
        names = {linkName(mic.getObjId()): mic.getMicName() for mic in self._getUsedMicrographs(labels)}
        writeLabels(labels.points, self._getLabelsFile())
        if self.inputNegatives.get() is not None:
            writeLabels(self._matchNegatives(labels.points), self._getNegativesFile())
        write_json(self._getInputFile(), {"micrographs": names, "scale": labels.scale,
                                                 "labels": sum(map(len, labels.points.values())),
                                                 "unmatched": labels.unmatched})
        made = [self._getLabelsFile(), self._getInputFile()]
        return made + ([self._getNegativesFile()] if self.inputNegatives.get() is not None else [])

    def trainStep(self, training: str) -> List[str]:
        self._cleanQuarantine()
        names = self._getNamesById()
        links = self._linkLabelledMicrographs(names)
        starFile = os.path.join(self._getInputFolder(), "micrographs.star")
        model, report = self._getModelPath(), self._getReportPath()
        writeMicrographStar(links, starFile)
        arguments = [starFile, "--output", model, "--pixel-size", repr(self._getMicrographs().getSamplingRate()),
                     "--threads", self.getBinThreads(), "--report", report, "--status", self._getStatusPath(),
                     "--html", self._getHtmlPath(), "--names", self._getNamesPath()] + self._getTrainingArguments()
        arguments += ["--picks", self._getLabelsFile()] if self._usesLabels() else []
        arguments += self._linkMasks((mic for mic in self._getMicrographs() if mic.getObjId() in names),
                                     self._getInputFolder())
        pwutils.cleanPath(self._getStatusPath(), self._getHtmlPath())
        write_json(self._getNamesPath(), self._getInput()["micrographs"])
        if self.inputNegatives.get() is not None:
            arguments += ["--negatives", self._getNegativesFile()]
        if self._startedBefore(digest_of(pupicker.__version__, training)):
            arguments.append("--resume")
        self._runCore("train", arguments, "train", gpu=True)
        self._quarantineReported(read_json(report), names)
        return [model, report]

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

    def _cleanExtraFiles(self) -> None:
        pwutils.cleanPath(self._getInputFolder())

    # --------------------------- streaming -----------------------------------
    @classmethod
    def worksInStreaming(cls) -> bool:
        """Micrographs may still arrive: only those with labels are used.  It does not wait for more of them."""
        return True

    def getInputStatus(self) -> Tuple[bool, bool, bool]:
        """For the form, which offers *Schedule* where a set has to be complete."""
        emptyInput, openSet, emptyPointers = ProtParticlePicking.getInputStatus(self)
        return emptyInput, openSet or bool(self._getGrowingInputs()), emptyPointers

    # --------------------------- INFO functions ------------------------------
    def _summary(self) -> List[str]:
        model, inputs = getattr(self, "outputModel", None), self._getInput()
        progress = trainingProgress(read_json(self._getStatusPath()), self.isActive())
        if model is None:
            lines = progress or ["No model yet."]
        else:  # while it is trained anew, with what was known of it before
            lines = (progress if self.isActive() else []) + model.getSummary() + self._htmlSummary()
        if inputs:
            lines.append("Labels: %d on %d micrographs" % (inputs["labels"], len(inputs["micrographs"]))
                         if self._usesLabels() else
                         "Labels: none, but %s on %d micrographs; the average precision above tells how well the model "
                         "agrees with them, not how well it picks"
                         % (self.getEnumText("trainFrom"), len(inputs["micrographs"])))
            if abs(inputs["scale"] - 1) > 1e-6:
                lines.append("Coordinates were rescaled by %0.4g to the pixels of the micrographs" % inputs["scale"])
            if inputs["unmatched"]:
                lines.append("*Labelled micrographs left out: %d*, not in the set or of a name that several have (%s%s)"
                             % (len(inputs["unmatched"]), ", ".join(inputs["unmatched"][:3]),
                                ", ..." if len(inputs["unmatched"]) > 3 else ""))
        return lines + self._quarantineSummary()

    def _methods(self) -> List[str]:
        model = getattr(self, "outputModel", None)
        if model is None:
            return []
        return ["A convolutional neural network was trained with %s %s (diameter %0.0f Å) by "
                "positive-unlabelled learning [Bepler2019], objective %s, at %0.3g Å/px."
                % (model.getNumberOfLabels(),
                   "labelled particles" if self._usesLabels() else self.getEnumText("trainFrom"),
                   model.getDiameterAng(), model.getObjective(),
                   model.getWorkingPixelSizeAng())]

    def _citations(self) -> List[str]:
        return ["Bepler2019"] + (["Kiryo2017"] if self._getObjective() == "nnpu" else [])

    # --------------------------- UTILS functions -----------------------------
    def _getMicrographs(self) -> Any:
        """The set to train on: the one given, else the one that the particles were labelled on."""
        coordSet = self.inputCoordinates.get() if self._usesLabels() else None
        return self.inputMicrographs.get() or (coordSet.getMicrographs() if coordSet is not None else None)

    def _usesLabels(self) -> bool:
        return bool(self.trainFrom.get() == TRAIN_FROM_LABELS)

    def _matchLabels(self) -> Labels:
        if not self._usesLabels():
            return Labels({}, [], 1.0)
        return matchLabels(self.inputCoordinates.get(), self._getMicrographs())

    def _getUsedMicrographs(self, labels: Labels) -> List[Any]:
        """Those with labels; without labels all."""
        return [mic.clone() for mic in self._getMicrographs()
                if mic.getObjId() in labels.points or not self._usesLabels()]

    def _negativesDigest(self, labels: Labels) -> Any:
        if self.inputNegatives.get() is None:
            return None
        return sorted(self._matchNegatives(labels.points).items())

    def _matchNegatives(self, labelled: Iterable[int]) -> Dict[int, Any]:
        """Places that are no particles, on the micrographs that are trained on."""
        points = matchLabels(self.inputNegatives.get(), self._getMicrographs()).points
        return {micId: places for micId, places in points.items() if micId in labelled or not self._usesLabels()}

    def _getObjective(self) -> str:
        return OBJECTIVES[self.objective.get()]

    def _getNamesById(self) -> Dict[int, str]:
        """Names of the labelled micrographs, as the convert step found them."""
        return {micIdOf(link): name for link, name in self._getInput()["micrographs"].items()}

    def _linkLabelledMicrographs(self, names: Dict[int, str]) -> List[str]:
        links = self._linkMicrographs((mic for mic in self._getMicrographs() if mic.getObjId() in names),
                                      self._getInputFolder())
        if not links:
            raise Exception("None of the %d labelled micrographs can be read: see the summary." % len(names))
        return links

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

    def _getInputFolder(self) -> str:
        return self._getExtraPath("input")

    def _getInputFile(self) -> str:
        return self._getExtraPath("input.json")

    def _getInput(self) -> Dict[str, Any]:
        """What the convert step found: names of the labelled micrographs by link, counts, scale."""
        return read_json(self._getInputFile())

    def _getLabelsFile(self) -> str:
        return self._getExtraPath("labels.tsv")

    def _getNegativesFile(self) -> str:
        return self._getExtraPath("negatives.tsv")

    def _getModelPath(self) -> str:
        return self._getExtraPath("model" + MODEL_SUFFIX)

    def _getReportPath(self) -> str:
        return self._getExtraPath("train_report.json")

    def _getStatusPath(self) -> str:
        return self._getExtraPath("train_status.json")

    def _getNamesPath(self) -> str:
        return self._getExtraPath("names.json")
