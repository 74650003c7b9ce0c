"""Picking of a whole session, with a model that learns on the way."""

from __future__ import annotations

import os
from typing import Any, Dict, List, Optional, Set, Tuple

import pyworkflow.utils as pwutils
from pwem.objects import SetOfCoordinates
from pyworkflow.constants import NEW

from pupicker.constants import THRESHOLD_GIVEN
from pupicker.convert.labels import matchLabels, matchParticles
from pupicker.convert.micrographs import linkName, micIdsIn, writeMicrographStar
from pupicker.convert.other_runs import currentOutput, outputState
from pupicker.convert.picks import joinTables
from pupicker.objects import PuPickerModel
from pupicker.plugin.outcome import CoreError
from pupicker.protocols.bases.progress_text import trainingProgress
from pupicker.protocols.bases.served_picking import ProtPuPickerServedPicking
from pupicker.protocols.bases.versions import Versions, chosenMicrographs, labelRows
from pupicker.protocols.forms.live import LEARNS_FROM, LiveForm
from pupicker.protocols.forms.training import UPDATES
from pupicker.shared.digests import digest_of, file_digest
from pupicker.shared.json_files import read_json, write_json
from pupicker.shared.lengths import BOX_SIZE, even_box_size_px
from pupicker.shared.plurals import counted

OUTPUT, MODEL = "outputCoordinates", "outputModel"


