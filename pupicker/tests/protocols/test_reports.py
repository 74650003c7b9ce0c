"""HTML reports of the runs, and what a summary says while a run goes on or after it was stopped."""

from __future__ import annotations

import html
import os
import re
import time
from unittest import mock

from pupicker.tests.scipion.workflow import TrainedTestCase

from pupicker.shared.json_files import read_json  # isort: skip
from pupicker.schedule import updateRun  # isort: skip

TIMEOUT_S = 240


class TestReports(TrainedTestCase):

    def report(self, run):
        """Text of the report to which the summary links."""
        links = re.findall(r"\[\[(.+?)\]\[Open the report\]\]", "\n".join(run.summary()))
        self.assertEqual(links, [os.path.join(self.proj.path, run._getExtraPath("report.html"))])
        return self.read(links[0]).decode("utf-8")

    def assertNamesAreThoseOfTheUser(self, page):
        for name in self.NAMES[:3]:
            self.assertIn(f">{name}", page)
        self.assertEqual(re.findall(r">[^<]*mic\d{6}[^<]*<", page.split("How it was made")[0]), [])

    def assertMadeByThePicking(self, text):
        """By its own command, which can be given again: not by the one that drew the page from files that are gone."""
        self.assertNotIn("pupicker report", text)
        command = re.search(r"pupicker pick --model (\S+) (\S+) --output .* --device cpu", text)
        self.assertEqual(command.group(1), self.training.outputModel.getPath())
        self.assertLessEqual(set(self.NAMES[:4]), set(os.listdir(command.group(2))))

    def testReportOfATraining(self):
        page = self.report(self.training)
        self.assertIn("<h2>Course of the training</h2>", page)
        self.assertNamesAreThoseOfTheUser(page)

    def testMethodsDoNotTakeCorrectionsForPicks(self):
        """A viewer of Scipion adds an edited set to the outputs of the run."""
        run, edited = self.picking, self.labels.outputCoordinates
        outputs = [("outputCoordinates", run.outputCoordinates), ("coordinates_2", edited)]
        with mock.patch.object(run, "iterOutputAttributes", lambda kind: outputs):
            picks, corrected = run._methods()
        self.assertIn("neural network", picks)
        self.assertIn(f"{edited.getSize()} coordinates", corrected)
        self.assertIn("corrected by hand", corrected)
        self.assertNotIn("neural network", corrected)

    def testSummaryWhileTrainingAndAfterItWasStopped(self):
        run = self.newTraining(self.labels, updates=5000, validationFraction=0.25)
        self.proj.launchProtocol(run, wait=False)
        deadline = time.time() + TIMEOUT_S
        while read_json(run._getStatusPath()).get("stage") != "selection":
            self.assertLess(time.time(), deadline, run.getErrorMessage())
            time.sleep(0.5)
            updateRun(self.proj, run)
        updateRun(self.proj, run)
        summary = "\n".join(run.summary())
        self.assertRegex(summary, r"\*Training\*, stage 1 of 2 \(finding the length\): \d+00 of at most 5000 updates")
        self.assertRegex(summary, r"Time left: at most \d+:\d\d (min|h)")
        self.assertRegex(summary, r"Validation AP: \*[01]\.\d{3}\* now")
        self.proj.stopProtocol(run)
        updateRun(self.proj, run)
        self.assertFalse(run.isActive())
        summary = "\n".join(run.summary())
        self.assertRegex(summary, r"\*Not finished\*: ended in stage 1 of 2 .* after \d+00 of at most 5000 updates")
        self.assertNotIn("Time left", summary)

    def testPickingInBatches(self):
        """The summary tells how far it is; the report is made once at the end, and what it was made from is gone."""
        run = self.newPicking(self.mics, self.training, streamingBatchSize=1)
        self.proj.launchProtocol(run, wait=False)
        seen = set()
        deadline = time.time() + TIMEOUT_S
        while run.isActive() and time.time() < deadline:
            seen |= {line for line in run.summary() if line.startswith("*Picking*")}
            time.sleep(0.5)
            updateRun(self.proj, run)
        self.assertTrue(run.isFinished(), run.getErrorMessage())
        self.assertTrue(any(re.match(r"\*Picking\*: \d of 4 micrographs that have arrived", line) for line in seen),
                        seen)
        self.assertNotIn("Picking*", "\n".join(run.summary()))  # it is over
        page = self.report(run)
        self.assertIn(" on 4 micrographs</p>", page)
        self.assertEqual(page.count("data:image/png"), 2 + 4)  # histogram, bars, all four micrographs
        self.assertNamesAreThoseOfTheUser(page)
        self.assertMadeByThePicking(html.unescape(page.split("How it was made")[1]))
        self.assertIn("Open the report", run.summary()[-1])
        self.assertFalse(os.path.exists(run._getExtraPath("report")))
        self.assertEqual(len(os.listdir(run._getExtraPath("batches"))), 4)
