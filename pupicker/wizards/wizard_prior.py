"""The number of particles on a micrograph, or the class prior, from the labels."""

from __future__ import annotations

import json
import math
from typing import Any, Callable, List, Optional, Tuple

from pyworkflow.gui import dialog
from pyworkflow.wizard import Wizard

from pupicker import convert
from pupicker.child_process import ChildProcess
from pupicker.constants import PRIOR_COUNT, PRIOR_FRACTION
from pupicker.gui.prior_dialog import PriorDialog
from pupicker.protocols import ProtPuPickerTrain


class PuPickerPriorWizard(Wizard):
    """Counts the labels; tells what class prior a number of particles stands for."""

    _targets = [(ProtPuPickerTrain, ["priorMode", "particlesPerMicrograph", "classPrior"])]

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
        answer: List[Tuple[Callable[[float], Optional[float]], str]] = []
        dialog.FlashMessage(form.root, "Working out the training radius…",
                            func=lambda: answer.append(classPriorOf(protocol, mics[0])))
        priorOf, unknown = answer[0]
        chosen = PriorDialog(form.root, counts, priorOf, protocol.particlesPerMicrograph.get() or 0, unknown)
        if not chosen.resultYes():
            return
        prior = priorOf(chosen.number)
        if form.wizParamName == "classPrior" and prior is not None and prior < 1:
            form.setVar("priorMode", PRIOR_FRACTION)
            form.setVar("classPrior", round(prior, 5))
        else:
            form.setVar("priorMode", PRIOR_COUNT)
            form.setVar("particlesPerMicrograph", chosen.number)


def classPriorOf(protocol: Any, mic: Any) -> Tuple[Callable[[float], Optional[float]], str]:
    """Function from particles a micrograph to the class prior, and why it does not know ("" if it does).

    The training radius is the core's: asked for with ``pupicker info`` for a micrograph of the set.
    """
    diameter = protocol.diameter.get() or 0
    if diameter <= 0:
        return lambda number: None, "The class prior depends on the particle's diameter: give that first to see it."
    process = ChildProcess()
    try:
        pixelSize = protocol._getMicrographs().getSamplingRate()
        process.start("info", [convert.linkMicrograph(mic, process.folder), "--diameter", repr(diameter),
                               "--pixel-size", repr(pixelSize), "--json"])
        process.check()
        with open(process.getPath("stdout"), encoding="utf-8") as stream:
            found = json.load(stream)
        lengths = found["geometry"]
        radiusAng = lengths["training_radius_px"] * lengths["working_pixel_size_ang"]
        disc = math.pi * radiusAng ** 2 / (found["width"] * found["height"] * pixelSize ** 2)
    except Exception as error:
        return lambda number: None, "The class prior is not known: %s" % error
    finally:
        process.close()
    return lambda number: number * disc, ""
