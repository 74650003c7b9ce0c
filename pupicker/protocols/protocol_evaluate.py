"""Comparison of picks with reference coordinates."""

from __future__ import annotations

import math
from typing import Any, Dict, List

from pwem.objects import SetOfCoordinates
from pwem.protocols import EMProtocol
from pyworkflow.constants import NEW
from pyworkflow.object import Float
from pyworkflow.protocol import params
from pyworkflow.utils import Message

from pupicker.convert.labels import Labels, matchLabels, writeLabels
from pupicker.convert.picks import scoredCoordinates, writePicks
from pupicker.protocols.bases.protocol_base import ProtPuPickerBase
from pupicker.protocols.forms.fields import DIAMETER, diameterErrors
from pupicker.shared.digests import digest_of
from pupicker.shared.json_files import read_json, write_json
from pupicker.shared.plurals import counted, first_of


class ProtPuPickerEvaluate(ProtPuPickerBase, EMProtocol):
    """
    Compares scored picks with reference coordinates: precision, recall, F1 and average precision.

    A pick is a hit if it lies within half the particle diameter of a reference particle that no better pick has taken.
    Only micrographs with reference particles count; a particle on one of them counts whether anything was picked there
    or not. The reference may be on another version of the micrographs: names are matched and positions rescaled.

    The output holds the picks at or above the threshold with the best F1, of all micrographs, with their attributes.
    Picks that have no scores, or one score for all, give one precision and one recall; there is no output then.
    """

    _label = "evaluate"
    _devStatus = NEW
    _possibleOutputs = {"outputCoordinates": SetOfCoordinates}
    RESULTS = {"averagePrecision": "average_precision", "bestF1": "best_f1", "bestThreshold": "best_f1_threshold",
               "precision": "precision_at_best_f1", "recall": "recall_at_best_f1"}

    def __init__(self, **kwargs: Any) -> None:
        EMProtocol.__init__(self, **kwargs)
        for name in self.RESULTS:
            setattr(self, name, Float())

    # --------------------------- DEFINE param functions ----------------------
    def _defineParams(self, form: Any) -> None:
        form.addSection(label=Message.LABEL_INPUT)
        form.addParam("inputCoordinates", params.PointerParam, pointerClass="SetOfCoordinates", important=True,
                      label="Picks",
                      help="Scored coordinates. Pick with a low threshold: the curves cannot go below it, and the "
                           "average precision cannot exceed the recall of the set.")
        form.addParam("referenceCoordinates", params.PointerParam, pointerClass="SetOfCoordinates", important=True,
                      label="Reference",
                      help="All particles of some micrographs. A particle that the reference lacks makes a right pick "
                           "count as false. Only micrographs that have a particle here are counted; to leave some "
                           "out, give a reference without them.")
        DIAMETER.addTo(form, allowsNull=True, important=True, help=(
            "A pick is a hit within half of this distance from a reference particle."))
        form.addParam("scoreAttribute", params.StringParam, default="_pupickerScore",
                      expertLevel=params.LEVEL_ADVANCED, label="Score attribute",
                      help="Attribute of the picks that ranks them, higher is better; for other pickers for example "
                           "_topazScore, _cryoloScore or _rlnAutopickFigureOfMerit. Empty: the picks have none, and "
                           "are compared as a whole.")

    # --------------------------- INSERT steps functions ----------------------
    def _insertAllSteps(self) -> None:
        picks, reference = self.inputCoordinates.get(), self.referenceCoordinates.get()
        inputs = digest_of(self._setDigest(picks), self._setDigest(reference), self.scoreAttribute.get())
        evaluation = digest_of(inputs, self.diameter.get())
        self._insertFunctionStep(self.convertInputStep, inputs, needsGPU=False)
        self._insertFunctionStep(self.evaluateStep, evaluation, needsGPU=False)
        self._insertFunctionStep(self.createOutputStep, evaluation, needsGPU=False)

    # --------------------------- STEPS functions -----------------------------
    def convertInputStep(self, inputs: str) -> List[str]:
        reference = self._matchReference()
        leftOut = writePicks(self.inputCoordinates.get(), self.scoreAttribute.get(), self._getExtraPath("picks.tsv"))
        if leftOut:
            self.warning("Left out, because disabled or without a score: " + counted(leftOut, "pick"))
        writeLabels(reference.points, self._getExtraPath("reference.tsv"))
        write_json(self._getExtraPath("input.json"), {"unmatched": reference.unmatched,
                                                             "scale": reference.scale,
                                                             "disabled": reference.disabled})
        return [self._getExtraPath(name) for name in ("picks.tsv", "reference.tsv", "input.json")]

    def evaluateStep(self, evaluation: str) -> List[str]:
        self._runCore("evaluate", [
            "--picks", self._getExtraPath("picks.tsv"), "--truth", self._getExtraPath("reference.tsv"),
            "--diameter", repr(self.diameter.get()), "--pixel-size", repr(self._getSamplingRate()), "--json",
            "--plot", self._getExtraPath("curves.png"), "--matches", self.getMatchesFile(),
        ], "evaluate", stdout=self._getResultFile())
        return [self.getMatchesFile(), self._getResultFile()]

    def createOutputStep(self, evaluation: str) -> None:
        result, picks = self._getResult(), self.inputCoordinates.get()
        for name, key in self.RESULTS.items():
            getattr(self, name).set(result[key])
        if result["best_f1_threshold"] is None:
            self._store()
            self._emptyOtherOutputs([], "no threshold any more: 0 picks")
            return
        # Scipion stores 15 digits; rounded up, the threshold would leave out the pick that it was taken from.
        threshold = math.floor(result["best_f1_threshold"] * 1e6) / 1e6
        self.bestThreshold.set(threshold)
        self._store()
        output = self._createSetOfCoordinates(picks.getMicrographs(asPointer=True))
        output.copyInfo(picks)
        for coord, score in scoredCoordinates(picks, self.scoreAttribute.get()):
            if score >= threshold:
                output.append(coord.clone())
        output.setObjComment("%s with score >= %0.3g (best F1)" % (counted(output.getSize(), "pick"), threshold))
        self._defineOutputs(outputCoordinates=output)
        self._defineSourceRelation(self.inputCoordinates, output)
        self._defineSourceRelation(self.referenceCoordinates, output)

    # --------------------------- INFO functions ------------------------------
    def _validate(self) -> List[str]:
        errors = diameterErrors(self)
        picks, reference = self.inputCoordinates.get(), self.referenceCoordinates.get()
        for title, coordSet in (("Picks", picks), ("Reference", reference)):
            if coordSet is not None and coordSet.getSize() == 0:
                errors.append("*%s*: the set is empty. Choose another one." % title)
            elif coordSet is not None and coordSet.getMicrographs() is None:
                errors.append("*%s*: its micrographs are gone from the project. Make the set again." % title)
        if errors or picks is None or reference is None:
            return errors
        attribute = self.scoreAttribute.get()
        if attribute and not hasattr(getattr(picks.getFirstItem(), attribute, None), "get"):
            errors.append("*Score attribute*: the picks have no %s. Give the attribute that holds their score, or "
                          "nothing if they have none." % attribute)
        if not self._matchReference().points:
            errors.append("*Reference*: none of its micrographs has the name of a picked one (%s ... against %s ...), "
                          "or several have it. Give a reference for these micrographs."
                          % (reference.getMicrographs().getFirstItem().getMicName(),
                             picks.getMicrographs().getFirstItem().getMicName()))
        return errors

    def _summary(self) -> List[str]:
        result, inputs = self._getResult(), read_json(self._getExtraPath("input.json"))
        if not result or self.bestF1.get() is None:
            return ["No comparison yet."]
        if self.averagePrecision.get() is None:
            lines = ["One point, because nothing ranks the picks: precision *%0.3f*, recall *%0.3f*, F1 *%0.3f*"
                     % (self.precision.get(), self.recall.get(), self.bestF1.get())]
        else:
            lines = ["Average precision: *%0.3f*" % self.averagePrecision.get()]
        if self.bestThreshold.get() is not None:
            lines.append("Best F1: *%0.3f* at score %0.2f (precision %0.3f, recall %0.3f)"
                         % (self.bestF1.get(), self.bestThreshold.get(), self.precision.get(), self.recall.get()))
        if result.get("expected_calibration_error") is not None:
            lines.append("Probabilities are off by *%0.3f* on average (expected calibration error)"
                         % result["expected_calibration_error"])
        lines.append("%s against %s on %s, hits within %0.1f px" % (
            counted(result["picks"], "pick"), counted(result["truth"], "particle"),
            counted(len(result["micrographs"]), "micrograph"), result["match_radius_px"]))
        if abs(inputs.get("scale", 1) - 1) > 1e-6:
            lines.append("The reference was rescaled by %0.4g to the pixels of the picks" % inputs["scale"])
        if inputs.get("unmatched"):
            lines.append("*Reference micrographs left out: %d*, not among the picked ones or of a name that several "
                         "have (%s)"
                         % (len(inputs["unmatched"]), first_of(inputs["unmatched"])))
        if inputs.get("disabled"):
            lines.append("*Disabled coordinates of the reference left out: %d*" % inputs["disabled"])
        return lines

    def _methods(self) -> List[str]:
        if self.bestF1.get() is None:
            return []
        found = "precision %0.3f, recall %0.3f" % (self.precision.get(), self.recall.get())
        if self.averagePrecision.get() is not None:
            found = "average precision %0.3f" % self.averagePrecision.get()
        return ["Picks were compared with reference coordinates (hits within half the diameter of %0.0f Å): %s."
                % (self.diameter.get(), found)]

    # --------------------------- UTILS functions -----------------------------
    def getMatchesFile(self) -> str:
        """Table of hits, false picks and missed particles, in pixels of the picks' micrographs."""
        return self._getExtraPath("matches.tsv")

    def _getResultFile(self) -> str:
        return self._getExtraPath("evaluation.json")

    def getReliability(self) -> List[Dict[str, float]]:
        """Bins of the probability with the share of hits; none if the picks have no probability."""
        return self._getResult().get("reliability") or []

    def _getResult(self) -> Dict[str, Any]:
        return read_json(self._getResultFile())

    def _getSamplingRate(self) -> float:
        return float(self.inputCoordinates.get().getMicrographs().getSamplingRate())

    def _matchReference(self) -> Labels:
        return matchLabels(self.referenceCoordinates.get(), self.inputCoordinates.get().getMicrographs())
