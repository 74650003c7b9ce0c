"""What a picking knows of its earlier starts: on Continue what holds stays, and only the rest is done."""

from __future__ import annotations

import os
import time
from collections import Counter as Counting
from statistics import median
from typing import Any, Dict, Iterable, List, Optional, Set

import pyworkflow.utils as pwutils
from pwem.objects import Micrograph

from pupicker.convert.batch_records import setThreshold
from pupicker.convert.micrographs import linkName, micIdsIn
from pupicker.convert.picks import cutTable
from pupicker.convert.set_columns import readColumns
from pupicker.plugin.outcome import CoreError
from pupicker.protocols.bases.progress_text import pickingProgress
from pupicker.protocols.bases.protocol_base import ProtPuPickerBase
from pupicker.protocols.forms.exclusion import ExclusionForm
from pupicker.protocols.forms.run import Counter, PickingRun, Value
from pupicker.shared.atomic import append_text, write_text
from pupicker.shared.choices import LOWEST_CANDIDATE
from pupicker.shared.counters import Counters
from pupicker.shared.json_files import read_json, write_json
from pupicker.shared.plurals import counted, first_of, none_can

OUTPUT = "outputCoordinates"


class PickingState(ExclusionForm, ProtPuPickerBase, PickingRun):
    """Mix-in before the base class of Scipion."""

    pickedMicrographs: Counter
    emptyMicrographs: Counter
    expectedParticles: Counter
    picksSpread: Value
    _counters: Counters
    _arrived: Dict[int, float]  # when a micrograph arrived, by its id, in seconds of the clock
    _answers: Dict[int, Any]  # what the process that picks said of a micrograph, by its id
    _arrivalS: Optional[float]
    _waiting: List[Any]
    _retry = ""  # tells the steps of a start that takes up quarantined micrographs from those before

    # --------------------------- of the picker -------------------------------
    def _getBoxSize(self) -> int:
        """Box size of the output in pixels of the micrographs."""
        raise NotImplementedError

    def _getThreshold(self) -> Optional[float]:
        """The lowest score of a pick; None where weaker ones are not kept, so that nothing can be cut anew."""
        return None

    def getSummary(self, coordSet: Any) -> str:
        """Comment of the output set, shown in the summary."""
        return "%s, box size %s px" % (counted(coordSet.getSize(), "pick"), coordSet.getBoxSize())

    # --------------------------- at the start --------------------------------
    def _takeUpEarlierPicks(self, digest: str, scoring: str) -> None:
        """Forget what was picked in another way, else go on with it.

        `digest` tells how it is picked now, `scoring` the same but for the threshold: where only that is another one,
        the picks are cut out of the candidates anew, and nothing is scored.
        """
        output, earlier = getattr(self, OUTPUT, None), self._getMarker()
        threshold, lowest = self._getThreshold(), self._lowestCandidate()
        if earlier.get("digest") != digest:
            if threshold is None or earlier.get("scoring") != scoring or threshold < earlier["lowest_candidate"]:
                self._forgetPicks(output)
            else:
                self._cutAgain(output, threshold)
                lowest = max(lowest, earlier["lowest_candidate"])
        elif output is None:  # it was deleted: the tables are read again
            pwutils.cleanPath(self._getAllDone())
            self._resetCounters()
        elif output.getBoxSize() != self._getBoxSize():
            output.enableAppend()
            output.setBoxSize(self._getBoxSize())
            output.setObjComment(self.getSummary(output))
            self._updateOutputSet(OUTPUT, output, output.STREAM_OPEN)
        self._retryQuarantined()
        pwutils.cleanPath(self._getUnpickedFile())
        pwutils.makePath(self.getCoordsDir(), self._getBatchesDir())
        self._writeMarker(digest, scoring, lowest)

    def _writeMarker(self, digest: str, scoring: str, lowest: float) -> None:
        """Note how it is picked now, and above which score all candidates are kept."""
        write_json(self._getMarkerFile(), {"digest": digest, "scoring": scoring, "lowest_candidate": lowest,
                                           "started": time.time(), "picked": self.pickedMicrographs.get()})

    def _lowestCandidate(self) -> float:
        """Lowest score of the candidates that are kept from now on."""
        threshold = self._getThreshold()
        return LOWEST_CANDIDATE if threshold is None else min(LOWEST_CANDIDATE, threshold)

    def _cutAgain(self, output: Any, threshold: float) -> None:
        """The tables of picks at another threshold, and an output that is filled from them."""
        known = micIdsIn(self.getCandidatesDir(), ".tsv")
        for micId in self._getPickedIds():
            picks, candidates = (os.path.join(folder, linkName(micId) + ".tsv")
                                 for folder in (self.getCoordsDir(), self.getCandidatesDir()))
            if micId in known:
                cutTable(candidates, picks, threshold)
            else:  # it is picked anew
                pwutils.cleanPath(picks, self._getExtraPath("DONE", "mic_%06d.TXT" % micId))
        setThreshold(self._getBatchesDir(), threshold)
        pwutils.cleanPath(self._getAllDone(), self._getHtmlPath())
        pwutils.makeFilePath(self._getAllDone())
        self._resetCounters()
        self._emptyOutput(output)

    def _forgetPicks(self, output: Any) -> None:
        """Nothing of the earlier picks may stay.

        The base class skips micrographs that are marked as done and appends to the existing output, so marks, tables
        and the content of the set go together.  The set itself stays, because other runs may point to it.
        """
        pwutils.cleanPath(self._getExtraPath("DONE"), self.getCoordsDir(), self.getCandidatesDir(),
                          self._getBatchesDir(), self._getHtmlPath(), self._getWithoutMaskFile())
        self._cleanQuarantine()
        self._resetCounters()  # a run that is restarted keeps them
        self._emptyOutput(output)

    def _emptyOutput(self, output: Any) -> None:
        """Take everything out of the output; the set itself stays."""
        if output is not None:
            output.enableAppend()
            output.clear()
            # setMicrographs() would give the pointer the id of the input's: the output is stored already
            output.getMicrographs(asPointer=True).copy(self.getInputMicrographsPointer(), copyId=False)
            self._updateOutputSet(OUTPUT, output, output.STREAM_OPEN)

    def _resetCounters(self) -> None:
        self.emptyMicrographs.set(0)
        self.pickedMicrographs.set(0)
        self.expectedParticles.set(0.0)
        self.picksSpread.set(None)
        self._store(self.pickedMicrographs, self.emptyMicrographs, self.expectedParticles, self.picksSpread)

    def _retryQuarantined(self) -> None:
        """Quarantined micrographs count as done for the base class: their marks go, so that they are tried again."""
        retried = self._getQuarantinedIds()
        if not retried:
            return
        for micId in retried:
            mic = Micrograph()
            mic.setObjId(micId)
            pwutils.cleanPath(self._getMicDone(mic))
        done = sorted(self._readDoneList() - retried)
        write_text(self._getAllDone(), "".join("%d\n" % micId for micId in done))
        self._cleanQuarantine()
        self._retry = repr(time.time())  # else Scipion takes over the finished steps

    # --------------------------- on the way ----------------------------------
    def _noteWithoutMask(self, mics: Iterable[Any], folder: str) -> None:
        """Note those of `mics` that have no mask among the links in `folder`; batches may append side by side."""
        if not self._getMasksFolder():
            return
        linked = micIdsIn(os.path.join(folder, "masks"))
        append_text(self._getWithoutMaskFile(),
                    "".join("%d\n" % mic.getObjId() for mic in mics if mic.getObjId() not in linked))

    # --------------------------- what is counted -----------------------------
    def _beginToCount(self) -> None:
        """Of this start: rates, latencies and what has changed since."""
        self._counters = Counters([self._getCountersFile(), self._getExtraPath("counters.prom")])
        self._arrived, self._answers, self._arrivalS = {}, {}, None

    def _noteArrival(self, mic: Any) -> None:
        """Of a micrograph that arrives while the run waits for it: when the file of its set was written."""
        if self._arrivalS is not None:
            self._arrived[mic.getObjId()] = self._arrivalS

    def _count(self, mic: Any, scores: List[float]) -> None:
        """A micrograph goes into the output, with these scores of its picks."""
        said = self._answers.pop(mic.getObjId(), {})
        arrived = self._arrived.pop(mic.getObjId(), None)
        self._counters.note(latency_s=None if arrived is None else round(time.time() - arrived, 3))
        self._counters.waiting = len(self._waiting)
        self._counters.picked(len(scores), said.get("seconds", 0.0), said.get("null_level"),
                              round(median(scores), 4) if scores else None)

    def _getCountersFile(self) -> str:
        return self._getExtraPath("counters.json")

    def _countersSummary(self) -> List[str]:
        """How fast it is, and whether something has changed."""
        counted, lines = read_json(self._getCountersFile()), []
        if self.isActive() and counted.get("latency_s_median") is not None:
            lines.append("From the input set to the output: median *%0.1f s*, 99 %% within %0.1f s"
                         % (counted["latency_s_median"], counted["latency_s_99"]))
        if counted.get("null_level_median") is not None and counted.get("score_median") is not None:
            shifts = [" (%+0.1f since the start)" % counted[name] if counted[name] is not None else ""
                      for name in ("null_level_shift", "score_shift")]
            lines.append("Score of the background: %0.1f%s; of picks: %0.1f%s"
                         % (counted["null_level_median"], shifts[0], counted["score_median"], shifts[1]))
        if counted.get("alarm"):
            lines.append("*Look at the latest micrographs*: %s." % counted["alarm"])
        return lines

    # --------------------------- at the end ----------------------------------
    def _checkSomethingIsPicked(self) -> None:
        quarantined = self._getQuarantined()
        if quarantined and not self._getPickedIds():
            raise CoreError("%s be picked; the first, %s: %s" % (
                (none_can(len(quarantined), "micrograph").capitalize(),) + quarantined[0]))

    def _noteUnpicked(self) -> None:
        """The base class knows micrographs by name: of two with one name it picks one, without a word."""
        ids, names = readColumns(self.getInputMicrographs().getFileName(), ["id", "_micName"])
        done = self._getPickedIds() | self._getQuarantinedIds()
        unpicked = [str(name) for micId, name in zip(ids or (), names or ids or ()) if micId not in done]
        write_json(self._getUnpickedFile(), {"micrographs": unpicked})
        if unpicked:
            self.warning("Not picked: %s" % ", ".join(unpicked))

    def _noteSpread(self) -> None:
        """How the picks are spread over the micrographs, for the summary."""
        output = getattr(self, OUTPUT, None)
        if output is None or not output.getSize():
            return
        (ids,) = readColumns(output.getFileName(), ["_micId"])
        counts = sorted(Counting(ids or ()).values())
        counts = [0] * (self.pickedMicrographs.get() - len(counts)) + counts
        self.picksSpread.set(" (median %d, %d to %d)" % (counts[len(counts) // 2], counts[0], counts[-1]))
        self._store(self.picksSpread)

    # --------------------------- INFO functions ------------------------------
    def _leftOutSummary(self) -> List[str]:
        """Micrographs that were picked without a mask, or not at all."""
        lines = []
        without = self._getIdsWithoutMask() - self._getQuarantinedIds()
        if without:
            lines.append("*Micrographs without a mask: %d* (picked whole; masks that are written later count after a "
                         "_Restart_)" % len(without))
        unpicked = read_json(self._getUnpickedFile()).get("micrographs", [])
        if unpicked:
            lines.append("*Micrographs that were not picked: %d* (%s): others have the same name, or they arrived "
                         "after the end; for these, _Continue_."
                         % (len(unpicked), first_of(unpicked)))
        return lines

    def _progressSummary(self) -> List[str]:
        """How far a run is that is still active."""
        if not self.isActive() or self.getInputMicrographs() is None:
            return []
        # a micrograph has its table before its batch ends
        marker, picked = self._getMarker(), max(self.pickedMicrographs.get(), len(self._getPickedIds()))
        elapsedS = time.time() - marker["started"] if "started" in marker else 0.0
        return [pickingProgress(picked, self.getInputMicrographs().getSize(), elapsedS, marker.get("picked", 0))]

    # --------------------------- UTILS functions -----------------------------
    def getCoordsDir(self) -> str:
        """Folder of the tables of picks, one for each micrograph."""
        return self._getExtraPath("picks")

    def getCandidatesDir(self) -> str:
        """Folder of the tables that hold weaker picks too; a picker need not make it."""
        return self._getExtraPath("candidates")

    def _getPicksFile(self, mic: Any) -> str:
        return os.path.join(self.getCoordsDir(), linkName(mic.getObjId()) + ".tsv")

    def _getBatchesDir(self) -> str:
        """One record for each batch, of what the report at the end needs to know."""
        return self._getExtraPath("batches")

    def _getMarkerFile(self) -> str:
        """How, and since when, is picked."""
        return self._getExtraPath("picking.json")

    def _getMarker(self) -> Any:
        return read_json(self._getMarkerFile())

    def _getUnpickedFile(self) -> str:
        return self._getExtraPath("unpicked.json")

    def _getWithoutMaskFile(self) -> str:
        return self._getExtraPath("without_mask.txt")

    def _getIdsWithoutMask(self) -> Set[int]:
        if not os.path.exists(self._getWithoutMaskFile()):
            return set()
        with open(self._getWithoutMaskFile(), encoding="utf-8") as stream:
            return {int(line) for line in stream}

    def _getPickedIds(self) -> Set[int]:
        """Micrographs that have a table."""
        return micIdsIn(self.getCoordsDir(), ".tsv")
