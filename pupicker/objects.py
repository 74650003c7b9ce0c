"""Scipion objects of the plugin."""

from __future__ import annotations

import os
from typing import Any, Dict, List, Set

from pwem.objects import EMObject
from pyworkflow.object import Float, Integer, String

from pupicker.shared.choices import objective_text
from pupicker.shared.lengths import even_box_size_px
from pupicker.shared.model_header import average_precision
from pupicker.shared.plurals import counted
from pupicker.shared.shares import roughly


class PuPickerModel(EMObject):
    """A trained picking model: the model file and what a user wants to know about it.

    The file lies in the folder of the run that made it; its path is relative to the project, so that a project can
    be moved or exported.  Lengths are in Å, because the model picks micrographs of any pixel size.
    """

    def __init__(self, path: Any = None, **kwargs: Any) -> None:
        EMObject.__init__(self, **kwargs)
        self._path = String(path)
        self._diameterAng = Float()
        self._workingPixelSizeAng = Float()
        self._boxSizeAng = Float()
        self._minDistanceAng = Float()
        self._classPrior = Float()
        self._objective = String()
        self._network = String()
        self._start = String()
        self._numberOfLabels = Integer()
        self._averagePrecision = Float()
        self._bestUpdates = Integer()
        self._suggestedThreshold = Float()
        self._expectedPrecision = Float()
        self._expectedRecall = Float()
        self._particlesPerMicrograph = Float()
        self._particlesLow = Float()
        self._particlesHigh = Float()
        self._particlesWarning = String()
        self._doubt = String()
        self._schemaVersion = Integer()
        self._softwareVersion = String()

    # ------------------- filled from the command line -------------------
    def setInfo(self, info: Dict[str, Any]) -> None:
        """Take the fields of ``pupicker info MODEL --json`` (or of a training report)."""
        validation = info.get("validation") or {}
        self._diameterAng.set(info["diameter_ang"])
        self._workingPixelSizeAng.set(info["working_pixel_size_ang"])
        self._boxSizeAng.set(info["box_size_ang"])
        self._minDistanceAng.set(info["min_distance_ang"])
        self._classPrior.set(info.get("class_prior"))
        self._objective.set(info.get("objective"))
        self._network.set(info.get("network"))
        self._start.set(info.get("start"))
        self._numberOfLabels.set(info.get("labels"))
        self._averagePrecision.set(average_precision(info))
        self._bestUpdates.set(validation.get("best_updates"))
        self._suggestedThreshold.set(info.get("suggested_threshold"))
        self._expectedPrecision.set(info.get("expected_precision"))
        self._expectedRecall.set(info.get("expected_recall"))
        interval = info.get("particles_interval") or {}
        self._particlesPerMicrograph.set(info.get("particles_per_micrograph"))
        self._particlesLow.set(interval.get("low"))
        self._particlesHigh.set(interval.get("high"))
        self._particlesWarning.set(info.get("crowding"))
        self._doubt.set(info.get("doubt"))
        self._schemaVersion.set(info.get("schema_version"))
        self._softwareVersion.set((info.get("software") or {}).get("pupicker"))

    # ------------------- file -------------------
    def getPath(self) -> str:
        return self._path.get()

    def setPath(self, path: str) -> None:
        self._path.set(path)

    def getFiles(self) -> Set[str]:
        """What Scipion copies when it exports the object."""
        return {self.getPath()}

    def exists(self) -> bool:
        """Whether the model file is there."""
        return bool(self.getPath()) and os.path.exists(self.getPath())

    # ------------------- content -------------------
    def getDiameterAng(self) -> float:
        return self._diameterAng.get()

    def getWorkingPixelSizeAng(self) -> float:
        return self._workingPixelSizeAng.get()

    def getBoxSizeAng(self) -> float:
        return self._boxSizeAng.get()

    def getBoxSizePx(self, samplingRate: float) -> int:
        """Even box size in pixels of micrographs with `samplingRate` Å/px."""
        return even_box_size_px(self.getBoxSizeAng(), samplingRate)

    def getMinDistanceAng(self) -> float:
        return self._minDistanceAng.get()

    def getClassPrior(self) -> Any:
        return self._classPrior.get()

    def getObjective(self) -> Any:
        return self._objective.get()

    def getNetwork(self) -> Any:
        return self._network.get()

    def getNumberOfLabels(self) -> Any:
        return self._numberOfLabels.get()

    def getAveragePrecision(self) -> Any:
        return self._averagePrecision.get()

    def getSuggestedThreshold(self) -> Any:
        return self._suggestedThreshold.get()

    def getSummary(self) -> List[str]:
        """Lines for the summary of a run."""
        lines = ["Particle diameter: *%0.0f Å*, working pixel size: %0.2f Å"
                 % (self.getDiameterAng(), self.getWorkingPixelSizeAng())]
        if self.getNumberOfLabels() is not None:
            lines.append("Trained with %s: %s" % (
                counted(self.getNumberOfLabels(), "labelled particle"), self._getWayText()))
        if self.getClassPrior() is not None:
            lines.append("Share of the area on particles: %0.4f" % self.getClassPrior()
                         + self._getParticlesText())
        if self.getAveragePrecision() is not None:
            lines.append("Average precision, estimated: *%0.2f*" % self.getAveragePrecision())
        if self.getSuggestedThreshold() is not None:
            lines.append("Suggested score threshold: %0.2f" % self.getSuggestedThreshold() + self._getExpectedText())
        warnings = [value.get() for value in (self._particlesWarning, self._doubt) if value.get()]
        return lines + ["*Warning*: " + text for text in warnings]

    def _getWayText(self) -> str:
        start = self._start.get()
        weights = {None: "", "general": ", start from the general model", "random": ", start from random weights"}
        assumed = "; " + objective_text(self.getObjective()) if self.getObjective() else ""
        return "network %s%s%s" % (self.getNetwork(), weights.get(start, ", start from an earlier model"), assumed)

    def _getParticlesText(self) -> str:
        number, low, high = (value.get() for value in
                             (self._particlesPerMicrograph, self._particlesLow, self._particlesHigh))
        if number is None:
            return ""
        interval = "" if low is None else " (90 %% interval %0.0f to %0.0f)" % (low, high)
        return ", %s per micrograph%s" % (counted("%0.0f" % number, "particle"), interval)

    def _getExpectedText(self) -> str:
        precision, recall = self._expectedPrecision.get(), self._expectedRecall.get()
        if precision is None:
            return ""
        return " (by its own probabilities: precision %s, recall %s; look at the picks)" % (
            roughly(precision), roughly(recall))

    def __str__(self) -> str:
        if self.getDiameterAng() is None:
            return "PuPickerModel"
        parts = ["%0.0f Å" % self.getDiameterAng(), "%0.2f Å/px" % self.getWorkingPixelSizeAng()]
        if self.getAveragePrecision() is not None:
            parts.append("AP %0.2f" % self.getAveragePrecision())
        return "PuPickerModel (%s)" % ", ".join(parts)
