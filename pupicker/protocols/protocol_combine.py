"""Coordinates of several runs or pickers put together."""

from __future__ import annotations

from typing import Any, Dict, List, Set

from pwem.objects import SetOfCoordinates
from pwem.protocols import EMProtocol
from pyworkflow.constants import NEW
from pyworkflow.protocol import params
from pyworkflow.utils import Message

from pupicker.constants import PROBABILITY, SCORES
from pupicker.convert.labels import Labels, matchedMicrographs, matchRows
from pupicker.convert.picks import iterCoordinates, readPicksByMicrograph, writeRows
from pupicker.convert.set_columns import hasColumn
from pupicker.protocols.bases.protocol_base import ProtPuPickerBase
from pupicker.protocols.forms.fields import DIAMETER, OptionField, diameterErrors, fieldErrors
from pupicker.shared import options
from pupicker.shared.digests import digest_of
from pupicker.shared.json_files import read_json, write_json
from pupicker.shared.plurals import counted, first_of

AT_LEAST = OptionField("atLeast", options.AT_LEAST)
DISTANCE = OptionField("distance", options.DISTANCE, "half the diameter")
TITLE = "Coordinates"


class ProtPuPickerCombine(ProtPuPickerBase, EMProtocol):
    """
    Puts the coordinates of several runs or pickers together: each place once, if enough of them have it.

    Picks within half the particle's diameter are of one place; each picker counts once for it, and the result does not
    depend on the order of the sets. A place is the mean of its picks. It carries how many pickers have it
    (__pupickerPickers_), and, if coordinates of _pupicker - pick_ are among them, the combined probability, whose
    log-odds are the score: the mean of the log-odds of all pickers that have probabilities, because they look at the
    same pixels and agree more easily than independent ones would. Without any the score is the mean rank.

    The sets may come from any picker, and be of other versions of the micrographs (downsampled, filtered): names are
    matched and positions rescaled. Micrographs that are not in all sets are left out; one on which a picker found
    nothing is not. Pick generously before: what a picker left out counts against a place as much as its weakest pick.
    """

    _label = "combine"
    _devStatus = NEW
    _possibleOutputs = {"outputCoordinates": SetOfCoordinates}

    # --------------------------- DEFINE param functions ----------------------
    def _defineParams(self, form: Any) -> None:
        form.addSection(label=Message.LABEL_INPUT)
        form.addParam("inputCoordinates", params.MultiPointerParam, pointerClass="SetOfCoordinates", important=True,
                      label=TITLE, minNumObjects=2,
                      help="Two or more sets of coordinates of the same micrographs, one a picker. The output is on "
                           "the micrographs of the first, with its box size.")
        DIAMETER.addTo(form, allowsNull=True, important=True, help=(
            "Longest extent of the particle in Å. Picks within half of it are of one place."))
        AT_LEAST.addTo(form, help=(
            "Places that fewer of the sets have are left out. 1 keeps what any of them has, without duplicates; as "
            "many as there are sets keeps only what all have."))
        DISTANCE.addTo(form, expertLevel=params.LEVEL_ADVANCED, help=(
            "Picks of different sets that are this close are of one place, and no two places of the output are closer. "
            "0 takes half of the diameter."))

    # --------------------------- INSERT steps functions ----------------------
    def _insertAllSteps(self) -> None:
        inputs = digest_of([self._setDigest(coordSet) for coordSet in self._getSets()])
        combination = digest_of(inputs, self.diameter.get(), AT_LEAST.arguments(self), DISTANCE.arguments(self))
        self._insertFunctionStep(self.convertInputStep, inputs, needsGPU=False)
        self._insertFunctionStep(self.combineStep, combination, needsGPU=False)
        self._insertFunctionStep(self.createOutputStep, combination, needsGPU=False)

    # --------------------------- STEPS functions -----------------------------
    def convertInputStep(self, inputs: str) -> List[str]:
        micSet, sets = self._getMicrographs(), self._getSets()
        held = [matchedMicrographs(coordSet.getMicrographs(), micSet) for coordSet in sets]
        common = set.intersection(*held)
        if not common:
            raise Exception("No micrograph is in all sets: names are compared without folders and extensions. Combine "
                            "coordinates of the same micrographs.")
        matched = [self._writeSet(coordSet, common, self._getPicksFile(number)) for number, coordSet in enumerate(sets)]
        left = [mic.getMicName() for mic in micSet if mic.getObjId() not in common]
        write_json(self._getInputFile(), {"left_out": left, "micrographs": len(common),
                                          "unmatched": [labels.unmatched for labels in matched],
                                          "disabled": [labels.disabled for labels in matched]})
        return [self._getPicksFile(number) for number in range(len(sets))] + [self._getInputFile()]

    def _writeSet(self, coordSet: Any, common: Set[int], path: str) -> Labels:
        """The coordinates on these micrographs, with score and probability as far as there are some; with what is left
        out.
        """
        score = next((name for name in SCORES if hasColumn(coordSet.getFileName(), name)), "")
        known = {"score": score, "probability": PROBABILITY if hasColumn(coordSet.getFileName(), PROBABILITY) else ""}
        columns = [column for column, name in known.items() if name]
        matched = matchRows(coordSet, self._getMicrographs(), [known[column] for column in columns])
        rows = matched.points
        complete = all(None not in row for micId in rows for row in rows[micId])
        if not complete:  # some have no number there: then none counts
            rows, columns = {micId: [row[:2] for row in some] for micId, some in rows.items()}, []
        writeRows({micId: some for micId, some in rows.items() if micId in common}, columns, path)
        return matched

    def combineStep(self, combination: str) -> List[str]:
        self._runCore("combine", [
            *(self._getPicksFile(number) for number in range(len(self._getSets()))), "--output", self._getOutputFile(),
            "--diameter", repr(self.diameter.get()), *AT_LEAST.arguments(self), *DISTANCE.arguments(self),
            "--pixel-size", repr(self._getMicrographs().getSamplingRate()), "--json",
        ], "combine", stdout=self._getResultFile())
        return [self._getOutputFile(), self._getResultFile()]

    def createOutputStep(self, combination: str) -> None:
        first = self._getSets()[0]
        output = self._createSetOfCoordinates(first.getMicrographs(asPointer=True))
        output.setBoxSize(first.getBoxSize())
        picks = readPicksByMicrograph(self._getOutputFile())
        for mic in self._getMicrographs():
            for coordinate in iterCoordinates(picks.get(mic.getObjId(), ()), mic):
                output.append(coordinate)
        output.setObjComment("%s of at least %d of %d pickers"
                             % (counted(output.getSize(), "place"), self.atLeast.get(), len(self._getSets())))
        self._defineOutputs(outputCoordinates=output)
        for pointer in self.inputCoordinates:
            self._defineSourceRelation(pointer, output)

    # --------------------------- INFO functions ------------------------------
    def _validate(self) -> List[str]:
        errors = diameterErrors(self) + fieldErrors(self, [AT_LEAST, DISTANCE])
        sets = self._getSets()
        for number, coordSet in enumerate(sets, 1):
            if coordSet.isStreamOpen():
                errors.append("*%s*: set %d is still growing. Wait until the run that makes it has finished, or "
                              "schedule this one." % (TITLE, number))
            elif coordSet.getMicrographs() is None:
                errors.append("*%s*: the micrographs of set %d are gone from the project. Make the set again."
                              % (TITLE, number))
        if len(sets) == 1:
            errors.append("*%s*: there is one set only; give two or more." % TITLE)
        elif sets and (self.atLeast.get() or 0) > len(sets):
            errors.append("*%s*: %d was found, and there are %d sets; give as many or fewer."
                          % (AT_LEAST.label.split(" (")[0], self.atLeast.get(), len(sets)))
        return errors

    def _summary(self) -> List[str]:
        result, output = self._getResult(), getattr(self, "outputCoordinates", None)
        if output is None or not result:
            return ["No coordinates yet."]
        places = {int(number): count for number, count in result["places"].items()}
        lines = ["*%s*" % output.getObjComment()]
        lines += ["Set %d: %s, *%.0f %%* of them shared with another set"
                  % (number, counted(picks, "pick"), 100 * shared / max(1, picks))
                  for number, (picks, shared) in enumerate(zip(result["picks"], result["shared"]), 1)]
        lines.append("Places by number of pickers: %s"
                     % ", ".join("%d: %d" % (number, places[number]) for number in sorted(places)))
        return lines + self._leftOutSummary(read_json(self._getInputFile()))

    @staticmethod
    def _leftOutSummary(inputs: Dict[str, Any]) -> List[str]:
        """What of the sets is in no place."""
        left = inputs.get("left_out", [])
        lines = ["*Micrographs left out: %d*, not in all sets or of a name that several have (%s)"
                 % (len(left), first_of(left))] if left else []
        for number, names in enumerate(inputs.get("unmatched", []), 1):
            if names:
                lines.append("*Micrographs of set %d left out: %d*, not in the first set or of a name that several "
                             "have (%s)" % (number, len(names), first_of(names)))
        for number, disabled in enumerate(inputs.get("disabled", []), 1):
            if disabled:
                lines.append("*Disabled coordinates of set %d left out: %d*" % (number, disabled))
        return lines

    def _methods(self) -> List[str]:
        output = getattr(self, "outputCoordinates", None)
        return [] if output is None else [
            "Coordinates of %d pickers were combined: those within %0.3g Å count as one, and %s kept that at least %s."
            % (len(self._getSets()), self.distance.get() or self.diameter.get() / 2,
               counted(output.getSize(), "place was", "places were"),
               counted(self.atLeast.get(), "picker has", "pickers have"))]

    # --------------------------- UTILS functions -----------------------------
    def _getSets(self) -> List[Any]:
        found = [pointer.get() for pointer in self.inputCoordinates]
        return [coordSet for coordSet in found if coordSet is not None]

    def _getMicrographs(self) -> Any:
        return self._getSets()[0].getMicrographs()

    def _getPicksFile(self, number: int) -> str:
        return self._getExtraPath("picks_%d.tsv" % (number + 1))

    def _getInputFile(self) -> str:
        return self._getExtraPath("input.json")

    def _getOutputFile(self) -> str:
        return self._getExtraPath("combined.tsv")

    def _getResultFile(self) -> str:
        return self._getExtraPath("combined.json")

    def _getResult(self) -> Dict[str, Any]:
        return read_json(self._getResultFile())
