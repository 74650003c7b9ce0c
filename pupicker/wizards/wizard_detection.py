"""The threshold of picking, seen on a micrograph."""

from __future__ import annotations

import functools
from typing import Any, Dict, List, Tuple

from pyworkflow.gui import dialog
from pyworkflow.wizard import Wizard

from pupicker.constants import THRESHOLD_GIVEN
from pupicker.convert.micrographs import linkMicrograph
from pupicker.convert.picks import Pick
from pupicker.gui.detection_dialog import DetectionDialog, Preview
from pupicker.plugin.child_process import ChildProcess
from pupicker.plugin.plugin import Plugin
from pupicker.protocols import ProtPuPickerPick
from pupicker.shared.digests import digest_of, file_state
from pupicker.wizards.wizard_diameter import micrographEntries

KNOWN: Dict[str, Dict[Tuple[int, float, float], List[Pick]]] = {}  # picks of previews, by what they were made with


class PuPickerDetectionWizard(Wizard):
    """Picks one micrograph with the model and shows what each threshold keeps."""

    _targets = [(ProtPuPickerPick, ["thresholdMode", "threshold", "minDistance"])]

    def show(self, form: Any, *params: Any) -> None:
        protocol = form.protocol
        messages = whatIsMissing(protocol)
        if messages:
            dialog.showWarning("Detection preview", messages[0], form.root)
            return
        micSet, model = protocol.getInputMicrographs(), protocol.getModel()
        given = protocol.thresholdMode.get() == THRESHOLD_GIVEN
        threshold = (protocol.threshold.get() if given else model.getSuggestedThreshold()) or 0.0
        distance = protocol.minDistance.get() or 0.0
        # what was picked stays known as long as Scipion runs: a second look need not wait
        what = digest_of(micSet.getFileName(), file_state(model.getPath()), protocol._getExclusionArguments(),
                         protocol._getMasksFolder())
        preview = Preview(functools.partial(startPicking, protocol), KNOWN.setdefault(what, {}))
        chosen = DetectionDialog(form.root, micrographEntries(micSet, {}), preview,
                                 model.getDiameterAng() / micSet.getSamplingRate() / 2, threshold, distance)
        if chosen.resultYes():
            if given or abs(chosen.threshold - threshold) >= 0.01:  # who only looked keeps that of the model
                form.setVar("thresholdMode", THRESHOLD_GIVEN)
                form.setVar("threshold", round(chosen.threshold, 2))
            form.setVar("minDistance", chosen.minDistanceAng)


def whatIsMissing(protocol: Any) -> List[str]:
    """Why the form does not say yet what to pick, and with what."""
    micSet, messages = protocol.getInputMicrographs(), protocol._validateModel("Picking model")
    if micSet is None or (not messages and protocol.getModel() is None):
        return ["Choose micrographs and a picking model first."]
    if micSet.getSize() == 0:
        return ["There is no micrograph in the set yet."]
    return messages + list(Plugin.validateInstallation()) + protocol._validateExclusion(micSet)


def startPicking(protocol: Any, mic: Any, minDistanceAng: float, lowestScore: float) -> ChildProcess:
    """Begin to pick `mic` as `protocol` would, down to `lowestScore`; the table is ``picks.tsv`` in the folder."""
    process = ChildProcess()
    try:
        arguments = [linkMicrograph(mic, process.folder), "--model", protocol.getModel().getPath(),
                     "--output", process.getPath("picks.tsv"), "--threshold=%r" % lowestScore,
                     "--pixel-size", repr(protocol.getInputMicrographs().getSamplingRate()),
                     "--threads", max(1, protocol.getBinThreads())]
        if minDistanceAng:
            arguments += ["--min-distance", repr(minDistanceAng)]
        arguments += protocol._getExclusionArguments() + protocol._linkMasks([mic], process.folder)
        # The run may be meant for another machine, with a GPU.
        gpus = protocol.getGpuList() if Plugin.hasGpu() else []
        process.start("pick", arguments, gpu=str(gpus[0]) if gpus else "")
    except Exception:
        process.close()
        raise
    return process
