"""The form of the training protocol: every field with its help, what is checked, and the options it stands for."""

from __future__ import annotations

from typing import Any, List

from pyworkflow.protocol import params
from pyworkflow.utils import Message

from pupicker.constants import (
    OBJECTIVES,
    PRIOR_AUTO,
    PRIOR_CHOICES,
    PRIOR_COUNT,
    PRIOR_FRACTION,
    PROPOSALS,
    START_AUTO,
    START_CHOICES,
    START_MODEL,
    TRAIN_FROM_CHOICES,
    TRAIN_FROM_LABELS,
)
from pupicker.protocols.forms.exclusion import ExclusionForm
from pupicker.protocols.forms.network import NetworkForm
from pupicker.shared.lengths import packed_discs

FEW_LABELS = 10


class TrainingForm(ExclusionForm, NetworkForm):
    """Mix-in before the base classes of the protocol."""

    # --------------------------- DEFINE param functions ----------------------
    def _defineParams(self: Any, form: Any) -> None:
        form.addSection(label=Message.LABEL_INPUT)
        self._defineGpuParams(form)
        self._defineTrainFrom(form)
        form.addParam("inputCoordinates", params.PointerParam, pointerClass="SetOfCoordinates", important=True,
                      condition="trainFrom==%d" % TRAIN_FROM_LABELS, label="Labelled particles",
                      help="Particle centres from any picker or import. Micrographs without a label are not used.")
        form.addParam("inputMicrographs", params.PointerParam, pointerClass="SetOfMicrographs", allowsNull=True,
                      label="Micrographs (optional)",
                      help="Micrographs to train on, if not those that the particles were labelled on; for example the "
                           "full-size ones when the labels were made on downsampled ones. Neither filtered nor "
                           "normalised. Without labels they are needed.")
        form.addParam("diameter", params.FloatParam, allowsNull=True, important=True, label="Particle diameter (Å)",
                      help="Longest extent of the particle in Å, e.g. 130 for apoferritin, 180 for beta-galactosidase. "
                           "It is not the box size of the coordinates, which is usually 1.5 to 2 times larger; hence "
                           "it is not filled in for you; the wand shows it as circles on the labelled particles.")
        self._defineOwnParams(form)
        self._defineExpertInputs(form)
        self._defineTrainingParams(form)
        form.addParallelSection(threads=4, mpi=0)

    def _defineOwnParams(self: Any, form: Any) -> None:
        """What a protocol adds behind the inputs, before the fields for experts."""

    def _defineExpertInputs(self: Any, form: Any) -> None:
        expert = params.LEVEL_ADVANCED
        form.addParam("proposalCount", params.IntParam, default=0, condition="trainFrom!=%d" % TRAIN_FROM_LABELS,
                      expertLevel=expert, label="Proposals (0 = 25 per micrograph)",
                      help="How many of the surest finds are taken, on all micrographs together. 0 takes 25 for each "
                           "micrograph; less where there are fewer particles than that.")
        form.addParam("inputNegatives", params.PointerParam, pointerClass="SetOfCoordinates", allowsNull=True,
                      expertLevel=expert, label="Not particles (optional)",
                      help="Places on the same micrographs that are no particles, for example false picks of an "
                           "earlier run, carbon, or ice crystals. A few dozen of the kind that is picked wrongly help; "
                           "they need not be complete.")

    def _defineTrainFrom(self: Any, form: Any) -> None:
        """For experts, yet first: Scipion shows and hides a field by those before it only."""
        form.addParam("trainFrom", params.EnumParam, choices=list(TRAIN_FROM_CHOICES), default=TRAIN_FROM_LABELS,
                      expertLevel=params.LEVEL_ADVANCED, label="Learn from",
                      help="_labelled particles_: the coordinates below.\n_proposals_: no labels; the surest finds of "
                           "the general weights, of template matching with a disc, or of the difference of Gaussians "
                           "take their place, for a first look. Training then judges itself by its proposals, not by "
                           "the truth: look at the picks.")

    def _defineTrainingParams(self: Any, form: Any) -> None:
        expert = params.LEVEL_ADVANCED
        form.addSection(label="Training")
        form.addParam("priorMode", params.EnumParam, choices=list(PRIOR_CHOICES), default=PRIOR_AUTO,
                      label="Share of particles",
                      help="How much of the image is particle, which training has to know because most particles are "
                           "not labelled.\n_automatic_: estimated while training, from the scores of labels and "
                           "candidates, and printed with an interval; leave it unless the summary's number is clearly "
                           "wrong.\n_fraction_: the class prior itself.\n_particles per micrograph_: what you expect "
                           "on an average micrograph; the easiest to judge by eye, and the wand counts the labels.")
        form.addParam("classPrior", params.FloatParam, default=0.05, condition="priorMode==%d" % PRIOR_FRACTION,
                      label="Class prior (0 to 1)",
                      help="Fraction of the positions of a micrograph that lie within the training radius of a "
                           "particle's centre. No unit. To repeat a training with the number that its summary states; "
                           "else particles per micrograph are easier to give.")
        form.addParam("particlesPerMicrograph", params.FloatParam, default=100,
                      condition="priorMode==%d" % PRIOR_COUNT, label="Particles per micrograph",
                      help="Expected number of particles on an average micrograph, labelled or not; count two or "
                           "three by eye. Half to one and a half times the right number is good enough.")
        form.addParam("startMode", params.EnumParam, choices=list(START_CHOICES), default=START_AUTO,
                      expertLevel=expert, label="Start from",
                      help="Weights that training starts from.\n_automatic_: general ones, which come with pupicker "
                           "and were trained on simulated particles of all kinds; worth many labels. They exist for "
                           "conv47 and conv31 with batch normalisation; other networks start from random ones, which "
                           "log and summary say.\n_random_: nothing is known beforehand, as in the paper; it needs "
                           "more labels, and serves to compare.\n_earlier model_: goes on learning, for example "
                           "after more particles were labelled.")
        form.addParam("startModel", params.PointerParam, pointerClass="PuPickerModel", allowsNull=True,
                      expertLevel=expert, condition="startMode==%d" % START_MODEL, label="Earlier model",
                      help="Its weights are the start; it should be of the same or a similar particle, of about the "
                           "same diameter. It is not changed.")
        form.addParam("objective", params.EnumParam, choices=list(OBJECTIVES), default=0, expertLevel=expert,
                      label="Objective",
                      help="What training minimises.\n_ge-binomial_: the number of particles in a batch should follow "
                           "the binomial distribution that the class prior predicts [Bepler2019]; keep it.\n_pn_: "
                           "everything without a label is background; where every particle is labelled.\n_ge-kl_: only "
                           "the mean number should follow. _nnpu_: non-negative risk estimator [Kiryo2017]. "
                           "_ge-gaussian_, _ge-squared_: ge-binomial with the Gaussian of the paper, and as the square "
                           "of the mean's deviation. These four to compare with the literature.")
        form.addParam("validationFraction", params.FloatParam, default=0.25, expertLevel=expert,
                      label="Validation fraction (0 to 0.9)",
                      help="Fraction of the labels that is held out, as whole micrographs if there are several, to "
                           "find how long to train and which threshold to suggest; then training uses all labels. 0 "
                           "holds out nothing: no threshold is chosen from held-out labels and no average precision "
                           "is known; only where you have too few labels to spare any.")
        self._defineExclusionParams(form)
        form.addParam("updates", params.IntParam, default=0, expertLevel=expert, label="Updates (0 = automatic)",
                      help="Most updates of the weights, one minibatch each; training ends earlier if the held-out "
                           "labels show no more progress. 0 takes the default: for N labels 60 times the root of N "
                           "from given weights, 25 N^0.9 from random ones, at least 200 and at most 2,000; 200 for "
                           "proposals. Raise it if the validation AP still rises at the end.")
        form.addParam("workingPixelSize", params.FloatParam, default=0, expertLevel=expert,
                      label="Working pixel size (Å/px, 0 = automatic)",
                      help="Pixel size to which micrographs are downsampled inside. 0 follows from the diameter, so "
                           "that the network sees a particle whole; there is rarely a reason for another one. "
                           "Picks are in pixels of the input in any case.")
        form.addParam("seed", params.IntParam, default=0, expertLevel=expert, label="Random seed",
                      help="Whole number, 0 or larger. The same seed and data give the same model on the same machine; "
                           "another one shows how much of the result is chance.")
        self._defineNetworkParams(form)

    # --------------------------- checks and options ---------------------------
    def _validate(self: Any) -> List[str]:
        errors = []
        if (self.diameter.get() or 0) <= 0:
            errors.append("*Particle diameter (Å)*: give a number above 0, the longest extent of the particle. It is "
                          "not the box size, which is usually 1.5 to 2 times larger.")
        if self.priorMode.get() == PRIOR_FRACTION and not 0 < (self.classPrior.get() or 0) < 1:
            errors.append("*Class prior*: give a number between 0 and 1, e.g. 0.05, or choose 'automatic'.")
        if self.priorMode.get() == PRIOR_COUNT and (self.particlesPerMicrograph.get() or 0) <= 0:
            errors.append("*Particles per micrograph*: give a number above 0, or choose 'automatic'.")
        if not 0 <= (self.validationFraction.get() or 0) <= 0.9:
            errors.append("*Validation fraction*: give a number from 0 to 0.9, e.g. 0.25.")
        errors += self._validateStart() + self._validateProposals()
        errors += ["*%s*: the set is still growing. Wait until the run that makes it has ended, or schedule this one."
                   % self.getParam(name).getLabel() for name in self._getGrowingInputs()]
        for name in ("updates", "workingPixelSize", "seed", "proposalCount"):
            if (getattr(self, name).get() or 0) < 0:
                errors.append("*%s*: give 0 or a larger number." % self.getParam(name).getLabel())
        return (errors + self._validateNetwork() + self._validateLabels()
                + self._validateExclusion(self._getMicrographs()))

    def _getGrowingInputs(self: Any) -> List[str]:
        """Fields with a set that has to be complete and is not yet; without labels all micrographs are learnt from."""
        names = ["inputNegatives", "inputCoordinates" if self._usesLabels() else "inputMicrographs"]
        return [name for name in names
                if getattr(self, name).get() is not None and getattr(self, name).get().isStreamOpen()]

    def _validateStart(self: Any) -> List[str]:
        """Whether the earlier model is there and has the network of the form."""
        if self.startMode.get() != START_MODEL:
            return []
        model = self.startModel.get()
        if model is None or not model.exists():
            return ["*Earlier model*: choose a model whose file is there, or start from 'automatic'."]
        if model.getNetwork() and model.getNetwork() != self._getNetworkName():
            return ["*Earlier model*: it has the network %s, and *Network* (expert level) says %s. Choose its network, "
                    "or start from 'automatic'." % (model.getNetwork(), self._getNetworkName() or "none")]
        return []

    def _validateLabels(self: Any) -> List[str]:
        coordSet = self.inputCoordinates.get()
        if not self._usesLabels():
            return [] if self.inputMicrographs.get() is not None else [
                "*Micrographs (optional)*: choose those to learn from; without labels they are needed."]
        if coordSet is None:
            return []  # Scipion says so itself
        if coordSet.getMicrographs() is None:
            return ["*Labelled particles*: their micrographs are gone from the project. Import the coordinates again."]
        if coordSet.getSize() == 0:
            return ["*Labelled particles*: the set is empty. Pick some particles first."]
        if self.inputMicrographs.get() is not None and not self._matchLabels().points:
            return ["*Micrographs (optional)*: none has the name of a labelled micrograph (%s ... against %s ...), or "
                    "several have it. Give the set that the particles were labelled on, or another version of it "
                    "with the same names."
                    % (coordSet.getMicrographs().getFirstItem().getMicName(),
                       self.inputMicrographs.get().getFirstItem().getMicName())]
        negatives = self.inputNegatives.get()
        if negatives is not None and not self._matchNegatives(self._matchLabels().points):
            return ["*Not particles (optional)*: none lies on a labelled micrograph. Mark them on micrographs "
                    "that have labelled particles too, or leave the field empty."]
        return []

    def _warnings(self: Any) -> List[str]:
        coordSet, diameter = self.inputCoordinates.get(), self.diameter.get()
        if not self._usesLabels() or coordSet is None or coordSet.getMicrographs() is None:
            return []
        warnings = []
        if coordSet.getSize() < FEW_LABELS:
            warnings.append("There are only %d labelled particles; label ten or more, better a hundred."
                            % coordSet.getSize())
        boxAng = (coordSet.getBoxSize() or 0) * coordSet.getMicrographs().getSamplingRate()
        if boxAng and diameter and not boxAng / 4 <= diameter <= boxAng:
            warnings.append("The diameter of %0.0f Å does not fit the box size of the labels, %d px = %0.0f Å, which "
                            "is usually 1.5 to 2 times the diameter. Check that the diameter is given in Å."
                            % (diameter, coordSet.getBoxSize(), boxAng))
        return warnings + self._warnCrowding()

    def _warnCrowding(self: Any) -> List[str]:
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

    def _getTrainingArguments(self: Any) -> List[str]:
        """Options that decide what model comes out."""
        arguments = ["--diameter", repr(self.diameter.get()), "--objective", self._getObjective(),
                     "--validation-fraction", repr(self.validationFraction.get()), "--seed", str(self.seed.get())]
        if self.priorMode.get() == PRIOR_FRACTION:
            arguments += ["--class-prior", repr(self.classPrior.get())]
        elif self.priorMode.get() == PRIOR_COUNT:
            arguments += ["--particles-per-micrograph", repr(self.particlesPerMicrograph.get())]
        if self.startMode.get() == START_MODEL:
            arguments += ["--start", self.startModel.get().getPath()]
        elif self.startMode.get() != START_AUTO:
            arguments += ["--start", START_CHOICES[self.startMode.get()]]
        if not self._usesLabels():
            arguments += ["--proposals", PROPOSALS[self.trainFrom.get()]]
            if self.proposalCount.get():
                arguments += ["--proposal-count", str(self.proposalCount.get())]
        arguments += self._getExclusionArguments()
        if self.updates.get():
            arguments += ["--updates", str(self.updates.get())]
        if self.workingPixelSize.get():
            arguments += ["--working-pixel-size", repr(self.workingPixelSize.get())]
        return arguments + self._networkArguments()
