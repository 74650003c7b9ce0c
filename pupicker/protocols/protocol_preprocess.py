"""Downsampled, normalised micrographs as a set of their own."""

from __future__ import annotations

import os
from typing import Any, List

import pyworkflow.utils as pwutils
from pwem.objects import SetOfMicrographs
from pwem.protocols import ProtPreprocessMicrographs
from pyworkflow.constants import NEW
from pyworkflow.protocol import params
from pyworkflow.utils import Message

from pupicker.constants import PIXEL_CHOICES, PIXEL_FROM_DIAMETER, PIXEL_GIVEN
from pupicker.convert.micrographs import linkName, writeMicrographStar
from pupicker.protocols.bases.protocol_base import ProtPuPickerBase
from pupicker.protocols.forms.fields import DIAMETER, OptionField, diameterErrors, fieldErrors
from pupicker.shared import options
from pupicker.shared.digests import digest_of
from pupicker.shared.json_files import read_json
from pupicker.shared.plurals import counted, none_can

TARGET = OptionField("targetPixelSize", options.TARGET_PIXEL_SIZE)


class ProtPuPickerPreprocess(ProtPuPickerBase, ProtPreprocessMicrographs):
    """
    Downsamples micrographs by Fourier cropping to any pixel size and normalises them.

    The normalisation fits two Gaussians to the grey values of all micrographs together, with one scale for each
    micrograph, so that particle-rich and empty, thick and thin images become comparable.

    Training and picking do this by themselves: run it only to look at the result, or to hand-pick on smaller, clearer
    images. Coordinates picked on the output can be used with the original micrographs; _pupicker - train_ rescales
    them.
    """

    _label = "preprocess micrographs"
    _devStatus = NEW
    _possibleOutputs = {"outputMicrographs": SetOfMicrographs}

    # --------------------------- DEFINE param functions ----------------------
    def _defineParams(self, form: Any) -> None:
        form.addSection(label=Message.LABEL_INPUT)
        form.addParam("inputMicrographs", params.PointerParam, pointerClass="SetOfMicrographs", important=True,
                      label=Message.LABEL_INPUT_MIC,
                      help="Micrographs as they came from motion correction, neither filtered nor normalised. Those "
                           "that cannot be read are listed in the summary and left out.")
        form.addParam("pixelMode", params.EnumParam, choices=list(PIXEL_CHOICES), default=PIXEL_FROM_DIAMETER,
                      display=params.EnumParam.DISPLAY_HLIST, label="New pixel size",
                      help="_from the diameter_: the pixel size at which the network sees a particle whole, the one "
                           "that training takes by itself.\n_given_: any pixel size, not only whole multiples.")
        DIAMETER.addTo(form, allowsNull=True, condition="pixelMode==%d" % PIXEL_FROM_DIAMETER, help=(
            "Longest extent of the particle in Å. The box size of coordinates is larger, usually 1.5 "
            "to 2 times."))
        TARGET.addTo(form, allowsNull=True, condition="pixelMode==%d" % PIXEL_GIVEN, help=(
            "Pixel size of the output in Å; larger than that of the input. What whole numbers of pixels allow may "
            "differ in the fourth digit: the output states the one reached."))
        form.addParallelSection(threads=4, mpi=0)

    # --------------------------- INSERT steps functions ----------------------
    def _insertAllSteps(self) -> None:
        micSet = self.inputMicrographs.get()
        digest = digest_of(self._setDigest(micSet), self._filesDigest(micSet), self._getPixelArguments())
        self._insertFunctionStep(self.preprocessStep, digest, needsGPU=False)
        self._insertFunctionStep(self.createOutputStep, digest, needsGPU=False)

    # --------------------------- STEPS functions -----------------------------
    def preprocessStep(self, digest: str) -> List[str]:
        self._cleanQuarantine()
        pwutils.cleanPath(self._getOutputFolder())
        pwutils.makePath(self._getOutputFolder())
        micSet = self.inputMicrographs.get()
        links = self._linkMicrographs(micSet, self._getInputFolder())
        if not links:
            raise Exception("%s be read: see the summary." % none_can(micSet.getSize(), "micrograph").capitalize())
        starFile = os.path.join(self._getInputFolder(), "micrographs.star")
        writeMicrographStar(links, starFile)
        self._runCore("preprocess", [starFile, "--output", self._getOutputFolder(),
                                     "--pixel-size", repr(micSet.getSamplingRate())] + self._getPixelArguments()
                      + ["--threads", self.getBinThreads(), "--report", self._getReportPath()], "preprocess")
        self._quarantineReported(read_json(self._getReportPath()),
                                 {mic.getObjId(): mic.getMicName() for mic in micSet})
        return [self._getReportPath()]

    def createOutputStep(self, digest: str) -> None:
        report = read_json(self._getReportPath())
        micSet = self.inputMicrographs.get()
        outputs = self._createSetOfMicrographs()
        outputs.copyInfo(micSet)
        outputs.setSamplingRate(report["pixel_size_ang"])
        for mic in micSet:
            path = os.path.join(self._getOutputFolder(), linkName(mic.getObjId()) + ".mrc")
            if os.path.exists(path):  # id and name stay, so that coordinates and CTFs find their micrograph
                newMic = mic.clone()
                newMic.setLocation(path)
                newMic.setSamplingRate(report["pixel_size_ang"])
                outputs.append(newMic)
        self._defineOutputs(outputMicrographs=outputs)
        self._defineTransformRelation(self.inputMicrographs, outputs)

    def _cleanExtraFiles(self) -> None:
        pwutils.cleanPath(self._getInputFolder())

    # --------------------------- INFO functions ------------------------------
    def _validate(self) -> List[str]:
        micSet = self.inputMicrographs.get()
        if micSet is None:
            return []  # Scipion says so itself
        if self.pixelMode.get() == PIXEL_FROM_DIAMETER:
            return diameterErrors(self)
        errors = fieldErrors(self, [TARGET])
        if not errors and self.targetPixelSize.get() < micSet.getSamplingRate():
            return ["*Pixel size*: %0.4g Å/px was found; give a number not below the %0.4g Å/px of the input."
                    % (self.targetPixelSize.get(), micSet.getSamplingRate())]
        return errors

    def _summary(self) -> List[str]:
        outputs = getattr(self, "outputMicrographs", None)
        if outputs is None:
            return ["No micrographs yet."] + self._quarantineSummary()
        return ["Micrographs: %d, at %0.4g Å/px" % (outputs.getSize(), outputs.getSamplingRate())] \
            + self._quarantineSummary()

    def _methods(self) -> List[str]:
        outputs = getattr(self, "outputMicrographs", None)
        if outputs is None:
            return []
        return ["%s downsampled to %0.3g Å/px by Fourier cropping and normalised with a two-component Gaussian mixture "
                "[Bepler2019]." % (counted(outputs.getSize(), "micrograph was", "micrographs were"),
                                   outputs.getSamplingRate())]

    # --------------------------- UTILS functions -----------------------------
    def _getPixelArguments(self) -> List[str]:
        if self.pixelMode.get() == PIXEL_FROM_DIAMETER:
            return ["--diameter", repr(self.diameter.get())]
        return ["--target-pixel-size", repr(self.targetPixelSize.get())]

    def _getInputFolder(self) -> str:
        return self._getExtraPath("input")

    def _getOutputFolder(self) -> str:
        return self._getExtraPath("micrographs")

    def _getReportPath(self) -> str:
        return self._getExtraPath("preprocess_report.json")
