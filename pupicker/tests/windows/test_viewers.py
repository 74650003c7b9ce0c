"""Evaluation as a protocol, and the viewers on the runs of a real project: windows on a virtual screen, used."""

from __future__ import annotations

import ast
import csv
import json
import os
import re
from types import SimpleNamespace
from unittest import mock

import pytest
from matplotlib.figure import Figure

from pupicker.tests.scipion.screen import assert_shows_something, need_screen, pictures_folder, run_on_screen
from pupicker.tests.scipion.workflow import DIAMETER, PARTICLES, WorkflowTestCase

import numpy as np  # isort: skip
import pyworkflow  # isort: skip
from pyworkflow.viewer import DESKTOP_TKINTER  # isort: skip

import pupicker  # isort: skip
from pupicker.constants import THRESHOLD_GIVEN  # isort: skip
from pupicker.protocols import ProtPuPickerEvaluate  # isort: skip
from pupicker.viewers import PuPickerEvaluationViewer, PuPickerModelViewer  # isort: skip
from pupicker.viewers.browser import WindowView  # isort: skip
from pupicker.viewers.viewer_scores import PuPickerScoresViewer  # isort: skip
from pupicker.viewers.model_header import headerRows, readHeader  # isort: skip
from pupicker.viewers.scored_set import ViewerError  # isort: skip
from pupicker.viewers.scores import MOST_POINTS, expected, measuredCurve, thinned  # isort: skip
from pupicker.viewers.viewer_model import cardRows  # isort: skip
from pupicker.viewers.viewer_training import drawCurves  # isort: skip
from pupicker.viewers.viewer_evaluation import FALSE, HIT, MISSED, NOTHING, Matches, readMatches  # isort: skip

BOX = 44
PICTURES = ("model", "training", "evaluation", "one_point", "scores", "gallery")


def test_expectation_of_kept_picks():
    probability = np.array([1.0, 0.5, 0.5, 0.0])
    found = expected(probability, np.array([True, True, False, False]))
    assert found == (1.5, 0.75, 0.75)
    nothing = expected(probability, np.zeros(4, dtype=bool))
    assert nothing.particles == 0 and np.isnan(nothing.precision) and nothing.recall == 0


def test_measured_curve_takes_equal_scores_together():
    cut, precision, recall, f1 = measuredCurve(np.array([1.0, 3.0, 1.0, 2.0]), np.array([True, True, False, False]), 4)
    assert cut.tolist() == [3, 2, 1] and recall.tolist() == [0.25, 0.25, 0.5]
    assert precision.tolist() == [1, 0.5, 0.5] and f1.tolist() == pytest.approx([0.4, 1 / 3, 0.5])


def test_measured_curve_without_picks():
    assert [len(values) for values in measuredCurve(np.zeros(0), np.zeros(0, dtype=bool), 3)] == [0] * 4


def test_curve_that_is_drawn_keeps_its_beginning_and_its_end():
    few, many = thinned(7), thinned(10**6)
    assert few.tolist() == list(range(7)) and thinned(0).tolist() == []
    assert many[:100].tolist() == list(range(100)) and many[-1] == 10**6 - 1
    assert len(many) <= 1.1 * MOST_POINTS and np.diff(many).max() < 1.1 * 10**6 / MOST_POINTS


def test_outcomes_at_a_threshold():
    matches = Matches(*np.array([(1, 2, 3.0, HIT), (1, 2, 1.0, HIT), (1, 2, 3.0, FALSE), (1, 2, 1.0, FALSE),
                                 (1, 2, -np.inf, MISSED)]).T)
    assert matches.outcomeAt(2.0).tolist() == [HIT, MISSED, FALSE, NOTHING, MISSED]
    assert matches.outcomeAt(1.0).tolist() == [HIT, HIT, FALSE, FALSE, MISSED]


