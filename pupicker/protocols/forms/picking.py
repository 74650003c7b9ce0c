"""The forms of the pickers: every field with its help, what is checked, and the options it stands for."""

from __future__ import annotations

import os
from typing import Any, List

from pwem.protocols import ProtParticlePickingAuto
from pyworkflow.protocol import params

from pupicker.constants import THRESHOLD_CHOICES, THRESHOLD_GIVEN, THRESHOLD_SUGGESTED
from pupicker.convert.labels import repeatedNames
from pupicker.protocols.forms.exclusion import ExclusionForm
from pupicker.protocols.forms.fields import OptionField, fieldErrors
from pupicker.protocols.forms.gpu import GpuForm
from pupicker.protocols.forms.model import ModelForm
from pupicker.protocols.forms.run import PickingRun, Value
from pupicker.shared import options
from pupicker.shared.plurals import first_of

THRESHOLD = OptionField("threshold", options.THRESHOLD)
SCORE_SD = OptionField("uncertainty", options.SCORE_SD)


class PickingForm(ExclusionForm, GpuForm, PickingRun):
    """Mix-in before the base classes of a protocol that picks in streaming: what all of them ask."""

    minDistance: Value
    boxSize: Value
    _minDistanceField: OptionField  # with what 0 means in the form
    _boxSizeField: OptionField

    # --------------------------- DEFINE param functions ----------------------
    def _definePickInput(self, form: Any, help: str) -> None:
        """The micrographs, as the base class of Scipion defines them, with this help, and the GPU."""
        ProtParticlePickingAuto._defineParams(self, form)
        form.getParam("inputMicrographs").help.set(help)
        form.getParam("inputMicrographs").label.set("Input micrographs")
        self._defineGpuParams(form)

    def _definePickLengths(self, form: Any) -> None:
        self._minDistanceField.addTo(form, expertLevel=params.LEVEL_ADVANCED, help=(
            "Two picks are never closer than this; of two, the better one stays. 0 takes the distance that follows "
            "from the particle's diameter."))
        self._boxSizeField.addTo(form, expertLevel=params.LEVEL_ADVANCED, help=(
            "Box size of the output in pixels of the input micrographs, even. It does not change the picks, and with "
            "another one _Continue_ picks nothing again; extraction takes it as its default. 0 follows from the "
            "particle's diameter."))

    def _defineStreaming(self, form: Any, threads: int = 2) -> None:
        self._defineStreamingParams(form)
        form.getParam("streamingWarning").label.set("While micrographs still arrive")
        form.getParam("streamingWarning").help.set(
            "How micrographs that still arrive are taken up. A batch begins with what is there, at most so many as the "
            "batch size says; nothing waits for a batch to be full.")
        form.getParam("streamingBatchSize").setDefault(16)
        form.addParallelSection(threads=threads, mpi=0, binThreads=4)

    # --------------------------- checks and options ---------------------------
    def _validateLengths(self) -> List[str]:
        errors = fieldErrors(self, [self._minDistanceField, self._boxSizeField])
        if (self.boxSize.get() or 0) > 0 and self.boxSize.get() % 2:
            errors.append("*Box size*: %d was found; give an even number of pixels, or 0: %s."
                          % (self.boxSize.get(), self._boxSizeField.automatic))
        if (self.streamingBatchSize.get() if self.streamingBatchSize.hasValue() else -1) < 0:
            errors.append("*Batch size*: give a number of micrographs, e.g. 16, or 0 for all that are there.")
        if self.getBinThreads() < 1:
            errors.append("*Threads*: give 1 or a larger number.")
        return errors

    def _validateNames(self) -> List[str]:
        """Scipion's streaming knows micrographs by name, and so does what follows: one of two would be lost."""
        micSet = self.getInputMicrographs()
        repeated = repeatedNames(micSet) if micSet is not None and os.path.exists(micSet.getFileName()) else []
        return ["*Input micrographs*: several have the same name (%s), and would be taken for one. Give them names "
                "of their own, or pick the sets that were joined one by one."
                % first_of(repeated)] if repeated else []

    def _warnings(self) -> List[str]:
        gpus, batches = len(self.getGpuList()), max(1, self.numberOfThreads.get() - 1)
        return self._warnGpu() if gpus <= batches else [
            "%d of the %d GPUs will be idle: a batch uses one. Set the Scipion threads to %d."
            % (gpus - batches, gpus, gpus + 1)]

    def _getLengthArguments(self) -> List[str]:
        return self._minDistanceField.arguments(self)


