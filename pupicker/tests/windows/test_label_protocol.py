"""The protocol that labels, from the run to its outputs: the window is clicked as a user would, and opened again."""

from __future__ import annotations

import os
import subprocess
import time
from unittest import mock

import pytest

from pupicker.tests.scipion.screen import need_screen, open_screen
from pupicker.tests.scipion.workflow import DIAMETER, PIXEL_SIZE, WorkflowTestCase

from pupicker.protocols import ProtPuPickerImportLabels, ProtPuPickerLabel  # isort: skip
from pupicker.schedule import updateRun  # isort: skip

PATIENCE_S = 120
CLICKS = ((-150, -120), (-40, -120), (60, 0), (-120, 80))
"""Places of the window, from its middle, far enough apart for particles of their own."""


class TestLabelling(WorkflowTestCase):

    NAMES = ["mic1.mrc", "mic2.mrc"]

    @pytest.mark.gui
    def testClicksBecomeOutputsAndAreGoneOnWith(self):
        need_screen(xdotool="xdotool")
        open_screen(self.addCleanup)
        run = self.newProtocol(ProtPuPickerLabel, diameter=DIAMETER, useGpu=False, trainAtEnd=False)
        self.link(run.inputMicrographs, self.mics, "outputMicrographs")
        self.use(run, CLICKS)
        self.assertEqual(run.outputCoordinates.getSize(), len(CLICKS))
        self.assertEqual(run.outputCoordinates.getBoxSize(), 2 * round(1.5 * DIAMETER / PIXEL_SIZE / 2))
        self.assertEqual(run.outputNegatives.getSize(), 1)
        self.assertIn(f"*{len(CLICKS)} labels* on 1 micrograph, 1 place that is", run.summary()[0])
        first = {coord.getPosition() for coord in run.outputCoordinates}
        run.outputCoordinates.close()  # its file is written anew
        self.use(run, [(130, 60)], negatives=False)
        self.assertEqual(run.outputCoordinates.getSize(), len(CLICKS) + 1)
        self.assertLess(first, {coord.getPosition() for coord in run.outputCoordinates})

    def use(self, run, clicks, negatives=True):
        """Start the run, click in its window, press *Done*, wait for the end."""
        self.proj.launchProtocol(run, wait=False)
        limit = time.monotonic() + PATIENCE_S
        window = ""
        while not window:
            self.assertLess(time.monotonic(), limit, "no window came")
            time.sleep(0.3)
            updateRun(self.proj, run)
            self.assertFalse(run.isFailed(), run.getErrorMessage())
            window = self.xdotool("search", "--onlyvisible", "--name", "pupicker: label").strip()
        time.sleep(1.5)
        place = dict(line.split("=") for line in self.xdotool("getwindowgeometry", "--shell", window).split())
        x, y = (int(place[side]) + int(place[size]) // 2 for side, size in (("X", "WIDTH"), ("Y", "HEIGHT")))
        buttons = [(column, row, "1") for column, row in clicks] + ([(150, -100, "3")] if negatives else [])
        for column, row, button in buttons:
            self.xdotool("mousemove", str(x + column), str(y + row), "click", button)
            time.sleep(0.3)
        self.xdotool("key", "--window", window, "ctrl+d")
        while run.isActive():
            self.assertLess(time.monotonic(), limit + PATIENCE_S, "the run does not end")
            time.sleep(0.3)
            updateRun(self.proj, run)
        self.assertTrue(run.isFinished(), run.getErrorMessage())

    @staticmethod
    def xdotool(*words):
        return subprocess.run(["xdotool", *words], capture_output=True, text=True).stdout

    def testAMicrographThatWasRepairedIsNoLongerLeftOut(self):
        run = self.newProtocol(ProtPuPickerLabel, diameter=DIAMETER)
        self.link(run.inputMicrographs, self.mics, "outputMicrographs")
        self.proj.saveProtocol(run)
        run.makePathsAndClean()
        run._quarantine(1, "mic1.mrc", "truncated")
        with mock.patch("pupicker.gui.label_dialog.labelMicrographs", return_value=False), mock.patch(
                "pupicker.protocols.protocol_label.coreWorker"):
            run.labelStep("")
        self.assertEqual(run.summary(), ["No labels yet."])

    def testATableOfAFolderThatWasEditedIsReadAgain(self):
        folder = os.path.join(self.raw, "tables")
        os.makedirs(os.path.join(folder, "below"))
        table = os.path.join(folder, "below", "mic1.tsv")
        run = self.newProtocol(ProtPuPickerImportLabels, labelsPath=folder)
        self.link(run.inputMicrographs, self.mics, "outputMicrographs")
        digests = []
        for points in ("1\t1", "2\t22", "2\t22"):
            with open(table, "w", encoding="utf-8") as stream:
                stream.write(f"micrograph\tx\ty\nmic1\t{points}\n")
            os.utime(table, (1, 1))
            with mock.patch.object(run, "_insertFunctionStep") as insert:
                run._insertAllSteps()
            digests.append(insert.call_args[0][1])
        self.assertNotEqual(digests[0], digests[1])
        self.assertEqual(digests[1], digests[2])

    def testImportedLabels(self):
        """A table by name, with one micrograph that is not there; the box follows from the diameter."""
        path = os.path.join(self.raw, "labels.tsv")
        rows = ["micrograph\tx\ty"] + [f"{name}\t{x}\t{y}" for name in ("mic1", "other") for x, y in
                                      self.truth["mic1.mrc"]]
        with open(path, "w", encoding="utf-8") as stream:
            stream.write("\n".join(rows) + "\n")
        run = self.newProtocol(ProtPuPickerImportLabels, labelsPath=path, diameter=DIAMETER)
        self.link(run.inputMicrographs, self.mics, "outputMicrographs")
        self.assertEqual(run._validate(), [])
        self.launchProtocol(run)
        self.assertEqual({coord.getPosition() for coord in run.outputCoordinates}, set(self.truth["mic1.mrc"]))
        self.assertEqual(run.outputCoordinates.getBoxSize(), 2 * round(1.5 * DIAMETER / PIXEL_SIZE / 2))
        self.assertIn("that are not in the set", run.summary()[-1])
        run.labelsPath.set(os.path.join(self.raw, "mic1.mrc"))
        self.assertIn("none of .star", run._validate()[0])
