"""The form of the protocol for a session: what it begins with, what it learns from, and when."""

from __future__ import annotations

from typing import Any, List

from pyworkflow.protocol import params

from pupicker.constants import THRESHOLD_CHOICES, THRESHOLD_GIVEN, THRESHOLD_SUGGESTED
from pupicker.protocols.forms.fields import DIAMETER, OptionField, diameterErrors, fieldErrors, tooLarge
from pupicker.protocols.forms.picking import THRESHOLD, PickingForm
from pupicker.protocols.forms.run import Value
from pupicker.protocols.forms.training import UPDATES
from pupicker.shared import options

LEARNS_FROM = ("inputLabels", "inputParticles")
"""Pointers whose sets may appear and grow while it picks."""


class LiveForm(PickingForm):
    """Mix-in before the base class of the protocol."""

    inputModel: Value
    diameter: Value
    inputLabels: Value
    inputParticles: Value
    fewestMicrographs: Value
    newLabels: Value
    mostMicrographs: Value
    thresholdMode: Value
    threshold: Value
    updates: Value
    _minDistanceField = OptionField("minDistance", options.MIN_DISTANCE, "of the model")
    _boxSizeField = OptionField("boxSize", options.BOX_SIZE_PX, "from the diameter")

    # --------------------------- DEFINE param functions ----------------------
    def _defineParams(self, form: Any) -> None:
        self._definePickInput(form, "Micrographs to pick, as they came from motion correction, neither filtered nor "
                                    "normalised. The set may still grow.")
        DIAMETER.addTo(form, allowsNull=True, important=True, help=(
            "Longest extent of the particle in Å. It is not the box size, which is usually 1.5 to 2 times larger."))
        form.addParam("inputModel", params.PointerParam, pointerClass="PuPickerModel", allowsNull=True,
                      label="Begin with (optional)",
                      help="Model of an earlier session with the same or a similar particle; trainings go on from it. "
                           "Empty: the general model, which has seen simulated particles of all kinds; its "
                           "probability is that of a particle, of whatever kind, rather than noise.")
        form.addParam("inputLabels", params.PointerParam, pointerClass="SetOfCoordinates", allowsNull=True,
                      label="Labels (optional)",
                      help="Labelled particles on some of the micrographs, for example of _pupicker - label_. They may "
                           "grow, or not be there yet: the run that makes them may still run, or start later.")
        form.addParam("inputParticles", params.PointerParam, pointerClass="SetOfParticles, SetOfClasses2D",
                      allowsNull=True, label="Good particles (optional)",
                      help="Particles, or 2D classes, of these micrographs that were selected as good; where they were "
                           "picked are labels. They may come later. Not those of this very run: Scipion knows no "
                           "circles; begin with another picking of the first micrographs.")
        self._defineLearning(form)
        form.addSection(label="Picking")
        form.addParam("thresholdMode", params.EnumParam, choices=list(THRESHOLD_CHOICES), default=THRESHOLD_SUGGESTED,
                      display=params.EnumParam.DISPLAY_HLIST, label="Score threshold",
                      help="_of the model_: the threshold with the best expected F1.\n_given_: "
                           "your own; it does not hold for the general model, whose scores are others. With another "
                           "one _Continue_ scores nothing again.")
        THRESHOLD.addTo(form, default=0.0, condition="thresholdMode==%d" % THRESHOLD_GIVEN, label="Threshold (score)",
                        help="Picks with a lower score are left out. The score is a log-likelihood ratio without unit; "
                             "0 means undecided, -6 keeps nearly everything, 3 is strict: the image is 20 times as "
                             "likely with a particle as without.")
        form.addParam("fewestMicrographs", params.IntParam, default=1, expertLevel=params.LEVEL_ADVANCED,
                      label="Micrographs to begin with",
                      help="Picking begins when so many have arrived, or the set is complete.")
        self._definePickLengths(form)
        form.addSection(label="Where")
        self._defineExclusionParams(form)
        self._defineStreaming(form, threads=3)

    @staticmethod
    def _defineLearning(form: Any) -> None:
        """A section of its own: with all in one the form is higher than a small screen."""
        form.addSection(label="Learning")
        form.addParam("newLabels", params.IntParam, default=50, label="New labels for a training",
                      help="A new version is trained when so many labels or good particles are there that the version "
                           "before has not seen; ten are enough once the runs that make them have ended.")
        form.addParam("mostMicrographs", params.IntParam, default=100, expertLevel=params.LEVEL_ADVANCED,
                      label="Most micrographs to learn from",
                      help="Of more micrographs with labels so many are taken, evenly spaced: they are kept in memory "
                           "while a training runs.")
        UPDATES.addTo(form, expertLevel=params.LEVEL_ADVANCED, help=(
            "Most updates of the weights in each training. 0 takes what _pupicker - train_ does."))

    # --------------------------- checks and options ---------------------------
    def _validate(self) -> List[str]:
        errors = diameterErrors(self) + tooLarge(self, self.getInputMicrographs()) + self._validateLengths()
        model = self.inputModel.get()
        if model is not None and not model.exists():
            errors.append("*Begin with*: its file %s is missing. Train or import it again." % model.getPath())
        for name in ("newLabels", "fewestMicrographs", "mostMicrographs"):
            if (getattr(self, name).get() or 0) < 1:
                label = self.getParam(name).getLabel()
                errors.append("*%s*: give 1 or a larger number." % label.split(" (")[0])
        if self.thresholdMode.get() == THRESHOLD_GIVEN:
            errors += fieldErrors(self, [THRESHOLD])
        errors += fieldErrors(self, [UPDATES])
        return errors + self._validateNames() + self._validateExclusion(self.getInputMicrographs())

    def _getThresholdArguments(self) -> List[str]:
        if self.thresholdMode.get() != THRESHOLD_GIVEN:
            return []
        return ["--threshold=%r" % self.threshold.get()]  # "=": a negative number is no option
