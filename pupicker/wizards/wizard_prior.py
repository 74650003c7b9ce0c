"""The number of particles on a micrograph, or the share of the area (class prior), from the labels."""

from __future__ import annotations

import json
import math
from typing import Any, Optional

from pyworkflow.gui import dialog
from pyworkflow.wizard import Wizard

from pupicker.constants import PRIOR_COUNT, PRIOR_FRACTION
from pupicker.convert.micrographs import linkMicrograph
from pupicker.gui.prior_dialog import PriorDialog
from pupicker.plugin.child_process import ChildProcess
from pupicker.protocols.bases.learning_base import ProtPuPickerLearningBase


class PuPickerPriorWizard(Wizard):
    """Counts the labels; tells what share of the area a number of particles stands for."""

    _targets = [(ProtPuPickerLearningBase, ["priorMode", "particlesPerMicrograph", "classPrior"])]

    def show(self, form: Any, *params: Any) -> None:
        protocol = form.protocol
        messages = protocol._validateLabels()
        if protocol.inputCoordinates.get() is None or not protocol._usesLabels():
            messages = ["Choose labelled particles first."]
        if messages:
            dialog.showWarning("Particles per micrograph", messages[0], form.root)
            return
        points = protocol._matchLabels().points
        mics = [mic.clone() for mic in protocol._getMicrographs() if mic.getObjId() in points]
        counts = [(mic.getMicName(), len(points[mic.getObjId()])) for mic in mics]
        question = ClassPriorQuestion(protocol, mics[0])
        try:
            chosen = PriorDialog(form.root, counts, question, protocol.particlesPerMicrograph.get() or 0)
            if not chosen.resultYes():
                return
            if form.wizParamName == "classPrior":
                question.wait()
        finally:
            question.close()
        prior = question.classPrior(chosen.number)
        if form.wizParamName == "classPrior" and prior is not None and prior < 1:
            form.setVar("priorMode", PRIOR_FRACTION)
            form.setVar("classPrior", round(prior, 5))
        else:
            form.setVar("priorMode", PRIOR_COUNT)
            form.setVar("particlesPerMicrograph", chosen.number)


class ClassPriorQuestion:
    """Class prior of a number of particles a micrograph; it depends on the training radius, which only the core knows.

    ``pupicker info`` is asked about one micrograph in the background, so that the window need not wait for it.

    Attributes
    ----------
    failure
        Why the class prior will not be known; "" if it is or may yet be.
    """

    def __init__(self, protocol: Any, mic: Any) -> None:
        self.failure = ""
        self._disc: Optional[float] = None  # part of a micrograph that the training disc of one particle covers
        self._process: Optional[ChildProcess] = None
        diameter = protocol.diameter.get() or 0
        if diameter <= 0:
            self.failure = "The share of the area depends on the particle's diameter: give that first to see it."
            return
        self._pixelSize = protocol._getMicrographs().getSamplingRate()
        self._process = ChildProcess()
        try:
            self._process.start("info", [linkMicrograph(mic, self._process.folder), "--diameter",
                                         repr(diameter), "--pixel-size", repr(self._pixelSize), "--json"])
        except Exception as error:
            self._failed(error)

    def isOpen(self) -> bool:
        """There is no answer yet."""
        if self._process is not None and not self._process.isRunning():
            self.wait()
        return self._process is not None

    def wait(self) -> None:
        """Until there is an answer."""
        if self._process is None:
            return
        try:
            self._process.check()
            with open(self._process.getPath("stdout"), encoding="utf-8") as stream:
                found = json.load(stream)
            lengths = found["geometry"]
            radiusAng = lengths["training_radius_px"] * lengths["working_pixel_size_ang"]
            self._disc = math.pi * radiusAng ** 2 / (found["width"] * found["height"] * self._pixelSize ** 2)
        except Exception as error:
            self._failed(error)
        self.close()

    def classPrior(self, number: float) -> Optional[float]:
        """Of so many particles a micrograph; None as long as it is not known."""
        return None if self._disc is None else number * self._disc

    def close(self) -> None:
        """End the process if it still runs."""
        if self._process is not None:
            self._process.close()
            self._process = None

    def _failed(self, error: Exception) -> None:
        self.failure = "The share of the area is not known: %s" % error
        self.close()
