"""The options, each declared once: name, unit, range, default, help.

From a declaration follow the argument of the command line (:func:`pupicker.commands.parsing.arguments.add_option`),
the check before the work (:func:`pupicker.engine.runtime.checks.check_options`), the default in the engine and the
field of a form (:mod:`pupicker.protocols.forms.fields`).  To add an option, declare it here and use it where it acts.
Where a command means another default or says more, it takes the option with
:meth:`~pupicker.shared.option.Option.but`.
"""

from __future__ import annotations

from pupicker.shared import lengths
from pupicker.shared.choices import (
    AUTOENCODER_AUTO,
    NETWORKS,
    NORMS,
    OBJECTIVES,
    PSEUDO_LABEL_SOURCES,
    START_AUTO,
)
from pupicker.shared.option import Option

LARGEST_LENGTH_ANG = 10_000
"""No particle, distance or margin is longer: a micrometre, which is about the side of a micrograph."""

LARGEST_PIXEL_SIZE_ANG = 100
"""Above this a pixel size is a unit mix-up (nm, a screen's dots per inch), not a micrograph."""

MOST_THREADS = 512
"""More than any machine has cores; some thousands end the process instead of an error."""

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
    minimum_excluded=True, maximum=LARGEST_LENGTH_ANG, metavar="A", required=True,
)
RING_NEGATIVES = Option(
    "ring_negatives", bool, "Negatives around labels",
    "take places around labelled particles, where no other centre can be, for negatives", default=False,
)
VALIDATION_FRACTION = Option(
    "validation_fraction", float, "Validation fraction",
    "share of the labels held out, as whole micrographs, to choose the length of training; then it begins anew with all"
    " of them", automatic="none if the general model tells the number of particles, else 0.25", minimum=0, maximum=1,
    maximum_excluded=True, metavar="F",
)

# ------------------------------------------------------------------ how many particles there are
CLASS_PRIOR = Option(
    "class_prior", float, "Share of the area", "area fraction of positive regions, the class prior",
    automatic="estimated while training", minimum=0, maximum=1, minimum_excluded=True, maximum_excluded=True,
    metavar="X",
)
PARTICLES_PER_MICROGRAPH = Option(
    "particles_per_micrograph", float, "Particles per micrograph",
    "the same as a number of particles, on an average micrograph", automatic="estimated while training", minimum=0,
    minimum_excluded=True, metavar="N",
)

# ------------------------------------------------------------------ the network
NETWORK = Option(
    "network", str, "Network",
    "conv47 (sees the particle's surroundings too), conv31 (the paper's), conv63, conv127 (deeper, larger fields),"
    " resnet31, or one that an installed package offers", default=NETWORKS[0], metavar="NAME",
)
WIDTH = Option("width", int, "Width", "channels of the network's first layer", automatic="32", minimum=1, maximum=4096,
               metavar="N")
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
OBJECTIVE = Option(
    "objective", str, "Objective",
    "training objective; ge-kl: divergence of the mean prediction from the prior, as in the paper, ge-kl-forward: the"
    " other direction", default=OBJECTIVES[0], choices=OBJECTIVES,
)
UPDATES = Option(
    "updates", int, "Updates", "most updates of the weights",
    automatic="60 times the square root of the number of labels, from random weights 25 times its power 0.9, 200 to"
    " 2000; 200 with pseudo-labels", minimum=1, maximum=10_000_000, metavar="N",
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
    maximum=65536, metavar="N",
)
SEED = Option("seed", int, "Random seed", "of everything random", default=0, minimum=0, maximum=2**32 - 1, metavar="N")

# ------------------------------------------------------------------ lengths, which follow from the diameter
WORKING_PIXEL_SIZE = Option(
    "working_pixel_size", float, "Working pixel size", "pixel size to which micrographs are downsampled inside",
    automatic="follows from the diameter", unit="Å", minimum=0, minimum_excluded=True, metavar="A",
)
TRAINING_RADIUS = Option(
    "training_radius", float, "Training radius", "radius of positive regions", automatic="follows from the diameter",
    unit="working pixels", minimum=1, maximum=100, metavar="PX",
)
MIN_DISTANCE = Option(
    "min_distance", float, "Minimum distance", "smallest distance of two picks",
    automatic="%g diameters" % lengths.MIN_DISTANCE, unit="Å", minimum=0, minimum_excluded=True,
    maximum=LARGEST_LENGTH_ANG, metavar="A",
)
BOX_SIZE = Option(
    "box_size", float, "Box size", "side of the box for extraction", automatic="%g diameters" % lengths.BOX_SIZE,
    unit="Å", minimum=0, minimum_excluded=True, maximum=LARGEST_LENGTH_ANG, metavar="A",
)

