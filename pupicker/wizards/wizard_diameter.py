"""The particle's diameter, seen on the particles."""

from __future__ import annotations

from typing import Any, List, Tuple

from pyworkflow.gui import dialog
from pyworkflow.wizard import Wizard

from pupicker.convert.labels import Points, matchLabels
from pupicker.gui.diameter_dialog import DiameterDialog
from pupicker.gui.micrograph_dialog import Entry
from pupicker.protocols import ProtPuPickerBaseline, ProtPuPickerEvaluate, ProtPuPickerLive, ProtPuPickerPreprocess
from pupicker.protocols.bases.learning_base import ProtPuPickerLearningBase

MOST_ENTRIES = 500  # micrographs in the list; the diameter can be seen on any of them


class PuPickerDiameterWizard(Wizard):
    """Circles on the labelled particles, or where the user clicks if the protocol has no labels."""

    _targets = [(ProtPuPickerLearningBase, ["diameter"]), (ProtPuPickerPreprocess, ["diameter"]),
                (ProtPuPickerEvaluate, ["diameter"]), (ProtPuPickerBaseline, ["diameter"]),
                (ProtPuPickerLive, ["diameter"])]

    def show(self, form: Any, *params: Any) -> None:
        protocol = form.protocol
        points: Points = {}
        coordSet, message = self._coordinates(protocol)
        if message:
            dialog.showWarning("Particle diameter", message, form.root)
            return
        if coordSet is not None:
            # A training may show its labels on another version of the micrographs.
            micSet = protocol._getMicrographs() if hasattr(protocol, "_getMicrographs") else coordSet.getMicrographs()
            points = matchLabels(coordSet, micSet).points
        else:
            micSet = protocol.inputMicrographs.get()
        chosen = DiameterDialog(form.root, micrographEntries(micSet, points), points, micSet.getSamplingRate(),
                                protocol.diameter.get(), self._boxAng(coordSet))
        if chosen.resultYes():
            form.setVar("diameter", round(chosen.diameterAng, 1))

    @staticmethod
    def _coordinates(protocol: Any) -> Tuple[Any, str]:
        """Particles to draw the circles on (None for a protocol that takes none), or what has to be chosen first."""
        if hasattr(protocol, "referenceCoordinates"):
            coordSet = protocol.referenceCoordinates.get()
            return coordSet, "" if coordSet is not None else "Choose the reference first."
        if hasattr(protocol, "inputCoordinates"):
            coordSet = protocol.inputCoordinates.get()
            messages = ["Choose labelled particles first."]
            if coordSet is not None or not protocol._usesLabels():
                messages = protocol._validateLabels()
            return coordSet, messages[0] if messages else ""
        return None, "" if protocol.inputMicrographs.get() is not None else "Choose micrographs first."

    @staticmethod
    def _boxAng(coordSet: Any) -> float:
        """Side of the boxes; 0 if there are none."""
        if coordSet is None or not coordSet.getBoxSize():
            return 0.0
        return float(coordSet.getBoxSize() * coordSet.getMicrographs().getSamplingRate())


def micrographEntries(micSet: Any, points: Points) -> List[Entry]:
    """Lines of a list: the micrographs with labels (all, if there is none), those with the most first."""
    mics = []
    for mic in micSet:
        if not points or mic.getObjId() in points:
            mics.append(mic.clone())
        if not points and len(mics) == MOST_ENTRIES:
            break
    mics.sort(key=lambda mic: -len(points.get(mic.getObjId(), ())))
    return [Entry(mic, str(len(points.get(mic.getObjId(), ()))) if points else "") for mic in mics[:MOST_ENTRIES]]
