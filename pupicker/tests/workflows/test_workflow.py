"""The whole way in a real project: import, train, pick, filter; other pixel sizes; changed parameters; failures."""

from __future__ import annotations

import os
import shutil

from pupicker.tests.scipion.workflow import DIAMETER, PARTICLES, PIXEL_SIZE, TrainedTestCase, foundFraction

from pwem.protocols import ProtSetFilter  # isort: skip
from pyworkflow.object import RELATION_SOURCE, RELATION_TRANSFORM  # isort: skip

from pupicker.convert.micrographs import micIdOf  # isort: skip
from pupicker.convert.labels import rescale  # isort: skip
from pupicker.constants import (  # isort: skip
    NETWORK_DEFAULT,
    PUPICKER_PYTHON,
    START_MODEL,
    THRESHOLD_GIVEN,
)
from pupicker.protocols import ProtPuPickerImportModel, ProtPuPickerPreprocess  # isort: skip

BOX = 44


class TestWorkflow(TrainedTestCase):

    def testModel(self):
        model = self.training.outputModel
        self.assertTrue(model.exists())
        self.assertFalse(os.path.isabs(model.getPath()))
        self.assertEqual(model.getFiles(), {model.getPath()})
        self.assertEqual(model.getDiameterAng(), DIAMETER)
        self.assertEqual(model.getNumberOfLabels(), 36)
        self.assertEqual(model.getObjective(), "ge-binomial")
        self.assertTrue(0 < model.getClassPrior() < 1)
        self.assertTrue(0 <= model.getAveragePrecision() <= 1)
        self.assertIn("120 Å", str(model))

    def testTrainingTellsWhatItDid(self):
        summary = "\n".join(self.training.summary())
        self.assertIn("Labels: 36 on 3 micrographs", summary)
        self.assertIn("120 Å", summary)
        self.assertNotIn("Quarantined", summary)
        self.assertIn("[Bepler2019]", "\n".join(self.training.methods()))
        self.assertIn("Bepler2019", self.training._citations())
        sources = self.training.mapper.getRelationsByName(RELATION_SOURCE)
        self.assertIn(self.training.outputModel.getObjId(), [row["object_child_id"] for row in sources])

    def testTemporaryFilesAreGone(self):
        left = os.listdir(self.training._getExtraPath())
        self.assertNotIn("input", left)
        self.assertIn("labels.tsv", left)
        self.assertEqual([name for name in left if name.endswith("_outcome.json")], [])
        self.assertEqual([name for name in os.listdir(self.picking._getExtraPath()) if name.startswith("batch_")], [])

    def testPicks(self):
        self.assertPicksAreSound(self.picking, self.truth)
        unseen = {self.NAMES[3]: self.truth[self.NAMES[3]]}
        self.assertGreaterEqual(foundFraction(self.picking.outputCoordinates, unseen), 0.85)

    def testPickingTellsWhatItDid(self):
        summary = "\n".join(self.picking.summary())
        self.assertIn("in 4 micrographs", summary)
        self.assertNotIn("No micrograph has a single pick", summary)
        self.assertIn("[Bepler2019]", "\n".join(self.picking.methods()))

    def testFilterByScore(self):
        picks = self.picking.outputCoordinates
        median = sorted(coord._pupickerScore.get() for coord in picks)[picks.getSize() // 2]
        run = self.newProtocol(ProtSetFilter, operation=ProtSetFilter.CHOICE_FORMULA,
                               formula=f"item._pupickerScore.get() > {median!r}")
        self.link(run.inputSet, self.picking, "outputCoordinates")
        self.launchProtocol(run)
        (_, kept), = run.iterOutputAttributes()
        self.assertEqual(kept.getSize(), sum(coord._pupickerScore.get() > median for coord in picks))
        self.assertTrue(0 < kept.getSize() < picks.getSize())

    def testHighThresholdRaisesTheAlarm(self):
        run = self.newPicking(self.mics, self.training, thresholdMode=THRESHOLD_GIVEN, threshold=1e6)
        self.launchProtocol(run)
        self.assertEqual(run.outputCoordinates.getSize(), 0)
        self.assertIn("No micrograph has a single pick", "\n".join(run.summary()))

    def testPlacesThatAreNoParticles(self):
        """Marked on a labelled micrograph and on one without labels: only the former can be used."""
        marked = {name: [(x + 30, y) for x, y in self.truth[name][:5]] for name in (self.NAMES[0], self.NAMES[3])}
        negatives = self.importCoordinates(self.mics, marked, BOX)
        run = self.newTraining(self.labels)
        self.link(run.inputNegatives, negatives, "outputCoordinates")
        self.launchProtocol(run)
        self.assertEqual(len(self.read(run._getExtraPath("negatives.tsv")).decode().splitlines()), 1 + 5)
        self.assertIn('"negatives": 5', self.read(run._getExtraPath("train_report.json")).decode())
        elsewhere = self.newTraining(self.labels)
        others = self.importCoordinates(self.mics, {self.NAMES[3]: marked[self.NAMES[3]]}, BOX)
        self.link(elsewhere.inputNegatives, others, "outputCoordinates")
        self.assertIn("none lies on a labelled micrograph", " ".join(elsewhere._validate()))

    def testTrainingGoesOnFromAnEarlierModel(self):
        run = self.newTraining(self.labels, startMode=START_MODEL)
        self.assertIn("Earlier model", " ".join(run._validate()))
        self.link(run.startModel, self.training, "outputModel")
        own = run.network.get()
        run.network.set(NETWORK_DEFAULT)
        (error,) = run._validate()
        self.assertIn("network conv31", error)
        run.network.set(own)
        self.launchProtocol(run)
        report = self.read(run._getExtraPath("train_report.json")).decode()
        self.assertIn(self.training.outputModel.getPath(), report)

    def testWarnings(self):
        self.assertEqual(self.newTraining(self.labels)._warnings(), [])
        (warning,) = self.newTraining(self.labels, diameter=12.0)._warnings()
        self.assertIn("box size", warning)

    # ------------------------- other pixel sizes -------------------------
    def testLabelsFromDownsampledMicrographs(self):
        """Hand-picked on preprocessed micrographs, trained and picked on the original ones."""
        small = self.newProtocol(ProtPuPickerPreprocess, pixelMode=1, targetPixelSize=8.0, numberOfThreads=1)
        self.link(small.inputMicrographs, self.mics, "outputMicrographs")
        self.launchProtocol(small)
        micSet = small.outputMicrographs
        self.assertEqual(micSet.getSize(), len(self.NAMES))
        self.assertAlmostEqual(micSet.getSamplingRate(), 8.0, delta=0.1)
        self.assertEqual([mic.getMicName() for mic in micSet], self.NAMES)
        self.assertTrue(all(os.path.exists(mic.getFileName()) for mic in micSet))
        transforms = small.mapper.getRelationsByName(RELATION_TRANSFORM)
        self.assertIn(micSet.getObjId(), [row["object_child_id"] for row in transforms])

        factor = PIXEL_SIZE / micSet.getSamplingRate()
        points = {name: [(round(rescale(x, factor)), round(rescale(y, factor))) for x, y in some]
                  for name, some in self.truth.items()}
        labels = self.importCoordinates(small, points, BOX // 2)
        training = self.launchProtocol(self.newTraining(labels, self.mics))
        self.assertIn("rescaled by 2", "\n".join(training.summary()))
        table = self.read(training._getExtraPath("labels.tsv")).decode()
        centres = [line.split("\t") for line in table.splitlines()[1:]]
        self.assertEqual(len(centres), PARTICLES * len(self.NAMES))
        for link, x, y in centres:
            name = self.NAMES[micIdOf(link) - 1]
            offsets = [max(abs(float(x) - px), abs(float(y) - py)) for px, py in self.truth[name]]
            self.assertLessEqual(min(offsets), 1.01)  # half a pixel of the small image
        picking = self.launchProtocol(self.newPicking(self.mics, training))
        self.assertPicksAreSound(picking, self.truth)

    def testOtherNamesAreRefused(self):
        folder = os.path.join(self.raw, "renamed")
        os.makedirs(folder)
        shutil.copy(os.path.join(self.raw, self.NAMES[0]), os.path.join(folder, "other.mrc"))
        run = self.newTraining(self.labels, self.importMicrographs(folder))
        (message,) = run._validate()
        self.assertIn("other.mrc", message)
        self.assertIn(self.NAMES[0], message)

    # ------------------------- models -------------------------
    def importModel(self, path):
        return self.finish(self.newProtocol(ProtPuPickerImportModel, modelPath=path))

    def testImportedModelIsACopyAndPicks(self):
        source = os.path.join(self.raw, "it's a (model).pupicker")
        shutil.copy(self.training.outputModel.getPath(), source)
        run = self.importModel(source)
        os.remove(source)
        self.assertTrue(run.isFinished(), run.getErrorMessage())
        model = run.outputModel
        self.assertTrue(model.exists() and not os.path.islink(model.getPath()))
        for get in ("getDiameterAng", "getWorkingPixelSizeAng", "getBoxSizeAng", "getMinDistanceAng", "getClassPrior",
                    "getNumberOfLabels", "getAveragePrecision", "getSuggestedThreshold", "getObjective", "getNetwork"):
            self.assertEqual(getattr(model, get)(), getattr(self.training.outputModel, get)(), get)
        picking = self.launchProtocol(self.newPicking(self.mics, run))
        self.assertEqual([c.getPosition() for c in picking.outputCoordinates],
                         [c.getPosition() for c in self.picking.outputCoordinates])

    def testWhatIsNoModelIsRefusedInOneLine(self):
        path = os.path.join(self.raw, "notes.pupicker")
        with open(path, "w") as stream:
            stream.write("these are not weights")
        self.assertOneLineError(self.importModel(path), f"pupicker info: error: {path}: ")

    def testKilledChildIsReported(self):
        """As when the machine runs out of memory: no word from the process itself."""
        path = os.path.join(self.raw, "dying_python")
        with open(path, "w") as stream:
            stream.write("#!/bin/sh\nkill -9 $$\n")
        os.chmod(path, 0o755)
        before = os.environ.get(PUPICKER_PYTHON)
        self.addCleanup(lambda: os.environ.pop(PUPICKER_PYTHON) if before is None
                        else os.environ.update({PUPICKER_PYTHON: before}))
        os.environ[PUPICKER_PYTHON] = path  # the run is a process of its own and reads it anew
        self.assertOneLineError(self.importModel(self.training.outputModel.getPath()), "ended from outside")

    def testMicrographIsNoModel(self):
        path = os.path.join(self.raw, self.NAMES[0])
        self.assertOneLineError(self.importModel(path), f"{path}: not a pupicker model")

    # ------------------------- changed parameters -------------------------
    def testContinueTrainsAgainOnlyWhatChanged(self):
        run = self.launchProtocol(self.newTraining(self.labels, updates=6))
        labels = os.stat(run._getExtraPath("labels.tsv")).st_mtime_ns
        first = self.read(run.outputModel.getPath())
        self.launchProtocol(run)  # nothing changed: nothing runs
        self.assertEqual(self.read(run.outputModel.getPath()), first)
        run.updates.set(9)
        self.launchProtocol(run)
        self.assertNotEqual(self.read(run.outputModel.getPath()), first)
        self.assertEqual(os.stat(run._getExtraPath("labels.tsv")).st_mtime_ns, labels)
        self.assertEqual(run.outputModel.getNumberOfLabels(), 36)

    def testContinueCutsAgainWithAnotherThreshold(self):
        run = self.newPicking(self.mics, self.training, thresholdMode=THRESHOLD_GIVEN, threshold=-2.0, boxSize=50)
        self.launchProtocol(run)
        scores = sorted(coord._pupickerScore.get() for coord in run.outputCoordinates)
        self.assertEqual(run.outputCoordinates.getBoxSize(), 50)
        run.threshold.set(scores[len(scores) // 2])
        run.boxSize.set(60)
        self.launchProtocol(run)
        again = [coord._pupickerScore.get() for coord in run.outputCoordinates]
        self.assertTrue(0 < len(again) < len(scores))
        self.assertEqual(len(again), run.outputCoordinates.getSize())
        self.assertGreaterEqual(min(again), run.threshold.get() - 1e-3)
        self.assertEqual(run.outputCoordinates.getBoxSize(), 60)
        self.assertIn("in 4 micrographs", "\n".join(run.summary()))
        before = sorted((c.getMicId(), c.getPosition()) for c in run.outputCoordinates)
        self.launchProtocol(run)  # nothing changed: nothing is appended
        self.assertEqual(sorted((c.getMicId(), c.getPosition()) for c in run.outputCoordinates), before)
