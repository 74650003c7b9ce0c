"""Where nothing is picked: fields that training and picking share, and the masks for the command line."""

from __future__ import annotations

import os
from typing import Any, Iterable, List

import pyworkflow.utils as pwutils
from pyworkflow.protocol import params

from pupicker import convert
from pupicker.constants import EXCLUSION_CHOICES, EXCLUSION_GIVEN, EXCLUSION_OF_MODEL

MARGIN_HELP = ("Nothing is picked closer to the edges of a micrograph than this, and nothing is learnt there. 0 leaves "
               "nothing out.")
CONTAMINATION_HELP = ("Yes: nothing is picked, nor learnt, where the image is far darker than particles are: gold, ice "
                      "crystals, dense carbon. Clean micrographs stay as they are.")


class ExclusionForm:
    """Mix-in before a protocol class: fields, arguments and messages."""

    # --------------------------- DEFINE param functions ----------------------
    def _defineExclusionParams(self, form: Any, ofModel: bool = False) -> None:
        """`ofModel`: the default is what training left out."""
        expert = params.LEVEL_ADVANCED
        condition = None
        if ofModel:
            form.addParam("exclusionMode", params.EnumParam, choices=list(EXCLUSION_CHOICES),
                          default=EXCLUSION_OF_MODEL, expertLevel=expert, display=params.EnumParam.DISPLAY_HLIST,
                          label="Margin and contamination",
                          help="_as in training_: what the model's training left out is not picked either.\n_given_: "
                               "your own.")
            condition = "exclusionMode==%d" % EXCLUSION_GIVEN
        form.addParam("margin", params.FloatParam, default=0.0, expertLevel=expert, condition=condition,
                      label="Margin at the edges (Å)", help=MARGIN_HELP)
        form.addParam("excludeContamination", params.BooleanParam, default=True, expertLevel=expert,
                      condition=condition, label="Leave out contamination?", help=CONTAMINATION_HELP)
        form.addParam("masksFolder", params.FolderParam, default="", expertLevel=expert, label="Folder of masks",
                      help="One image for each micrograph, named like it (NAME or NAME_mask; MRC, TIFF or PNG; any "
                           "size with the same proportions): nothing is picked where it is bright, above half of 1 or "
                           "of its largest value, as MicrographCleaner writes them. A micrograph without a mask is "
                           "used whole. Empty: no masks.")

    # --------------------------- UTILS functions -----------------------------
    def _getExclusionArguments(self) -> List[str]:
        """Options of margin and contamination; none where the model's hold."""
        mode = getattr(self, "exclusionMode", None)
        if mode is not None and mode.get() == EXCLUSION_OF_MODEL:
            return []
        contamination = self.excludeContamination.get()  # type: ignore[attr-defined]
        return ["--margin", repr(self.margin.get() or 0.0),  # type: ignore[attr-defined]
                "--exclude-contamination" if contamination else "--no-exclude-contamination"]

    def _getMasksDigest(self) -> List[Any]:
        """What tells that the masks are still the same."""
        folder = self._getMasksFolder()
        if not os.path.isdir(folder):
            return []
        return [(name, os.stat(os.path.join(folder, name)).st_mtime_ns) for name in sorted(os.listdir(folder))]

    def _linkMasks(self, mics: Iterable[Any], folder: str) -> List[str]:
        """Links to the masks of `mics` under the names that the micrographs have there; the option that names them."""
        if not self._getMasksFolder():
            return []
        known = convert.masksByName(self._getMasksFolder())
        found = [(mic, known[name]) for mic in mics for name in [convert.stem(mic.getMicName())] if name in known]
        if not found:
            return []
        links = os.path.join(folder, "masks")
        pwutils.makePath(links)
        for mic, path in found:
            link = os.path.join(links, convert.linkName(mic.getObjId()) + os.path.splitext(path)[1].lower())
            pwutils.createAbsLink(os.path.abspath(path), link)
        return ["--masks", links]

    def _validateExclusion(self, micSet: Any) -> List[str]:
        errors = []
        if not (self.margin.get() or 0) >= 0:  # type: ignore[attr-defined]
            errors.append("*Margin at the edges (Å)*: give 0 or a larger number.")
        folder = self._getMasksFolder()
        if folder and not os.path.isdir(folder):
            errors.append("*Folder of masks*: there is no folder %s. Choose another one, or leave it empty." % folder)
        elif folder and micSet is not None and micSet.getSize():
            known = convert.masksByName(folder)
            if not any(convert.stem(mic.getMicName()) in known for mic in micSet):
                errors.append("*Folder of masks*: no mask in %s is named like a micrograph (%s). Rename the masks, or "
                              "leave the field empty." % (folder, micSet.getFirstItem().getMicName()))
        return errors

    def _getMasksFolder(self) -> str:
        return (self.masksFolder.get() or "").strip()  # type: ignore[attr-defined]
