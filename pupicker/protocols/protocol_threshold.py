"""Scored coordinates cut at one or several thresholds, without picking again."""

from __future__ import annotations

import itertools
import math
import os
from typing import Any, Dict, Iterable, List, Tuple

from pwem.objects import Coordinate, SetOfCoordinates
from pwem.protocols import ProtParticles
from pyworkflow.constants import NEW
from pyworkflow.protocol import params
from pyworkflow.utils import Message

from pupicker.constants import (
    CUT_CHOICES,
    CUT_COUNTS,
    CUT_FRACTIONS,
    CUT_MODEL,
    CUT_PROBABILITIES,
    CUT_SCORES,
    PROBABILITY,
    SCORE,
)
from pupicker.convert.corrections import Corrected, changesText, readCorrections, scoredPlaces
from pupicker.convert.origin import modelOf
from pupicker.convert.picks import coordinateLike, scoredCoordinates, weakPicks
from pupicker.plugin.child_process import coreWorker
from pupicker.protocols.bases.protocol_base import ProtPuPickerBase
from pupicker.protocols.forms.thresholds import LISTS, numericAttributes, readNumbers, scoreThresholds
from pupicker.shared.digests import digest_of, file_digest
from pupicker.shared.plurals import counted

OUTPUT = "outputCoordinates"


class _Cut:
    """An output while it is filled.

    Attributes
    ----------
    threshold, name, output
        Lowest score, name of the output, the set.
    listed, taken
        Number of scored coordinates that are in, and of those that were taken away by hand.
    """

    def __init__(self, threshold: float, name: str, output: Any) -> None:
        self.threshold, self.name, self.output = threshold, name, output
        self.listed = self.taken = 0

    def take(self, coord: Any, score: float, corrected: Corrected) -> None:
        """Take a coordinate in, if its score is high enough and nothing was corrected there."""
        if score < self.threshold:
            return
        if corrected.keeps(coord):
            self.output.append(coord)
            self.listed += 1
        elif coord.getMicId() not in corrected.excluded and corrected.isTakenAway(coord):
            self.taken += 1

    def comment(self, scoreName: str, corrected: Corrected) -> str:
        """What is in the output, and why."""
        added, moved = (sum(map(len, places.values())) for places in (corrected.added, corrected.moved))
        byHand = changesText(added, moved, self.taken, 0, len(corrected.excluded))
        return "%s ≥ %0.6g%s: %s" % (
            scoreName, self.threshold,
            " and corrections by hand (%d at or above it; %s)" % (self.listed, byHand) if byHand else "",
            counted(self.output.getSize(), "particle"))


