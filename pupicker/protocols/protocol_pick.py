"""Picking with a trained model, in streaming."""

from __future__ import annotations

import os
import time
from typing import Any, Iterable, List, Set

import pyworkflow.utils as pwutils
from pwem.protocols import ProtParticlePickingAuto
from pyworkflow.constants import NEW
from pyworkflow.object import Integer
from pyworkflow.protocol import STEPS_PARALLEL

from pupicker.constants import THRESHOLD_GIVEN
from pupicker.convert.micrographs import linkName, writeMicrographStar
from pupicker.convert.picks import iterCoordinates, readPicks
from pupicker.plugin.outcome import CoreError
from pupicker.protocols.batch_records import batchRecord, joinBatches, relink
from pupicker.protocols.forms.picking import PickingForm
from pupicker.protocols.picking_state import PickingState
from pupicker.protocols.protocol_base import ProtPuPickerBase
from pupicker.shared.digests import digest_of, file_digest
from pupicker.shared.json_files import read_json, write_json


class ProtPuPickerPick(PickingForm, PickingState, ProtPuPickerBase, ProtParticlePickingAuto):
    """
    Picks particles in micrographs with a trained model, while micrographs still arrive if need be.

    Every coordinate carries _pupickerScore, a log-likelihood ratio (particle against background; above 0 speaks for a
    particle), _pupickerProbability (0 to 1), and the score under RELION's names (_rlnAutopickFigureOfMerit), so that
    sets can be filtered by score, and exported to RELION with it.

    The threshold is best chosen generously here: a stricter one can always be applied later (_pupicker - threshold_),
    and 2D classification removes false picks, but a particle left out does not come back.

    Positions and box size are in pixels of the input micrographs, whatever the pixel size the network works at.
    """

    _label = "pick"
    _devStatus = NEW
    stepsExecutionMode = STEPS_PARALLEL
    _command = "pick"

    def __init__(self, **kwargs: Any) -> None:
        ProtParticlePickingAuto.__init__(self, **kwargs)
        self.emptyMicrographs = Integer(0)
        self.pickedMicrographs = Integer(0)

    # --------------------------- INSERT steps functions ----------------------
    def _insertAllSteps(self) -> None:
        # Masks may arrive with their micrographs: only the folder counts.
        self._digest = digest_of(self.inputMicrographs.get().getObjId(), self._getModelDigest(),
                                self._getPickArguments(), self._getMasksFolder())
        self._takeUpEarlierPicks(self._digest)
        ProtParticlePickingAuto._insertAllSteps(self)

    def _getPickArgs(self) -> List[str]:
        return [self._digest] + ([self._retry] if self._retry else [])

    def _insertFinalSteps(self, micSteps: List[int]) -> None:
        # With the time it never equals that of an earlier start: if it did, Continue would end there and then, even
        # if the set of micrographs is growing again.
        self._insertFunctionStep(self.createOutputStep, self._digest, repr(time.time()), prerequisites=micSteps,
                                 wait=True, needsGPU=False)

    # --------------------------- STEPS functions -----------------------------
    def _pickMicrograph(self, mic: Any, *args: Any) -> None:
        self._pickMicrographList([mic], *args)

    def _pickMicrographList(self, micList: List[Any], *args: Any) -> None:
        """Pick the micrographs of one batch; those with a table from an interrupted run are not picked again."""
        todo = [mic for mic in micList if not os.path.exists(self._getPicksFile(mic))]
        if not todo:
            return
        name = "batch_%s" % linkName(todo[0].getObjId())
        folder = self._getExtraPath(name)
        for mic in todo:
            pwutils.cleanPath(self._getQuarantineFile(mic.getObjId()))
        links = self._linkMicrographs(todo, folder)
        if links:
            starFile, reportFile = os.path.join(folder, "micrographs.star"), os.path.join(folder, "report.json")
            writeMicrographStar(links, starFile)
            record = os.path.join(self._getBatchesDir(), name + ".json")
            earlier = read_json(record)
            write_json(record, batchRecord({}, todo, links, earlier))  # now: a killed batch leaves tables too
            arguments = self._getCommandArguments() + [
                starFile, "--output", self.getCoordsDir(), "--format", "tsv", "--pixel-size",
                repr(self.getInputMicrographs().getSamplingRate()), "--threads", self.getBinThreads(), "--report",
                reportFile] + self._getPickArguments()
            arguments += self._linkMasks(todo, folder)
            self._noteWithoutMask(todo, folder)
            try:
                self._runCore(self._command, arguments, name, gpu=self.allowsGpu())
            except CoreError:
                # A command in which no micrograph is usable fails; a batch of bad ones is no reason to stop a stream.
                if len(read_json(reportFile).get("quarantined", ())) < len(links):
                    raise
            report = read_json(reportFile)
            self._quarantineReported(report, {mic.getObjId(): mic.getMicName() for mic in todo})
            write_json(record, batchRecord(report, todo, links, earlier))
        pwutils.cleanPath(folder)

    def createOutputStep(self, digest: str = "", start: str = "") -> None:
        """Waits for the last micrograph; the output was filled on the way.  Then all is known for the report."""
        self._checkSomethingIsPicked()
        self._noteUnpicked()
        try:
            self._writeHtmlReport()
        except CoreError as error:  # the picks are whole without it
            self.warning("There is no HTML report: %s" % error)

    def _writeHtmlReport(self) -> None:
        record = joinBatches(self._getBatchesDir())
        sources = {stem: path for stem, path in record["sources"].items()
                   if os.path.exists(os.path.join(self.getCoordsDir(), stem + ".tsv"))}
        if not sources:
            return
        folder = self._getExtraPath("report")
        pwutils.cleanPath(folder)
        pwutils.makePath(folder)
        links = relink(sources, folder)
        starFile, runFile, namesFile = (os.path.join(folder, name)
                                        for name in ("micrographs.star", "run.json", "names.json"))
        writeMicrographStar(links, starFile)
        quarantined = [{"micrograph": name, "reason": reason} for name, reason in self._getQuarantined()]
        write_json(runFile, dict(record["run"], quarantined=quarantined))
        write_json(namesFile, record["names"])
        self._runCore("report", [starFile, "--picks", self.getCoordsDir(), *self._getReportArguments(), "--pixel-size",
                                 repr(self.getInputMicrographs().getSamplingRate()),
                                 "--run-report", runFile, "--names", namesFile, "--threads", self.getBinThreads(),
                                 "--output", self._getHtmlPath()], "report")
        pwutils.cleanPath(folder)

    def readCoordsFromMics(self, outputDir: str, micDoneList: Iterable[Any], outputCoords: Any) -> None:
        """Append the picks of `micDoneList` to the output (called in the main thread)."""
        outputCoords.setBoxSize(self._getBoxSize())
        inOutput = self._getMicIdsIn(outputCoords)
        for mic in micDoneList:
            path = self._getPicksFile(mic)
            if not os.path.exists(path) or mic.getObjId() in inOutput:
                continue  # quarantined; or written before an interruption, but not yet ticked off
            coordinates = list(iterCoordinates(readPicks(path), mic))
            for coordinate in coordinates:
                outputCoords.append(coordinate)
            self.pickedMicrographs.increment()
            self.emptyMicrographs.sum(0 if coordinates else 1)
        self._store(self.pickedMicrographs, self.emptyMicrographs)

    def _cleanExtraFiles(self) -> None:
        pwutils.cleanPattern(self._getExtraPath("batch_*"))

    # --------------------------- INFO functions ------------------------------
    def getSummary(self, coordSet: Any) -> str:
        """Comment of the output set, shown in the summary."""
        return "%d particles, box size %s px" % (coordSet.getSize(), coordSet.getBoxSize())

    def _summary(self) -> List[str]:
        output = getattr(self, "outputCoordinates", None)
        if output is None:
            return (self._progressSummary() or ["No coordinates yet."]) + self._quarantineSummary()
        picked, empty = self.pickedMicrographs.get(), self.emptyMicrographs.get()
        lines = self._progressSummary()
        lines += ["Picked *%d particles* in %d micrographs (%0.1f a micrograph), box size %s px"
                 % (output.getSize(), picked, output.getSize() / max(1, picked), output.getBoxSize())]
        if picked and empty == picked:
            lines.append("*No micrograph has a single pick*: lower the threshold, and check that the micrographs are "
                         "neither normalised nor of inverted contrast and that their sampling rate is right.")
        elif empty:
            lines.append("Micrographs without a pick: %d" % empty)
        return lines + self._htmlSummary() + self._leftOutSummary() + self._quarantineSummary()

    def getMethods(self, output: Any) -> str:
        """One sentence for the methods section."""
        return ("%d particles were picked with a convolutional neural network trained by positive-unlabelled learning "
                "[Bepler2019], score threshold %s." % (output.getSize(), self._getThresholdText()))

    def _citations(self) -> List[str]:
        return ["Bepler2019"]

    # --------------------------- UTILS functions -----------------------------
    def getCoordsDir(self) -> str:
        return self._getExtraPath("picks")

    def _getBatchesDir(self) -> str:
        """One record for each batch, of what the report at the end needs to know."""
        return self._getExtraPath("batches")

    def _getPicksFile(self, mic: Any) -> str:
        return os.path.join(self.getCoordsDir(), linkName(mic.getObjId()) + ".tsv")

    def _getModelPath(self) -> str:
        return self.inputModel.get().getPath()

    def _getBoxSize(self) -> int:
        return self.boxSize.get() or self.inputModel.get().getBoxSizePx(self.getInputMicrographs().getSamplingRate())

    def _getThresholdText(self) -> str:
        if self.thresholdMode.get() == THRESHOLD_GIVEN:
            return "%0.2f" % self.threshold.get()
        model = self.inputModel.get()  # None: deleted since
        return "that of the model" if model is None else "%0.2f (of the model)" % (model.getSuggestedThreshold() or 0)

    def _getModelDigest(self) -> str:
        return file_digest(self._getModelPath())

    def _getCommandArguments(self) -> List[str]:
        """In front of the micrographs."""
        return ["--model", self._getModelPath()]

    def _getReportArguments(self) -> List[str]:
        return ["--model", self._getModelPath()]

    def _getMicIdsIn(self, outputCoords: Any) -> Set[int]:
        """Micrographs that an interrupted run put into the output; asked once, later ones are ticked off in time."""
        first, self._outputKnown = not getattr(self, "_outputKnown", False), True
        return set(outputCoords.getUniqueValues("_micId")) if first and outputCoords.getSize() else set()
