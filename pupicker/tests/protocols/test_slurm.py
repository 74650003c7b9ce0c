"""Runs through a real Slurm, with the blocks of the page for facilities as Scipion's hosts.conf."""

from __future__ import annotations

import json
import os
import shutil
import signal
import tempfile
import time
import unittest
from pathlib import Path

import pytest

from pupicker.tests.scipion.core_processes import running, serving
from pupicker.tests.scipion.slurm_cluster import SlurmCluster, guide_blocks, missing_programs
from pupicker.tests.scipion.workflow import TrainedTestCase

from pupicker.schedule import updateRun  # isort: skip
from pupicker.shared.json_files import read_json  # isort: skip

TIMEOUT_S = 300
MANY_UPDATES = 20000


@pytest.mark.slow
class TestSlurm(TrainedTestCase):
    FORKED = False  # what Slurm ends are the processes that its job has started

    @classmethod
    def setUpClass(cls):
        if missing_programs():
            raise unittest.SkipTest(f"needs Slurm (slurm-wlm, munge): no {missing_programs()[0]}")
        if not guide_blocks("ini"):
            raise unittest.SkipTest("needs the repository: docs is not beside the package")
        cls.cluster = SlurmCluster(Path(tempfile.mkdtemp(prefix="pupicker_slurm_")))
        cls.addClassCleanup(shutil.rmtree, cls.cluster.folder)
        cls.enterClassContext(cls.cluster)
        (hosts,) = guide_blocks("ini")
        path = Path(os.environ["SCIPION_HOSTS"])
        cls.addClassCleanup(path.write_text, path.read_text())
        path.write_text(hosts)
        super().setUpClass()

    def queued(self, run, steps=False):
        run._useQueue.set(True)
        parameters = {"JOB_CPUS": "1", "JOB_TIME": "10:00", "JOB_EXTRA": "--comment=test",
                      "QUEUE_FOR_JOBS": "Y" if steps else "N"}
        run._queueParams.set(json.dumps(("main", parameters)))
        return run

    def wait(self, run, condition, what):
        deadline = time.monotonic() + TIMEOUT_S
        while not condition():
            state = f"{run.getStatus()} {run.getErrorMessage()}, {self.cluster.jobs()}"
            self.assertLess(time.monotonic(), deadline, f"{what}: {state}")
            time.sleep(0.5)
            updateRun(self.proj, run)

    def finished(self, run):
        self.proj.launchProtocol(run, wait=False)
        self.wait(run, lambda: not run.isActive(), "it does not end")
        self.assertTrue(run.isFinished(), run.getErrorMessage())
        return run

    def assertSamePicks(self, run):
        self.assertEqual(sorted((c.getMicId(), c.getPosition()) for c in run.outputCoordinates),
                         sorted((c.getMicId(), c.getPosition()) for c in self.picking.outputCoordinates))

    def testPickingAsOneJob(self):
        """Its process stays in the job; one that is killed is started again."""
        before = set(self.cluster.jobs())
        run = self.queued(self.newPicking(self.mics, self.training, streamingBatchSize=1))
        self.proj.launchProtocol(run, wait=False)
        tables = Path(self.proj.path) / run.getCoordsDir()
        self.wait(run, lambda: tables.is_dir() and len(list(tables.glob("mic*.tsv"))), "nothing is picked")
        self.assertEqual(len(set(self.cluster.jobs()) - before), 1)
        for pid in serving(self.proj.path, run._getExtraPath()):
            os.kill(pid, signal.SIGKILL)
        self.wait(run, lambda: not run.isActive(), "it does not end")
        self.assertTrue(run.isFinished(), run.getErrorMessage())
        self.assertSamePicks(run)

    def testPickingInJobsOfItsOwn(self):
        before = set(self.cluster.jobs())
        run = self.finished(self.queued(self.newPicking(self.mics, self.training, streamingBatchSize=2), steps=True))
        self.assertSamePicks(run)
        self.assertGreaterEqual(len(set(self.cluster.jobs()) - before), 3)  # two batches, the report

    def testTrainingThatIsStoppedAndOneOverItsTime(self):
        """Stop cancels the job; Continue goes on from the last epoch, also after Slurm has ended it."""
        run, updates = self.queued(self.newTraining(self.labels, updates=MANY_UPDATES)), 0
        for ending in ("CANCELLED", "TIMEOUT"):
            self.proj.launchProtocol(run, wait=False)
            job = max(self.cluster.jobs())
            self.wait(run, lambda: self.updates(run) > updates, "no epoch ends")  # noqa: B023 (asked at once)
            if ending == "CANCELLED":
                self.proj.stopProtocol(run)
            else:
                self.cluster.run("scontrol", "update", f"JobId={job}", "TimeLimit=1")
                for pid in running("train", self.proj.path, run._getExtraPath()):
                    os.kill(pid, signal.SIGSTOP)  # it would compute for a minute; Slurm wakes what it ends
            self.wait(run, lambda: self.cluster.jobs()[job] == ending, "the job does not end")  # noqa: B023
            updates = self.updates(run)
        self.assertLess(updates, MANY_UPDATES)
        self.proj.launchProtocol(run, wait=False)
        self.wait(run, lambda: self.updates(run) > updates, "it does not go on")
        self.proj.stopProtocol(run)

    def updates(self, run):
        return read_json(os.path.join(self.proj.path, run._getStatusPath())).get("updates", 0)
