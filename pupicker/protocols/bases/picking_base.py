"""What the pickers share: batches of micrographs in streaming, their records, the report at the end."""

from __future__ import annotations

import os
import shlex
import time
from typing import Any, Dict, Iterable, List, Optional, Set

import pyworkflow.utils as pwutils
from pwem.objects import SetOfCoordinates
from pyworkflow.object import Float, Integer, String
from pyworkflow.protocol import STEPS_PARALLEL

from pupicker.convert.batch_records import batchRecord, joinBatches, relink
from pupicker.convert.micrographs import linkName, writeMicrographStar
from pupicker.convert.picks import iterCoordinates, readPicks
from pupicker.plugin.outcome import CoreError
from pupicker.protocols.bases.many_micrographs import ManyMicrographs
from pupicker.protocols.bases.picking_state import OUTPUT, PickingState
from pupicker.protocols.forms.fields import withFormerNames
from pupicker.protocols.forms.picking import PickingForm
from pupicker.shared.digests import digest_of, file_state
from pupicker.shared.json_files import read_json, write_json
from pupicker.shared.plurals import counted


class ProtPuPickerPickingBase(PickingForm, PickingState, ManyMicrographs):
    """Base of the pickers: batches of micrographs through the command line, in streaming.

    A picker says which command, what stands in front of its micrographs, and which options decide what it finds.
    """

    _label: Optional[str] = None  # Scipion shows no protocol without one
    stepsExecutionMode = STEPS_PARALLEL
    _command = ""
    _digest = ""
    _waiting: List[Any]  # micrographs that have no step yet
    _open: List[Any]  # steps that pick and are not finished
    _inputState: List[int]  # of the file of the input when it was read

    def __init__(self, **kwargs: Any) -> None:
        ManyMicrographs.__init__(self, **kwargs)
        self.emptyMicrographs = Integer(0)
        self.pickedMicrographs = Integer(0)
        self.expectedParticles = Float(0.0)  # by the probabilities; stays 0 where they are not known
        self.picksSpread = String()  # known at the end

    # --------------------------- of the picker -------------------------------
    def _getModelDigest(self) -> str:
        """What tells that the files are the same with which is picked."""
        raise NotImplementedError

    def _getCommandArguments(self) -> List[str]:
        """In front of the micrographs."""
        raise NotImplementedError

    def _getReportArguments(self) -> List[str]:
        """Of the report at the end."""
        return []

    def _getThresholdText(self) -> str:
        """The lowest score of a pick, for the summary."""
        raise NotImplementedError

    def _getPickArguments(self) -> List[str]:
        """Options that decide which picks come out."""
        raise NotImplementedError

    def _getCandidateArguments(self) -> List[str]:
        """What keeps weaker picks too, beside the output."""
        return []

    # --------------------------- INSERT steps functions ----------------------
    def _insertAllSteps(self) -> None:
        self._digest = self._pickingDigest(self._getPickArguments())
        self._takeUpEarlierPicks(self._digest, self._scoringDigest())
        self._waiting, self._open, self._inputState = [], [], []
        self._beginToCount()
        ManyMicrographs._insertAllSteps(self)

    def _pickingDigest(self, arguments: List[str]) -> str:
        """What tells how it is picked now, with these options."""
        # Masks may arrive with their micrographs: only the folder counts.
        return digest_of(self.inputMicrographs.get().getObjId(), self._getModelDigest(), withFormerNames(arguments),
                         self._getMasksFolder())

    def _scoringDigest(self) -> str:
        """The same, whatever the threshold."""
        return self._pickingDigest([word for word in self._getPickArguments() if not word.startswith("--threshold=")])

    def _getPickArgs(self) -> List[str]:
        return [self._digest] + ([self._retry] if self._retry else [])

    def _insertFinalSteps(self, micSteps: List[int]) -> None:
        # With the time it never equals that of an earlier start: if it did, Continue would end there and then, even
        # if the set of micrographs is growing again.
        self._insertFunctionStep(self.createOutputStep, self._digest, repr(time.time()), prerequisites=micSteps,
                                 wait=True, needsGPU=False)

    # --------------------------- streaming -----------------------------------
    _stepsCheckSecs = 1  # as often as the host's loop comes by, which sleeps three seconds

    def _insertNewMicsSteps(self, inputMics: Iterable[Any]) -> List[int]:
        """Take up what has arrived; nothing waits for a batch to be full."""
        for mic in inputMics:
            self.micDict[mic.getMicName()] = mic
            self._waiting.append(mic)
            self._noteArrival(mic)
        return self._insertWaiting()

    def _insertWaiting(self) -> List[int]:
        """Steps for micrographs that wait: for each slot one that runs and one that is next, the rest goes on waiting.

        While a step runs, what arrives gathers, so that batches grow by themselves when picking is the slower one.
        """
        self._open = [step for step in self._open if not step.isFinished()]
        largest, slots, ids = self.streamingBatchSize.get() or len(self._waiting), self._getSlots(), []
        while self._waiting and len(self._open) < 2 * slots:
            batch, self._waiting = self._waiting[:largest], self._waiting[largest:]
            ids.append(self._insertPickMicrographListStep(batch, self.initialIds, *self._getPickArgs()))
            self._open.append(self._steps[-1])
        return ids

    def _getSlots(self) -> int:
        """Steps that can run at the same time."""
        threads = max(1, self.numberOfThreads.get() - 1)
        return min(threads, max(1, len(self.getGpuList()))) if self.usesGpu() else threads

    def _checkNewInput(self) -> None:
        """Look whether micrographs have arrived; the set is read only when its file has changed."""
        state = file_state(self.getInputMicrographs().getFileName())
        arrived: Iterable[Any] = ()
        if state != self._inputState:
            self._inputState = state
            new, self.streamClosed = self._loadInputList()
            arrived = new.values()
            self._arrivalS = state[1] / 1e9 if state else None
        ids = self._insertNewMicsSteps(arrived)
        if ids:
            outputStep = self._getFirstJoinStep()
            if outputStep is not None:
                outputStep.addPrerequisites(*ids)
            self.updateSteps()

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
            self._pickBatch(todo, links, name)
        pwutils.cleanPath(folder)

    def _pickBatch(self, mics: List[Any], links: List[str], name: str) -> None:
        """Pick the micrographs of a batch by their links, which lie in the folder `name`."""
        folder = self._getExtraPath(name)
        record = os.path.join(self._getBatchesDir(), name + ".json")
        earlier = read_json(record)
        write_json(record, batchRecord({}, mics, links, earlier))  # now: a killed batch leaves tables too
        options = ["--pixel-size", repr(self.getInputMicrographs().getSamplingRate())] + self._getPickArguments()
        options += self._getCandidateArguments() + self._linkMasks(mics, folder)
        self._noteWithoutMask(mics, folder)
        report = self._pickLinks(mics, links, name, options)
        self._quarantineReported(report, {mic.getObjId(): mic.getMicName() for mic in mics})
        write_json(record, batchRecord(report, mics, links, earlier))

    def _pickLinks(self, mics: List[Any], links: List[str], name: str, options: List[str]) -> Dict[str, Any]:
        """Pick with one command, which lasts as long as the batch; its report."""
        folder = self._getExtraPath(name)
        starFile, reportFile = os.path.join(folder, "micrographs.star"), os.path.join(folder, "report.json")
        writeMicrographStar(links, starFile)
        arguments = self._getCommandArguments() + [starFile, "--output", self.getCoordsDir(), "--format", "tsv",
                                                   "--skip-done", "--threads", self.getBinThreads(),
                                                   "--report", reportFile]
        try:
            self._runCore(self._command, arguments + options, name, gpu=self.allowsGpu())
        except CoreError:
            # A command in which no micrograph is usable fails; a batch of bad ones is no reason to stop a stream.
            if len(read_json(reportFile).get("quarantined", ())) < len(links):
                raise
        return read_json(reportFile)

    def createOutputStep(self, digest: str = "", start: str = "") -> None:
        """Waits for the last micrograph; the output was filled on the way.  Then all is known for the report."""
        self._checkSomethingIsPicked()
        self._noteUnpicked()
        self._noteSpread()
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
        run = dict(record["run"], quarantined=quarantined, command_line=self._getCommandLine(sources.values()))
        if run.get("preparation"):  # the links to masks of each batch are gone
            shown = [mic for mic in self.getInputMicrographs() if linkName(mic.getObjId()) in sources]
            masks = self._linkMasks(shown, folder)
            run["preparation"]["masks"] = masks[-1] if masks else None
        write_json(runFile, run)
        write_json(namesFile, record["names"])
        self._runCore("report", [starFile, "--picks", self.getCoordsDir(), *self._getReportArguments(), "--pixel-size",
                                 repr(self.getInputMicrographs().getSamplingRate()),
                                 "--run-report", runFile, "--names", namesFile, "--threads", self.getBinThreads(),
                                 "--output", self._getHtmlPath()], "report")
        pwutils.cleanPath(folder)

    def _getCommandLine(self, sources: Iterable[str]) -> str:
        """The picking as one command: what the batches had in their folders is gone, and a process that stays has none.

        `sources` are the files of the micrographs.
        """
        folders = sorted({os.path.dirname(path) for path in sources})
        masks = ["--masks", self._getMasksFolder()] if self._getMasksFolder() else []
        words = ["pupicker", self._command, *self._getCommandArguments(), *folders, "--output", self.getCoordsDir(),
                 "--format", "tsv", "--pixel-size", repr(self.getInputMicrographs().getSamplingRate()),
                 *self._getPickArguments(), *masks, "--device", "cuda" if self.usesGpu() else "cpu"]
        return " ".join(shlex.quote(str(word)) for word in words)

    def readCoordsFromMics(self, outputDir: str, micDoneList: Iterable[Any], outputCoords: Any) -> None:
        """Append the picks of `micDoneList` to the output (called in the main thread)."""
        outputCoords.setBoxSize(self._getBoxSize())
        inOutput = self._getMicIdsIn(outputCoords)
        for mic in micDoneList:
            path = self._getPicksFile(mic)
            if not os.path.exists(path) or mic.getObjId() in inOutput:
                continue  # quarantined; or written before an interruption, but not yet ticked off
            picks = readPicks(path)
            coordinates = list(iterCoordinates(picks, mic))
            self.expectedParticles.sum(sum(pick.probability or 0.0 for pick in picks))
            for coordinate in coordinates:
                outputCoords.append(coordinate)
            self._count(mic, [pick.score for pick in picks])
            self.pickedMicrographs.increment()
            self.emptyMicrographs.sum(0 if coordinates else 1)
        self._store(self.pickedMicrographs, self.emptyMicrographs, self.expectedParticles)

    def _cleanExtraFiles(self) -> None:
        pwutils.cleanPattern(self._getExtraPath("batch_*"))

    # --------------------------- INFO functions ------------------------------
    def _summary(self) -> List[str]:
        output = getattr(self, "outputCoordinates", None)
        if output is None:
            return (self._progressSummary() or ["No coordinates yet."]) + self._quarantineSummary()
        picked, empty = self.pickedMicrographs.get(), self.emptyMicrographs.get()
        lines = self._progressSummary()
        expected = self.expectedParticles.get()
        lines += ["*%s* in %s, score threshold %s%s" % (
                      counted(output.getSize(), "pick"), counted(picked, "micrograph"), self._getThresholdText(),
                      ", about *%s* among them by their probabilities" % counted(expected, "particle")
                      if expected else ""),
                  "%0.1f a micrograph%s, box size %s px" % (
                      output.getSize() / max(1, picked), self.picksSpread.get() or "", output.getBoxSize())]
        if picked and empty == picked:
            lines.append("*No micrograph has a single pick*: lower the threshold, and check that the micrographs are "
                         "neither normalised nor of inverted contrast and that their sampling rate is right.")
        elif empty:
            lines.append("Micrographs without a pick: %d" % empty)
        lines += self._countersSummary() + self._leftOutSummary() + self._quarantineSummary()
        return lines + self._htmlSummary()

    def _methods(self) -> List[str]:
        if getattr(self, OUTPUT, None) is None:
            return []
        return ["%s: %s" % (self.getObjectTag(output), self.getMethods(output) if name == OUTPUT else
                            "%s, picks of this run that were corrected by hand." % counted(
                                output.getSize(), "coordinate"))
                for name, output in self.iterOutputAttributes(SetOfCoordinates)]

    # --------------------------- UTILS functions -----------------------------
    def _getMicIdsIn(self, outputCoords: Any) -> Set[int]:
        """Micrographs that an interrupted run put into the output; asked once, later ones are ticked off in time."""
        first, self._outputKnown = not getattr(self, "_outputKnown", False), True
        return set(outputCoords.getUniqueValues("_micId")) if first and outputCoords.getSize() else set()