class ProtPuPickerLive(LiveForm, ProtPuPickerServedPicking):
    """
    Picks a session from its first micrograph on, and learns while it goes.

    It begins with a model of an earlier session, or with the general one, which needs the diameter only. When enough
    labels or good particles have arrived, it trains a version of its own on all of them, registers it
    (_outputModel1_, ...), and picks with it from then on. Micrographs that were picked before are picked again: the
    output is exchanged as a whole once all of them are done, so that it holds the picks of one version at any time. The
    summary says what each version changed.

    Labels may come from _pupicker - label_ or any picker, good particles from a 2D classification of the first
    micrographs; the runs that make them may still be running, or start later. It ends when the set of micrographs is
    complete, all are picked, and those runs have ended. _Continue_ takes up what came after that.
    """

    _label = "live"
    _devStatus = NEW
    _possibleOutputs = {OUTPUT: SetOfCoordinates, MODEL + "1": PuPickerModel}
    _versions: Versions
    _micsClosed = False
    _training: Any = None  # the step that trains, or was the last to train
    _next = 0  # a version that waits until nothing is being picked
    _replaced: Set[int] = set()  # micrographs in the output whose picks are of the version before
    _seen: List[Any] = []  # states of the sources when they were read
    _sources: Dict[str, Set[str]] = {}  # labels of each pointer as they were read
    _rows: Set[str] = set()  # those of all
    _said: Set[str] = set()  # why they could not be read
    _coming = False  # whether more may come

    # --------------------------- INSERT steps functions ----------------------
    def _insertAllSteps(self) -> None:
        self._versions = Versions(self._getExtraPath())
        self._training, self._next, self._seen = None, 0, []
        self._replaced, self._sources, self._said = set(), {}, set()
        ProtPuPickerServedPicking._insertAllSteps(self)
        output = getattr(self, OUTPUT, None)
        self._registerModels()  # it may have been stopped before it did
        if output is not None and output.getSize() and self._versions.shown != self._versions.used:
            self._replaced = set(output.getUniqueValues("_micId"))  # it was stopped while they were picked again

    def _insertWaiting(self) -> List[int]:
        few = len(self.micDict) < self.fewestMicrographs.get() and not self._micsClosed
        return [] if self._next or few else ProtPuPickerServedPicking._insertWaiting(self)

    def _loadInputList(self) -> Tuple[Any, bool]:
        mics, self._micsClosed = ProtPuPickerServedPicking._loadInputList(self)
        return mics, False  # what there is to learn keeps it open: _learn closes it

    def _getSlots(self) -> int:
        """One less than the steps that can run: a training is one."""
        return max(1, ProtPuPickerServedPicking._getSlots(self) - 1)

    # --------------------------- streaming -----------------------------------
    def _stepsCheck(self) -> None:
        self._checkNewInput()
        if not getattr(self, "finished", False):
            self._learn()
        self._checkNewOutput()

    def _learn(self) -> None:
        """Begin a training when there is enough to learn; take its model up as soon as nothing is being picked."""
        if self._training is not None and self._training.isFinished() and not self._next:
            self._next, self._training = self._trained(), None
        if self._next and all(step.isFinished() for step in self._open):
            version, self._next = self._next, 0
            self._takeUp(version)
        busy = self._training is not None or bool(self._next)
        if not busy and self._readSources() and self._versions.enough(self._rows, self.newLabels.get(),
                                                                      not self._coming):
            self._insertTraining()
            busy = True
        self.streamClosed = self._micsClosed and not busy and not self._coming

    def _readSources(self) -> bool:
        """Read the labels as far as they are there, if something has changed; whether there are any."""
        pointers = [getattr(self, name) for name in LEARNS_FROM]
        seen = [[outputState(pointer) for pointer in pointers], len(self.micDict)]
        if seen == self._seen:
            return bool(self._rows)
        read = [self._readSource(name) for name in LEARNS_FROM]
        self._coming = any(coming for _, coming in read)
        self._rows = set().union(*self._sources.values())
        if all(isRead for isRead, _ in read):
            self._seen = seen
        return bool(self._rows)

    def _readSource(self, name: str) -> Tuple[bool, bool]:
        """Take what one pointer leads to; whether that could be read, and whether more may come from there."""
        coming = True  # until it is known
        try:
            with currentOutput(getattr(self, name)) as source:
                coming = source.coming
                self._sources[name] = self._matched(source.value)
        except Exception as error:  # another run is writing it, or its file is gone: it is read again
            problem = "%s cannot be read now: %s" % (self.getParam(name).label.get().split(" (")[0], error)
            if problem not in self._said:
                self.warning(problem)
            self._said.add(problem)
            return False, coming
        return True, coming

    def _matched(self, source: Any) -> Set[str]:
        """Labels, or good particles, on the micrographs that have arrived."""
        if source is None or (isinstance(source, SetOfCoordinates) and source.getMicrographs() is None):
            return set()
        micSet = self._getFreshMicrographs()
        points = matchLabels(source, micSet).points if isinstance(source, SetOfCoordinates) else matchParticles(
            source, micSet)
        micSet.close()
        known = {linkName(mic.getObjId()) for mic in self.micDict.values()}
        return {row for row in labelRows(points) if row.split("\t")[0] in known}

    def _getFreshMicrographs(self) -> Any:
        """The set of micrographs as its file is now."""
        micSet = self.getInputMicrographs()
        fresh = micSet.getClass()(filename=micSet.getFileName())
        fresh.loadAllProperties()
        return fresh

    # --------------------------- training ------------------------------------
    def _insertTraining(self) -> None:
        """A step that trains the next version on what is there now."""
        version = self._versions.used + 1
        self._versions.writeLabels(version, self._rows)
        step = self._insertFunctionStep(self.trainStep, version, digest_of(sorted(self._rows)), prerequisites=[])
        self._training = self._steps[-1]
        self._beforeTheEnd([step])

    def _beforeTheEnd(self, steps: List[int]) -> None:
        outputStep = self._getFirstJoinStep()
        if outputStep is not None:
            outputStep.addPrerequisites(*steps)
        self.updateSteps()

    def trainStep(self, version: int, labels: str) -> None:
        """Train; one that fails is noted, and picking goes on."""
        path = self._versions.path
        arguments = self._getTrainingArguments(version)
        digest = digest_of(labels, arguments)
        resume = read_json(path(version, "begun.json")).get("digest") == digest
        write_json(path(version, "begun.json"), {"digest": digest})
        pwutils.cleanPath(path(version, "failed.json"))
        try:
            self._runCore("train", arguments + self._linkLabelled(version) + (["--resume"] if resume else []),
                          "train_%d" % version, gpu=True)
        except CoreError as error:
            write_json(path(version, "failed.json"), {"error": str(error)})

    def _getTrainingArguments(self, version: int) -> List[Any]:
        """What decides which model comes out, and where to."""
        path, start = self._versions.path, self.inputModel.get()
        arguments = ["--picks", path(version, "labels.tsv"), "--diameter", repr(self.diameter.get()),
                     "--output", self._versions.modelPath(version), "--report", path(version, "train.json"),
                     "--status", path(version, "status.json"), "--threads", self.getBinThreads()]
        if start is not None:
            arguments += ["--start", start.getPath(), "--network", start.getNetwork()]
        return arguments + UPDATES.arguments(self) + self._getExclusionArguments()

    def _linkLabelled(self, version: int) -> List[str]:
        """The micrographs that are learnt from, in front of the options, and their masks."""
        chosen = set(chosenMicrographs(self._versions.labels(version), self.mostMicrographs.get()))
        mics = [mic for mic in list(self.micDict.values()) if linkName(mic.getObjId()) in chosen]
        folder = self._versions.path(version, "input")
        pwutils.cleanPath(folder)
        starFile = os.path.join(folder, "micrographs.star")
        writeMicrographStar(self._linkMicrographs(mics, folder), starFile)
        return [starFile, "--pixel-size", repr(self.getInputMicrographs().getSamplingRate()),
                *self._linkMasks(mics, folder)]

    def _trained(self) -> int:
        """The version that was trained; 0 if that failed."""
        version = self._versions.used + 1
        pwutils.cleanPath(self._versions.path(version, "input"))
        failure = read_json(self._versions.path(version, "failed.json"))
        if failure or not os.path.exists(self._versions.modelPath(version)):
            self._versions.fail(self._versions.labels(version), failure.get("error", "there is no model"))
            self.warning("A training failed: %s" % failure.get("error"))
            return 0
        return version

    # --------------------------- a new version -------------------------------
    def _takeUp(self, version: int) -> None:
        """Pick with another model from now on, and all that was picked before once more; no step is picking."""
        self._replaced |= self._readDoneList()  # the one before may not have been shown yet
        self._versions.takeUp(version, len(self._versions.labels(version)))
        self._registerModels()
        pwutils.cleanPath(self._getExtraPath("DONE"), self._getBatchesDir())
        pwutils.makeFilePath(self._getAllDone())
        pwutils.makePath(self.getCoordsDir(), self._getBatchesDir())
        self._cleanQuarantine()
        self._beginToCount()  # scores of another model are other numbers
        self._digest = self._pickingDigest(self._getPickArguments())
        self._writeMarker(self._digest, self._scoringDigest(), self._lowestCandidate())
        self._waiting = list(self.micDict.values())
        self._beforeTheEnd(self._insertWaiting())

    def _registerModels(self) -> None:
        """Make an output of each version that has none yet."""
        for version in range(1, self._versions.used + 1):
            path = self._versions.modelPath(version)
            if hasattr(self, MODEL + str(version)) or not os.path.exists(path):
                continue
            model = PuPickerModel(path)
            model.setInfo(self._versions.report(version))
            self._defineOutputs(**{MODEL + str(version): model})
            for name in ("inputMicrographs",) + LEARNS_FROM:
                if getattr(self, name).get() is not None:
                    self._defineSourceRelation(getattr(self, name), model)

    def _updateOutputCoordSet(self, micList: List[Any], streamMode: int) -> List[Any]:
        """Hold back until all that is in the output can be exchanged: it is of one version at any time."""
        known = {mic.getObjId() for mic in self.micDict.values()}
        waiting = self._replaced & known - {mic.getObjId() for mic in micList}
        if waiting:
            return []
        if self._versions.shown != self._versions.used:
            self._exchange()
        return list(ProtPuPickerServedPicking._updateOutputCoordSet(self, micList, streamMode))

    def _exchange(self) -> None:
        """Empty the output for the picks of the version in use; what changes is found out."""
        before, version = self._versions.shown, self._versions.used
        self._replaced &= micIdsIn(self._versions.path(before, "picks"), ".tsv")
        self._resetCounters()
        self._emptyOutput(getattr(self, OUTPUT, None))
        for name, of in (("before", before), ("after", version)):
            joinTables(self._versions.path(of, "picks"), self._replaced, self._versions.path(version, name + ".tsv"))
        self._versions.show(len(self._replaced))
        if self._replaced:
            self._beforeTheEnd([self._insertFunctionStep(self.compareStep, version, prerequisites=[], needsGPU=False)])
        for earlier in range(before, version):
            pwutils.cleanPath(*(self._versions.path(earlier, name) for name in ("picks", "candidates")))
        self._replaced = set()

    def compareStep(self, version: int) -> None:
        """How the picks of a version differ from those before, for the summary."""
        tables = [self._versions.path(version, name + ".tsv") for name in ("before", "after", "both")]
        try:
            self._runCore("combine", [*tables[:2], "--output", tables[2], "--diameter", repr(self.diameter.get()),
                                      "--pixel-size", repr(self.getInputMicrographs().getSamplingRate()), "--json"],
                          "compare_%d" % version, stdout=self._versions.path(version, "change.json"))
        except CoreError as error:  # one of them may have no pick at all
            self.warning("Version %d is not compared with the one before: %s" % (version, error))
        pwutils.cleanPath(*tables)

    # --------------------------- INFO functions ------------------------------
    def getInputStatus(self) -> Tuple[bool, bool, bool]:
        """For the form: labels and particles need not be there yet."""
        emptyInput, openSet, _ = ProtPuPickerServedPicking.getInputStatus(self)
        needed = [getattr(self, name) for name in ("inputMicrographs", "inputModel")]
        return emptyInput, openSet, any(pointer.hasValue() and pointer.get() is None for pointer in needed)

    def _summary(self) -> List[str]:
        versions = Versions(self._getExtraPath())
        lines = ProtPuPickerServedPicking._summary(self)
        version = versions.used + 1
        status = read_json(versions.path(version, "status.json")) if self.isActive() else {}
        return lines + versions.summary() + trainingProgress(status, True)

    def getMethods(self, output: Any) -> str:
        """One sentence for the methods section."""
        return ("%s picked with a convolutional neural network that learnt during the session by positive-unlabelled "
                "learning [Bepler2019], score threshold %s."
                % (counted(output.getSize(), "particle candidate was", "particle candidates were"),
                   self._getThresholdText()))

    def _citations(self) -> List[str]:
        return ["Bepler2019"]

    # --------------------------- of the picker -------------------------------
    def _getVersion(self) -> int:
        """The version that picks; outside of the run the one whose picks are shown."""
        versions = getattr(self, "_versions", None)
        return versions.used if versions is not None else Versions(self._getExtraPath()).shown

    def getPickingModel(self) -> Optional[PuPickerModel]:
        """With which the picks in the output were made; None: the general one."""
        version = self._getVersion()
        return getattr(self, MODEL + str(version), None) if version else self.inputModel.get()

    def _getModelPath(self) -> str:
        """Empty: the general model."""
        version, start = self._getVersion(), self.inputModel.get()
        if version:
            return Versions(self._getExtraPath()).modelPath(version)
        return str(start.getPath()) if start is not None else ""

    @property
    def _command(self) -> str:  # type: ignore[override]  # it changes with the model
        return "pick" if self._getModelPath() else "baseline"

    def _getRequest(self) -> Dict[str, Any]:
        model = self._getModelPath()
        return {"do": "pick", "model": model} if model else {"do": "suggest"}

    def _getCommandArguments(self) -> List[str]:
        return ["--model", self._getModelPath()] if self._getModelPath() else ["general"]

    def _getCandidateArguments(self) -> List[str]:
        return ["--candidates", self.getCandidatesDir()] if self._getModelPath() else []

    def _getReportArguments(self) -> List[str]:
        return ["--model", self._getModelPath()] if self._getModelPath() else []

    def _getModelDigest(self) -> str:
        return file_digest(self._getModelPath()) if self._getModelPath() else digest_of(self.diameter.get())

    def _getPickArguments(self) -> List[str]:
        own = self._getThresholdArguments() if self._getModelPath() else ["--diameter", repr(self.diameter.get())]
        return own + self._getLengthArguments() + self._getExclusionArguments()

    def _getThreshold(self) -> Optional[float]:
        if not self._getModelPath():
            return None
        if self.thresholdMode.get() == THRESHOLD_GIVEN:
            return float(self.threshold.get())
        version = self._getVersion()
        if version:
            return float(Versions(self._getExtraPath()).report(version)["suggested_threshold"])
        return float(self.inputModel.get().getSuggestedThreshold() or 0.0)

    def _getThresholdText(self) -> str:
        threshold = self._getThreshold()
        if threshold is None:
            return "that of the general model"
        return "%0.2f%s" % (threshold, "" if self.thresholdMode.get() == THRESHOLD_GIVEN else " (of the model)")

    def _getBoxSize(self) -> int:
        rate = self.getInputMicrographs().getSamplingRate()
        return int(self.boxSize.get() or even_box_size_px(BOX_SIZE * self.diameter.get(), rate))

    def getCoordsDir(self) -> str:
        return self._getExtraPath("version_%d" % self._getVersion(), "picks")

    def getCandidatesDir(self) -> str:
        return self._getExtraPath("version_%d" % self._getVersion(), "candidates")
