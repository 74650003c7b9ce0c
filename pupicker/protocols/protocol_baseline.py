"""Picking without labels."""

from __future__ import annotations

from typing import Any, List

from pyworkflow.constants import NEW
from pyworkflow.protocol import params

from pupicker.constants import (
    BASELINE_CHOICES,
    BASELINE_GENERAL,
    BASELINE_TEMPLATE,
    BASELINES,
    CONTRAST_BRIGHT,
    CONTRAST_CHOICES,
)
from pupicker.convert.picks import writeViewsStar
from pupicker.protocols.bases.picking_base import ProtPuPickerPickingBase
from pupicker.protocols.forms.fields import DIAMETER, OptionField, diameterErrors, fieldErrors, tooLarge
from pupicker.protocols.forms.run import Value
from pupicker.shared import options
from pupicker.shared.digests import digest_of
from pupicker.shared.lengths import BOX_SIZE, MIN_DISTANCE, even_box_size_px
from pupicker.shared.plurals import counted

THRESHOLD = OptionField("minScore", options.THRESHOLD, optional=True)
ROTATION_STEP = OptionField("rotationStep", options.ROTATION_STEP)


class ProtPuPickerBaseline(ProtPuPickerPickingBase):
    """
    Picks particles without labels, for a first look, or for the first labels.

    _general model_: the pretrained network from which trainings start, as it comes; it has seen simulated particles of
    all kinds and needs the diameter only. _template matching_ correlates every position with templates of the particle,
    for example class averages, or with a soft disc of the diameter if none are given. _difference of Gaussians_
    responds to blobs of the given diameter. None of them knows your particle: whatever resembles one is found,
    contamination too. Ten labels and a training are better, and tell how good the picks are.

    Every coordinate carries _pupickerScore, also under RELION's name. That of the general model is the log-odds of
    being a particle rather than noise of its micrograph (0: one as likely as the other), with the probability beside
    it; on a micrograph without particles it is silent, but for dirt that looks like some. That of the filters is their
    response in standard deviations of the micrograph's, without a probability.
    """

    _label = "pick without labels"
    _devStatus = NEW
    _command = "baseline"
    diameter: Value
    method: Value
    inputViews: Value
    minScore: Value
    rotationStep: Value
    contrast: Value
    _minDistanceField = OptionField("minDistance", options.MIN_DISTANCE, "%g diameters" % MIN_DISTANCE)
    _boxSizeField = OptionField("boxSize", options.BOX_SIZE_PX, "%g diameters" % BOX_SIZE)

    # --------------------------- DEFINE param functions ----------------------
    def _defineParams(self, form: Any) -> None:
        self._definePickInput(form, "Micrographs to pick, as they came from motion correction, neither filtered nor "
                                    "normalised. The set may still grow.")
        DIAMETER.addTo(form, allowsNull=True, important=True, help=(
            "Longest extent of the particle in Å. It is not the box size, which is usually 1.5 to 2 "
            "times larger."))
        form.addParam("method", params.EnumParam, choices=list(BASELINE_CHOICES), default=BASELINE_GENERAL,
                      label="Method",
                      help="_general model_: the pretrained network as it comes, trained on simulated particles; the "
                           "first to try.\n_template matching_: normalised cross-correlation with 2D references, or "
                           "with a disc; with good references, or for compact round particles.\n_difference of "
                           "Gaussians_: a band of sizes, quick.\nOnly the first uses a GPU.")
        matching = "method==%d" % BASELINE_TEMPLATE
        form.addParam("inputViews", params.PointerParam, pointerClass="SetOfAverages",
                      allowsNull=True, condition=matching, label="Templates (optional)",
                      help="2D references: class averages or other images of the particle, bright or dark. Empty: a "
                           "soft disc of the diameter.")
        THRESHOLD.addTo(form, label="Threshold (score)", help=(
            "Picks with a lower score are left out. Empty: 0 for the general model (log-odds), 1 for the difference of "
            "Gaussians and 1.7 for template matching (both in standard deviations). Best chosen low; the set can be "
            "cut later with _pupicker - threshold_."))
        ROTATION_STEP.addTo(form, condition=matching + " and inputViews", expertLevel=params.LEVEL_ADVANCED, help=(
            "In-plane angular sampling: each template is turned all round in steps of this, at most 360. Smaller "
            "ones, e.g. 5, for particles with much detail; the time grows with their number."))
        form.addParam("contrast", params.EnumParam, choices=list(CONTRAST_CHOICES), default=0,
                      expertLevel=params.LEVEL_ADVANCED, display=params.EnumParam.DISPLAY_HLIST,
                      label="Particles are", help="_dark_ on bright ice, as micrographs come, or _bright_: inverted "
                                                  "micrographs, and negative stain.")
        self._definePickLengths(form)
        form.addSection(label="Where")
        self._defineExclusionParams(form)
        self._defineStreaming(form)

    # --------------------------- INSERT steps functions ----------------------
    def _insertInitialSteps(self) -> List[int]:
        if not self._usesViews():
            return []
        return [self._insertFunctionStep(self.convertViewsStep, self._digest, needsGPU=False)]

    # --------------------------- STEPS functions -----------------------------
    def convertViewsStep(self, digest: str) -> List[str]:
        writeViewsStar(self.inputViews.get(), self._getViewsFile())
        return [self._getViewsFile()]

    # --------------------------- INFO functions ------------------------------
    def _validate(self) -> List[str]:
        errors = diameterErrors(self) + tooLarge(self, self.getInputMicrographs()) + self._validateLengths()
        errors += fieldErrors(self, [THRESHOLD, ROTATION_STEP])
        return errors + self._validateNames() + self._validateExclusion(self.getInputMicrographs())

    def getMethods(self, output: Any) -> str:
        """One sentence for the methods section."""
        views = " with %s" % counted(self.inputViews.get().getSize(), "template") if self._usesViews() else (
            " with a disc" if self.method.get() == BASELINE_TEMPLATE else "")
        if self.method.get() == BASELINE_GENERAL:
            views = " of a convolutional neural network trained on simulated particles"
        return "%s picked by %s%s [%s], diameter %0.0f Å." % (
            counted(output.getSize(), "particle was", "particles were"), BASELINE_CHOICES[self.method.get()], views,
            self._citations()[0], self.diameter.get())

    def _citations(self) -> List[str]:
        return [{BASELINE_TEMPLATE: "Roseman2003", BASELINE_GENERAL: "Bepler2019"}.get(self.method.get(), "Voss2009")]

    # --------------------------- UTILS functions -----------------------------
    def usesGpu(self) -> bool:
        """Only a network runs on one; the filters need no slot."""
        return self.method.get() == BASELINE_GENERAL and bool(ProtPuPickerPickingBase.usesGpu(self))

    def _getThresholdText(self) -> str:
        return "%g" % self.minScore.get() if self.minScore.get() is not None else "that of the method"

    def _usesViews(self) -> bool:
        return self.method.get() == BASELINE_TEMPLATE and self.inputViews.get() is not None

    def _getModelDigest(self) -> str:
        method, views = self.method.get(), self._usesViews()
        # nothing for the general model: so runs of before the method was told go on
        return digest_of(*([] if method == BASELINE_GENERAL else [BASELINES[method]]),
                         *([self._setDigest(self.inputViews.get())] if views else []))

    def _getCommandArguments(self) -> List[str]:
        return [BASELINES[self.method.get()]]

    def _getPickArguments(self) -> List[str]:
        arguments = ["--diameter", repr(self.diameter.get())]
        if self.contrast.get() == CONTRAST_BRIGHT:
            arguments.append("--bright")
        if self.minScore.get() is not None:
            arguments.append("--threshold=%r" % self.minScore.get())  # "=": a negative number is no option
        if self._usesViews():
            arguments += ["--template", self._getViewsFile(), "--rotation-step", repr(self.rotationStep.get()),
                          "--template-pixel-size", repr(self.inputViews.get().getSamplingRate())]
        return arguments + self._getLengthArguments() + self._getExclusionArguments()

    def _getViewsFile(self) -> str:
        return self._getExtraPath("views.star")

    def _getBoxSize(self) -> int:
        return self.boxSize.get() or even_box_size_px(BOX_SIZE * self.diameter.get(),
                                                      self.getInputMicrographs().getSamplingRate())