class ProtPuPickerThreshold(ProtPuPickerBase, ProtParticles):
    """
    Cuts scored coordinates at one or several thresholds; every output holds the particles at or above its threshold.

    The sets are nested: the first is the strictest, and each one holds all particles of those before it. So one
    picking, with a generous threshold, serves to compare how far to go: extract and classify each set, and see from
    which threshold on more particles no longer help.

    It works with the coordinates of any picker that gives a score of which a larger one is better. Particles with
    equal scores are in or out together: a set of the best 1000 has a few more if several share the score of the
    1000th. Every particle keeps its id, its micrograph and all its attributes.
    """

    _label = "threshold"
    _devStatus = NEW
    _possibleOutputs = {OUTPUT + "1": SetOfCoordinates}

    # --------------------------- DEFINE param functions ----------------------
    def _defineParams(self, form: Any) -> None:
        form.addSection(label=Message.LABEL_INPUT)
        form.addParam("inputCoordinates", params.PointerParam, pointerClass="SetOfCoordinates", important=True,
                      label="Scored coordinates",
                      help="Coordinates with a score, of _pupicker - pick_ or of any other picker. The run that makes "
                           "them has to have finished.")
        form.addParam("mode", params.EnumParam, choices=list(CUT_CHOICES), default=CUT_SCORES, label="Thresholds by",
                      help="_scores_: the thresholds themselves.\n_numbers of particles_: as many of the best of the "
                           "whole set.\n_fractions of the set_: the same as a share of all.\n_probabilities_: lowest "
                           "probability of being a particle, for coordinates of _pupicker - pick_.\n_of the model_: "
                           "the threshold that training found, for coordinates picked with a lower one.")
        form.addParam("scores", params.StringParam, default="3", condition="mode==%d" % CUT_SCORES,
                      label=LISTS[CUT_SCORES].label,
                      help="One or several scores, separated by spaces, in the unit of the score attribute. For "
                           "pupicker a log-likelihood ratio: 0 means undecided, 3 is strict: the image is 20 times as "
                           "likely with a particle as without.")
        form.addParam("counts", params.StringParam, default="1000", condition="mode==%d" % CUT_COUNTS,
                      label=LISTS[CUT_COUNTS].label,
                      help="One or several whole numbers, separated by spaces: as many of the particles with the best "
                           "scores, counted over all micrographs together. If the set holds fewer, all are taken.")
        form.addParam("fractions", params.StringParam, default="0.25 0.5 1", condition="mode==%d" % CUT_FRACTIONS,
                      label=LISTS[CUT_FRACTIONS].label,
                      help="One or several numbers above 0 and at most 1, separated by spaces: this share of all "
                           "particles, those with the best scores. No unit.")
        form.addParam("probabilities", params.StringParam, default="0.9 0.5 0.1",
                      condition="mode==%d" % CUT_PROBABILITIES, label=LISTS[CUT_PROBABILITIES].label,
                      help="One or several numbers from 0 to 1, separated by spaces: particles with at least this "
                           "%s are kept. No unit." % PROBABILITY)
        form.addParam("inputModel", params.PointerParam, pointerClass="PuPickerModel", allowsNull=True,
                      condition="mode==%d" % CUT_MODEL, label="Picking model",
                      help="The model that the particles were picked with; its suggested threshold is applied to "
                           "%s." % SCORE)
        form.addParam("attribute", params.StringParam, default=SCORE, condition="mode<%d" % CUT_PROBABILITIES,
                      expertLevel=params.LEVEL_ADVANCED,
                      label="Score attribute",
                      help="Name of the number by which particles are ranked; a larger one is better. %s from "
                           "pupicker, _topazScore, _cryoloScore, _rlnAutopickFigureOfMerit, or what the set has: the "
                           "wand lists them." % SCORE)

        form.addHidden("corrections", params.StringParam, default="",
                       help="File of what was corrected by hand in the scores window: what is taken away, and added. "
                            "It is a copy that no later correction changes.")

        form.addHidden("candidates", params.StringParam, default="",
                       help="Folder of tables with weaker picks of the same picking, for a threshold below its own.")

    # --------------------------- INSERT steps functions ----------------------
    def _insertAllSteps(self) -> None:
        model = [file_digest(self.inputModel.get().getPath())] if self.mode.get() == CUT_MODEL else []
        digest = digest_of(self._setDigest(self.inputCoordinates.get()), self._getAttribute(), self._getValues(), model,
                           *self._correctionsDigest())
        self._insertFunctionStep(self.createOutputStep, digest, needsGPU=False)

    # --------------------------- STEPS functions -----------------------------
    def createOutputStep(self, digest: str) -> None:
        coordSet, attribute = self.inputCoordinates.get(), self._getAttribute()
        scores = sorted((score for _, score in scoredCoordinates(coordSet, attribute)), reverse=True)
        if not scores:
            raise Exception("No particle of the set has a number in %s: choose another score attribute." % attribute)
        thresholds = scoreThresholds(self.mode.get(), self._getValues(), scores)
        if scores[0] < thresholds[-1]:
            raise Exception("No particle has a %s of %0.6g or more; the best is %0.6g: give a lower threshold."
                            % (self._getScoreName(), thresholds[-1], scores[0]))
        cuts = [_Cut(threshold, OUTPUT + "%d" % number, self._newOutput(number, coordSet))
                for number, threshold in enumerate(thresholds, 1) if scores[0] >= threshold]
        self._emptyOtherOutputs([cut.name for cut in cuts], "no threshold any more: 0 particles")
        corrected = readCorrections(self.corrections.get() or "")
        for coord, score in itertools.chain(scoredCoordinates(coordSet, attribute), self._iterByHand(coordSet)):
            for cut in cuts:
                cut.take(coord, score, corrected)
        self._addWeaker(corrected, coordSet, scores[-1], cuts)
        self._addCorrections(corrected, coordSet, [cut.output for cut in cuts])
        for cut in cuts:
            cut.output.setObjComment(cut.comment(self._getScoreName(), corrected))
            self._defineOutputs(**{cut.name: cut.output})
            self._defineSourceRelation(self.inputCoordinates, cut.output)
            if self.mode.get() == CUT_MODEL:
                self._defineSourceRelation(self.inputModel, cut.output)

    def _iterByHand(self, coordSet: Any) -> Iterable[Tuple[Any, float]]:
        """Those without a score of pupicker: put by hand where no model could score them, and kept at any threshold."""
        if self._getAttribute() == SCORE:
            for coord in coordSet:
                if coord.isEnabled() and coord.getAttributeValue(SCORE) is None:
                    yield coord, math.inf

    def _addWeaker(self, corrected: Corrected, coordSet: Any, lowest: float, cuts: List[_Cut]) -> None:
        """Picks that the picking found and did not register, for thresholds below the `lowest` score of the set."""
        folder, least = self.candidates.get() or "", min(cut.threshold for cut in cuts)
        if not folder or least >= lowest:
            return
        like, number = coordSet.getFirstItem().clone(), max(coordSet.getIdSet())
        for mic in coordSet.getMicrographs():
            for pick in weakPicks(folder, mic.getObjId(), least, lowest):
                coord, number = coordinateLike(like, pick, mic), number + 1
                coord.setObjId(number)  # the same in every output
                for cut in cuts:
                    cut.take(coord, pick.score, corrected)

    def _correctionsDigest(self) -> List[str]:
        path = self.corrections.get() or ""
        return [file_digest(path)] if path and os.path.exists(path) else []

    def _addCorrections(self, corrected: Corrected, coordSet: Any, outputs: List[Any]) -> None:
        """Picks that were put by hand, with the score of the model, and a set of the places that are no particles."""
        places = corrected.byHand()
        mics = {mic.getObjId(): mic.clone() for mic in coordSet.getMicrographs()
                if mic.getObjId() in places or mic.getObjId() in corrected.negatives}
        if places:
            like = coordSet.getFirstItem().clone()
            with coreWorker(self._getExtraPath()) as worker:
                scored = scoredPlaces(places, mics, modelOf(self.inputCoordinates.getObjValue()), worker,
                                      self._getExtraPath())
            for micId, picks in scored.items():
                for pick in picks:
                    for output in outputs:
                        output.append(coordinateLike(like, pick, mics[micId]))
        if corrected.negatives:
            negatives = self._createSetOfCoordinates(coordSet.getMicrographs(asPointer=True), suffix="_negatives")
            negatives.setBoxSize(coordSet.getBoxSize())
            for micId, points in corrected.negatives.items():
                for x, y in points:
                    negative = Coordinate(x=round(x), y=round(y))
                    negative.setMicrograph(mics[micId])
                    negatives.append(negative)
            negatives.setObjComment("marked as no particle by hand: " + counted(negatives.getSize(), "place"))
            self._defineOutputs(outputNegatives=negatives)
            self._defineSourceRelation(self.inputCoordinates, negatives)

    def _newOutput(self, number: int, coordSet: Any) -> Any:
        output = self._createSetOfCoordinates(coordSet.getMicrographs(asPointer=True), suffix="%d" % number)
        output.copyInfo(coordSet)
        return output

    # --------------------------- INFO functions ------------------------------
    def _validate(self) -> List[str]:
        errors = []
        try:
            self._getValues()
        except ValueError as error:
            errors.append(str(error))
        if self.mode.get() == CUT_MODEL:
            model = self.inputModel.get()
            if model is None:
                errors.append("*Picking model*: choose the model that the particles were picked with.")
            elif model.getSuggestedThreshold() is None:
                errors.append("*Picking model*: it suggests no threshold, because nothing was held out in its "
                              "training. Give scores instead.")
        if self.corrections.get() and not os.path.exists(self.corrections.get()):
            errors.append("The corrections that this run was made with are gone: %s. Make the set anew in the window "
                          "of the scores." % self.corrections.get())
        return errors + self._validateCoordinates()

    def _validateCoordinates(self) -> List[str]:
        coordSet = self.inputCoordinates.get()
        if coordSet is None:
            return []  # Scipion says so itself
        if coordSet.isStreamOpen():
            return ["*Scored coordinates*: the set is still growing. Wait until the run that makes it has finished, "
                    "or schedule this one."]
        if coordSet.getSize() == 0:
            return ["*Scored coordinates*: the set is empty. Pick with a lower threshold."]
        found = numericAttributes(coordSet.getFirstItem())
        if self._getAttribute() not in found:
            return ["*Score attribute*: the coordinates have no number %s; %s. Choose another one, or another set."
                    % (self._getAttribute(), "those they have: " + ", ".join(found) if found else "they have none")]
        return []

    def _warnings(self) -> List[str]:
        coordSet = self.inputCoordinates.get()
        if coordSet is None or self.mode.get() != CUT_COUNTS or max(self._getValues()) <= coordSet.getSize():
            return []
        return ["The set has only %s: of a larger number all are taken." % counted(
            coordSet.getSize(), "particle")]

    def _summary(self) -> List[str]:
        outputs = sorted(self.iterOutputAttributes(SetOfCoordinates), key=lambda named: not named[0].startswith(OUTPUT))
        if not outputs:
            return ["No coordinates yet."]
        lines = ["*%s*: %s" % (name, output.getObjComment()) for name, output in outputs]
        missing = len(self.getPossibleOutputs()) - len(self._getCuts())
        return lines + (["Thresholds that no particle reaches: %d (they make no output)" % missing]
                        if missing > 0 else [])

    def _methods(self) -> List[str]:
        return ["Particles were selected by their score (%s)." % output.getObjComment()
                for output in self._getCuts()]

    def _citations(self) -> List[str]:
        return []

    def getPossibleOutputs(self) -> Dict[str, Any]:
        """One set for each value in the form."""
        try:
            number = len(self._getValues())
        except ValueError:
            number = 1
        # Scipion looks the names up in the attribute again.
        self._possibleOutputs = {OUTPUT + "%d" % (index + 1): SetOfCoordinates for index in range(number)}
        return self._possibleOutputs

    # --------------------------- UTILS functions -----------------------------
    def _getCuts(self) -> List[Any]:
        """The outputs that thresholds made."""
        return [output for name, output in self.iterOutputAttributes(SetOfCoordinates) if name.startswith(OUTPUT)]

    def _getAttribute(self) -> str:
        """Attribute that is compared with the thresholds."""
        fixed = {CUT_PROBABILITIES: PROBABILITY, CUT_MODEL: SCORE}
        return fixed.get(self.mode.get()) or str(self.attribute.get() or "").strip()

    def _getScoreName(self) -> str:
        return {SCORE: "score", PROBABILITY: "probability"}.get(self._getAttribute(), self._getAttribute())

    def _getValues(self) -> List[float]:
        """What the form says, strictest first; ValueError with a message if it cannot be read."""
        if self.mode.get() == CUT_MODEL:
            model = self.inputModel.get()
            return [model.getSuggestedThreshold() or 0.0] if model is not None else [0.0]
        numbers = LISTS[self.mode.get()]
        values = readNumbers(getattr(self, numbers.name).get(), numbers)
        return sorted(values, reverse=self.mode.get() in (CUT_SCORES, CUT_PROBABILITIES))
