"""Options of a training, each declared once: name, unit, range, default, help.

From a declaration follow the argument of the command line (:func:`pupicker.commands.arguments.add_option`), the check
before the work (:func:`problems`), the default in the engine and the field of a form.  To add an option, declare it
here and use it where it acts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, List, Mapping, Optional, Sequence, Tuple

from pupicker.shared.choices import (
    AUTOENCODER_AUTO,
    NETWORKS,
    NORMS,
    OBJECTIVES,
    PSEUDO_LABEL_SOURCES,
    START_AUTO,
)


@dataclass(frozen=True)
class Option:
    """What can be chosen, and from what.

    Attributes
    ----------
    name
        As the engine calls the parameter; the command line writes dashes.
    kind
        Type of a value: float, int, str or bool.
    label
        In words, as a form and messages call it.
    help
        A line for the command line, without unit and default.
    default
        None: nothing is given, and `automatic` says what happens then.
    automatic
        What takes the place of a value that is not given; empty: nothing.
    unit
        Empty for pure numbers.
    minimum, maximum
        Of a number; None: no bound.  Always finite.
    minimum_excluded, maximum_excluded
        Whether the bound itself is none.
    choices
        All values; empty: any of its kind.
    words
        Values of a number that are words: ``auto``.
    metavar
        What stands for the value in the help of the command line.
    required
        Whether a value has to be given.
    old_names
        Under which the command line still takes it.
    """

    name: str
    kind: type
    label: str
    help: str
    default: Any = None
    automatic: str = ""
    unit: str = ""
    minimum: Optional[float] = None
    maximum: Optional[float] = None
    minimum_excluded: bool = False
    maximum_excluded: bool = False
    choices: Tuple[str, ...] = ()
    words: Tuple[str, ...] = ()
    metavar: Optional[str] = None
    required: bool = False
    old_names: Tuple[str, ...] = ()

    @property
    def range(self) -> str:
        """What a value must be, in words; empty if anything will do."""
        low, high = self.minimum, self.maximum
        above = "" if low is None else "%s %s" % ("above" if self.minimum_excluded else "at least", _text(low))
        below = "" if high is None else "%s %s" % ("below" if self.maximum_excluded else "at most", _text(high))
        if low is not None and high is not None and self.minimum_excluded == self.maximum_excluded:
            return ("between %s and %s" if self.minimum_excluded else "from %s to %s") % (_text(low), _text(high))
        return " and ".join(text for text in (above, below) if text)

    def problem(self, value: Any) -> str:
        """Why it cannot be this value, in one line; empty if it can."""
        if value is None or value in self.words:
            return ""
        if self.choices:
            return "" if value in self.choices else self._is_wrong(value, "one of " + ", ".join(self.choices))
        if self.kind not in (int, float):
            return ""
        also = "".join(", or %s" % word for word in self.words)
        try:
            number = float(value)
        except (TypeError, ValueError):
            return self._is_wrong(value, "a number %s%s" % (self.range, also))
        if not math.isfinite(number) or (self.kind is int and number != int(number)):
            kind = "a whole number" if self.kind is int else "a finite number"
            return self._is_wrong(value, ("%s %s" % (kind, self.range)).strip() + also)
        return "" if self._holds(number) else self._is_wrong(value, self.range + also)

    def _holds(self, number: float) -> bool:
        low = self.minimum is None or number > self.minimum or (
            number == self.minimum and not self.minimum_excluded)
        high = self.maximum is None or number < self.maximum or (
            number == self.maximum and not self.maximum_excluded)
        return low and high

    def _is_wrong(self, value: Any, wanted: str) -> str:
        given = "%s %s" % (_text(value), self.unit) if self.unit else _text(value)
        return "the %s %s must be %s" % (self.label[0].lower() + self.label[1:], given, wanted)


def _text(value: Any) -> str:
    return "%g" % value if isinstance(value, float) else str(value)


def problems(values: Mapping[str, Any], options: Sequence[Option]) -> List[Tuple[Option, str]]:
    """Each option with a value that it cannot have, and why; options without a value are left out."""
    found = [(option, option.problem(values.get(option.name))) for option in options]
    return [(option, text) for option, text in found if text]


# ------------------------------------------------------------------ what is learnt from
PSEUDO_LABELS = Option(
    "pseudo_labels", str, "Pseudo-labels",
    "no labels: the surest finds of the general model, of the difference of Gaussians, or of template matching with a"
    " disc, take their place",
    choices=PSEUDO_LABEL_SOURCES, old_names=("proposals",),
)
PSEUDO_LABEL_COUNT = Option(
    "pseudo_label_count", int, "Number of pseudo-labels", "pseudo-labels to take, on all micrographs together",
    automatic="25 for each micrograph", minimum=1, metavar="N", old_names=("proposal_count",),
)
DIAMETER = Option(
    "diameter", float, "Particle diameter", "longest extent of the particle", unit="Å", minimum=0,
    minimum_excluded=True, metavar="A", required=True,
)
RING_NEGATIVES = Option(
    "ring_negatives", bool, "Negatives around labels",
    "take places around labelled particles, where no other centre can be, for negatives", default=False,
)
VALIDATION_FRACTION = Option(
    "validation_fraction", float, "Validation fraction",
    "share of the labels held out, as whole micrographs, to choose the length of training", default=0.25, minimum=0,
    maximum=1, maximum_excluded=True, metavar="F",
)

# ------------------------------------------------------------------ how many particles there are
CLASS_PRIOR = Option(
    "class_prior", float, "Class prior", "area fraction of positive regions", automatic="estimated while training",
    minimum=0, maximum=1, minimum_excluded=True, maximum_excluded=True, metavar="X",
)
PARTICLES_PER_MICROGRAPH = Option(
    "particles_per_micrograph", float, "Particles per micrograph",
    "the same as a number of particles, on an average micrograph", minimum=0, minimum_excluded=True, metavar="N",
)

# ------------------------------------------------------------------ the network
NETWORK = Option(
    "network", str, "Network",
    "conv47 (sees the particle's surroundings too), conv31 (the paper's), conv63, conv127 (deeper, larger fields),"
    " resnet31, or one that an installed package offers", default=NETWORKS[0], metavar="NAME",
)
WIDTH = Option("width", int, "Width", "channels of the network's first layer", automatic="32", minimum=1, metavar="N")
DROPOUT = Option(
    "dropout", float, "Dropout", "fraction of the last features that is dropped while training", automatic="0",
    minimum=0, maximum=1, maximum_excluded=True, metavar="F",
)
NORM = Option(
    "norm", str, "Normalisation layers", "normalisation layers: batch, group, affine or none", automatic="batch",
    choices=NORMS, metavar="KIND",
)
START = Option(
    "start", str, "Start from",
    "weights to start from: those of the general model, trained on simulated particles of all kinds; random ones; or"
    " those of a model, to go on learning. auto: the general model's if there are some for the network and its"
    " settings, else random ones", default=START_AUTO, metavar="auto|general|random|MODEL",
)

# ------------------------------------------------------------------ the optimisation
OBJECTIVE = Option("objective", str, "Objective", "training objective", default=OBJECTIVES[0], choices=OBJECTIVES)
UPDATES = Option(
    "updates", int, "Updates", "most updates of the weights",
    automatic="60 times the square root of the number of labels, from random weights 25 times its power 0.9, 200 to"
    " 2000; 200 with pseudo-labels", minimum=1, metavar="N",
)
REFIT = Option(
    "refit", bool, "Refit", "keep the best epoch itself instead of training once more on all labels", default=True,
)
LEARNING_RATE = Option(
    "learning_rate", float, "Learning rate", "of the optimiser", default=1e-3, minimum=0, minimum_excluded=True,
    metavar="X",
)
WEIGHT_DECAY = Option(
    "weight_decay", float, "Weight decay",
    "L2 penalty: what the optimiser takes off every weight, in units of the learning rate", default=0.01, minimum=0,
    maximum=1, metavar="X",
)
AUTOENCODER = Option(
    "autoencoder", float, "Weight of the autoencoder term",
    "weight of the term that draws each region from its features; 0: none; auto: the paper's 10/N for N labels up to"
    " 250, none for more. Makes a training several times slower", default=0.0, minimum=0, maximum=10,
    words=(AUTOENCODER_AUTO,), metavar="GAMMA|auto",
)
BATCH_SIZE = Option(
    "batch_size", int, "Batch size", "regions of a minibatch, 1/16 of them labelled", default=512, minimum=32,
    metavar="N",
)
SEED = Option("seed", int, "Random seed", "of everything random", default=0, minimum=0, maximum=2**32 - 1, metavar="N")

# ------------------------------------------------------------------ lengths, which follow from the diameter
WORKING_PIXEL_SIZE = Option(
    "working_pixel_size", float, "Working pixel size", "override the one that follows from the diameter", unit="Å",
    minimum=0, minimum_excluded=True, metavar="A",
)
TRAINING_RADIUS = Option(
    "training_radius", float, "Training radius", "override the radius of positive regions", unit="working pixels",
    minimum=0, minimum_excluded=True, metavar="PX",
)
MIN_DISTANCE = Option(
    "min_distance", float, "Minimum distance", "override the smallest distance of two picks", unit="Å", minimum=0,
    minimum_excluded=True, metavar="A",
)
BOX_SIZE = Option(
    "box_size", float, "Box size", "override the box size", unit="Å", minimum=0, minimum_excluded=True, metavar="A",
)

TRAINING = (
    PSEUDO_LABELS, PSEUDO_LABEL_COUNT, DIAMETER, RING_NEGATIVES, OBJECTIVE, START, NETWORK, WIDTH, DROPOUT, NORM,
    CLASS_PRIOR, PARTICLES_PER_MICROGRAPH, VALIDATION_FRACTION, UPDATES, REFIT, WORKING_PIXEL_SIZE, TRAINING_RADIUS,
    MIN_DISTANCE, BOX_SIZE, LEARNING_RATE, WEIGHT_DECAY, AUTOENCODER, BATCH_SIZE, SEED,
)
"""In the order of the help."""
