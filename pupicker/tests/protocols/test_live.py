"""A session: micrographs and labels that arrive while it picks, a model that is trained on the way."""

from __future__ import annotations

import os
import time

import pytest

from pupicker.tests.scipion.workflow import DIAMETER, TrainedTestCase, WorkflowTestCase, makeMicrographs

from pwem.objects import Coordinate, SetOfCoordinates  # isort: skip
from pwem.protocols import ProtCreateStreamData, ProtImportCoordinates  # isort: skip

from pupicker.constants import PROBABILITY, THRESHOLD_GIVEN  # isort: skip
from pupicker.convert.micrographs import micIdsIn  # isort: skip
from pupicker.convert.set_columns import readColumns  # isort: skip
from pupicker.protocols import ProtPuPickerLive  # isort: skip
from pupicker.protocols.bases.versions import Versions, chosenMicrographs, labelRows  # isort: skip
from pupicker.schedule import updateRun  # isort: skip

TIMEOUT_S = 240
BOX = 44


def test_what_is_new_is_trained_once(tmp_path):
    versions = Versions(str(tmp_path))
    rows = labelRows({1: [(10.0, 20.0), (30.0, 40.5)], 7: [(float(x), 2.0) for x in range(10)]})
    assert sorted(rows)[0] == "mic000001\t10.000\t20.000"
    assert not versions.enough(rows, 13, last=False) and versions.enough(rows, 12, last=False)
    assert versions.enough(rows, 13, last=True) and not versions.enough(set(sorted(rows)[:9]), 13, last=True)
    versions.writeLabels(1, rows)
    open(versions.modelPath(1), "w").close()
    versions.takeUp(1, len(rows))
    assert Versions(str(tmp_path)).used == 1 and Versions(str(tmp_path)).shown == 0
    assert not versions.enough(rows, 1, last=True)
    more = rows | {"mic000009\t5.000\t5.000"}
    assert versions.enough(more, 1, last=False) and not versions.enough(more, 2, last=True)
    versions.fail(more, "no memory.")
    again = Versions(str(tmp_path))
    assert not again.enough(more, 1, last=True) and again.enough(more | {"mic000009\t6.000\t5.000"}, 1, last=True)
    assert "no memory. It is tried again" in again.summary()[-1]
    os.remove(versions.modelPath(1))
    assert Versions(str(tmp_path)).used == 0


def test_micrographs_to_learn_from_are_spread_evenly():
    rows = labelRows({number: [(1.0, 1.0)] * 3 for number in range(1, 11)})
    assert chosenMicrographs(rows, 20) == [f"mic{number:06d}" for number in range(1, 11)]
    assert chosenMicrographs(rows, 3) == ["mic000001", "mic000004", "mic000007"]


class LaterLabels:
    """What tests share: a run that makes labels and is started later."""

    def waitFor(self, run, condition):
        deadline = time.time() + TIMEOUT_S
        while not condition():
            self.assertLess(time.time(), deadline, run.summary())
            self.assertFalse(run.isFailed(), run.getErrorMessage())
            time.sleep(1)
            updateRun(self.proj, run)

    @staticmethod
    def inOutput(run, name="_micId"):
        """What the file of the output says now; a set that stays open would keep the run from writing."""
        path = run.outputCoordinates.getFileName() if run.hasAttribute("outputCoordinates") else ""
        return (readColumns(path, [name])[0] if path else None) or []

    def waitForPicks(self, run, number):
        """Until so many micrographs are in the output; how many picks it holds."""
        self.waitFor(run, lambda: len(set(self.inOutput(run))) == number)
        return len(self.inOutput(run))

    def newLabels(self, micsRun, path):
        """A run that is saved; its file is written by :meth:`launchLabels`."""
        run = self.newProtocol(ProtImportCoordinates, importFrom=ProtImportCoordinates.IMPORT_FROM_SCIPION,
                               filesPath=path, filesPattern="", boxSize=BOX)
        self.link(run.inputMicrographs, micsRun, "outputMicrographs")
        self.saveProtocol(run)
        return run

    def launchLabels(self, run, mics, points):
        """Import `points` (by the id of the micrograph)."""
        coordSet = SetOfCoordinates(filename=run.filesPath.get())
        coordSet.setBoxSize(BOX)
        for mic in mics:
            for x, y in points.get(mic.getObjId(), ()):
                coord = Coordinate(x=x, y=y)
                coord.setMicrograph(mic)
                coordSet.append(coord)
        coordSet.write()
        coordSet.close()
        self.launchProtocol(run)

    def newLive(self, micsRun, labelsRun, **values):
        values = dict({"diameter": DIAMETER, "updates": 12, "useGpu": False, "binThreads": 1}, **values)
        run = self.newProtocol(ProtPuPickerLive, **values)
        self.link(run.inputMicrographs, micsRun, "outputMicrographs")
        self.link(run.inputLabels, labelsRun, "outputCoordinates")
        return run


