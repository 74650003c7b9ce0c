"""Lists and numbers that the plugin and the core must agree on."""

from __future__ import annotations

MODEL_SUFFIX = ".pupicker"

# Exit codes of the command line; the first and the last mean "there is a result".
EXIT_DONE, EXIT_FAILED, EXIT_USAGE, EXIT_QUARANTINED = 0, 1, 2, 3
EXIT_INTERRUPTED, EXIT_TERMINATED = 130, 143  # by Ctrl-C and by SIGTERM, as a shell says it

# Forms store an index into these: only ever append.
OBJECTIVES = ("ge-binomial", "ge-kl-forward", "nnpu", "pn", "ge-gaussian", "ge-squared", "ge-kl")
OBJECTIVE_TEXTS = {"nnpu": "unlabelled places are background, less the particles expected among them",
                   "pn": "unlabelled places are background"}
OTHER_OBJECTIVES_TEXT = "unlabelled places hold as many particles as expected"  # all ge-...
NORMS = ("batch", "group", "affine", "none")

NETWORKS = ("conv47", "conv31", "conv63", "conv127", "resnet31")
"""Those of pupicker itself; the first is the default."""

GENERAL_NETWORKS = ("conv31", "conv47")
"""Those with pretrained weights, a file in pupicker/weights."""

START_AUTO, START_GENERAL, START_RANDOM = "auto", "general", "random"

PSEUDO_LABEL_SOURCES = (START_GENERAL, "template", "dog")
"""What takes the place of labels: the general model, template matching with a disc, the difference of Gaussians."""

AUTOENCODER_AUTO = "auto"
"""The paper's weight of the autoencoder term, which follows from the number of labels."""

LOWEST_CANDIDATE = -6.0
"""Score of the weakest picks that are kept beside those above the threshold: one in 400 of such is a particle."""


def objective_text(name: str) -> str:
    """What a training with an objective takes unlabelled places for, in plain words, with the name in brackets."""
    return "%s (%s)" % (OBJECTIVE_TEXTS.get(name, OTHER_OBJECTIVES_TEXT), name)
