"""Picking with a trained model, in streaming."""

from __future__ import annotations

import shlex
from typing import Any, Dict, List

from pyworkflow.constants import NEW

from pupicker.constants import THRESHOLD_GIVEN
from pupicker.convert.micrographs import micIdOf
from pupicker.plugin.plugin import Plugin
from pupicker.plugin.workers import Picking, Workers, fieldsOf
from pupicker.protocols.bases.picking_base import ProtPuPickerPickingBase
from pupicker.protocols.forms.picking import ModelPickingForm
from pupicker.shared.digests import file_digest
from pupicker.shared.worker import Answer, Worker


class ProtPuPickerPick(ModelPickingForm, ProtPuPickerPickingBase):
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
    _command = "pick"
    _workers: Workers

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
        fields = dict(fieldsOf(options), model=self._getModelPath(), output=self.getCoordsDir(), format="tsv",
                      coordinates=False)
        with self._workers.one("%s %s" % (device, environ.get("CUDA_VISIBLE_DEVICES", "")),
                               lambda number: self._newWorker(number, device, environ)) as worker:
            picking = Picking(worker, fields, picked)
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

    # --------------------------- INFO functions ------------------------------
    def getMethods(self, output: Any) -> str:
        """One sentence for the methods section."""
        return ("%d particle candidates were picked with a convolutional neural network trained by positive-unlabelled "
                "learning [Bepler2019], score threshold %s." % (output.getSize(), self._getThresholdText()))

    def _citations(self) -> List[str]:
        return ["Bepler2019"]

    # --------------------------- UTILS functions -----------------------------
    def _getModelPath(self) -> str:
        return str(self.inputModel.get().getPath())

    def _getBoxSize(self) -> int:
        own = self.boxSize.get()
        return int(own or self.inputModel.get().getBoxSizePx(self.getInputMicrographs().getSamplingRate()))

    def _getThresholdText(self) -> str:
        if self.thresholdMode.get() == THRESHOLD_GIVEN:
            return "%0.2f" % self.threshold.get()
        model = self.inputModel.get()  # None: deleted since
        if model is None:
            return "that of the model"
        return "%0.2f (of the model)" % (model.getSuggestedThreshold() or 0)

    def _getModelDigest(self) -> str:
        return file_digest(self._getModelPath())

    def _getCommandArguments(self) -> List[str]:
        return ["--model", self._getModelPath()]

    def _getCandidateArguments(self) -> List[str]:
        return ["--candidates", self.getCandidatesDir()]

    def _getReportArguments(self) -> List[str]:
        return ["--model", self._getModelPath()]
