"""A session: micrographs and labels that arrive while it picks, a model that is trained on the way."""

from __future__ import annotations

import os
import time

from pupicker.tests.scipion.workflow import DIAMETER, WorkflowTestCase

from pwem.objects import Coordinate, SetOfCoordinates  # isort: skip
from pwem.protocols import ProtCreateStreamData, ProtImportCoordinates  # isort: skip

from pupicker.constants import PROBABILITY, THRESHOLD_GIVEN  # isort: skip
from pupicker.protocols import ProtPuPickerLive  # isort: skip
from pupicker.protocols.bases.versions import Versions, chosenMicrographs, labelRows  # isort: skip
from pupicker.schedule import updateRun  # isort: skip

TIMEOUT_S = 240
BOX = 44


def test_what_is_new_is_trained_once(tmp_path):
    versions = Versions(str(tmp_path))
    rows = labelRows({1: [(10.0, 20.0), (30.0, 40.5)], 7: [(1.0, 2.0)]})
    assert sorted(rows)[0] == "mic000001\t10.000\t20.000"
    assert not versions.enough(rows, 4, last=False) and versions.enough(rows, 3, last=False)
    assert versions.enough(rows, 4, last=True) and not versions.enough(set(), 4, last=True)
    versions.writeLabels(1, rows)
    open(versions.modelPath(1), "w").close()
    versions.takeUp(1, len(rows))
    assert Versions(str(tmp_path)).used == 1 and Versions(str(tmp_path)).shown == 0
    assert not versions.enough(rows, 1, last=True)
    more = rows | {"mic000009\t5.000\t5.000"}
    assert versions.enough(more, 2, last=True) and not versions.enough(more, 2, last=False)
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


class TestLive(WorkflowTestCase):

    def waitFor(self, run, condition):
        deadline = time.time() + TIMEOUT_S
        while not condition():
            self.assertLess(time.time(), deadline, run.summary())
            self.assertFalse(run.isFailed(), run.getErrorMessage())
            time.sleep(1)
            updateRun(self.proj, run)

    @staticmethod
    def writeLabels(path, mics, points):
        coordSet = SetOfCoordinates(filename=path)
        coordSet.setBoxSize(BOX)
        for mic in mics:
            for x, y in points(mic):
                coord = Coordinate(x=x, y=y)
                coord.setMicrograph(mic)
                coordSet.append(coord)
        coordSet.write()
        coordSet.close()

    def testLabelsThatArriveWhileItPicks(self):
        """It begins with the general model; then there are labels: a version is trained, and all is picked with it."""
        stream = self.newProtocol(ProtCreateStreamData, setof=1, nDim=4, creationInterval=2, numberOfMpi=1)
        self.link(stream.inputMics, self.mics, "outputMicrographs")
        self.proj.launchProtocol(stream, wait=False)
        self._waitOutput(stream, "outputMicrographs", sleepTime=1, timeOut=TIMEOUT_S)
        path = os.path.join(self.raw, "later.sqlite")
        labels = self.newProtocol(ProtImportCoordinates, importFrom=ProtImportCoordinates.IMPORT_FROM_SCIPION,
                                  filesPath=path, filesPattern="", boxSize=BOX)
        self.link(labels.inputMicrographs, stream, "outputMicrographs")
        self.saveProtocol(labels)  # it makes its output later
        run = self.newProtocol(ProtPuPickerLive, diameter=DIAMETER, updates=12, useGpu=False, binThreads=1)
        self.link(run.inputMicrographs, stream, "outputMicrographs")
        self.link(run.inputLabels, labels, "outputCoordinates")
        self.assertEqual(run.getInputStatus()[2], False)
        self.proj.launchProtocol(run, wait=False)
        self.waitFor(run, lambda: run.hasAttribute("outputCoordinates") and run.pickedMicrographs.get() == 4)
        self.assertTrue(run.isActive())  # it waits for the labels
        first = run.outputCoordinates.getFirstItem()
        self.assertFalse(first.hasAttribute(PROBABILITY))
        general = run.outputCoordinates.getSize()
        updateRun(self.proj, stream)
        points = {mic.getObjId(): self.truth[self.NAMES[mic.getObjId() - 1]] for mic in stream.outputMicrographs}
        self.writeLabels(path, stream.outputMicrographs,
                         lambda mic: points[mic.getObjId()][:12] if mic.getObjId() < 4 else ())
        self.launchProtocol(labels)
        self.waitFor(run, lambda: not run.isActive())
        self.assertTrue(run.isFinished(), run.getErrorMessage())
        self.assertEqual(run.outputModel1.getNumberOfLabels(), 36)
        self.assertTrue(run.outputModel1.exists())
        self.assertFalse(run.hasAttribute("outputModel2"))
        self.assertEqual(run.getPickingModel().getPath(), run.outputModel1.getPath())
        truth = {os.path.basename(mic.getFileName()): points[mic.getObjId()] for mic in stream.outputMicrographs}
        self.assertPicksAreSound(run, truth)  # every pick has a probability: none is of the general model
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