def test_the_number_of_particles_that_was_taken_is_drawn():
    """The curve of the training may end elsewhere."""
    figure = Figure()
    curve = [{"stage": "selection", "updates": 10 * n, "loss": 1.0, "validation": 0.5,
              "particles_per_micrograph": 1000.0 + n} for n in range(3)]
    drawCurves(figure, {"curve": curve, "validation": {"best_updates": 20}, "class_prior": 0.01,
                        "particles_per_micrograph": 847.0, "expected_precision": 0.97, "expected_recall": 0.83,
                        "expected_curve": [[1.0, 0.9, 0.8]], "suggested_threshold": 0.5})
    texts = [text.get_text() for axes in figure.axes if axes.get_legend() for text in axes.get_legend().get_texts()]
    assert "taken: 847" in texts
    assert "suggested: 0.50" in texts and len(figure.axes) == 4
    assert figure.axes[3].get_title() == "suggested: precision more than 0.9, recall about 0.8"


def test_what_no_training_has_is_not_drawn():
    """By default nothing is held out: no empty plot, and no stage that finds the length."""
    figure = Figure()
    drawCurves(figure, {"curve": [{"stage": "selection", "updates": 10, "loss": 1.0, "validation": None,
                                   "particles_per_micrograph": 60.0}]})
    assert [axes.get_ylabel() for axes in figure.axes] == ["loss", "particles /\nmicrograph", "expected"]
    assert figure.axes[0].get_legend() is None


