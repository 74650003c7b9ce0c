"""Scored coordinates cut at thresholds, in a real project."""

from __future__ import annotations

import json
import math
import os

import numpy as np

from pupicker.tests.scipion.workflow import PARTICLES, WorkflowTestCase

from pyworkflow.object import RELATION_SOURCE, Float, Integer, String  # isort: skip
from pyworkflow.protocol import MODE_RESUME  # isort: skip

from pupicker.constants import (  # isort: skip
    CUT_COUNTS, CUT_FRACTIONS, CUT_MODEL, CUT_PROBABILITIES, CUT_SCORES, PROBABILITY, SCORE,
)
from pupicker.convert.micrographs import linkName  # isort: skip
from pupicker.objects import PuPickerModel  # isort: skip
from pupicker.viewers.scored_set import readScoredSet  # isort: skip
from pupicker.protocols import ProtPuPickerEvaluate, ProtPuPickerImportModel, ProtPuPickerThreshold  # isort: skip
from pupicker.protocols.forms.thresholds import scoreThresholds  # isort: skip

BOX = 44
LEVELS = 16  # so that several particles share a score


def scoreOf(number):
    """A score in no order that repeats: -4, -3.5, ... 3.5."""
    return (number * 7 % LEVELS - LEVELS / 2) / 2


def complete(coord, number):
    """What picking writes, and what another picker might."""
    score = scoreOf(number)
    setattr(coord, SCORE, Float(score))
    setattr(coord, PROBABILITY, Float(1 / (1 + math.exp(-score))))
    coord._cryoloScore = Float(number / 100)
    coord._topazScore = Float(None if number % 10 == 0 else number)
    coord._rlnClassNumber = Integer(number % 3)
    coord._note = String(f"n{number}")