TRAINING = (
    PSEUDO_LABELS, PSEUDO_LABEL_COUNT, DIAMETER, RING_NEGATIVES, OBJECTIVE, START, NETWORK, WIDTH, DROPOUT, NORM,
    CLASS_PRIOR, PARTICLES_PER_MICROGRAPH, VALIDATION_FRACTION, UPDATES, REFIT, WORKING_PIXEL_SIZE, TRAINING_RADIUS,
    MIN_DISTANCE, BOX_SIZE, LEARNING_RATE, WEIGHT_DECAY, AUTOENCODER, BATCH_SIZE, SEED,
)
"""What only a training is asked, in the order of the help."""

# ------------------------------------------------------------------ micrographs, and where nothing is picked
PIXEL_SIZE = Option(
    "pixel_size", float, "Pixel size", "of the micrographs", automatic="from their headers", unit="Å", minimum=0,
    minimum_excluded=True, maximum=LARGEST_PIXEL_SIZE_ANG, metavar="A",
)
TARGET_PIXEL_SIZE = Option(
    "target_pixel_size", float, "Pixel size", "pixel size of the new micrographs", unit="Å/px", minimum=0,
    minimum_excluded=True, maximum=LARGEST_PIXEL_SIZE_ANG, metavar="A",
)
KEEP_BORDERS = Option(
    "keep_borders", bool, "Keep borders",
    "use bands at the edges too that hold no image (blank, or a repeated row)", default=False,
)
MARGIN = Option(
    "margin", float, "Margin at the edges", "pick nothing closer to the edges of the image than this", default=0.0,
    unit="Å", minimum=0, maximum=LARGEST_LENGTH_ANG, metavar="A",
)
EXCLUDE_CONTAMINATION = Option(
    "exclude_contamination", bool, "Leave out contamination",
    "pick nothing on what is far darker than particles: gold, ice crystals, dense carbon", default=True, both_ways=True,
)

# ------------------------------------------------------------------ picking
THRESHOLD = Option(
    "threshold", float, "Threshold", "lowest score of a pick, a log-likelihood ratio",
    automatic="the model's suggestion", metavar="S",
)
SCORE_SD = Option(
    "score_sd", bool, "Standard deviation of the score",
    "add a column with the standard deviation of the score over the eight turned and mirrored views of each pick (takes"
    " somewhat longer)", default=False, old_names=("uncertainty",),
)
TEMPLATE_PIXEL_SIZE = Option(
    "template_pixel_size", float, "Pixel size of the templates", "of the templates", automatic="from their header",
    unit="Å", minimum=0, minimum_excluded=True, maximum=LARGEST_PIXEL_SIZE_ANG, metavar="A",
)
ROTATION_STEP = Option(
    "rotation_step", float, "Rotation step", "templates are turned all round by this", default=15.0, unit="degrees",
    minimum=0, maximum=360, minimum_excluded=True, metavar="DEG",
)
BRIGHT = Option(
    "bright", bool, "Particles are bright", "particles are brighter than their surroundings, not darker", default=False,
)

