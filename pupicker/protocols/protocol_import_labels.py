"""Labelled particles from a file of any kind that pupicker reads."""

from __future__ import annotations

import os
from typing import Any, List

from pwem.objects import Coordinate, SetOfCoordinates
from pwem.protocols import ProtParticlePicking
from pyworkflow.constants import NEW
from pyworkflow.object import Integer
from pyworkflow.protocol import params
from pyworkflow.utils import Message

from pupicker.convert.labels import readLabels
from pupicker.protocols.bases.protocol_base import ProtPuPickerBase
from pupicker.protocols.forms.fields import DIAMETER, OptionField, fieldErrors
from pupicker.protocols.forms.run import Value
from pupicker.shared import options
from pupicker.shared.digests import digest_of, tables_state
from pupicker.shared.lengths import BOX_SIZE, even_box_size_px
from pupicker.shared.names import TABLE_SUFFIXES
from pupicker.shared.plurals import counted, first_of

USUAL_DIAMETER_ANG = 150.0  # for boxes that nobody gave a size
SCALE = OptionField("scale", options.SCALE)
BOX = OptionField("boxSize", options.BOX_SIZE_PX, "%g diameters" % BOX_SIZE)


class ProtPuPickerImportLabels(ProtPuPickerBase, ProtParticlePicking):
    """
    Imports labelled particles, or picks, from a table: STAR, TSV, CSV or EMAN box, one file, or a folder with one for
    each micrograph: whatever _pupicker train --picks_ takes.

    Centres are matched to the micrographs by name, with or without folder and extension. Names that the set does not
    hold are told, and left out.
    """

    _label = "import labels"
    _devStatus = NEW
    _possibleOutputs = {"outputCoordinates": SetOfCoordinates}
    inputMicrographs: Value
    labelsPath: Value
    scale: Value
    diameter: Value
    boxSize: Value

    def __init__(self, **kwargs: Any) -> None:
        ProtParticlePicking.__init__(self, **kwargs)
        self.leftOut = Integer(0)

    # --------------------------- DEFINE param functions ----------------------
    def _defineParams(self, form: Any) -> None:
        form.addSection(label=Message.LABEL_INPUT)
        form.addParam("inputMicrographs", params.PointerParam, pointerClass="SetOfMicrographs", important=True,
                      label="Input micrographs",
                      help="The micrographs that the particles are on, or another version of them with the same names.")
        form.addParam("labelsPath", params.PathParam, default="", important=True, label="Labels",
                      help="A table (%s), or a folder with one for each micrograph. Positions are particle centres in "
                           "pixels, the first pixel is (0, 0); box files hold corners." % " ".join(TABLE_SUFFIXES))
        DIAMETER.addTo(form, allowsNull=True, label="Particle diameter (Å, optional)", help=(
            "Longest extent of the particle in Å; the size of the boxes follows from it."))
        SCALE.addTo(form, expertLevel=params.LEVEL_ADVANCED, help=(
            "Size of the micrographs over that of those the labels were made on, no unit: 4 for labels on micrographs "
            "binned by 4."))
        BOX.addTo(form, expertLevel=params.LEVEL_ADVANCED, help=(
            "Side of the boxes in pixels of the micrographs, an even number. It is for showing the particles only: "
            "training does not use it. 0 follows from the diameter."))

    # --------------------------- INSERT steps functions ----------------------
    def _insertAllSteps(self) -> None:
        self._insertFunctionStep(self.importStep, digest_of(
            self._setDigest(self.inputMicrographs.get()), self._getLabelsPath(),
            tables_state(self._getLabelsPath(), TABLE_SUFFIXES), self.scale.get(), self._getBoxSize()), needsGPU=False)

    # --------------------------- STEPS functions -----------------------------
    def importStep(self, digest: str) -> None:
        table = self._getExtraPath("labels.tsv")
        self._runCore("convert", [self._getLabelsPath(), table], "convert")
        micSet = self.inputMicrographs.get()
        labels = readLabels(table, micSet, self.scale.get())
        if not labels.points:
            raise Exception("%s: none of its micrographs (%s) is in the set: choose the micrographs that were "
                            "labelled." % (self._getLabelsPath(), first_of(labels.unmatched) or "it names none"))
        self.leftOut.set(len(labels.unmatched))
        output = self._createSetOfCoordinates(self.inputMicrographs)
        output.setBoxSize(self._getBoxSize())
        for mic in micSet:
            for x, y in labels.points.get(mic.getObjId(), ()):
                coord = Coordinate(x=round(x), y=round(y))
                coord.setMicrograph(mic)
                output.append(coord)
        self._defineOutputs(outputCoordinates=output)
        self._defineSourceRelation(self.inputMicrographs, output)
        self._store(self.leftOut)

    # --------------------------- INFO functions ------------------------------
    def _validate(self) -> List[str]:
        errors = fieldErrors(self, [SCALE, BOX, DIAMETER._replace(optional=True)])
        path = self._getLabelsPath()
        if not path or not os.path.exists(path):
            errors.append("*Labels*: %s; choose a table, or a folder of tables."
                          % ("%s: no such file" % path if path else "nothing was chosen"))
        elif os.path.isfile(path) and os.path.splitext(path)[1].lower() not in TABLE_SUFFIXES:
            errors.append("*Labels*: %s is none of %s; convert it, or choose another file."
                          % (path, " ".join(TABLE_SUFFIXES)))
        return errors

    def _summary(self) -> List[str]:
        output = getattr(self, "outputCoordinates", None)
        if output is None:
            return ["No labels yet."]
        lines = ["*%s* from %s, box size %d px"
                 % (counted(output.getSize(), "particle"), self._getLabelsPath(), output.getBoxSize())]
        if self.leftOut.get():
            lines.append("*Micrographs of the file that are not in the set, or of a name that several have: %d*"
                         % self.leftOut.get())
        return lines

    def _methods(self) -> List[str]:
        output = getattr(self, "outputCoordinates", None)
        return [] if output is None else ["%s imported." % counted(
            output.getSize(), "labelled particle was", "labelled particles were")]

    # --------------------------- UTILS functions -----------------------------
    def _getLabelsPath(self) -> str:
        return os.path.expanduser((self.labelsPath.get() or "").strip())

    def _getBoxSize(self) -> int:
        return self.boxSize.get() or even_box_size_px(BOX_SIZE * (self.diameter.get() or USUAL_DIAMETER_ANG),
                                                      self.inputMicrographs.get().getSamplingRate())
