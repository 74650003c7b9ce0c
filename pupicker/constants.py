"""Names and choices shared by the modules of the Scipion plugin."""

from pupicker.shared import choices, model_library

# Plugin variables (one name space for all plugins of a Scipion installation, hence the prefix).
PUPICKER_HOME = "PUPICKER_HOME"
PUPICKER_PYTHON = "PUPICKER_PYTHON"
PUPICKER_MODELS, PUPICKER_USER_MODELS = model_library.SITE_VARIABLE, model_library.USER_VARIABLE
PUPICKER_DEVICE = "PUPICKER_DEVICE"
DEVICES = ("auto", "cpu", "cuda")

# What an environment of its own for the core gets from pip (see Plugin.defineBinaries): the extra [core] of setup.py.
CORE_REQUIREMENTS = (
    "torch>=2.4",
    "numpy<3,>=1.22",
    "mrcfile>=1.4",
    "tifffile>=2022.2",
    "imagecodecs>=2022.2",
    "safetensors>=0.3.1",
    "gemmi>=0.6",
    "matplotlib>=3.5",
    "pillow>=9.1",
    "jinja2>=3",
)
CORE_MINIMUM_PYTHON = (3, 10)
SCIPION_EM_MINIMUM = (3, 11)  # as requirements.txt says

# Form choices, besides those of shared.choices; the index is what Scipion stores, so only ever append.
NETWORK_OTHER, NETWORK_DEFAULT = 4, 5
NETWORK_CHOICES = (*choices.NETWORKS[1:5], "of another package", choices.NETWORKS[0], *choices.NETWORKS[5:])
NORM_CHOICES = choices.NORMS
AUTOENCODER_NONE, AUTOENCODER_AUTO, AUTOENCODER_GIVEN = range(3)
AUTOENCODER_CHOICES = ("none", "automatic", "given weight")
PRIOR_AUTO, PRIOR_FRACTION, PRIOR_COUNT = range(3)
PRIOR_CHOICES = ("automatic", "share of the area", "particles per micrograph")
MODEL_OF_PROJECT, MODEL_OF_LIBRARY, MODEL_GENERAL = range(3)
MODEL_CHOICES = ("this project", "the library", "general model")
PUBLISH_USER, PUBLISH_SITE = range(2)
PUBLISH_CHOICES = ("of the user", "of the site")
START_AUTO, START_RANDOM, START_MODEL = range(3)
START_CHOICES = ("automatic", "random", "earlier model")
PIXEL_FROM_DIAMETER, PIXEL_GIVEN = range(2)
PIXEL_CHOICES = ("from the diameter", "given")
THRESHOLD_SUGGESTED, THRESHOLD_GIVEN = range(2)
THRESHOLD_CHOICES = ("of the model", "given")
CUT_SCORES, CUT_COUNTS, CUT_FRACTIONS, CUT_PROBABILITIES, CUT_MODEL = range(5)
CUT_CHOICES = ("scores", "numbers of particles", "fractions of the set", "probabilities", "of the model")
EXCLUSION_OF_MODEL, EXCLUSION_GIVEN = range(2)
EXCLUSION_CHOICES = ("as in training", "given")
BASELINES = ("dog", "template", "general")
BASELINE_DOG, BASELINE_TEMPLATE, BASELINE_GENERAL = range(3)
BASELINE_CHOICES = ("difference of Gaussians", "template matching", "general model")
CONTRAST_DARK, CONTRAST_BRIGHT = range(2)
CONTRAST_CHOICES = ("dark", "bright")
PSEUDO_LABELS = ("", *choices.PSEUDO_LABEL_SOURCES)
TRAIN_FROM_LABELS = 0
TRAIN_FROM_CHOICES = ("labelled particles", "pseudo-labels of the general model", "pseudo-labels of template matching",
                      "pseudo-labels of the difference of Gaussians")

# Attributes of a coordinate that picking writes.
SCORE, PROBABILITY = "_pupickerScore", "_pupickerProbability"
UNCERTAINTY, PICKERS = "_pupickerUncertainty", "_pupickerPickers"  # on request; of a combination
SCORES = (SCORE, "_topazScore", "_cryoloScore", "_rlnAutopickFigureOfMerit")
"""Attributes by which pickers rank their coordinates, the one to take first."""