class ModelPickingForm(ModelForm, PickingForm):
    """Mix-in before the base class of the protocol that picks with a model."""

    thresholdMode: Value
    threshold: Value
    uncertainty: Value
    _minDistanceField = OptionField("minDistance", options.MIN_DISTANCE, "of the model")
    _boxSizeField = OptionField("boxSize", options.BOX_SIZE_PX, "of the model")

    # --------------------------- DEFINE param functions ----------------------
    def _defineParams(self, form: Any) -> None:
        self._definePickInput(form, "Micrographs to pick, as they came from motion correction, neither filtered nor "
                                    "normalised. The set may still grow. Their pixel size may differ from that of the "
                                    "training micrographs.")
        self._defineModelParams(form, "Picking model")
        form.addParam("thresholdMode", params.EnumParam, choices=list(THRESHOLD_CHOICES), default=THRESHOLD_SUGGESTED,
                      display=params.EnumParam.DISPLAY_HLIST, label="Score threshold",
                      help="_of the model_: the threshold with the best expected F1.\n"
                           "_given_: your own; the wand picks one micrograph and shows what each threshold keeps.")
        THRESHOLD.addTo(form, default=0.0, condition="thresholdMode==%d" % THRESHOLD_GIVEN, label="Threshold (score)",
                        help="Picks with a lower score are left out. The score is a log-likelihood ratio without unit; "
                             "0 means undecided, -6 keeps nearly everything, 3 is strict: the image is 20 times as "
                             "likely with a particle as without.")
        self._definePickLengths(form)
        SCORE_SD.addTo(form, expertLevel=params.LEVEL_ADVANCED, help=(
            "Yes: each coordinate also has _pupickerUncertainty, the standard deviation of its score over the eight "
            "orientations of the image, turned and mirrored; same unit as the score. It hardly tells false picks from "
            "right ones; sort by the score for that. Picking takes somewhat longer."))
        form.addSection(label="Where")
        self._defineExclusionParams(form, ofModel=True)
        self._defineStreaming(form)

    # --------------------------- checks and options ---------------------------
    def _validate(self) -> List[str]:
        errors = self._validateModel("Picking model") + self._validateLengths()
        errors += self._validateNames() + self._validateExclusion(self.getInputMicrographs())
        return errors + (fieldErrors(self, [THRESHOLD]) if self.thresholdMode.get() == THRESHOLD_GIVEN else [])

    def _warnings(self) -> List[str]:
        warnings = self._warnModel()
        model, micSet = self.getModel(), self.getInputMicrographs()
        if model is not None and micSet is not None \
                and micSet.getSamplingRate() > model.getWorkingPixelSizeAng() * 1.001:
            warnings.append("The micrographs have %0.2f Å/px, coarser than the %0.2f Å/px at which the model works: "
                            "expect more misses, or train with such micrographs."
                            % (micSet.getSamplingRate(), model.getWorkingPixelSizeAng()))
        return warnings + PickingForm._warnings(self)

    def _getPickArguments(self) -> List[str]:
        """Options that decide which picks come out."""
        arguments: List[str] = []
        if self.thresholdMode.get() == THRESHOLD_GIVEN:
            arguments += ["--threshold=%r" % self.threshold.get()]  # "=": a negative number is no option
        if self.uncertainty.get():
            arguments.append("--score-sd")
        return arguments + self._getLengthArguments() + self._getExclusionArguments()