class TestLive(LaterLabels, WorkflowTestCase):

    def testLabelsThatArriveWhileItPicks(self):
        """It begins with the general model; then there are labels: a version is trained, and all is picked with it."""
        stream = self.newProtocol(ProtCreateStreamData, setof=1, nDim=4, creationInterval=2, numberOfMpi=1)
        self.link(stream.inputMics, self.mics, "outputMicrographs")
        self.proj.launchProtocol(stream, wait=False)
        self._waitOutput(stream, "outputMicrographs", sleepTime=1, timeOut=TIMEOUT_S)
        labels = self.newLabels(stream, os.path.join(self.raw, "later.sqlite"))
        run = self.newLive(stream, labels)
        self.assertEqual(run.getInputStatus()[2], False)
        self.proj.launchProtocol(run, wait=False)
        general = self.waitForPicks(run, 4)
        self.assertTrue(run.isActive())  # it waits for the labels
        updateRun(self.proj, stream)
        points = {mic.getObjId(): self.truth[self.NAMES[mic.getObjId() - 1]] for mic in stream.outputMicrographs}
        self.launchLabels(labels, stream.outputMicrographs, {micId: points[micId][:12] for micId in (1, 2, 3)})
        self.waitFor(run, lambda: not run.isActive())
        self.assertTrue(run.isFinished(), run.getErrorMessage())
        self.assertEqual(run.outputModel1.getNumberOfLabels(), 36)
        self.assertTrue(run.outputModel1.exists())
        self.assertFalse(run.hasAttribute("outputModel2"))
        self.assertEqual(run.getPickingModel().getPath(), run.outputModel1.getPath())
        truth = {os.path.basename(mic.getFileName()): points[mic.getObjId()] for mic in stream.outputMicrographs}
        self.assertPicksAreSound(run, truth)
        self.assertEqual(run.pickedMicrographs.get(), 4)
        summary = "\n".join(run.summary())
        self.assertIn("*Version 1*: 36 labels", summary)
        self.assertIn(f"picks of 4 micrographs: {general / 4:.1f} a micrograph before", summary)
        self.assertIn(" % of those before stay", summary)
        self.anotherThresholdScoresNothing(run)

    def anotherThresholdScoresNothing(self, run):
        tables = {name: os.stat(os.path.join(run.getCandidatesDir(), name)).st_mtime_ns
                  for name in os.listdir(run.getCandidatesDir())}
        scores = sorted(coord._pupickerScore.get() for coord in run.outputCoordinates)
        run.thresholdMode.set(THRESHOLD_GIVEN)
        run.threshold.set(round(scores[len(scores) // 2], 3))
        self.launchProtocol(run)
        left = sorted(coord._pupickerScore.get() for coord in run.outputCoordinates)
        self.assertEqual(left, [score for score in scores if score >= run.threshold.get()])
        self.assertEqual({name: os.stat(os.path.join(run.getCandidatesDir(), name)).st_mtime_ns
                          for name in os.listdir(run.getCandidatesDir())}, tables)
        self.assertFalse(run.hasAttribute("outputModel2"))


class TestLiveAgain(LaterLabels, TrainedTestCase):
    """With a model to begin with; runs that are stopped, and trainings that fail."""

    def newLiveWithModel(self, micsRun, labelsRun):
        run = self.newLive(micsRun, labelsRun)
        self.link(run.inputModel, self.training, "outputModel")
        return run

    @pytest.mark.slow
    def testStoppedWhileItPicksAgain(self):
        """The output is of the first model until Continue has exchanged all of it."""
        labels = self.newLabels(self.mics, os.path.join(self.raw, "again.sqlite"))
        run = self.newLiveWithModel(self.mics, labels)
        self.proj.launchProtocol(run, wait=False)
        before = self.waitForPicks(run, 4)
        self.assertEqual(len(self.inOutput(run, PROBABILITY)), before)
        points = {mic.getObjId(): self.truth[mic.getMicName()][:12] for mic in self.mics.outputMicrographs}
        self.launchLabels(labels, self.mics.outputMicrographs, points)
        extra, deadline = os.path.join(self.proj.path, run._getExtraPath()), time.time() + TIMEOUT_S
        while not micIdsIn(os.path.join(extra, "version_1", "picks"), ".tsv"):
            self.assertLess(time.time(), deadline)
            time.sleep(0.1)
        self.proj.stopProtocol(run)
        self.assertEqual((Versions(extra).shown, len(self.inOutput(run))), (0, before))
        self.launchProtocol(run)
        self.assertEqual((Versions(extra).used, Versions(extra).shown), (1, 1))
        self.assertEqual(run.outputModel1.getNumberOfLabels(), 48)
        self.assertPicksAreSound(run, self.truth)
        self.assertEqual(run.pickedMicrographs.get(), 4)
        picking = self.newPicking(self.mics, run)
        self.link(picking.inputModel, run, "outputModel1")
        self.launchProtocol(picking)
        self.assertEqual(*[sorted((coord.getMicId(), coord.getPosition()) for coord in one.outputCoordinates)
                           for one in (run, picking)])

    @pytest.mark.slow
    def testTrainingThatFailsLeavesThePicks(self):
        """The labelled micrographs are broken when it begins; the run keeps the picks that it has, and says so."""
        folder = os.path.join(self.raw, "broken")
        truth = makeMicrographs(folder, ["a.mrc", "b.mrc"], seed=3)
        mics = self.importMicrographs(folder)
        labels = self.newLabels(mics, os.path.join(self.raw, "of_broken.sqlite"))
        run = self.newLiveWithModel(mics, labels)
        self.proj.launchProtocol(run, wait=False)
        self.waitForPicks(run, 2)
        for name in truth:
            os.truncate(os.path.join(folder, name), 3000)
        self.launchLabels(labels, mics.outputMicrographs,
                          {mic.getObjId(): truth[mic.getMicName()] for mic in mics.outputMicrographs})
        self.waitFor(run, lambda: not run.isActive())
        self.assertTrue(run.isFinished(), run.getErrorMessage())
        self.assertIn("*A training failed*: pupicker train: error", "\n".join(run.summary()))
        self.assertGreater(run.outputCoordinates.getSize(), 0)
        self.assertFalse(run.hasAttribute("outputModel1"))
