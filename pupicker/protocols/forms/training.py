"""The form of the training protocol: every field with its help, what is checked, and the options it stands for."""

from __future__ import annotations

from typing import Any, List

from pyworkflow.protocol import params
from pyworkflow.utils import Message

from pupicker.constants import (
    PRIOR_AUTO,
    PRIOR_CHOICES,
    PRIOR_COUNT,
    PRIOR_FRACTION,
    PSEUDO_LABELS,
    START_AUTO,
    START_CHOICES,
    START_MODEL,
)
from pupicker.protocols.forms.exclusion import ExclusionForm
from pupicker.protocols.forms.fields import DIAMETER, OptionField, diameterErrors, fieldErrors, optionOf, tooLarge
from pupicker.protocols.forms.gpu import GpuForm
from pupicker.protocols.forms.labels import PSEUDO_LABEL_COUNT, LabelsForm
from pupicker.protocols.forms.network import NetworkForm
from pupicker.protocols.forms.run import Value
from pupicker.shared import options
from pupicker.shared.choices import GENERAL_NETWORKS, OBJECTIVES
from pupicker.shared.lengths import packed_discs
from pupicker.shared.plurals import counted

FEW_LABELS = 10

CLASS_PRIOR = OptionField("classPrior", options.CLASS_PRIOR)
PARTICLES = OptionField("particlesPerMicrograph", options.PARTICLES_PER_MICROGRAPH)
VALIDATION = OptionField("validationFraction", options.VALIDATION_FRACTION, optional=True)
UPDATES = OptionField("updates", options.UPDATES, "automatic")
WORKING_PIXEL_SIZE = OptionField("workingPixelSize", options.WORKING_PIXEL_SIZE, "automatic")
SEED = OptionField("seed", options.SEED)


