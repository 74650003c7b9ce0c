"""Fields of a form about what is learnt from: labelled particles, negatives, or pseudo-labels."""

from __future__ import annotations

from typing import Any, Dict, Iterable, List

from pyworkflow.protocol import params

from pupicker.constants import TRAIN_FROM_CHOICES, TRAIN_FROM_LABELS
from pupicker.convert.labels import Labels, matchLabels
from pupicker.protocols.forms.fields import OptionField
from pupicker.protocols.forms.run import Run, Value
from pupicker.shared import options

PSEUDO_LABEL_COUNT = OptionField("proposalCount", options.PSEUDO_LABEL_COUNT, "25 per micrograph")


class LabelsForm(Run):
    """Mix-in before a protocol class."""

    trainFrom: Value
    inputCoordinates: Value
    inputMicrographs: Value
    inputNegatives: Value
    proposalCount: Value

    # --------------------------- DEFINE param functions ----------------------
    def _defineTrainFrom(self, form: Any) -> None:
        """For experts, yet first: Scipion shows and hides a field by those before it only."""
        form.addParam("trainFrom", params.EnumParam, choices=list(TRAIN_FROM_CHOICES), default=TRAIN_FROM_LABELS,
                      expertLevel=params.LEVEL_ADVANCED, label="Learn from",
                      help="_labelled particles_: the coordinates below.\n_pseudo-labels_: no labels; the picks with "
                           "the best scores of the general model, of template matching with a disc, or of the "
                           "difference of Gaussians take their place, for a first look. Training then judges itself "
                           "by its pseudo-labels, not by the truth: inspect the picks.")

    def _defineLabels(self, form: Any) -> None:
        """What everybody fills in."""
        form.addParam("inputCoordinates", params.PointerParam, pointerClass="SetOfCoordinates", important=True,
                      condition="trainFrom==%d" % TRAIN_FROM_LABELS, label="Labelled particles",
                      help="Particle centres from any picker or import. Micrographs without a label are not used.")
        form.addParam("inputMicrographs", params.PointerParam, pointerClass="SetOfMicrographs", allowsNull=True,
                      label="Micrographs (optional)",
                      help="Micrographs to train on, if not those that the particles were labelled on; for example the "
                           "full-size ones when the labels were made on downsampled ones. Neither filtered nor "
                           "normalised. Without labels they are needed.")

    def _defineExpertLabels(self, form: Any) -> None:
        """What experts may add."""
        expert = params.LEVEL_ADVANCED
        PSEUDO_LABEL_COUNT.addTo(form, condition="trainFrom!=%d" % TRAIN_FROM_LABELS, expertLevel=expert, help=(
            "How many of the picks with the best scores are taken, on all micrographs together. 0 takes "
            "25 for each micrograph; less where there are fewer particles than that."))
        form.addParam("inputNegatives", params.PointerParam, pointerClass="SetOfCoordinates", allowsNull=True,
                      expertLevel=expert, label="Negatives (optional)",
                      help="Places on the same micrographs that are no particles, for example false picks of an "
                           "earlier run, carbon, or ice crystals. A few dozen of the kind that is picked wrongly help; "
                           "they need not be complete.")

    # --------------------------- INFO functions ------------------------------
    def _validateLabels(self) -> List[str]:
        """Whether there is something to learn from, on these micrographs."""
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
        labels = self._matchLabels()
        if labels.disabled == coordSet.getSize():
            return ["*Labelled particles*: all of them are disabled. Enable those to learn from."]
        if self.inputMicrographs.get() is not None and not labels.points:
            return ["*Micrographs (optional)*: none has the name of a labelled micrograph (%s ... against %s ...), or "
                    "several have it. Give the set that the particles were labelled on, or another version of it "
                    "with the same names."
                    % (coordSet.getMicrographs().getFirstItem().getMicName(),
                       self.inputMicrographs.get().getFirstItem().getMicName())]
        negatives = self.inputNegatives.get()
        if negatives is not None and not self._matchNegatives(labels.points):
            return ["*Negatives (optional)*: none lies on a labelled micrograph. Mark them on micrographs "
                    "that have labelled particles too, or leave the field empty."]
        return []

    def _getGrowingInputs(self) -> List[str]:
        """Fields with a set that has to be complete and is not yet; without labels all micrographs are learnt from."""
        names = ["inputNegatives", "inputCoordinates" if self._usesLabels() else "inputMicrographs"]
        return [name for name in names
                if getattr(self, name).get() is not None and getattr(self, name).get().isStreamOpen()]

    # --------------------------- UTILS functions -----------------------------
    def _getMicrographs(self) -> Any:
        """The set to train on: the one given, else the one that the particles were labelled on."""
        coordSet = self.inputCoordinates.get() if self._usesLabels() else None
        return self.inputMicrographs.get() or (coordSet.getMicrographs() if coordSet is not None else None)

    def _usesLabels(self) -> bool:
        """Whether labelled particles are learnt from; else pseudo-labels."""
        return bool(self.trainFrom.get() == TRAIN_FROM_LABELS)

    def _matchLabels(self) -> Labels:
        """The labelled particles on the micrographs that are trained on."""
        if not self._usesLabels():
            return Labels({}, [], 1.0)
        return matchLabels(self.inputCoordinates.get(), self._getMicrographs())

    def _getUsedMicrographs(self, labels: Labels) -> List[Any]:
        """Those with labels; without labels all."""
        return [mic.clone() for mic in self._getMicrographs()
                if mic.getObjId() in labels.points or not self._usesLabels()]

    def _negativesDigest(self, labels: Labels) -> Any:
        if self.inputNegatives.get() is None:
            return None
        return sorted(self._matchNegatives(labels.points).items())

    def _matchNegatives(self, labelled: Iterable[int]) -> Dict[int, Any]:
        """Places that are no particles, on the micrographs that are trained on."""
        points = matchLabels(self.inputNegatives.get(), self._getMicrographs()).points
        return {micId: places for micId, places in points.items() if micId in labelled or not self._usesLabels()}