class TestThreshold(WorkflowTestCase):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.scored = cls.importCoordinates(cls.mics, cls.truth, BOX, complete)
        cls.total = len(cls.NAMES) * PARTICLES
        cls.byNumber = {coord._note.get(): coord.clone() for coord in cls.scored.outputCoordinates}

    @classmethod
    def newCut(cls, **values):
        run = cls.newProtocol(ProtPuPickerThreshold, **values)
        cls.link(run.inputCoordinates, cls.scored, "outputCoordinates")
        return run

    def cut(self, **values):
        """Run to the end; the outputs by name."""
        run = self.launchProtocol(self.newCut(**values))
        return run, dict(run.iterOutputAttributes())

    def assertCut(self, output, expected):
        """`output` holds exactly the particles that `expected(coordinate)` says, complete."""
        self.assertEqual({coord._note.get() for coord in output},
                         {note for note, coord in self.byNumber.items() if expected(coord)})
        self.assertEqual(output.getBoxSize(), BOX)
        self.assertTrue(output.isStreamClosed())
        self.assertEqual(output.getMicrographs().getObjId(), self.mics.outputMicrographs.getObjId())
        for coord in output:
            self.assertEqual(coord.getObjDict(), self.byNumber[coord._note.get()].getObjDict())
            self.assertEqual(coord.getObjId(), self.byNumber[coord._note.get()].getObjId())
        self.assertTrue(output.getObjComment().endswith(f": {output.getSize()} particles"))

    def testScoresInAnyOrderMakeNestedSets(self):
        run, outputs = self.cut(mode=CUT_SCORES, scores="-1, 3;9 1")
        self.assertEqual(sorted(outputs), ["outputCoordinates2", "outputCoordinates3", "outputCoordinates4"])
        for name, least in (("outputCoordinates2", 3), ("outputCoordinates3", 1), ("outputCoordinates4", -1)):
            self.assertCut(outputs[name], lambda coord, least=least: coord._pupickerScore.get() >= least)
        notes = [{coord._note.get() for coord in output} for output in outputs.values()]
        self.assertTrue(notes[0] < notes[1] < notes[2])
        self.assertIn("score ≥ 1:", outputs["outputCoordinates3"].getObjComment())
        self.assertIn("no particle reaches: 1", "\n".join(run.summary()))
        self.assertIn("score ≥ 1:", "\n".join(run.methods()))
        children = [row["object_child_id"] for row in run.mapper.getRelationsByName(RELATION_SOURCE)]
        self.assertLessEqual({output.getObjId() for output in outputs.values()}, set(children))

    def testCountsKeepTiesTogether(self):
        numbers = [1, 7, 40, 1000]
        _, outputs = self.cut(mode=CUT_COUNTS, counts=" ".join(map(str, numbers)))
        scores = sorted((scoreOf(number) for number in range(self.total)), reverse=True)
        self.assertEqual(len(outputs), 4)
        for number, output in zip(numbers, outputs.values(), strict=True):
            least = scores[min(number, self.total) - 1]
            self.assertCut(output, lambda coord, least=least: coord._pupickerScore.get() >= least)
            self.assertGreaterEqual(output.getSize(), min(number, self.total))
        self.assertEqual([output.getSize() for output in outputs.values()], [5, 10, 40, self.total])

    def testFractions(self):
        _, outputs = self.cut(mode=CUT_FRACTIONS, fractions="1 0.25", attribute="_cryoloScore")
        self.assertEqual([output.getSize() for output in outputs.values()], [self.total // 4, self.total])
        self.assertCut(outputs["outputCoordinates1"], lambda coord: coord._cryoloScore.get() >= 0.6)
        self.assertIn("_cryoloScore ≥ 0.6:", outputs["outputCoordinates1"].getObjComment())

    def testProbabilities(self):
        _, outputs = self.cut(mode=CUT_PROBABILITIES, probabilities="0.5 0.9")
        self.assertCut(outputs["outputCoordinates1"], lambda coord: coord._pupickerProbability.get() >= 0.9)
        self.assertCut(outputs["outputCoordinates2"], lambda coord: coord._pupickerProbability.get() >= 0.5)

    def testParticlesWithoutScoreAreLeftOut(self):
        _, outputs = self.cut(mode=CUT_COUNTS, counts="500", attribute="_topazScore")
        self.assertCut(outputs["outputCoordinates1"], lambda coord: coord._topazScore.get() is not None)
        self.assertEqual(outputs["outputCoordinates1"].getSize(), self.total * 9 // 10)

    def testWhatWasPutByHandWithoutAScoreIsKept(self):
        """Where there is no model, as after picking without labels: the window shows it, and every set keeps it."""
        def byHand(coord, number):
            complete(coord, number)
            if number in (3, 20):
                setattr(coord, SCORE, Float(None))
                setattr(coord, PROBABILITY, Float(None))
        source = self.importCoordinates(self.mics, self.truth, BOX, byHand)
        data = readScoredSet(source.outputCoordinates)
        self.assertEqual(int(np.isinf(data.score).sum()), 2)
        self.assertEqual(data.highestScore(), 3.5)
        run = self.newProtocol(ProtPuPickerThreshold, mode=CUT_SCORES, scores="3.5 -4")
        self.link(run.inputCoordinates, source, "outputCoordinates")
        self.launchProtocol(run)
        for output in (run.outputCoordinates1, run.outputCoordinates2):
            self.assertEqual(sum(coord._pupickerScore.get() is None for coord in output), 2)

    def testWeakerPicksHaveOneIdInAllSets(self):
        run = self.newCut(mode=CUT_SCORES, scores="-5 -7")
        folder = run.getProject().getTmpPath("weaker")
        os.makedirs(folder, exist_ok=True)
        for micId, scores in ((1, (-4.5, -6.0)), (2, (-4.25,))):
            rows = "".join(f"{linkName(micId)}\t{20 + n}\t30\t{score}\t0.1\n" for n, score in enumerate(scores))
            with open(os.path.join(folder, linkName(micId) + ".tsv"), "w", encoding="utf-8") as stream:
                stream.write("micrograph\tx\ty\tscore\tprobability\n" + rows)
        run.candidates.set(folder)
        self.launchProtocol(run)
        first, second = ({coord.getObjId(): coord._pupickerScore.get() for coord in output}
                         for output in (run.outputCoordinates1, run.outputCoordinates2))
        self.assertEqual((len(first), len(second)), (self.total + 2, self.total + 3))
        self.assertLess(first.items(), second.items())

    def testAnEvaluationLeavesThemOutToo(self):
        run = self.newProtocol(ProtPuPickerEvaluate, diameter=BOX, scoreAttribute="_topazScore")
        self.link(run.inputCoordinates, self.scored, "outputCoordinates")
        self.link(run.referenceCoordinates, self.scored, "outputCoordinates")
        self.launchProtocol(run)
        self.assertEqual(run.recall.get(), 0.9)
        self.assertEqual(run.outputCoordinates.getSize(), self.total * 9 // 10)
        with open(run.getStdoutLog(), encoding="utf-8") as stream:
            self.assertIn(f"Left out, because disabled or without a score: {self.total // 10} picks", stream.read())
        run.scoreAttribute.set("")  # and Continue: there is no best threshold any more
        self.launchProtocol(run)
        self.assertEqual(run.outputCoordinates.getSize(), 0)

    def testThresholdOfTheModel(self):
        model = PuPickerModel("model.pupicker")
        open(model.getPath(), "w").close()  # tests run in the folder of the project
        model._suggestedThreshold.set(0.75)
        source = self.newProtocol(ProtPuPickerImportModel, modelPath=model.getPath())
        self.saveProtocol(source)
        source._defineOutputs(outputModel=model)
        source._store()
        run = self.newCut(mode=CUT_MODEL)
        self.link(run.inputModel, source, "outputModel")
        self.launchProtocol(run)
        self.assertCut(run.outputCoordinates1, lambda coord: coord._pupickerScore.get() >= 0.75)

    def testUnknownAttributeIsNamedWithTheOthers(self):
        (message,) = self.newCut(attribute="_zScore")._validate()
        for part in ("_zScore", "_cryoloScore", "_pupickerScore", "_topazScore"):
            self.assertIn(part, message)
        self.assertNotIn("_note", message)
        self.assertNotIn("_micId", message)

    def testMoreThanThereAreIsAnnounced(self):
        (warning,) = self.newCut(mode=CUT_COUNTS, counts="5 1000")._warnings()
        self.assertIn(f"only {self.total} particles", warning)
        self.assertEqual(self.newCut(mode=CUT_COUNTS, counts="5")._warnings(), [])

    def testGrowingSetIsRefused(self):
        coordSet = self.scored.outputCoordinates
        coordSet.setStreamState(coordSet.STREAM_OPEN)
        try:
            (message,) = self.newCut()._validate()
        finally:
            coordSet.setStreamState(coordSet.STREAM_CLOSED)
        self.assertIn("still growing", message)

    def testNothingIsLeft(self):
        self.assertOneLineError(self.finish(self.newCut(scores="5 4")), "No particle has a score of 4 or more")

    def testContinueWithFewerThresholds(self):
        run, _ = self.cut(scores="2 0 -2")
        run.scores.set("1")
        run.runMode.set(MODE_RESUME)
        self.launchProtocol(run)
        outputs = dict(run.iterOutputAttributes())
        self.assertEqual([output.getSize() > 0 for output in outputs.values()], [True, False, False])
        self.assertEqual(list(outputs["outputCoordinates3"]), [])
        self.assertCut(outputs["outputCoordinates1"], lambda coord: coord._pupickerScore.get() >= 1)
        self.assertIn("score ≥ 1:", "\n".join(run.summary()))

    def correct(self, name="corrections.json", **kinds):
        """A file of corrections of the first micrograph; its best picks, x, y and score."""
        micId = self.byNumber["n0"].getMicId()
        picks = sorted(((*coord.getPosition(), scoreOf(number)) for number, coord in (
            (int(note[1:]), coord) for note, coord in self.byNumber.items()) if coord.getMicId() == micId),
            key=lambda pick: -pick[2])
        places = {kind: make(picks) for kind, make in kinds.items()}
        with open(name, "w", encoding="utf-8") as stream:
            json.dump({"schema": 1, "diameter_px": 30.0, "micrographs": {str(micId): places}}, stream)
        return name, picks

    def testWhatWasCorrectedIsSaid(self):
        """Nothing is blank or said twice, and the numbers add up."""
        path, _ = self.correct(
            added=lambda picks: [[3, 3]], removed=lambda picks: [picks[0][:2]], moved_from=lambda picks: [picks[1][:2]],
            moved=lambda picks: [[picks[1][0] + 5, picks[1][1]]], not_particles=lambda picks: [[2, 200]])
        run, outputs = self.cut(scores="1", corrections=path)
        above = sum(coord._pupickerScore.get() >= 1 for coord in self.byNumber.values())
        size = outputs["outputCoordinates1"].getSize()
        self.assertEqual(size, above)
        said = f"score ≥ 1 and corrections by hand ({above - 2} at or above it; 1 added, 1 moved, 1 taken away)" \
               f": {size} particles"
        self.assertEqual(run.summary(), [f"*outputCoordinates1*: {said}",
                                         "*outputNegatives*: marked as no particle by hand: 1 place"])
        self.assertEqual(run._methods(), [f"Particles were selected by their score ({said})."])

    def testALeftOutMicrographIsSaid(self):
        path, _ = self.correct(excluded=lambda picks: [[0, 0]], added=lambda picks: [[3, 3]])
        run, outputs = self.cut(scores="-9", corrections=path)
        self.assertEqual(outputs["outputCoordinates1"].getSize(), self.total - PARTICLES)
        self.assertIn(f"({self.total - PARTICLES} at or above it; 1 micrograph left out)", run.summary()[0])

    def testWhatIsPutByHandReplacesPicksOfTheList(self):
        """Also weaker ones, that were not shown when it was put there."""
        path, picks = self.correct(added=lambda picks: [[picks[-1][0] + 9, picks[-1][1]]],
                                   not_particles=lambda picks: [[picks[-2][0], picks[-2][1] + 6]])
        _, outputs = self.cut(scores="-9", corrections=path)
        positions = [coord.getPosition() for coord in outputs["outputCoordinates1"]
                     if coord.getMicId() == self.byNumber["n0"].getMicId()]
        self.assertIn((picks[-1][0] + 9, picks[-1][1]), positions)
        for x, y, _ in picks[-2:]:
            self.assertNotIn((x, y), positions)
        self.assertEqual(len(positions), PARTICLES - 1)

    def testCorrectionsThatAreGoneAreNamed(self):
        (message,) = self.newCut(corrections="gone.json")._validate()
        self.assertIn("gone.json", message)

    def testShareOfASmallSet(self):
        scores = [float(number) for number in range(100, 0, -1)]
        self.assertEqual(scoreThresholds(CUT_FRACTIONS, [0.001, 0.07, 1], scores), [100, 94, 1])
