"""Picking with a trained model, in streaming."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from pyworkflow.constants import NEW

from pupicker.constants import THRESHOLD_GIVEN
from pupicker.objects import PuPickerModel
from pupicker.protocols.bases.served_picking import ProtPuPickerServedPicking
from pupicker.protocols.forms.picking import ModelPickingForm
from pupicker.shared.digests import file_digest
from pupicker.shared.model_header import ModelError
from pupicker.shared.plurals import counted


class ProtPuPickerPick(ModelPickingForm, ProtPuPickerServedPicking):
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

    # --------------------------- INSERT steps functions ----------------------
    def _insertAllSteps(self) -> None:
        self._takeLibraryModel()
        ProtPuPickerServedPicking._insertAllSteps(self)

    # --------------------------- INFO functions ------------------------------
    def _summary(self) -> List[str]:
        return ProtPuPickerServedPicking._summary(self) + self._modelSummary()

    def getMethods(self, output: Any) -> str:
        """One sentence for the methods section."""
        return ("%s picked with a convolutional neural network trained by positive-unlabelled learning [Bepler2019], "
                "score threshold %s." % (
                    counted(output.getSize(), "particle candidate was", "particle candidates were"),
                    self._getThresholdText()))

    def _citations(self) -> List[str]:
        return ["Bepler2019"]

    # --------------------------- UTILS functions -----------------------------
    def _getModelPath(self) -> str:
        return str(self._getKnownModel().getPath())

    def _getKnownModel(self) -> PuPickerModel:
        """The model, of a run that has one."""
        model = self.getModel()
        if model is None:
            raise Exception("The model is gone from the project: choose another one.")
        return model

    def _getBoxSize(self) -> int:
        own = self.boxSize.get()
        return int(own or self._getKnownModel().getBoxSizePx(self.getInputMicrographs().getSamplingRate()))

    def _getThresholdText(self) -> str:
        if self.thresholdMode.get() == THRESHOLD_GIVEN:
            return "%0.2f" % self.threshold.get()
        try:
            model = self.getModel()
        except ModelError:
            model = None
        if model is None:  # deleted since
            return "that of the model"
        return "%0.2f (of the model)" % (model.getSuggestedThreshold() or 0)

    def _getThreshold(self) -> Optional[float]:
        if self.thresholdMode.get() == THRESHOLD_GIVEN:
            return float(self.threshold.get())
        return float(self._getKnownModel().getSuggestedThreshold() or 0.0)

    def _getRequest(self) -> Dict[str, Any]:
        return {"do": "pick", "model": self._getModelPath()}

    def _getModelDigest(self) -> str:
        return file_digest(self._getModelPath())

    def _getCommandArguments(self) -> List[str]:
        return ["--model", self._getModelPath()]

    def _getCandidateArguments(self) -> List[str]:
        return ["--candidates", self.getCandidatesDir()]

    def _getReportArguments(self) -> List[str]:
        return ["--model", self._getModelPath()]