class TrainingForm(LabelsForm, ExclusionForm, NetworkForm, GpuForm):
    """Mix-in before the base classes of a protocol that trains."""

    diameter: Value
    priorMode: Value
    classPrior: Value
    particlesPerMicrograph: Value
    startMode: Value
    startModel: Value
    objective: Value
    validationFraction: Value
    updates: Value
    workingPixelSize: Value
    seed: Value

    # --------------------------- DEFINE param functions ----------------------
    def _defineParams(self, form: Any) -> None:
        form.addSection(label=Message.LABEL_INPUT)
        self._defineGpuParams(form)
        self._defineTrainFrom(form)
        self._defineLabels(form)
        DIAMETER.addTo(form, allowsNull=True, important=True, help=(
            "Longest extent of the particle in Å, e.g. 130 for apoferritin, 180 for beta-galactosidase. "
            "It is not the box size of the coordinates, which is usually 1.5 to 2 times larger; hence "
            "it is not filled in for you; the wand shows it as circles on the labelled particles."))
        self._defineOwnParams(form)
        self._defineExpertLabels(form)
        self._defineTrainingParams(form)
        form.addParallelSection(threads=4, mpi=0)

    def _defineOwnParams(self, form: Any) -> None:
        """What a protocol adds behind the inputs, before the fields for experts."""

    def _defineTrainingParams(self, form: Any) -> None:
        form.addSection(label="Training")
        self._definePrior(form)
        self._defineStart(form)
        self._defineObjective(form)
        self._defineCourse(form)
        form.addSection(label="Network")
        self._defineNetworkParams(form)
        form.addSection(label="Where")
        self._defineExclusionParams(form)

    @staticmethod
    def _definePrior(form: Any) -> None:
        form.addParam("priorMode", params.EnumParam, choices=list(PRIOR_CHOICES), default=PRIOR_AUTO,
                      label="Number of particles",
                      help="How many there are, labelled or not, which training has to know because most particles are "
                           "not labelled.\n_automatic_: estimated while training, from the scores of labels and "
                           "candidates, and printed with an interval; leave it unless the summary's number is clearly "
                           "wrong.\n_share of the area_: the class prior, a number between 0 and 1.\n_particles per "
                           "micrograph_: what you expect on an average micrograph; the easiest to judge by eye, and "
                           "the wand counts the labels.")
        CLASS_PRIOR.addTo(form, default=0.05, condition="priorMode==%d" % PRIOR_FRACTION, help=(
            "Fraction of the positions of a micrograph that lie within the training radius of a "
            "particle's centre. No unit. To repeat a training with the number that its summary states; "
            "else particles per micrograph are easier to give."))
        PARTICLES.addTo(form, default=100, condition="priorMode==%d" % PRIOR_COUNT, help=(
            "Expected number of particles on an average micrograph, labelled or not; count two or "
            "three by eye. Half to one and a half times the right number is good enough."))

    @staticmethod
    def _defineStart(form: Any) -> None:
        form.addParam("startMode", params.EnumParam, choices=list(START_CHOICES), default=START_AUTO,
                      label=options.START.label,
                      help="Weights that training starts from.\n_automatic_: those of the general model, which comes "
                           "with pupicker and was trained on simulated particles of all kinds; worth many labels. "
                           "There is one for conv47 and one for conv31, with batch normalisation; other networks start "
                           "from random weights, which log and summary say.\n_random_: nothing is known beforehand, as "
                           "in the paper; it needs more labels, and serves to compare.\n_earlier model_: goes on "
                           "learning, for example after more particles were labelled.")
        form.addParam("startModel", params.PointerParam, pointerClass="PuPickerModel", allowsNull=True,
                      condition="startMode==%d" % START_MODEL, label="Earlier model",
                      help="Its weights are the start; it should be of the same or a similar particle, of about the "
                           "same diameter. It is not changed.")

    @staticmethod
    def _defineObjective(form: Any) -> None:
        expert = params.LEVEL_ADVANCED
        form.addParam("objective", params.EnumParam, choices=list(OBJECTIVES), default=0, expertLevel=expert,
                      label=options.OBJECTIVE.label,
                      help="What training minimises.\n_ge-binomial_: the number of particles in a batch should follow "
                           "the binomial distribution that the share of the area predicts [Bepler2019]; keep it.\n"
                           "_pn_: everything without a label is background; where every particle is labelled.\n"
                           "_ge-kl_: only the mean should follow, the divergence from it to the prior, as in the "
                           "paper; _ge-kl-forward_: from the prior to the mean, the ge-kl of earlier versions. _nnpu_: "
                           "non-negative risk estimator [Kiryo2017]. _ge-gaussian_, _ge-squared_: ge-binomial with "
                           "the Gaussian of the paper, and as the square of the mean's deviation. These five to "
                           "compare with the literature.")
        VALIDATION.addTo(form, expertLevel=expert, help=(
            "Fraction of the labels that is held out, as whole micrographs if there are several, to "
            "find how long to train and how good the picks are; then training begins anew with all labels, "
            "which takes twice as long. Empty: none is held out if the general model tells the number of "
            "particles, which is what sets threshold and expected precision; else a quarter."))

    @staticmethod
    def _defineCourse(form: Any) -> None:
        expert = params.LEVEL_ADVANCED
        UPDATES.addTo(form, expertLevel=expert, help=(
            "Updates of the weights, one minibatch each; where labels are held out, training ends earlier if "
            "they show no more progress. 0 takes the default: for N labels 60 times the root of N "
            "from given weights, 25 N^0.9 from random ones, at least 200 and at most 2,000; 200 for "
            "pseudo-labels."))
        WORKING_PIXEL_SIZE.addTo(form, expertLevel=expert, help=(
            "Pixel size to which micrographs are downsampled inside. 0 follows from the diameter, so "
            "that the network sees a particle whole; there is rarely a reason for another one. "
            "Picks are in pixels of the input in any case."))
        SEED.addTo(form, expertLevel=expert, help=(
            "Whole number, 0 or larger. The same seed and data give the same model on the same machine; "
            "another one shows how much of the result is chance."))

    # --------------------------- checks and options ---------------------------
    def _validate(self) -> List[str]:
        errors = diameterErrors(self)
        fields = [VALIDATION, UPDATES, WORKING_PIXEL_SIZE, SEED]
        fields += {PRIOR_FRACTION: [CLASS_PRIOR], PRIOR_COUNT: [PARTICLES]}.get(self.priorMode.get(), [])
        fields += [] if self._usesLabels() else [PSEUDO_LABEL_COUNT]
        errors += fieldErrors(self, fields)
        errors += self._validateStart() + self._validatePseudoLabels()
        errors += ["*%s*: the set is still growing. Wait until the run that makes it has ended, or schedule this one."
                   % self.getParam(name).getLabel() for name in self._getGrowingInputs()]
        errors += tooLarge(self, self._getMicrographs())
        return (errors + self._validateNetwork() + self._validateLabels()
                + self._validateExclusion(self._getMicrographs()))

    def _validatePseudoLabels(self) -> List[str]:
        """Whether there is a general model with the network, if its picks are learnt from."""
        if PSEUDO_LABELS[self.trainFrom.get()] != "general" or self._getNetworkName() in GENERAL_NETWORKS:
            return []
        return ["*Learn from*: there is a general model for %s only. Choose one of them under *Network*, or "
                "other pseudo-labels." % " and ".join(GENERAL_NETWORKS)]

    def _validateStart(self) -> List[str]:
        """Whether the earlier model is there and has the network of the form."""
        if self.startMode.get() != START_MODEL:
            return []
        model = self.startModel.get()
        if model is None or not model.exists():
            return ["*Earlier model*: choose a model whose file is there, or start from 'automatic'."]
        if model.getNetwork() and model.getNetwork() != self._getNetworkName():
            return ["*Earlier model*: it has the network %s, and *Network* says %s. Choose its network, or start "
                    "from 'automatic'." % (model.getNetwork(), self._getNetworkName() or "none")]
        return []

    def _warnings(self) -> List[str]:
        coordSet, diameter = self.inputCoordinates.get(), self.diameter.get()
        if not self._usesLabels() or coordSet is None or coordSet.getMicrographs() is None:
            return self._warnGpu()
        warnings = self._warnGpu()
        if coordSet.getSize() < FEW_LABELS:
            warnings.append("There %s only %s; label ten or more, better a hundred." % (
                "is" if coordSet.getSize() == 1 else "are", counted(coordSet.getSize(), "labelled particle")))
        boxAng = (coordSet.getBoxSize() or 0) * coordSet.getMicrographs().getSamplingRate()
        if boxAng and diameter and not boxAng / 4 <= diameter <= boxAng:
            warnings.append("The diameter of %0.0f Å does not fit the box size of the labels, %d px = %0.0f Å, which "
                            "is usually 1.5 to 2 times the diameter. Check that the diameter is given in Å."
                            % (diameter, coordSet.getBoxSize(), boxAng))
        return warnings + self._warnCrowding()

    def _warnCrowding(self) -> List[str]:
        """More particles given than lie side by side on a micrograph: a typing error, or a wrong diameter."""
        diameter, number, micSet = self.diameter.get(), self.particlesPerMicrograph.get(), self._getMicrographs()
        if self.priorMode.get() != PRIOR_COUNT or not diameter or not number or micSet.getDim() is None:
            return []
        columns, rows = micSet.getDim()[:2]
        room = packed_discs(columns * rows * micSet.getSamplingRate() ** 2, diameter)
        if number <= room:
            return []
        return ["%0.0f particles per micrograph are more than the %0.0f of %0.0f Å that fit side by side. Check the "
                "number and the diameter, or choose 'automatic'." % (number, room, diameter)]

    def _getObjective(self) -> str:
        return OBJECTIVES[self.objective.get()]

    def _getTrainingArguments(self) -> List[str]:
        """Options that decide what model comes out."""
        arguments = ["--diameter", repr(self.diameter.get()), "--objective", self._getObjective(),
                     *VALIDATION.arguments(self), *SEED.arguments(self)]
        prior = {PRIOR_FRACTION: CLASS_PRIOR, PRIOR_COUNT: PARTICLES}.get(self.priorMode.get())
        if prior is not None:
            arguments += prior.arguments(self)
        if self.startMode.get() == START_MODEL:
            arguments += ["--start", self.startModel.get().getPath()]
        elif self.startMode.get() != START_AUTO:
            arguments += ["--start", START_CHOICES[self.startMode.get()]]
        if not self._usesLabels():
            arguments += [optionOf(options.PSEUDO_LABELS.name), PSEUDO_LABELS[self.trainFrom.get()],
                          *PSEUDO_LABEL_COUNT.arguments(self)]
        arguments += self._getExclusionArguments() + UPDATES.arguments(self) + WORKING_PIXEL_SIZE.arguments(self)
        return arguments + self._networkArguments()
