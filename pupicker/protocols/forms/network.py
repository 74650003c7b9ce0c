"""Fields of the training form about the network and the terms that are added to the loss; all for experts."""

from __future__ import annotations

from typing import Any, List

from pyworkflow.protocol import params

from pupicker.constants import (
    AUTOENCODER_CHOICES,
    AUTOENCODER_GIVEN,
    AUTOENCODER_NONE,
    NETWORK_CHOICES,
    NETWORK_DEFAULT,
    NETWORK_OTHER,
    NORM_CHOICES,
)
from pupicker.protocols.forms.fields import OptionField, fieldErrors
from pupicker.protocols.forms.run import Run, Value
from pupicker.shared import options

DROPOUT = OptionField("dropout", options.DROPOUT)
DECAY = OptionField("weightDecay", options.WEIGHT_DECAY)
AUTOENCODER_WEIGHT = OptionField("autoencoderWeight", options.AUTOENCODER)
RING_NEGATIVES = OptionField("ringNegatives", options.RING_NEGATIVES)


class NetworkForm(Run):
    """Mix-in before a protocol class."""

    network: Value
    networkName: Value
    networkSettings: Value
    norm: Value
    dropout: Value
    weightDecay: Value
    autoencoder: Value
    autoencoderWeight: Value
    ringNegatives: Value

    # --------------------------- DEFINE param functions ----------------------
    def _defineNetworkParams(self, form: Any) -> None:
        self._defineArchitecture(form)
        self._defineRegularisation(form)

    @staticmethod
    def _defineArchitecture(form: Any) -> None:
        expert = params.LEVEL_ADVANCED
        form.addParam("network", params.EnumParam, choices=list(NETWORK_CHOICES), default=NETWORK_DEFAULT,
                      label=options.NETWORK.label,
                      help="_conv47_: sees the particle and its surroundings; the default. A general model comes "
                           "with pupicker for this one and conv31; the others start from random weights and need more "
                           "labels.\n_conv31_: the network of the paper, twice as fast.\n_conv63_, _conv127_: deeper, "
                           "for particles whose detail is lost when they are shrunk to 22 pixels; 3 and 13 times "
                           "slower.\n_resnet31_: a small residual network, to compare.\n_of another "
                           "package_: one of your own that an installed package offers.")
        form.addParam("networkName", params.StringParam, default="", expertLevel=expert,
                      condition="network==%d" % NETWORK_OTHER, label="Name of the network",
                      help="As the package names it among its entry points pupicker.networks. The package must be "
                           "installed where training and picking run (see PUPICKER_PYTHON).")
        form.addParam("networkSettings", params.StringParam, default="", expertLevel=expert,
                      condition="network==%d" % NETWORK_OTHER, label="Its settings (NAME=VALUE ...)",
                      help="Settings that the network has, separated by spaces, e.g. channels=16 depth=4; names and "
                           "units are those of the package. Empty: its defaults, good for a first try.")
        form.addParam("norm", params.EnumParam, choices=list(NORM_CHOICES), default=0, expertLevel=expert,
                      label=options.NORM.label,
                      help="_batch_: statistics of the minibatch, as in the paper; keep it.\n_group_: of groups of "
                           "channels at each position.\n_affine_: only a learnt scale and shift; _none_: not even "
                           "that. With others than batch, which are there to compare, training starts from random "
                           "weights and needs more labels.")

    @staticmethod
    def _defineRegularisation(form: Any) -> None:
        expert = params.LEVEL_ADVANCED
        DROPOUT.addTo(form, default=0, expertLevel=expert, help=(
            "Fraction of the last features that is left out at random while training, no unit. Worth "
            "a try, e.g. 0.2, when the validation AP falls early."))
        DECAY.addTo(form, expertLevel=expert, help=(
            "L2 penalty: what is taken off every weight in an update, in units of the learning rate. "
            "There is rarely a reason to change it."))
        form.addParam("autoencoder", params.EnumParam, choices=list(AUTOENCODER_CHOICES), default=AUTOENCODER_NONE,
                      expertLevel=expert, label="Autoencoder term",
                      help="Asks that the features suffice to draw the region again [Bepler2019]. _automatic_: the "
                           "paper's weight, 10/N for N labels up to 250 and none for more. To compare "
                           "with the paper: here it cost accuracy, and makes training some ten times slower.")
        given = "autoencoder==%d" % AUTOENCODER_GIVEN
        AUTOENCODER_WEIGHT.addTo(form, default=0.1, expertLevel=expert, condition=given, help=(
            "Factor of the squared distance between region and drawing, summed over pixels in units of "
            "the background's variance; 10/N for N labels in the paper. Lower it if the validation AP "
            "is worse than without the term."))
        RING_NEGATIVES.addTo(form, expertLevel=expert, help=(
            "Yes: places between 0.25 and 0.39 diameters from a labelled centre, where no other centre "
            "can be, are shown as background. For picks that sit beside the centre or twice on a "
            "particle. Not for particles that overlap by more than half."))

    # --------------------------- INFO functions ------------------------------
    def _validateNetwork(self) -> List[str]:
        errors = []
        if self.network.get() == NETWORK_OTHER:
            if not (self.networkName.get() or "").strip():
                errors.append("*Name of the network*: give the name under which its package offers it, or choose one "
                              "of pupicker's networks.")
            if any("=" not in item or item.startswith("=") for item in self._settingsOfTheNetwork()):
                errors.append("*Its settings*: give NAME=VALUE, several separated by spaces, e.g. channels=16 depth=4; "
                              "no spaces beside the equals sign.")
        fields = [DROPOUT, DECAY] + ([AUTOENCODER_WEIGHT] if self.autoencoder.get() == AUTOENCODER_GIVEN else [])
        return errors + fieldErrors(self, fields)

    # --------------------------- UTILS functions -----------------------------
    def _settingsOfTheNetwork(self) -> List[str]:
        return str(self.networkSettings.get() or "").split()

    def _getNetworkName(self) -> str:
        """As the command line and the models call it; empty if one of another package is wanted and not named."""
        network = self.network.get()
        return str(self.networkName.get() or "").strip() if network == NETWORK_OTHER else NETWORK_CHOICES[network]

    def _networkArguments(self) -> List[str]:
        """Options of the command line; what has its default is left out, so that it is the network's own."""
        arguments = []
        if self.network.get() != NETWORK_DEFAULT:
            arguments += ["--network", self._getNetworkName()]
        if self.network.get() == NETWORK_OTHER:
            for item in self._settingsOfTheNetwork():
                arguments += ["--network-setting", item]
        if self.norm.get():
            arguments += ["--norm", NORM_CHOICES[self.norm.get()]]
        if self.dropout.get():
            arguments += DROPOUT.arguments(self)
        if self.weightDecay.get() != DECAY.default:
            arguments += DECAY.arguments(self)
        if self.autoencoder.get() != AUTOENCODER_NONE:
            given = self.autoencoder.get() == AUTOENCODER_GIVEN
            arguments += AUTOENCODER_WEIGHT.arguments(self) if given else ["--autoencoder", "auto"]
        if self.ringNegatives.get():
            arguments.append("--ring-negatives")
        return arguments
