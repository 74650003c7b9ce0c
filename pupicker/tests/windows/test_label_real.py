"""Ten clicks at particles of real micrographs, killed in between, make a model as good as that of a whole training."""

from __future__ import annotations

import csv
import json
import logging
import os
import random
import subprocess
import sys
import time

import psutil
import pytest

from pupicker.tests.scipion.label_hand import LabelHand
from pupicker.tests.scipion.screen import need_screen, open_screen
from pupicker.tests.scipion.workflow import WorkflowTestCase
from pupicker.tests.shared_data import shared

from pupicker.protocols import ProtPuPickerLabel  # isort: skip
from pupicker.constants import THRESHOLD_GIVEN  # isort: skip
from pupicker.schedule import updateRun  # isort: skip
from pupicker.shared.json_files import read_json  # isort: skip

PATIENCE_S = 3600  # on a machine that many share
EACH, HELD_OUT = 5, 2  # labels on each of two micrographs; micrographs to pick
LOWEST_SCORE = -6.0
AS_GOOD = 0.03
"""Of average precision: so much less than a whole training of the same labels is as good.  Draws differ by more."""


class Commands:
    """``pupicker`` in processes, with the files of a folder."""

    def __init__(self, folder, pixelSize, diameter):
        self.folder, self.pixelSize, self.diameter = folder, pixelSize, diameter

    def run(self, *words):
        command = [sys.executable, "-m", "pupicker", *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, rows, columns=("micrograph", "x", "y")):
        with open(self.path(name), "w", newline="", encoding="utf-8") as stream:
            csv.writer(stream, delimiter="\t").writerows([columns, *rows])
        return self.path(name)

    def trainedAndPicked(self, training, labels, test):
        """Table of picks of a model that is trained as the command does by itself."""
        own = ("--pixel-size", self.pixelSize, "--device", "cpu")
        self.run("train", *training, "--picks", labels, "--diameter", self.diameter, "--output",
                 self.path("model.pupicker"), *own)
        self.run("pick", *test, "--model", self.path("model.pupicker"), "--output", self.path("picks.tsv"),
                 f"--threshold={LOWEST_SCORE}", *own)
        return self.path("picks.tsv")

    def averagePrecision(self, picks, truth, test):
        said = self.run("evaluate", "--picks", picks, "--truth", truth, "--diameter", self.diameter, "--pixel-size",
                        self.pixelSize, "--micrographs", *test, "--json")
        return json.loads(said)["average_precision"]


