"""The form of the training protocol: every field with its help."""

from __future__ import annotations

from typing import Any

from pyworkflow.protocol import params
from pyworkflow.utils import Message

from pupicker.constants import (
    OBJECTIVES,
    PRIOR_AUTO,
    PRIOR_CHOICES,
    PRIOR_COUNT,
    PRIOR_FRACTION,
    START_CHOICES,
    START_GENERAL,
    START_MODEL,
    TRAIN_FROM_CHOICES,
    TRAIN_FROM_LABELS,
)
from pupicker.protocols.exclusion_form import ExclusionForm


class TrainingForm(ExclusionForm):
    """Mix-in before a protocol class that has `_defineGpuParams`."""

    # --------------------------- DEFINE param functions ----------------------
    def _defineParams(self, form: Any) -> None:
        form.addSection(label=Message.LABEL_INPUT)
        self._defineGpuParams(form)  # type: ignore[attr-defined]
        labelled = "trainFrom==%d" % TRAIN_FROM_LABELS
        form.addParam("trainFrom", params.EnumParam, choices=list(TRAIN_FROM_CHOICES), default=TRAIN_FROM_LABELS,
                      expertLevel=params.LEVEL_ADVANCED, label="Learn from",
                      help="_labelled particles_: the coordinates below.\n_proposals_: no labels; the surest finds of "
                           "the general weights, of template matching with a disc, or of the difference of Gaussians "
                           "take their place, for a first look. Training then judges itself by its proposals, not by "
                           "the truth: look at the picks.")
        form.addParam("inputCoordinates", params.PointerParam, pointerClass="SetOfCoordinates", important=True,
                      condition=labelled, label="Labelled particles",
                      help="Particle centres from any picker or import. Micrographs without a label are not used.")
        form.addParam("inputMicrographs", params.PointerParam, pointerClass="SetOfMicrographs", allowsNull=True,
                      label="Micrographs (optional)",
                      help="Micrographs to train on, if not those that the particles were labelled on; for example the "
                           "full-size ones when the labels were made on downsampled ones. Neither filtered nor "
                           "normalised. Without labels they are needed.")
        form.addParam("proposalCount", params.IntParam, default=0, condition="trainFrom!=%d" % TRAIN_FROM_LABELS,
                      expertLevel=params.LEVEL_ADVANCED, label="Proposals (0 = 25 per micrograph)",
                      help="How many of the surest finds are taken, on all micrographs together.")
        form.addParam("inputNegatives", params.PointerParam, pointerClass="SetOfCoordinates", allowsNull=True,
                      expertLevel=params.LEVEL_ADVANCED, label="Not particles (optional)",
                      help="Places on the same micrographs that are no particles, for example false picks of an "
                           "earlier run, carbon, or ice crystals. A few dozen of the kind that is picked wrongly help; "
                           "they need not be complete.")
        form.addParam("diameter", params.FloatParam, allowsNull=True, important=True, label="Particle diameter (Å)",
                      help="Longest extent of the particle in Å, e.g. 130 for apoferritin, 180 for beta-galactosidase. "
                           "It is not the box size of the coordinates, which is usually 1.5 to 2 times larger; hence "
                           "it is not filled in for you; the wand shows it as circles on the labelled particles.")
        self._defineTrainingParams(form)
        form.addParallelSection(threads=4, mpi=0)

    def _defineTrainingParams(self, form: Any) -> None:
        expert = params.LEVEL_ADVANCED
        form.addSection(label="Training")
        form.addParam("priorMode", params.EnumParam, choices=list(PRIOR_CHOICES), default=PRIOR_AUTO,
                      label="Share of particles",
                      help="How much of the image is particle, which training has to know because most particles are "
                           "not labelled.\n_automatic_: taken from the labels by a rule that the log states.\n"
                           "_fraction_: the class prior itself.\n_particles per micrograph_: what you expect to be on "
                           "an average micrograph; the easiest to judge by eye, and the wand counts the labels.")
        form.addParam("classPrior", params.FloatParam, default=0.05, condition="priorMode==%d" % PRIOR_FRACTION,
                      label="Class prior (0 to 1)",
                      help="Fraction of the positions of a micrograph that lie within the training radius of a "
                           "particle's centre. No unit.")
        form.addParam("particlesPerMicrograph", params.FloatParam, default=100,
                      condition="priorMode==%d" % PRIOR_COUNT, label="Particles per micrograph",
                      help="Expected number of particles on an average micrograph. Right within a factor of two is "
                           "good enough.")
        form.addParam("startMode", params.EnumParam, choices=list(START_CHOICES), default=START_GENERAL,
                      expertLevel=expert, label="Start from",
                      help="Weights that training starts from.\n_general_: come with pupicker, trained on simulated "
                           "particles of all kinds; worth many labels.\n_random_: nothing is known beforehand, as in "
                           "the paper.\n_earlier model_: goes on learning, for example after more particles were "
                           "labelled.")
        form.addParam("startModel", params.PointerParam, pointerClass="PuPickerModel", allowsNull=True,
                      expertLevel=expert, condition="startMode==%d" % START_MODEL, label="Earlier model",
                      help="Its weights are the start; its diameter should be about the same. It is not changed.")
        form.addParam("objective", params.EnumParam, choices=list(OBJECTIVES), default=0, expertLevel=expert,
                      label="Objective",
                      help="What training minimises. _ge-binomial_: the number of particles in a batch should follow "
                           "the binomial distribution that the class prior predicts [Bepler2019]. _ge-kl_: only its "
                           "mean should. _nnpu_: non-negative risk estimator [Kiryo2017]. _pn_: everything without a "
                           "label is background; for completely labelled micrographs.")
        form.addParam("validationFraction", params.FloatParam, default=0.25, expertLevel=expert,
                      label="Validation fraction (0 to 0.9)",
                      help="Fraction of the labels that is held out, as whole micrographs if there are several, to "
                           "find how long to train and which threshold to suggest; then training uses all labels. 0 "
                           "holds out nothing.")
        self._defineExclusionParams(form)
        form.addParam("updates", params.IntParam, default=0, expertLevel=expert, label="Updates (0 = automatic)",
                      help="Most updates of the weights, one minibatch each; training ends earlier if the held-out "
                           "labels show no more progress. 0 takes the default.")
        form.addParam("workingPixelSize", params.FloatParam, default=0, expertLevel=expert,
                      label="Working pixel size (Å/px, 0 = automatic)",
                      help="Pixel size to which micrographs are downsampled inside. 0 follows from the diameter, so "
                           "that the network sees a particle whole. Picks are in pixels of the input in any case.")
        form.addParam("seed", params.IntParam, default=0, expertLevel=expert, label="Random seed",
                      help="Whole number, 0 or larger. The same seed and data give the same model on the same machine.")