class TestViewers(WorkflowTestCase):
    """Two micrographs; trained on all particles of one, picked low on both, compared with all."""

    NAMES = ["mic1.mrc", "mic2.mrc"]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        labels = cls.importCoordinates(cls.mics, {"mic1.mrc": cls.truth["mic1.mrc"]}, BOX)
        cls.reference = cls.importCoordinates(cls.mics, cls.truth, BOX)
        cls.training = cls.launchProtocol(cls.newTraining(labels))
        cls.picking = cls.launchProtocol(
            cls.newPicking(cls.mics, cls.training, thresholdMode=THRESHOLD_GIVEN, threshold=-8.0))
        cls.evaluation = cls.launchProtocol(cls.newEvaluation())
        cls.onePoint = cls.launchProtocol(cls.newEvaluation(scoreAttribute=""))

    @classmethod
    def newEvaluation(cls, **values):
        run = cls.newProtocol(ProtPuPickerEvaluate, **{"diameter": DIAMETER, **values})
        cls.link(run.inputCoordinates, cls.picking, "outputCoordinates")
        cls.link(run.referenceCoordinates, cls.reference, "outputCoordinates")
        return run

    def testEvaluation(self):
        run = self.evaluation
        self.assertGreater(run.averagePrecision.get(), 0.7)
        self.assertTrue(0 < run.precision.get() <= 1 and 0 < run.recall.get() <= 1)
        rows = list(csv.DictReader(self.read(run.getMatchesFile()).decode().splitlines(), delimiter="\t"))
        outcomes = [row["outcome"] for row in rows]
        self.assertEqual(outcomes.count("hit") + outcomes.count("missed"), PARTICLES * len(self.NAMES))
        self.assertEqual(outcomes.count("hit") + outcomes.count("false"), self.picking.outputCoordinates.getSize())
        self.assertTrue(self.read(run._getExtraPath("curves.png")).startswith(b"\x89PNG"))
        self.assertIn("Average precision", run.summary()[0])

        output, threshold = run.outputCoordinates, run.bestThreshold.get()
        scores = [coord._pupickerScore.get() for coord in self.picking.outputCoordinates]
        self.assertEqual(output.getSize(), sum(score >= threshold for score in scores))
        self.assertEqual(output.getBoxSize(), self.picking.outputCoordinates.getBoxSize())
        self.assertEqual(output.getMicrographs().getSize(), len(self.NAMES))
        self.assertTrue(all(coord._pupickerProbability.get() is not None for coord in output))

    def testPicksWithoutScoresAreOnePoint(self):
        run = self.onePoint
        self.assertIsNone(run.averagePrecision.get())
        self.assertIsNone(run.bestThreshold.get())
        self.assertFalse(hasattr(run, "outputCoordinates"))
        self.assertTrue(0 < run.precision.get() < 1 and 0 < run.recall.get() <= 1)
        self.assertIn("One point", run.summary()[0])
        self.assertIn("recall", run._methods()[0])
        matches = readMatches(run.getMatchesFile())
        picks = sum(int((some.outcome != MISSED).sum()) for some in matches.values())
        self.assertEqual(picks, self.picking.outputCoordinates.getSize())
        for some in matches.values():
            self.assertTrue(np.array_equal(some.outcomeAt(-np.inf), some.outcome))

    def testEvaluationSaysWhatIsWrong(self):
        self.assertEqual(self.newEvaluation()._validate(), [])
        for values, expected_text in (
                ({"diameter": -1}, "Particle diameter"), ({"diameter": None}, "Particle diameter"),
                ({"scoreAttribute": "_noScore"}, "_noScore")):
            (message,) = self.newEvaluation(**values)._validate()
            self.assertIn(expected_text, message)

    def testMissingFilesAreSaid(self):
        for viewer, target, expected_text in (
                (PuPickerScoresViewer, self.newEvaluation(), "no coordinates yet"),
                (PuPickerEvaluationViewer, self.newEvaluation(), "no such file"),
                (PuPickerModelViewer, type(self.training.outputModel)("gone.pupicker"), "gone.pupicker")):
            (view,) = viewer(project=self.proj)._visualize(target)
            self.assertIn(expected_text, view.getMessage())
            self.assertEqual(len(view.getMessage().splitlines()), 1)

    def testTheModelFileTellsEverything(self):
        path = self.training.outputModel.getPath()
        rows = dict(headerRows(readHeader(path)))
        self.assertEqual(float(rows["geometry.diameter_ang"]), DIAMETER)
        self.assertEqual(rows["network.name"], self.training.outputModel.getNetwork())
        self.assertEqual(rows["details.labels"], str(self.training.outputModel.getNumberOfLabels()))
        self.assertRegex(rows["details.curve"], r"^\d+ rows?$")
        damaged = os.path.join(self.raw, "damaged.pupicker")
        whole = self.read(path)
        for content in (b"", b"no model", whole[:40], whole[:8] + b"\xff" + whole[9:]):
            with open(damaged, "wb") as stream:
                stream.write(content)
            with self.assertRaisesRegex(ViewerError, "damaged.pupicker: not a model"):
                readHeader(damaged)

    def testWhatIsExpectedOfAModelHasOneDigit(self):
        model = self.training.outputModel
        share = r"(about 0\.\d|more than 0\.9|less than 0\.1)"
        self.assertRegex("\n".join(model.getSummary()), rf"precision {share}, recall {share}; look at the picks")
        self.assertRegex(dict(cardRows(model))["  expected precision there"], f"^{share}$")

    def testForeignCoordinatesAreLeftToOtherViewers(self):
        self.assertTrue(PuPickerScoresViewer.can_handle_this_instance(self.picking.outputCoordinates))
        self.assertFalse(PuPickerScoresViewer.can_handle_this_instance(self.reference.outputCoordinates))

    def testAnEditInAnotherViewerLeavesTheScoresOpen(self):
        """Its set is larger and has no scores."""
        scored, edited = self.picking.outputCoordinates, self.reference.outputCoordinates
        run = SimpleNamespace(iterOutputAttributes=lambda: [("coordinates_2", edited), ("outputCoordinates", scored)])
        with mock.patch.object(type(edited), "getSize", lambda some: 10 ** 6 if some is edited else 5):
            (view,) = PuPickerScoresViewer(project=self.proj)._visualize(run)
        self.assertIsInstance(view, WindowView)

    def testScoredCoordinatesAreShownHereFirst(self):
        domain = pyworkflow.Config.getDomain()
        for coordinates, first in ((self.picking.outputCoordinates, "PuPickerScoresViewer"),
                                   (self.evaluation.outputCoordinates, "PuPickerScoresViewer"),
                                   (self.reference.outputCoordinates, "CoordinateViewer")):
            names = [viewer.__name__ for viewer in domain.findViewers(coordinates, DESKTOP_TKINTER)]
            self.assertEqual(names[0], first)
            self.assertEqual(len(names), len(set(names)))

    def testASetIsShownAsTheInputOfAnotherRun(self):
        picks = self.evaluation.inputCoordinates.get()
        (view,) = PuPickerScoresViewer(project=self.proj, protocol=self.evaluation)._visualize(picks)
        self.assertIsInstance(view, WindowView)

    def testRunsWithoutScoresAreLeftToOtherViewers(self):
        def run(*sets):
            return SimpleNamespace(iterOutputAttributes=lambda: [("outputCoordinates", some) for some in sets])

        scored, foreign = self.picking.outputCoordinates, self.reference.outputCoordinates
        for sets, expected_answer in (((), True), ((scored,), True), ((foreign,), False), ((foreign, scored), True)):
            self.assertEqual(PuPickerScoresViewer.can_handle_this_instance(run(*sets)), expected_answer)
        self.assertTrue(PuPickerScoresViewer.can_handle_this_instance(self.picking))

    def testTheLineOfTheGuideMakesTheScoresThePreferredViewer(self):
        """``scipion3 project`` prefers a viewer of Xmipp for coordinates unless VIEWERS says otherwise."""
        page = os.path.join(os.path.dirname(pupicker.__file__), "..", "docs", "guide", "troubleshooting.md")
        if not os.path.isfile(page):
            self.skipTest("needs the repository: docs are not beside the package")
        with open(page, encoding="utf-8") as stream:
            (line,) = re.findall(r"^VIEWERS = (.+)$", stream.read(), re.MULTILINE)
        domain = pyworkflow.Config.getDomain()
        for viewers, first in (({"SetOfCoordinates": ["pwem.viewers.DataViewer"]}, "DataViewer"),
                               (ast.literal_eval(line), "PuPickerScoresViewer")):
            with mock.patch.object(pyworkflow.Config, "VIEWERS", viewers), \
                    mock.patch.object(domain, "_preferred_viewers", None):
                found = domain.findViewers(self.picking.outputCoordinates, DESKTOP_TKINTER)
                self.assertEqual(found[0].__name__, first)
                if first != "DataViewer":
                    other = domain.findViewers(self.reference.outputCoordinates, DESKTOP_TKINTER)
                    self.assertEqual(other[0].__name__, "CoordinateViewer")

    @pytest.mark.gui
    def testWindows(self):
        need_screen()
        folder = pictures_folder(self.addCleanup)
        run_on_screen("viewers_driver", self.proj.path, folder,
                      *(run.getObjId() for run in (self.picking, self.training, self.evaluation, self.onePoint)))
        with open(os.path.join(folder, "result.json"), encoding="utf-8") as stream:
            result = json.load(stream)
        self.assertEqual(result["viewers"], ["PuPickerModelViewer", "PuPickerTrainingViewer",
                                             "PuPickerEvaluationViewer", "PuPickerEvaluationViewer",
                                             "PuPickerScoresViewer"])
        self.assertIn(f"precision {self.onePoint.precision.get():0.3f}", result["one_point"])
        self.assertEqual(result["all"], self.picking.outputCoordinates.getSize())
        self.assertTrue(result["moved"])
        self.assertTrue(0 < result["kept"] < result["all"])
        self.assertEqual((result["listed"], result["circles"]), (result["kept"], result["here"]))
        made = self.proj.getProtocol(result["run"])
        self.assertTrue(made.isFinished(), result["state"])
        self.assertEqual(result["undone"], 0)
        self.assertIn("1 added, 1 taken away, 1 marked as no particle", result["edits"])
        self.assertEqual(result["corrected"], result["kept"] - 1)  # what the gallery marked scores less
        self.assertEqual(made.outputCoordinates1.getSize(), result["corrected"])
        self.assertEqual(made.outputNegatives.getSize(), result["negatives"])
        self.assertTrue(all(np.isfinite(coord._pupickerScore.get()) for coord in made.outputCoordinates1))
        self.assertEqual(made.outputCoordinates1.getBoxSize(), self.picking.outputCoordinates.getBoxSize())
        self.assertIn(f"{result['corrected']} picks", result["state"])
        assert_shows_something(folder, PICTURES)
