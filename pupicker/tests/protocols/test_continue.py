"""Continue and Restart of a picking: what was picked stays, and what was not is taken up."""

from __future__ import annotations

import os
import shutil
import time

import pytest

from pupicker.tests.scipion.workflow import DIAMETER, HEIGHT, WIDTH, WorkflowTestCase, makeMicrographs

import mrcfile  # isort: skip
import numpy as np  # isort: skip
from pwem.objects import Micrograph, SetOfMicrographs  # isort: skip
from pwem.protocols import ProtUnionSet  # isort: skip
from pyworkflow.object import Pointer  # isort: skip
from pyworkflow.protocol import MODE_RESTART  # isort: skip

from pupicker.constants import BASELINE_DOG, THRESHOLD_GIVEN  # isort: skip
from pupicker.protocols import ProtPuPickerBaseline, ProtPuPickerPick  # isort: skip
from pupicker.protocols.bases.progress_text import pickingProgress  # isort: skip
from pupicker.schedule import updateRun  # isort: skip

TIMEOUT_S = 180


def test_rate_counts_from_this_start():
    assert pickingProgress(10, 20, 60.0, 4).endswith("10 of 20 micrographs that have arrived, 6.0 micrographs a minute")
    assert pickingProgress(4, 20, 60.0, 4).endswith("have arrived")


