"""Pickers whose network stays loaded: processes of ``pupicker serve`` that live as long as the run."""

from __future__ import annotations

import shlex
from typing import Any, Dict, List, Optional

from pupicker.convert.micrographs import micIdOf
from pupicker.plugin.plugin import Plugin
from pupicker.plugin.workers import Batch, Workers, fieldsOf
from pupicker.protocols.bases.picking_base import ProtPuPickerPickingBase
from pupicker.shared.worker import Answer, Worker


class ProtPuPickerServedPicking(ProtPuPickerPickingBase):
    """Base of the pickers with a network that take many micrographs one after another."""

    _label: Optional[str] = None
    _workers: Workers

    # --------------------------- of the picker -------------------------------
    def _getRequest(self) -> Dict[str, Any]:
        """What the process is asked to ``do``, and fields that the options of the command do not have."""
        raise NotImplementedError

    # --------------------------- STEPS functions -----------------------------
    def _pickLinks(self, mics: List[Any], links: List[str], name: str, options: List[str]) -> Dict[str, Any]:
        """Pick with a process that stays; where each job of a run goes to a queue, with one that does not."""
        if self.useQueueForSteps():
            return ProtPuPickerPickingBase._pickLinks(self, mics, links, name, options)
        known = {mic.getObjId(): mic for mic in mics}

        def picked(answer: Answer) -> None:
            micId = micIdOf(answer["micrograph"])
            self._answers[micId] = answer
            open(self._getMicDone(known[micId]), "w").close()  # now, not at the end of the batch: it goes on at once

        environ = Plugin.getEnviron()
        device = self._setDevice(environ)
        fields = dict(fieldsOf(options), **self._getRequest(), output=self.getCoordsDir(), format="tsv",
                      coordinates=False)
        do = fields.pop("do")
        with self._workers.one("%s %s" % (device, environ.get("CUDA_VISIBLE_DEVICES", "")),
                               lambda number: self._newWorker(number, device, environ)) as worker:
            picking = Batch(worker, fields, picked, do)
            picking.run(links)
        return picking.report()

    def _newWorker(self, number: int, device: str, environ: Dict[str, str]) -> Worker:
        outcomeFile = self._getExtraPath("serve_%d_outcome.json" % number)
        command = Plugin.getCommand() + [outcomeFile, "serve", "--device", device, "--threads",
                                         str(self.getBinThreads())]
        self.info("** Starting: ** %s" % " ".join(shlex.quote(word) for word in command))
        return Worker(command, environ, outcome_file=outcomeFile)

    def createOutputStep(self, digest: str = "", start: str = "") -> None:
        self._workers.close()  # the report needs memory
        ProtPuPickerPickingBase.createOutputStep(self, digest, start)

    def _runSteps(self, doneSteps: int) -> None:
        self._workers = Workers()
        try:
            ProtPuPickerPickingBase._runSteps(self, doneSteps)
        finally:
            self._workers.close()