# ------------------------------------------------------------------ what is made of picks
RADIUS = Option(
    "radius", float, "Matching radius", "largest distance of a hit", automatic="half of the diameter", unit="pixels",
    minimum=0, minimum_excluded=True, metavar="PX",
)
AT_LEAST = Option(
    "at_least", int, "Pickers that agree", "keep places that at least so many of the pickers have; 1: of any",
    default=2, minimum=1, maximum=100, metavar="N",
)
DISTANCE = Option(
    "distance", float, "Distance", "picks this close are of one place, and no two places are closer",
    automatic="half of the diameter", unit="Å", minimum=0, minimum_excluded=True, maximum=LARGEST_LENGTH_ANG,
    metavar="A",
)
FOLDS = Option(
    "folds", int, "Folds", "parts into which the labelled micrographs are dealt; each is left out once", default=4,
    minimum=2, metavar="K",
)
SCALE = Option(
    "scale", float, "Scale",
    "size of the new micrographs over that of the old: 4 for picks on micrographs binned by 4", default=1.0, minimum=0,
    minimum_excluded=True, metavar="S",
)
FRACTIONS = Option(
    "fractions", bool, "Fractions", "the table has fractions of the micrographs' width and height, not pixels",
    default=False,
)
SWAP_XY = Option(
    "swap_xy", bool, "Swap x and y", "the table has rows as x and columns as y", default=False,
)
FLIP_X = Option(
    "flip_x", bool, "Mirror x", "the table counts columns from the last one of the micrograph", default=False,
)
FLIP_Y = Option(
    "flip_y", bool, "Mirror y", "the table counts rows from the last one of the micrograph", default=False,
)
CHECK_LABELS = Option(
    "check_labels", bool, "Check of the labels",
    "learn from labels also if the images say that they are mirrored, swapped, scaled or shifted", default=True,
)
MIN_SCORE = Option(
    "min_score", float, "Lowest score", "rows of the table with a lower score are left out", automatic="all are taken",
    metavar="S",
)
REFINED_ORIGINS = Option(
    "refined_origins", bool, "Refined origins",
    "leave coordinates of particles where they are, though a refinement moved their origins", default=True,
)
NAME_PATTERN = Option(
    "name_pattern", str, "Pattern of names",
    "regular expression with one group in parentheses: what that finds in a name of the table is the micrograph's name",
    automatic="names are compared without folders, extensions and what programs add to them", metavar="REGEX",
)
TABLE = (SCALE, FRACTIONS, SWAP_XY, FLIP_X, FLIP_Y, MIN_SCORE, REFINED_ORIGINS, NAME_PATTERN)
"""How a table of coordinates is meant."""

BOX_SIZE_PX = Option(
    "box_size", int, "Box size", "side of the boxes", unit="px", minimum=1, metavar="PX",
)

# ------------------------------------------------------------------ how it runs
DEVICE = Option(
    "device", str, "Device", "where to compute", default="auto", pattern=r"auto|cpu|cuda(:\d{1,2})?",
    wording="auto, cpu, cuda or cuda:N", metavar="auto|cpu|cuda|cuda:N",
)
PRECISION = Option(
    "precision", str, "Precision", "numbers that networks compute features in; auto: bfloat16 where the processor"
    " has instructions for it, which changes scores by some hundredths, else float32", default="auto",
    choices=("auto", "float32", "bfloat16"),
)
THREADS = Option(
    "threads", int, "Threads", "processor threads, 0: all cores", default=0, minimum=0, maximum=MOST_THREADS,
    metavar="N",
)

PART = Option(
    "part", str, "Part", "do the I-th of N parts of the micrographs, such as the index and the size of an array job",
    pattern=r"[1-9]\d{0,5}/[1-9]\d{0,5}", wording="I/N, two whole numbers from 1 on, I at most N", metavar="I/N",
)
SETTLE = Option(
    "settle", float, "Settling time", "a file has to be as it is for so long: it is whole then", default=2.0,
    unit="seconds", minimum=0, maximum=3600, metavar="S",
)

# ------------------------------------------------------------------ the card of a model in the library
_ONE_LINE = Option(
    "", str, "", "", pattern=r"[^\x00-\x1f\x7f]{0,500}", wording="one line of at most 500 letters", metavar="TEXT")
MODEL_NAME = Option(
    "name", str, "Name", "of the model in the library", pattern=r"(?!(?:auto|general|random)$)[A-Za-z0-9][\w.+-]{0,99}",
    wording="at most 100 letters, digits and . _ + -, the first a letter or digit; neither auto, general nor random",
    metavar="NAME",
)
SPECIMEN = _ONE_LINE.but(name="specimen", label="Specimen", help="what the particles are")
MICROSCOPE = _ONE_LINE.but(name="microscope", label="Microscope",
                           help="microscope, detector, voltage: what the images depend on")
NOTE = _ONE_LINE.but(name="note", label="Note", help="whatever else others should know")
AUTHOR = _ONE_LINE.but(name="author", label="Author", help="whom to ask about it",
                       automatic="the user's name on this machine")
CARD = (MODEL_NAME, SPECIMEN, MICROSCOPE, NOTE, AUTHOR)
"""What is asked of who publishes a model."""

OTHERS = (
    PIXEL_SIZE, TARGET_PIXEL_SIZE, KEEP_BORDERS, MARGIN, EXCLUDE_CONTAMINATION, THRESHOLD, SCORE_SD,
    TEMPLATE_PIXEL_SIZE, ROTATION_STEP, BRIGHT, RADIUS, AT_LEAST, DISTANCE, FOLDS, *TABLE, CHECK_LABELS, DEVICE,
    PRECISION, THREADS, PART, SETTLE, *CARD,
)
"""What several commands are asked, or another one than the training."""
