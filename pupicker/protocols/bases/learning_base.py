"""What the protocols share that learn from labels: the input for the command line, its options, the steps."""

from __future__ import annotations

import os
from typing import Any, Dict, List, Optional, Tuple

import pyworkflow.utils as pwutils
from pwem.protocols import ProtParticlePicking

from pupicker.constants import START_MODEL
from pupicker.convert.labels import writeLabels
from pupicker.convert.micrographs import linkName, micIdOf, writeMicrographStar
from pupicker.protocols.bases.protocol_base import ProtPuPickerBase
from pupicker.protocols.forms.fields import withFormerNames
from pupicker.protocols.forms.training import TrainingForm
from pupicker.shared.digests import digest_of, file_digest
from pupicker.shared.json_files import read_json, write_json
from pupicker.shared.plurals import none_can


class ProtPuPickerLearningBase(TrainingForm, ProtPuPickerBase, ProtParticlePicking):
    """Base of the protocols that learn from labels; each has its own train step and output."""

    _label: Optional[str] = None  # Scipion shows no protocol without one
    _training = ""  # what tells the steps of one training from those of another

    # --------------------------- INSERT steps functions ----------------------
    def _insertAllSteps(self) -> None:
        labels = self._matchLabels()
        mics = self._getUsedMicrographs(labels)
        # What is used, not the whole set: more micrographs may arrive without a change for the training.
        inputs = digest_of([[mic.getObjId(), mic.getMicName()] for mic in mics],
                           self._getMicrographs().getSamplingRate(), sorted(labels.points.items()), labels.unmatched,
                           self._negativesDigest(labels))
        start = self.startModel.get() if self.startMode.get() == START_MODEL else None
        training = digest_of(inputs, self._filesDigest(mics), withFormerNames(self._getTrainingArguments()),
                             file_digest(start.getPath()) if start else None, self._getMasksDigest(mics))
        self._training = training
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
                                          "unmatched": labels.unmatched, "disabled": labels.disabled})
        made = [self._getLabelsFile(), self._getInputFile()]
        return made + ([self._getNegativesFile()] if self.inputNegatives.get() is not None else [])

    def trainStep(self, training: str) -> List[str]:
        """Paths of the results."""
        raise NotImplementedError

    def createOutputStep(self, training: str) -> None:
        """Register what was learnt; each protocol has an output of its own."""
        raise NotImplementedError

    def _runLearning(self, command: str, name: str, outputs: List[str]) -> None:
        """Run a command that learns; `outputs` are its options for what comes out."""
        self._cleanQuarantine()
        names = self._getNamesById()
        outputs = outputs + ["--report", self._getReportPath(), "--status", self._getStatusPath()]
        self._runCore(command, self._getLearningArguments(names) + outputs, name, gpu=True)
        self._quarantineReported(read_json(self._getReportPath()), names)

    def _getLearningArguments(self, names: Dict[int, str]) -> List[Any]:
        """The data and all that decides what is learnt; links to the micrographs of these ids are made."""
        starFile = os.path.join(self._getInputFolder(), "micrographs.star")
        writeMicrographStar(self._linkLabelledMicrographs(names), starFile)
        arguments = [starFile, "--pixel-size", repr(self._getMicrographs().getSamplingRate()),
                     "--threads", self.getBinThreads()] + self._getTrainingArguments()
        if self._usesLabels():
            arguments += ["--picks", self._getLabelsFile()]
        if self.inputNegatives.get() is not None:
            arguments += ["--negatives", self._getNegativesFile()]
        arguments += self._linkMasks((mic for mic in self._getMicrographs() if mic.getObjId() in names),
                                     self._getInputFolder())
        return arguments

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
    def _citations(self) -> List[str]:
        return ["Bepler2019"] + (["Kiryo2017"] if self._getObjective() == "nnpu" else [])

    # --------------------------- UTILS functions -----------------------------
    def _getNamesById(self) -> Dict[int, str]:
        """Names of the labelled micrographs, as the convert step found them."""
        return {micIdOf(link): name for link, name in self._getInput()["micrographs"].items()}

    def _linkLabelledMicrographs(self, names: Dict[int, str]) -> List[str]:
        links = self._linkMicrographs((mic for mic in self._getMicrographs() if mic.getObjId() in names),
                                      self._getInputFolder())
        if not links:
            raise Exception("%s be read: see the summary." % none_can(
                len(names), "labelled micrograph").capitalize())
        return links

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

    def _getReportPath(self) -> str:
        return self._getExtraPath("train_report.json")

    def _getStatusPath(self) -> str:
        return self._getExtraPath("train_status.json")
