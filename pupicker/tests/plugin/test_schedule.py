"""pupicker.schedule: what waits in vain is named, the others go on, and other runs of the project do not count."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from pupicker.tests.protocols.test_threshold import complete
from pupicker.tests.scipion.workflow import WorkflowTestCase

from pwem.protocols import ProtCreateStreamData, ProtSubSet  # isort: skip
from pyworkflow.protocol import STATUS_FINISHED, STATUS_SAVED  # isort: skip

from pupicker.protocols import ProtPuPickerImportModel, ProtPuPickerThreshold  # isort: skip
from pupicker.schedule import updateRun  # isort: skip

TIMEOUT_S = 300


class TestSchedule(WorkflowTestCase):
    """A threshold that no particle reaches makes no output: the run that wants it would wait for ever."""

    NAMES = ["mic1.mrc"]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.scored = cls.importCoordinates(cls.mics, cls.truth, 44, complete)
        path = os.path.join(cls.raw, "broken.pupicker")
        with open(path, "w") as stream:
            stream.write("no model")
        cls.old = cls.finish(cls.newProtocol(ProtPuPickerImportModel, modelPath=path))

    def saved(self, protocolClass, pointer, source, output, **values):
        """A run that waits to be started."""
        run = self.newProtocol(protocolClass, **values)
        self.link(getattr(run, pointer), source, output)
        self.proj.saveProtocol(run)
        return run

    def schedule(self, *options):
        done = subprocess.run([sys.executable, "-m", "pupicker.schedule", self.proj.getShortName(), *options],
                              capture_output=True, text=True, timeout=TIMEOUT_S)
        states = {run.getObjId(): run.getStatus() for run in self.proj.getRuns(refresh=True)}
        return done, states

    def testARunThatScipionTookForDeadIsLookedAtAgain(self):
        """As when it ends after Scipion has read what it wrote and before it looks for the process."""
        run = self.proj.getProtocol(self.scored.getObjId())
        run.setFailed("Process 1 not found running on the machine.")
        self.proj.mapper.store(run)
        self.assertTrue(run.isFailed())
        updateRun(self.proj, run)
        self.assertTrue(run.isFinished())
        self.assertTrue(self.proj.getProtocol(run.getObjId(), fromRuns=False).isFinished())
        said = self.old.getErrorMessage()
        updateRun(self.proj, self.old)
        self.assertTrue(self.old.isFailed())
        self.assertEqual(self.old.getErrorMessage(), said)

    def testARunWhoseProcessWasKilledHasFailed(self):
        run = self.newProtocol(ProtCreateStreamData, setof=1, nDim=20, creationInterval=3, numberOfMpi=1)
        self.link(run.inputMics, self.mics, "outputMicrographs")
        self.proj.launchProtocol(run, wait=False)
        deadline = time.time() + TIMEOUT_S
        while not (run.isRunning() and run.getPid()) and time.time() < deadline:
            time.sleep(0.2)
            updateRun(self.proj, run)
        os.kill(run.getPid(), signal.SIGKILL)
        while run.isActive() and time.time() < deadline:
            time.sleep(0.1)
            updateRun(self.proj, run)
        self.assertTrue(run.isFailed())
        self.assertIn("not found running", run.getErrorMessage())

    def chain(self):
        """Thresholds 50, which nothing reaches, and -1; one run for each of the outputs, and one after the first."""
        cut = self.saved(ProtPuPickerThreshold, "inputCoordinates", self.scored, "outputCoordinates", scores="50 -1")
        subsets = [self.saved(ProtSubSet, "inputFullSet", cut, output, chooseAtRandom=True, nElements=3)
                   for output in ("outputCoordinates1", "outputCoordinates2")]
        follows = self.saved(ProtSubSet, "inputFullSet", subsets[0], "outputCoordinates", chooseAtRandom=True,
                             nElements=2)
        return cut, subsets, follows

    def assertOthersWentOn(self, done, states, cut, subsets, follows):
        self.assertTrue(self.old.isFailed())
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        lines = [line for line in done.stderr.splitlines() if line.startswith("pupicker.schedule: error:")]
        self.assertEqual(len(lines), 2, done.stderr)
        self.assertIn(f"run {subsets[0].getObjId()} ", lines[0])
        self.assertIn("has made no outputCoordinates1", lines[0])
        self.assertIn(f"run {follows.getObjId()} ", lines[1])
        self.assertEqual([states[run.getObjId()] for run in (cut, subsets[1])], [STATUS_FINISHED] * 2)

    @pytest.mark.slow
    def testAtOnce(self):
        runs = self.chain()
        self.assertOthersWentOn(*self.schedule("--wait"), *runs)

    def testOneByOne(self):
        runs = self.chain()
        done, states = self.schedule("--one-by-one")
        self.assertOthersWentOn(done, states, *runs)
        self.assertEqual([states[run.getObjId()] for run in (runs[1][0], runs[2])], [STATUS_SAVED] * 2)
        for run in (runs[1][0], runs[2]):  # else the other test would start them
            self.proj.deleteProtocol(run)