class TestContinue(WorkflowTestCase):
    """Mostly with the difference of Gaussians, which is quick; each test has micrographs of its own."""

    NAMES = ["mic1.mrc"]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.training = cls.launchProtocol(cls.newTraining(cls.importCoordinates(cls.mics, cls.truth, 44), updates=10))
        _, cls.pair = cls.newMicrographs("pair", ["a.mrc", "b.mrc"])

    @classmethod
    def newMicrographs(cls, name, names=("a.mrc", "b.mrc", "c.mrc")):
        folder = os.path.join(cls.raw, name)
        makeMicrographs(folder, names, seed=11)
        return folder, cls.importMicrographs(folder)

    def newBaseline(self, mics, **values):
        run = self.newProtocol(ProtPuPickerBaseline, **dict(
            {"diameter": DIAMETER, "binThreads": 1, "method": BASELINE_DOG}, **values))
        self.link(run.inputMicrographs, mics, "outputMicrographs")
        return run

    @staticmethod
    def spoil(path):
        shutil.copy(path, path + ".whole")
        with open(path, "r+b") as stream:
            stream.truncate(5000)

    @staticmethod
    def repair(path):
        os.replace(path + ".whole", path)

    @staticmethod
    def tables(run):
        folder = run.getCoordsDir()
        return {name: os.stat(os.path.join(folder, name)).st_mtime_ns for name in os.listdir(folder)}

    def assertWhole(self, run, number):
        """Each of `number` micrographs is counted and in the output, no pick twice."""
        places = [(coord.getMicId(),) + coord.getPosition() for coord in run.outputCoordinates]
        self.assertEqual(len(places), len(set(places)))
        self.assertEqual(len({micId for micId, *_ in places}), number)
        self.assertEqual((run.pickedMicrographs.get(), run.emptyMicrographs.get()), (number, 0))
        self.assertTrue(run.outputCoordinates.isStreamClosed())

    def assertTakenUp(self, folder, run, starts):
        """`run` starts so often with b.mrc broken, and once with it whole."""
        path = os.path.join(folder, "b.mrc")
        self.spoil(path)
        for _ in range(starts):
            self.launchProtocol(run)
            self.assertWhole(run, 2)
            self.assertIn("b.mrc: truncated", "\n".join(run.summary()))
        before = self.tables(run)
        self.repair(path)
        self.launchProtocol(run)
        self.assertWhole(run, 3)
        self.assertNotIn("Quarantined", "\n".join(run.summary()))
        after = self.tables(run)
        self.assertEqual({name: after[name] for name in before}, before)

    @pytest.mark.slow
    def testRepairedMicrographIsTakenUp(self):
        """All in one batch with a model, and each in a batch of its own."""
        folder, mics = self.newMicrographs("repaired")
        self.assertTakenUp(folder, self.newPicking(mics, self.training), 1)
        self.assertTakenUp(folder, self.newBaseline(mics, streamingBatchSize=1), 2)

    def testRunInWhichNothingCanBePickedFails(self):
        folder, mics = self.newMicrographs("spoilt", ["a.mrc", "b.mrc"])
        for name in ("a.mrc", "b.mrc"):
            self.spoil(os.path.join(folder, name))
        run = self.finish(self.newPicking(mics, self.training))
        self.assertOneLineError(run, "None of the 2 micrographs can be picked; the first, a.mrc: truncated")
        self.repair(os.path.join(folder, "a.mrc"))
        self.launchProtocol(run)
        self.assertWhole(run, 1)

    def testAnotherBoxSizeAndADeletedOutputKeepThePicks(self):
        """And a restart picks and counts anew."""
        run = self.launchProtocol(self.newBaseline(self.pair, boxSize=50))
        before = self.tables(run)
        run.boxSize.set(60)
        self.launchProtocol(run)
        self.assertEqual(self.tables(run), before)
        self.assertWhole(run, 2)
        self.assertEqual(run.outputCoordinates.getBoxSize(), 60)
        self.assertIn("box size 60 px", "\n".join(run.summary()))
        run.deleteOutput(run.outputCoordinates)
        self.assertFalse(hasattr(run, "outputCoordinates"))
        self.launchProtocol(run)
        self.assertEqual(self.tables(run), before)
        self.assertWhole(run, 2)
        run.runMode.set(MODE_RESTART)
        self.launchProtocol(run)
        self.assertNotEqual(self.tables(run), before)
        self.assertWhole(run, 2)

    def testAnotherThresholdScoresNothing(self):
        """The picks are cut out of the candidates: the same as a picking with that threshold gives."""
        run = self.launchProtocol(self.newPicking(self.pair, self.training, thresholdMode=THRESHOLD_GIVEN,
                                                  threshold=1.0))
        candidates = {name: os.stat(os.path.join(run.getCandidatesDir(), name)).st_mtime_ns
                      for name in os.listdir(run.getCandidatesDir())}
        self.assertEqual(len(candidates), 2)
        for threshold in (-1.0, 2.0):
            run.threshold.set(threshold)
            self.launchProtocol(run)
            self.assertEqual({name: os.stat(os.path.join(run.getCandidatesDir(), name)).st_mtime_ns
                              for name in os.listdir(run.getCandidatesDir())}, candidates)
            self.assertIn(f"score threshold {threshold:.2f}", "\n".join(run.summary()))
        fresh = self.launchProtocol(self.newPicking(self.pair, self.training, thresholdMode=THRESHOLD_GIVEN,
                                                    threshold=2.0))
        picks = [sorted((coord.getMicId(), coord.getPosition(), coord._pupickerScore.get())
                        for coord in one.outputCoordinates) for one in (run, fresh)]
        self.assertEqual(*picks)
        self.assertGreater(len(picks[0]), 0)
        self.assertEqual(run.pickedMicrographs.get(), 2)
        self.assertTrue(run.outputCoordinates.isStreamClosed())

    @pytest.mark.slow
    def testMasksThatArriveLater(self):
        _, mics = self.newMicrographs("masked")
        masks = os.path.join(self.raw, "later_masks")
        os.makedirs(masks)
        self.writeMask(masks, "b.mrc")
        os.symlink("/nowhere/c.mrc", os.path.join(masks, "other.mrc"))
        run = self.launchProtocol(self.newBaseline(mics, masksFolder=masks))
        self.assertIn("*Micrographs without a mask: 2*", "\n".join(run.summary()))
        before = self.tables(run)
        self.writeMask(masks, "c.mrc")
        self.launchProtocol(run)
        self.assertEqual(self.tables(run), before)
        run.masksFolder.set("")
        self.launchProtocol(run)
        self.assertNotEqual(self.tables(run), before)
        self.assertNotIn("without a mask", "\n".join(run.summary()))

    @staticmethod
    def writeMask(folder, name):
        with mrcfile.new(os.path.join(folder, name), overwrite=True) as mrc:
            mrc.set_data(np.eye(HEIGHT // 4, WIDTH // 4, dtype=np.float32))

    # ------------------------- names -------------------------
    def testEqualNamesAreRefused(self):
        joined = self.newProtocol(ProtUnionSet, renumber=True)
        for mics in (self.pair, self.newMicrographs("second", ["a.mrc", "b.mrc"])[1]):
            joined.inputSets.append(Pointer(mics, extended="outputMicrographs"))
        self.launchProtocol(joined)
        run = self.newProtocol(ProtPuPickerBaseline, diameter=DIAMETER)
        self.link(run.inputMicrographs, joined, "outputSet")
        (message,) = run._validate()
        self.assertIn("several have the same name (a.mrc, b.mrc)", message)
        picking = self.newProtocol(ProtPuPickerPick)
        self.link(picking.inputMicrographs, joined, "outputSet")
        self.assertIn(message, picking._validate())

    def change(self, mics, state, *added):
        """Set the state of a set of micrographs, and append some to it: ``(file, name)``."""
        path = os.path.join(self.proj.path, mics.outputMicrographs.getFileName())
        micSet = SetOfMicrographs(filename=path)
        micSet.loadAllProperties()
        micSet.enableAppend()
        for file, name in added:
            mic = Micrograph(location=file)
            mic.setMicName(name)
            mic.setSamplingRate(micSet.getSamplingRate())
            mic.setAcquisition(micSet.getAcquisition())
            micSet.append(mic)
        micSet.setStreamState(state)
        micSet.write()
        micSet.close()

    @pytest.mark.slow
    def testSetThatGrowsAgain(self):
        """Of two micrographs with one name that arrive in a stream, the summary names the one that is not picked."""
        _, mics = self.newMicrographs("again", ["a.mrc", "b.mrc"])
        run = self.launchProtocol(self.newBaseline(mics, streamingBatchSize=1))
        self.change(mics, SetOfMicrographs.STREAM_OPEN)
        self.proj.launchProtocol(run, wait=False)
        time.sleep(12)
        updateRun(self.proj, run)
        self.assertTrue(run.isActive(), "it did not wait for more micrographs")
        makeMicrographs(os.path.join(self.raw, "more"), ["c.mrc", "d.mrc"], seed=5)
        self.change(mics, SetOfMicrographs.STREAM_CLOSED, (os.path.join(self.raw, "more", "c.mrc"), "c.mrc"),
                    (os.path.join(self.raw, "more", "d.mrc"), "a.mrc"))
        deadline = time.time() + TIMEOUT_S
        while run.isActive() and time.time() < deadline:
            time.sleep(1)
            updateRun(self.proj, run)
        self.assertTrue(run.isFinished(), run.getErrorMessage())
        self.assertWhole(run, 3)
        self.assertIn("*Micrographs that were not picked: 1* (a.mrc)", "\n".join(run.summary()))

    # ------------------------- messages -------------------------
    def testMethodsWithoutTheModel(self):
        self.assertEqual(self.newProtocol(ProtPuPickerPick)._getThresholdText(), "that of the model")

    def testNegativeBatchSize(self):
        for value in (-1, None):
            run = self.newBaseline(self.mics)
            run.streamingBatchSize.set(value)
            (message,) = run._validate()
            self.assertIn("Batch size", message)
