"""Micrographs that still arrive, that cannot be read, and runs that were interrupted."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time

import pytest

from pupicker.tests.scipion.core_processes import serving
from pupicker.tests.scipion.workflow import TrainedTestCase, makeMicrographs

from pwem.protocols import ProtCreateStreamData  # isort: skip

from pupicker.convert.micrographs import linkName, micIdsIn  # isort: skip
from pupicker.protocols import ProtPuPickerPreprocess  # isort: skip
from pupicker.schedule import updateRun  # isort: skip

TIMEOUT_S = 180


class TestStreaming(TrainedTestCase):

    def testStreamThatGrows(self):
        stream = self.newProtocol(ProtCreateStreamData, setof=1, nDim=4, creationInterval=4, numberOfMpi=1)
        self.link(stream.inputMics, self.mics, "outputMicrographs")
        self.proj.launchProtocol(stream, wait=False)
        self._waitOutput(stream, "outputMicrographs", sleepTime=1, timeOut=TIMEOUT_S)
        picking = self.newPicking(stream, self.training)  # a batch that is not full does not wait
        self.proj.launchProtocol(picking, wait=False)
        sizes = []
        deadline = time.time() + TIMEOUT_S
        while picking.isActive() and time.time() < deadline:
            time.sleep(1)
            updateRun(self.proj, picking)
            if hasattr(picking, "outputCoordinates"):
                sizes.append(picking.outputCoordinates.getSize())
        self.assertTrue(picking.isFinished(), picking.getErrorMessage())
        truth = {os.path.basename(mic.getFileName()): self.truth[self.NAMES[mic.getObjId() - 1]]
                 for mic in stream.outputMicrographs}
        self.assertEqual(len(truth), 4)
        self.assertPicksAreSound(picking, truth)
        self.assertEqual(sizes, sorted(sizes))
        self.assertLess(sizes[0], sizes[-1])  # there was an output to work with before the end
        counted = json.loads(self.read(picking._getExtraPath("counters.json")))
        self.assertEqual((counted["micrographs"], counted["picks"]), (4, picking.outputCoordinates.getSize()))
        self.assertGreater(counted["latency_s_median"], 0)
        self.assertLess(counted["null_level_median"], counted["score_median"])
        self.assertIn("Score of the background", "\n".join(picking.summary()))

    @pytest.mark.slow
    def testWorkerThatIsKilled(self):
        """Its process is killed after every second micrograph: nothing is lost, nothing doubled, nothing set aside."""
        stream = self.newProtocol(ProtCreateStreamData, setof=1, nDim=8, creationInterval=2, numberOfMpi=1)
        self.link(stream.inputMics, self.mics, "outputMicrographs")
        self.proj.launchProtocol(stream, wait=False)
        self._waitOutput(stream, "outputMicrographs", sleepTime=1, timeOut=TIMEOUT_S)
        picking = self.newPicking(stream, self.training)
        self.proj.launchProtocol(picking, wait=False)
        tables, killed, deadline = os.path.join(self.proj.path, picking.getCoordsDir()), [], time.time() + TIMEOUT_S
        while picking.isActive() and time.time() < deadline:
            time.sleep(0.2)
            done = len(micIdsIn(tables, ".tsv"))
            for pid in serving(self.proj.path, picking._getExtraPath()) if done >= 2 * len(killed) + 1 else ():
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)
            updateRun(self.proj, picking)
        self.assertTrue(picking.isFinished(), picking.getErrorMessage())
        self.assertGreaterEqual(len(set(killed)), 2)
        places = [(coord.getMicId(),) + coord.getPosition() for coord in picking.outputCoordinates]
        self.assertEqual((len(places), len({micId for micId, *_ in places})), (len(set(places)), 8))
        self.assertEqual(picking.pickedMicrographs.get(), 8)
        self.assertNotIn("Quarantined", "\n".join(picking.summary()))
        self.assertEqual(serving(self.proj.path, picking._getExtraPath()), [])

    @pytest.mark.slow
    def testStopEndsTheProcessThatPicks(self):
        """And Continue ends with the same picks as a run that was not stopped."""
        run = self.newPicking(self.mics, self.training, streamingBatchSize=1)
        self.proj.launchProtocol(run, wait=False)
        deadline = time.time() + TIMEOUT_S
        while not serving(self.proj.path, run._getExtraPath()):
            self.assertLess(time.time(), deadline)
            time.sleep(0.1)
            updateRun(self.proj, run)
        self.proj.stopProtocol(run)
        self.assertTrue(run.isAborted())
        while serving(self.proj.path, run._getExtraPath()):
            self.assertLess(time.time(), deadline)
            time.sleep(0.1)
        self.launchProtocol(run)
        self.assertEqual(sorted((c.getMicId(), c.getPosition()) for c in run.outputCoordinates),
                         sorted((c.getMicId(), c.getPosition()) for c in self.picking.outputCoordinates))

    def corrupted(self, name):
        """An import whose second of three micrographs is cut off afterwards."""
        folder = os.path.join(self.raw, name)
        truth = makeMicrographs(folder, ["a.mrc", "b.mrc", "c.mrc"], seed=11)
        run = self.importMicrographs(folder)
        with open(os.path.join(folder, "b.mrc"), "r+b") as stream:
            stream.truncate(5000)
        return run, truth

    def testUnreadableMicrographIsSetAside(self):
        mics, truth = self.corrupted("pick")
        rest = {name: truth[name] for name in ("a.mrc", "c.mrc")}
        for batchSize in (16, 1):
            run = self.launchProtocol(self.newPicking(mics, self.training, streamingBatchSize=batchSize))
            self.assertPicksAreSound(run, rest)
            summary = "\n".join(run.summary())
            self.assertIn("in 2 micrographs", summary)
            self.assertIn("Quarantined micrographs: 1", summary)
            self.assertIn("b.mrc: truncated", summary)

    def testUnreadableMicrographDoesNotStopTraining(self):
        mics, truth = self.corrupted("train")
        run = self.launchProtocol(self.newTraining(self.importCoordinates(mics, truth, 44)))
        self.assertIn("b.mrc", "\n".join(run.summary()))
        small = self.newProtocol(ProtPuPickerPreprocess, diameter=120.0, numberOfThreads=1)
        self.link(small.inputMicrographs, mics, "outputMicrographs")
        self.launchProtocol(small)
        self.assertEqual([mic.getMicName() for mic in small.outputMicrographs], ["a.mrc", "c.mrc"])
        self.assertIn("b.mrc", "\n".join(small.summary()))

    def testInterruptedPickingGoesOn(self):
        """The model is spoilt before the run and whole again for Continue; what was picked stays."""
        model = self.training.outputModel.getPath()
        shutil.copy(model, model + ".whole")
        self.addCleanup(os.replace, model + ".whole", model)
        run = self.newPicking(self.mics, self.training, streamingBatchSize=2)
        with open(model, "r+b") as stream:
            stream.truncate(100)
        self.finish(run)
        self.assertOneLineError(run, "pupicker pick: error:")
        shutil.copy(model + ".whole", model)
        self.launchProtocol(run)
        self.assertEqual(sorted((c.getMicId(), c.getPosition()) for c in run.outputCoordinates),
                         sorted((c.getMicId(), c.getPosition()) for c in self.picking.outputCoordinates))

    def testPickedTablesAreNotPickedAgain(self):
        """After a crash between picking and ticking off, the tables in extra are read, not made again."""
        run = self.picking
        before = {name: os.stat(os.path.join(run.getCoordsDir(), name)).st_mtime_ns
                  for name in os.listdir(run.getCoordsDir())}
        positions = sorted((c.getMicId(), c.getPosition()) for c in run.outputCoordinates)
        shutil.rmtree(run._getExtraPath("DONE"))
        os.remove(run.getStepsFile())
        lost = linkName(2) + ".tsv"
        os.remove(os.path.join(run.getCoordsDir(), lost))
        self.launchProtocol(run)
        after = {name: os.stat(os.path.join(run.getCoordsDir(), name)).st_mtime_ns
                 for name in os.listdir(run.getCoordsDir())}
        self.assertEqual(set(after), set(before))
        self.assertEqual([name for name in after if after[name] != before[name]], [lost])
        self.assertEqual(sorted((c.getMicId(), c.getPosition()) for c in run.outputCoordinates), positions)
