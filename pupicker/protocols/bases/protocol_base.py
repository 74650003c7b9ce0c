"""What the protocols of the plugin share: the child process, its device, links to micrographs, quarantine.

The core always runs as a process started by the protocol's own job runner, so that queues, GPU slots, logs and the
stop button of Scipion work; nothing numerical happens in Scipion's process.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from typing import Any, Dict, Iterable, List, Sequence, Set, Tuple

import pyworkflow.utils as pwutils
from pwem.objects import SetOfCoordinates

from pupicker.convert.micrographs import linkMicrograph, linkName, micIdOf, micIdsIn
from pupicker.plugin.outcome import checkOutcome
from pupicker.plugin.plugin import Plugin
from pupicker.protocols.forms.gpu import GpuForm
from pupicker.shared.digests import file_state
from pupicker.shared.json_files import read_json, write_json

LISTED = 5  # quarantined micrographs named one by one in a summary


class ProtPuPickerBase(GpuForm):
    """Mix-in before a protocol class."""

    # ------------------------- the child process -------------------------
    def _setDevice(self, environ: Dict[str, str]) -> str:
        """Value of ``--device``; shows the child its own GPU only."""
        if not self.usesGpu():
            environ["CUDA_VISIBLE_DEVICES"] = ""
            return "cpu"
        gpus = self._stepsExecutor.getGpuList()
        if not gpus:
            raise Exception("No GPU is free for this step: give the number of a GPU, as nvidia-smi lists them, or "
                            "choose No beside 'GPU IDs'.")
        if self.useQueue():
            return "cuda:%d" % gpus[0]  # a number among those that the queue granted
        environ["CUDA_VISIBLE_DEVICES"] = str(gpus[0])
        return "cuda:0"

    def _runCore(self, command: str, arguments: Sequence[Any], name: str, gpu: bool = False,
                 stdout: str = "") -> int:
        """Run ``pupicker COMMAND ARGUMENTS`` as a process of this run.

        Parameters
        ----------
        name
            Unique in the run: names the file in which the child notes how it ended.
        gpu
            Whether the command takes ``--device``.
        stdout
            File for the child's standard output instead of the log.

        Returns
        -------
        int
            0, or 3 when some micrographs were quarantined.

        Raises
        ------
        CoreError
            The child failed; the message is its own line, for the box of the run.
        """
        outcomeFile = self._getExtraPath(name + "_outcome.json")
        pwutils.cleanPath(outcomeFile)
        environ = Plugin.getEnviron()
        items = [outcomeFile, command] + list(arguments)
        if gpu:
            items += ["--device", self._setDevice(environ)]
        line = " ".join(shlex.quote(str(item)) for item in items)
        if stdout:
            line += " > " + shlex.quote(stdout)
        ended = ""
        try:
            self.runJob(Plugin.getProgram(), line, env=environ, numberOfMpi=1, numberOfThreads=1)
        except subprocess.CalledProcessError as error:
            ended = " (exit status %d)" % error.returncode
        return checkOutcome(command, outcomeFile, ended)

    # ------------------------- outputs -------------------------
    def _emptyOtherOutputs(self, names: Iterable[str], comment: str) -> None:
        """On Continue Scipion keeps all outputs: of the coordinates not in `names` nothing earlier may stay."""
        for name, output in list(self.iterOutputAttributes(SetOfCoordinates)):
            if name not in names:
                output.enableAppend()
                output.clear()
                output.setObjComment(comment)
                self._updateOutputSet(name, output, output.STREAM_CLOSED)

    # ------------------------- micrographs -------------------------
    def _linkMicrographs(self, mics: Iterable[Any], folder: str) -> List[str]:
        """Links for the command line; micrographs that cannot be handed over are quarantined, not fatal."""
        pwutils.makePath(folder)
        links = []
        for mic in mics:
            try:
                links.append(linkMicrograph(mic, folder))
            except Exception as error:
                self._quarantine(mic.getObjId(), mic.getMicName(), str(error))
        return links

    # ------------------------- quarantine -------------------------
    def _getQuarantineFile(self, micId: int) -> str:
        return self._getExtraPath("quarantined", "%s.json" % linkName(micId))

    def _quarantine(self, micId: int, micName: str, reason: str) -> None:
        """Note that a micrograph could not be used (one file each: steps run side by side)."""
        path = self._getQuarantineFile(micId)
        pwutils.makeFilePath(path)
        write_json(path, {"micrograph": micName, "reason": reason})
        self.warning("Quarantined: %s: %s" % (micName, reason))

    def _quarantineReported(self, report: Dict[str, Any], names: Dict[int, str]) -> None:
        """Note the micrographs that a command quarantined; `names` gives micrograph names by id."""
        for entry in report.get("quarantined", ()):
            micId = micIdOf(entry["micrograph"])
            # The user knows the micrograph, not the link under which the command got it.
            self._quarantine(micId, names[micId], entry["reason"].replace(entry["micrograph"] + ": ", ""))

    def _getQuarantined(self) -> List[Tuple[str, str]]:
        """Names and reasons of the quarantined micrographs."""
        folder = self._getExtraPath("quarantined")
        if not os.path.isdir(folder):
            return []
        entries = [read_json(os.path.join(folder, name)) for name in sorted(os.listdir(folder))
                   if not name.startswith(".")]
        return [(entry["micrograph"], entry["reason"]) for entry in entries if entry]

    def _getQuarantinedIds(self) -> Set[int]:
        return micIdsIn(self._getExtraPath("quarantined"), ".json")

    def _cleanQuarantine(self) -> None:
        pwutils.cleanPath(self._getExtraPath("quarantined"))

    def _quarantineSummary(self) -> List[str]:
        quarantined = self._getQuarantined()
        if not quarantined:
            return []
        lines = ["*Quarantined micrographs: %d* (left out; the reasons are in %s; once they are repaired, _Continue_ "
                 "takes them up)" % (len(quarantined), self._getExtraPath("quarantined"))]
        lines += ["  %s: %s" % entry for entry in quarantined[:LISTED]]
        if len(quarantined) > LISTED:
            lines.append("  and %d more" % (len(quarantined) - LISTED))
        return lines

    # ------------------------- HTML report -------------------------
    def _getHtmlPath(self) -> str:
        return self._getExtraPath("report.html")

    def _htmlSummary(self) -> List[str]:
        """The link to the report: Scipion opens it in the browser."""
        path = self._getHtmlPath()
        # Absolute, because a browser that is already open has another current folder.
        return ["[[%s][Open the report]]" % os.path.abspath(path)] if os.path.exists(path) else []

    # ------------------------- what steps depend on -------------------------
    @staticmethod
    def _setDigest(inputSet: Any) -> List[Any]:
        """What tells that a closed input set is still the same: its id, size and the time of its file."""
        return [inputSet.getObjId(), inputSet.getSize(), os.stat(inputSet.getFileName()).st_mtime_ns]

    @staticmethod
    def _filesDigest(mics: Iterable[Any]) -> List[Any]:
        """What tells that the files of micrographs are still the same, so that one that was repaired is taken up."""
        return [[mic.getObjId(), mic.getLocation(), file_state(mic.getFileName())] for mic in mics]
