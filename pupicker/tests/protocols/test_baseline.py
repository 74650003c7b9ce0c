"""Picking without labels, training from pseudo-labels, and what is left out, in a real project."""

from __future__ import annotations

import os

import pytest

from pupicker.tests.scipion.workflow import (
    DIAMETER,
    HEIGHT,
    PIXEL_SIZE,
    UPDATES,
    WIDTH,
    WorkflowTestCase,
    foundFraction,
)

import mrcfile  # isort: skip
import numpy as np  # isort: skip
from pwem.protocols import ProtImportAverages  # isort: skip

from pupicker.constants import (  # isort: skip
    BASELINE_DOG, BASELINE_GENERAL, BASELINE_TEMPLATE, EXCLUSION_GIVEN, NETWORK_CHOICES, PSEUDO_LABELS,
)
from pupicker.protocols import ProtPuPickerBaseline, ProtPuPickerTrain  # isort: skip


class TestBaseline(WorkflowTestCase):

    def newBaseline(self, **values):
        defaults = {"diameter": DIAMETER, "binThreads": 1, "useGpu": False}
        run = self.newProtocol(ProtPuPickerBaseline, **dict(defaults, **values))
        self.link(run.inputMicrographs, self.mics, "outputMicrographs")
        return run

    def writeMask(self, name):
        folder = os.path.join(self.raw, "masks")
        os.makedirs(folder, exist_ok=True)
        mask = np.zeros((HEIGHT // 2, WIDTH // 2), np.float32)
        mask[:, : WIDTH // 4] = 1
        with mrcfile.new(os.path.join(folder, name), overwrite=True) as mrc:
            mrc.set_data(mask)
        return folder

    def testMethodsThatNeedTheDiameterOnly(self):
        cited, scores = {BASELINE_DOG: "[Voss2009]", BASELINE_GENERAL: "[Bepler2019]"}, {}
        for method in cited:
            run = self.launchProtocol(self.newBaseline(method=method))
            picks = run.outputCoordinates
            scores[method] = sorted(coord._pupickerScore.get() for coord in picks)
            self.assertGreaterEqual(foundFraction(picks, self.truth), 0.85)
            first = picks.getFirstItem()
            self.assertEqual(hasattr(first, "_pupickerProbability"), method == BASELINE_GENERAL)
            self.assertEqual(first._pupickerScore.get(), first._rlnAutopickFigureOfMerit.get())
            self.assertEqual(picks.getBoxSize(), 2 * round(1.5 * DIAMETER / PIXEL_SIZE / 2))
            summary = "\n".join(run.summary())
            self.assertIn("in 4 micrographs", summary)
            self.assertIn("Open the report", summary)
            self.assertIn(cited[method], "\n".join(run.methods()))
            picks.close()  # a set that stays open would keep the run from writing
        run.method.set(BASELINE_DOG)  # and Continue: nothing of the other method stays
        self.launchProtocol(run)
        self.assertEqual(sorted(coord._pupickerScore.get() for coord in run.outputCoordinates), scores[BASELINE_DOG])

    def testViewsOfTheParticle(self):
        side = 48
        rows, columns = np.mgrid[:side, :side] - side // 2
        view = np.exp(-(rows ** 2 + columns ** 2) / (2 * (DIAMETER / PIXEL_SIZE / 4) ** 2)).astype(np.float32)
        path = os.path.join(self.raw, "views.mrcs")
        with mrcfile.new(path, overwrite=True) as mrc:
            mrc.set_data(np.stack([view, 0.5 * view]))
        averages = self.newProtocol(ProtImportAverages, filesPath=path, samplingRate=PIXEL_SIZE)
        self.launchProtocol(averages)
        run = self.newBaseline(method=BASELINE_TEMPLATE, rotationStep=180.0)
        self.link(run.inputViews, averages, "outputAverages")
        self.launchProtocol(run)
        self.assertGreaterEqual(foundFraction(run.outputCoordinates, self.truth), 0.85)
        for text in ("with 2 templates", "[Roseman2003]"):
            self.assertIn(text, "\n".join(run.methods()))

    def testMaskAndMargin(self):
        folder = self.writeMask(os.path.splitext(self.NAMES[1])[0] + "_mask.mrc")
        run = self.launchProtocol(self.newBaseline(masksFolder=folder, margin=100.0, minScore=-5.0))
        edge = 100.0 / PIXEL_SIZE - 2
        masked = 0
        for coord in run.outputCoordinates:
            self.assertTrue(edge < coord.getX() < WIDTH - edge and edge < coord.getY() < HEIGHT - edge)
            if coord.getMicName() == self.NAMES[1]:
                self.assertGreater(coord.getX(), WIDTH // 2 - 3)
            elif coord.getX() < WIDTH // 2 - 3:
                masked += 1
        self.assertGreater(masked, 10)  # the micrographs without a mask are picked whole
        self.assertNotIn(b"cannot be shown", self.read(run.getStderrLog()) + self.read(run.getStdoutLog()))

    @pytest.mark.slow
    def testTrainingFromProposalsAndPickingWithExclusions(self):
        run = self.newProtocol(ProtPuPickerTrain, diameter=DIAMETER, updates=UPDATES, validationFraction=0.0,
                               useGpu=False, numberOfThreads=1, network=NETWORK_CHOICES.index("conv31"),
                               trainFrom=PSEUDO_LABELS.index("template"), proposalCount=40, margin=60.0,
                               excludeContamination=True)
        self.assertIn("needed", " ".join(run._validate()))
        self.link(run.inputMicrographs, self.mics, "outputMicrographs")
        self.assertEqual(run._validate(), [])
        self.launchProtocol(run)
        self.assertEqual(run.outputModel.getNumberOfLabels(), 40)
        summary = "\n".join(run.summary())
        self.assertIn("Labels: none, but pseudo-labels of template matching on 4 micrographs", summary)
        nearest = {}
        for name, more in (("training", {}), ("given", {"exclusionMode": EXCLUSION_GIVEN, "margin": 0.0})):
            picking = self.launchProtocol(self.newPicking(self.mics, run, thresholdMode=1, threshold=-50.0, **more))
            nearest[name] = PIXEL_SIZE * min(min(c.getX(), c.getY()) for c in picking.outputCoordinates)
        self.assertGreater(nearest["training"], 60 - 2 * PIXEL_SIZE)
        self.assertLess(nearest["given"], 60 - 2 * PIXEL_SIZE)

    def testOnlyTheNetworkUsesAGpu(self):
        for method in (BASELINE_DOG, BASELINE_TEMPLATE, BASELINE_GENERAL):
            self.assertEqual(self.newBaseline(method=method, useGpu=True).usesGpu(), method == BASELINE_GENERAL)
            self.assertFalse(self.newBaseline(method=method).usesGpu())

    def testMessages(self):
        for values, expected in (({"diameter": None}, "Particle diameter"), ({"rotationStep": 0.0}, "Rotation step"),
                                 ({"margin": -1.0}, "Margin"), ({"masksFolder": "/nowhere"}, "no folder /nowhere"),
                                 ({"masksFolder": self.raw + "/.."}, "named like a micrograph")):
            messages = self.newBaseline(**values)._validate()
            self.assertEqual(len(messages), 1, messages)
            self.assertIn(expected, messages[0])