class TenClicks:
    """A project with a few micrographs of a real set: ``cls.mics`` to label, ``cls.heldOut`` to pick."""

    FORKED = False  # processes as those of a user
    SET = MICROGRAPHS = TRUTH = ""
    PIXEL_SIZE = DIAMETER = 0.0
    BY_COMMAND = 0.0
    """Average precision of a training by command with the same labels, if it is known; 0: it is trained here."""

    @classmethod
    def openProject(cls):
        need_screen(xdotool="xdotool", xwininfo="x11-utils")
        source = shared(f"data/{cls.SET}/{cls.MICROGRAPHS}")
        rows = [row for row in readTable(shared("data/splits.csv"), ",") if row["data_set"] == cls.SET]
        cls.files = {role: [str(source / f"{row['micrograph']}.mrc") for row in rows if row["role"] == role][:HELD_OUT]
                     for role in ("train", "test")}
        for role, paths in cls.files.items():
            os.makedirs(os.path.join(cls.raw, cls.SET, role))
            for path in paths:
                os.symlink(path, os.path.join(cls.raw, cls.SET, role, os.path.basename(path)))
        cls.particles = {}
        for row in readTable(shared(f"data/{cls.SET}/{cls.TRUTH}"), "\t"):
            cls.particles.setdefault(row["image_name"], []).append((float(row["x_coord"]), float(row["y_coord"])))
        super().openProject()
        cls.heldOut = super().importMicrographs(os.path.join(cls.raw, cls.SET, "test"), cls.PIXEL_SIZE)

    @classmethod
    def importMicrographs(cls, folder, pixelSize=0.0):
        return super().importMicrographs(os.path.join(cls.raw, cls.SET, "train"), cls.PIXEL_SIZE)

    def waitFor(self, what, ready):
        limit = time.monotonic() + PATIENCE_S
        while not ready():
            self.assertLess(time.monotonic(), limit, what)
            time.sleep(0.3)

    def opened(self, run):
        """Start the run; a hand at its window."""
        self.proj.launchProtocol(run, wait=False)
        self.waitFor("no window came", LabelHand.isThere)
        time.sleep(2)
        mic = run.inputMicrographs.get().getFirstItem()
        return LabelHand(mic.getDim()[:2])

    def ended(self, run):
        """Wait until the run is over."""
        def over():
            updateRun(self.proj, run)
            return not run.isActive()
        self.waitFor("the run does not end", over)

    def clickParticles(self, hand, name):
        """Click some particles of a micrograph, the same ones each time."""
        inside = [place for place in self.particles[name] if all(
            self.DIAMETER / self.PIXEL_SIZE < value < side - self.DIAMETER / self.PIXEL_SIZE
            for value, side in zip(place, hand.shape, strict=True))]
        for place in random.Random(1).sample(inside, EACH):
            hand.click(*place)

    def testTenClicksMakeAModel(self):
        """Label, be killed, go on, train, *Done*, pick; compare with what the command makes of the same labels."""
        open_screen(self.addCleanup)
        run = self.newProtocol(ProtPuPickerLabel, diameter=self.DIAMETER, useGpu=False)
        self.link(run.inputMicrographs, self.mics, "outputMicrographs")
        hand = self.opened(run)
        names = [os.path.splitext(mic.getMicName())[0] for mic in self.mics.outputMicrographs]
        self.clickParticles(hand, names[0])
        for process in psutil.Process().children(recursive=True):
            if any("pw_protocol_run" in word for word in process.cmdline()):
                process.kill()
        self.ended(run)
        self.assertFalse(run.isFinished())
        self.assertEqual(run._countLabels()["labels"], EACH)

        hand = self.opened(run)
        hand.press("n", 2)
        self.clickParticles(hand, names[1])
        hand.press("t")
        self.waitFor("no model came", lambda: read_json(run._getExtraPath("model.json")))
        hand.press("ctrl+d")
        self.ended(run)
        self.assertTrue(run.isFinished(), run.getErrorMessage())
        labels = [(os.path.splitext(coord.getMicName())[0], *coord.getPosition()) for coord in run.outputCoordinates]
        self.assertEqual([sum(name == row[0] for row in labels) for name in names], [EACH, EACH])

        commands = Commands(self.raw, self.PIXEL_SIZE, self.DIAMETER)
        picking = self.launchProtocol(self.newPicking(self.heldOut, run, thresholdMode=THRESHOLD_GIVEN,
                                                      threshold=LOWEST_SCORE))
        picks = [(os.path.splitext(coord.getMicName())[0], *coord.getPosition(), coord._pupickerScore.get())
                 for coord in picking.outputCoordinates]
        test = self.files["test"]
        truth = commands.write("truth.tsv", [(name, *place) for name, places in self.particles.items()
                                             for place in places])
        found = commands.averagePrecision(commands.write("done.tsv", picks, ("micrograph", "x", "y", "score")), truth,
                                          test)
        whole = self.BY_COMMAND or commands.averagePrecision(
            commands.trainedAndPicked(self.files["train"], commands.write("labels.tsv", labels), test), truth, test)
        logging.info("average precision: %.3f of the window's model, %.3f of a training by command", found, whole)
        self.assertGreater(found, whole - AS_GOOD)


def readTable(path, delimiter):
    with open(path, newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream, delimiter=delimiter))


@pytest.mark.gui
@pytest.mark.slow
class TestBetaGalactosidase(TenClicks, WorkflowTestCase):
    SET, MICROGRAPHS, TRUTH = "empiar10017_bgal", "mrc_bin4", "truth/particles_bin4_7.08A.txt"
    PIXEL_SIZE, DIAMETER = 7.08, 191.0
