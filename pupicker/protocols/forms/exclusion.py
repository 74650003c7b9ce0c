"""Where nothing is picked: fields that training and picking share, and the masks for the command line."""

from __future__ import annotations

import os
from typing import Any, Iterable, List, Tuple

import pyworkflow.utils as pwutils
from pyworkflow.protocol import params

from pupicker.constants import EXCLUSION_CHOICES, EXCLUSION_GIVEN, EXCLUSION_OF_MODEL
from pupicker.convert.micrographs import linkName
from pupicker.protocols.forms.fields import OptionField, fieldErrors
from pupicker.protocols.forms.run import Run, Value
from pupicker.shared import options
from pupicker.shared.digests import file_state
from pupicker.shared.names import MaskError, masks_by_key, micrograph_key

MARGIN = OptionField("margin", options.MARGIN)
CONTAMINATION = OptionField("excludeContamination", options.EXCLUDE_CONTAMINATION)

MARGIN_HELP = ("Nothing is picked closer to the edges of a micrograph than this, and nothing is learnt there. 0 leaves "
               "nothing out. For picks that sit at the edges.")
CONTAMINATION_HELP = ("Yes: nothing is picked, nor learnt, where the image is far darker than particles are: gold, ice "
                      "crystals, dense carbon. Clean micrographs stay as they are. Switch it off if particles in dark "
                      "places are missed.")


class ExclusionForm(Run):
    """Mix-in before a protocol class: fields, arguments and messages."""

    margin: Value
    excludeContamination: Value
    masksFolder: Value
    exclusionMode: Value  # only of a form that offers what the model's training left out

    # --------------------------- DEFINE param functions ----------------------
    def _defineExclusionParams(self, form: Any, ofModel: bool = False) -> None:
        """`ofModel`: the default is what training left out."""
        expert = params.LEVEL_ADVANCED
        condition = None
        if ofModel:
            form.addParam("exclusionMode", params.EnumParam, choices=list(EXCLUSION_CHOICES),
                          default=EXCLUSION_OF_MODEL, display=params.EnumParam.DISPLAY_HLIST,
                          label="Margin and contamination",
                          help="_as in training_: what the model's training left out is not picked either.\n_given_: "
                               "your own.")
            condition = "exclusionMode==%d" % EXCLUSION_GIVEN
        CONTAMINATION.addTo(form, condition=condition, help=CONTAMINATION_HELP)
        MARGIN.addTo(form, expertLevel=expert, condition=condition, help=MARGIN_HELP)
        form.addParam("masksFolder", params.FolderParam, default="", expertLevel=expert, label="Folder of masks",
                      help="One image for each micrograph, named like it (NAME or NAME_mask; MRC, TIFF or PNG; any "
                           "size with the same proportions): nothing is picked where it is bright, above half of 1 or "
                           "of its largest value, as MicrographCleaner writes them. A micrograph without a mask is "
                           "used whole, and so is one that is picked before its mask is written. Empty: no masks. For "
                           "carbon and ice that is picked although contamination is left out.")

    # --------------------------- UTILS functions -----------------------------
    def _getExclusionArguments(self) -> List[str]:
        """Options of margin and contamination; none where the model's hold."""
        if self._leavesOutWhatTrainingDid():
            return []
        contamination = self.excludeContamination.get()
        return MARGIN.arguments(self) + ["--exclude-contamination" if contamination else "--no-exclude-contamination"]

    def _leavesOutWhatTrainingDid(self) -> bool:
        """Whether the fields of margin and contamination do not count."""
        mode = getattr(self, "exclusionMode", None)
        return mode is not None and bool(mode.get() == EXCLUSION_OF_MODEL)

    def _getMasks(self, mics: Iterable[Any]) -> List[Tuple[int, str]]:
        """Ids of those of `mics` that have a mask, with its path."""
        if not self._getMasksFolder():
            return []
        known = masks_by_key(self._getMasksFolder())
        # ids: a set that is gone through gives one and the same object again and again
        named = [(mic.getObjId(), micrograph_key(mic.getMicName())) for mic in mics]
        return [(micId, known[name]) for micId, name in named if name in known]

    def _getMasksDigest(self, mics: Iterable[Any]) -> List[Any]:
        """What tells that the masks of `mics` are still the same; those of other micrographs do not count."""
        return [[micId, path, file_state(path)] for micId, path in self._getMasks(mics)]

    def _linkMasks(self, mics: Iterable[Any], folder: str) -> List[str]:
        """Links to the masks of `mics` under the names that the micrographs have there; the option that names them."""
        found = self._getMasks(mics)
        if not found:
            return []
        links = os.path.join(folder, "masks")
        pwutils.cleanPath(links)  # of a start that was interrupted
        pwutils.makePath(links)
        for micId, path in found:
            link = os.path.join(links, linkName(micId) + os.path.splitext(path)[1].lower())
            pwutils.createAbsLink(os.path.abspath(path), link)
        return ["--masks", links]

    def _validateExclusion(self, micSet: Any) -> List[str]:
        errors = [] if self._leavesOutWhatTrainingDid() else fieldErrors(self, [MARGIN])
        folder = self._getMasksFolder()
        if folder and not os.path.isdir(folder):
            errors.append("*Folder of masks*: there is no folder %s. Choose another one, or leave it empty." % folder)
        elif folder and micSet is not None and micSet.getSize():
            try:
                known = masks_by_key(folder)
            except MaskError as error:
                return errors + ["*Folder of masks*: %s." % error]
            if not any(micrograph_key(mic.getMicName()) in known for mic in micSet):
                errors.append("*Folder of masks*: no mask in %s is named like a micrograph (%s). Rename the masks, or "
                              "leave the field empty." % (folder, micSet.getFirstItem().getMicName()))
        return errors

    def _getMasksFolder(self) -> str:
        return (self.masksFolder.get() or "").strip()
