"""Cross-validation in a real project: what it finds, what it says, what it keeps, and its window's table."""

from __future__ import annotations

import os
import shutil
from unittest import mock

from pupicker.tests.scipion.workflow import DIAMETER, TrainedTestCase

import pyworkflow as pw  # isort: skip
from matplotlib.figure import Figure  # isort: skip

from pupicker.constants import NETWORK_CHOICES  # isort: skip
from pupicker.protocols import ProtPuPickerCrossValidate  # isort: skip


class TestCrossValidation(TrainedTestCase):
    """Labels on three of four micrographs; two folds, two lengths of training."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.comparison = cls.launchProtocol(cls.newRun("updates=1,30"))

    @classmethod
    def newRun(cls, grid, **values):
        values = dict({"diameter": DIAMETER, "validationFraction": 0.0, "useGpu": False, "numberOfThreads": 1,
                       "folds": 2, "grid": grid, "startMode": 1,
                       "network": NETWORK_CHOICES.index("conv31")}, **values)
        run = cls.newProtocol(ProtPuPickerCrossValidate, **values)
        cls.link(run.inputCoordinates, cls.labels, "outputCoordinates")
        return run

    def resultFiles(self):
        folder = os.path.join(self.proj.path, self.comparison._getExtraPath("cross_validation", "folds"))
        return {name: os.stat(os.path.join(folder, name)).st_mtime_ns for name in os.listdir(folder)}

    def test1BestOptions(self):
        table = self.comparison.getTable()
        self.assertEqual([cell["cell"] for cell in table["cells"]], ["updates=1", "updates=30"])
        self.assertGreater(table["cells"][1]["average_precision"], table["cells"][0]["average_precision"])
        self.assertEqual(self.comparison.bestOptions.get(), "updates=30")
        self.assertEqual(len(table["cells"][0]["folds"]), 2)
        self.assertTrue(os.path.exists(self.comparison.getFigurePath()))
        self.assertEqual(list(self.comparison.iterOutputAttributes()), [])

    def test2Summary(self):
        summary = "\n".join(self.comparison.summary())
        self.assertIn("Best: *updates=30*", summary)
        self.assertIn("pupicker train", summary)
        self.assertIn(f"[[{os.path.abspath(self.comparison.getFigurePath())}]", summary)
        self.assertIn("2-fold cross-validation", "\n".join(self.comparison.methods()))

    def test3ViewerShowsWhatWasFound(self):
        from pupicker.viewers.viewer_cross_validation import PuPickerCrossValidationViewer, drawCells, tableRows

        table = self.comparison.getTable()
        figure = Figure()
        drawCells(figure, dict(table, cells=table["cells"] + [{"cell": "x=1", "failed": "why"}]))
        left, _ = figure.axes
        self.assertEqual([text.get_text() for text in left.get_yticklabels()], ["updates=1", "updates=30"])
        self.assertEqual([row[0] for row in tableRows(table)], ["updates=1", "updates=30"])
        self.assertEqual(tableRows(table)[1][-1], "best")
        failed = dict(table, cells=[{"cell": "x=1", "failed": "why"}])
        self.assertEqual(tableRows(failed), [("x=1", "failed", "", "", "why")])
        viewers = pw.Config.getDomain().findViewers(self.comparison, "tkinter")
        self.assertEqual([viewer.__name__ for viewer in viewers if viewer.__name__.startswith("PuPicker")],
                         [PuPickerCrossValidationViewer.__name__])

    def test4ContinueTrainsWhatIsMissing(self):
        before = self.resultFiles()
        self.comparison.grid.set("updates=1,2,30")
        self.launchProtocol(self.comparison)
        after = self.resultFiles()
        self.assertEqual(len(after), len(before) + 2)
        self.assertEqual({name: after[name] for name in before}, before)
        self.assertEqual(len(self.comparison.getTable()["cells"]), 3)

    def test4MasksAreHandedOver(self):
        masks = os.path.join(self.raw, "masks")
        os.makedirs(masks)
        shutil.copy(os.path.join(self.raw, self.NAMES[1]), os.path.join(masks, "mic2_mask.mrc"))
        run = self.newRun("updates=1,2", masksFolder=masks)
        self.proj.saveProtocol(run)
        run.makePathsAndClean()
        run.convertInputStep("")
        with mock.patch.object(run, "_runCore") as core:
            run.trainStep("")
        arguments = list(map(str, core.call_args[0][1]))
        folder = arguments[arguments.index("--masks") + 1]
        self.assertEqual(os.listdir(folder), ["mic000002.mrc"])

    def test5WrongFields(self):
        for values, words in (({"grid": "updates"}, "updates=400,800"),
                              ({"grid": "=3"}, "of its own"),
                              ({"grid": "updatez=1,2"}, "there is no option updatez; do you mean updates?"),
                              ({"grid": "objective=foo"}, "must be one of"),
                              ({"folds": 1}, "Folds"), ({"diameter": -1.0}, "Particle diameter")):
            run = self.newRun(values.get("grid", "updates=1,2"), **{k: v for k, v in values.items() if k != "grid"})
            self.assertIn(words, "\n".join(run.validate()))
        run = self.finish(self.newRun("updates=1\nupdates=2"))
        self.assertTrue(run.isFailed())
        self.assertIn("given twice", run.getErrorMessage())
