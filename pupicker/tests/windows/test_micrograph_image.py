"""Micrographs as pictures: what is read, where it is drawn, how bright.  No window is opened."""

from __future__ import annotations

import os
import stat
import tempfile
import unittest

from pupicker.tests.scipion import scipion_environment  # noqa: F401  (before pyworkflow is imported)

import mrcfile  # isort: skip
import numpy as np  # isort: skip
import tifffile  # isort: skip

from pupicker.gui.micrograph_reader import readMicrograph  # isort: skip
from pupicker.window.micrograph_image import (  # isort: skip
    Look, MicrographError, Pyramid, lowPass, lowPassSigma, renderRegion)

WIDTH, HEIGHT = 300, 200
X, Y = 230, 60  # of a bright square


def makePixels(background=10.0):
    pixels = np.random.default_rng(0).normal(background, 1, (HEIGHT, WIDTH)).astype(np.float32)
    pixels[Y - 15:Y + 16, X - 15:X + 16] += 40
    return pixels


class TestReadMicrograph(unittest.TestCase):

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def write(self, pixels, name="mic.mrc"):
        path = os.path.join(self.folder, name)
        if name.endswith(".mrc"):
            with mrcfile.new(path) as mrc:
                mrc.set_data(pixels)
        else:
            tifffile.imwrite(path, pixels)
        return path

    def testFormats(self):
        for name in ("mic.mrc", "mic.tif"):
            path = self.write(makePixels(), name)
            np.testing.assert_array_equal(readMicrograph(path), makePixels())

    def testIntegersAndAFileThatMayNotBeWritten(self):
        pixels = makePixels().astype(np.int16)
        path = self.write(pixels)
        before = os.stat(path).st_mtime_ns
        os.chmod(path, stat.S_IREAD)
        np.testing.assert_array_equal(readMicrograph(path), pixels)
        self.assertEqual(os.stat(path).st_mtime_ns, before)
        renderRegion(Pyramid(readMicrograph(path)), (0, 0), 0.5, (150, 100))

    def testImageOfAStack(self):
        stack = np.stack([makePixels(), makePixels(20), makePixels(30)])
        path = self.write(stack)
        np.testing.assert_array_equal(readMicrograph(path, 2), stack[1])

    def testMissingFileIsOneLine(self):
        with self.assertRaises(MicrographError) as caught:
            readMicrograph("/nowhere/mic.mrc")
        message = str(caught.exception)
        self.assertIn("/nowhere/mic.mrc: cannot be shown", message)
        self.assertEqual(len(message.splitlines()), 1)


class TestRenderRegion(unittest.TestCase):

    def assertSquareAt(self, picture, x, y):
        """The bright square is where the micrograph has it, to within a pixel of the window."""
        bright = np.argwhere(np.asarray(picture) > 200)
        self.assertGreater(len(bright), 3)
        row, column = (bright.min(axis=0) + bright.max(axis=0)) / 2
        self.assertAlmostEqual(column, x - 0.5, delta=1.5)
        self.assertAlmostEqual(row, y - 0.5, delta=1.5)

    def testPositionsAtAnyScaleAndCorner(self):
        for scale in (0.2, 0.37, 0.5, 0.99, 1.0, 1.7, 3.0):
            for corner in ((0.0, 0.0), (101.3, 7.9), (-20.0, -35.5)):
                size = (int((WIDTH - corner[0]) * scale) + 1, int((HEIGHT - corner[1]) * scale) + 1)
                picture = renderRegion(Pyramid(makePixels()), corner, scale, size)
                self.assertEqual(picture.size, size)
                self.assertSquareAt(picture, (X + 0.5 - corner[0]) * scale, (Y + 0.5 - corner[1]) * scale)

    def testReducingAveragesTheNoiseAway(self):
        noise = np.random.default_rng(1).normal(0, 30, (HEIGHT, WIDTH)).astype(np.float32)
        noise[Y - 20:Y + 20, X - 20:X + 20] += 30
        full, small = (renderRegion(Pyramid(noise), (0, 0), scale, (int(WIDTH * scale), int(HEIGHT * scale)))
                       for scale in (1.0, 0.1))
        inside, outside = np.asarray(small)[4:8, 21:25].mean(), np.asarray(small)[:, :15]
        self.assertGreater((inside - outside.mean()) / outside.std(), 4)
        self.assertEqual(full.size, (WIDTH, HEIGHT))

    def testOutsideIsGrey(self):
        picture = np.asarray(renderRegion(Pyramid(makePixels()), (-50, -50), 1.0, (WIDTH, HEIGHT)))
        self.assertEqual(set(picture[:40].ravel()), {128})
        self.assertEqual(set(np.asarray(renderRegion(Pyramid(makePixels()), (5000, 5000), 1.0, (9, 9))).ravel()), {128})

    def testInvalidPixelsDoNotHideTheOthers(self):
        pixels = makePixels()
        pixels[:20], pixels[20:30, :50], pixels[150, 7] = np.nan, np.inf, -np.inf
        picture = renderRegion(Pyramid(pixels), (0, 0), 1.0, (WIDTH, HEIGHT))
        self.assertSquareAt(picture, X + 0.5, Y + 0.5)
        self.assertEqual(np.asarray(picture)[5, 5], 0)
        self.assertEqual(renderRegion(Pyramid(np.full((9, 9), np.nan, np.float32)), (0, 0), 1.0, (9, 9)).size, (9, 9))

    def testContrastPutsMorePixelsAtTheEnds(self):
        shown = [renderRegion(Pyramid(makePixels()), (0, 0), 1.0, (WIDTH, HEIGHT), Look(contrast=contrast))
                 for contrast in (0.5, 1, 4)]
        ends = [np.isin(np.asarray(picture), (0, 255)).mean() for picture in shown]
        self.assertEqual(ends[0], 0)
        self.assertLess(ends[1], ends[2])

    def testLowPassIsAGaussianOfTheMicrograph(self):
        point = np.zeros((65, 65), np.float32)
        point[32, 32] = 1
        y, x = np.mgrid[-32:33, -32:33]
        gaussian = np.exp(-(x ** 2 + y ** 2) / (2 * 2.5 ** 2))
        np.testing.assert_allclose(lowPass(point, 2.5), gaussian / gaussian.sum(), atol=1e-6)
        np.testing.assert_array_equal(lowPass(point, 0), point)
        noise = np.random.default_rng(2).normal(size=(HEIGHT, WIDTH)).astype(np.float32)
        # the same blur of the micrograph, whatever the zoom
        widths = []
        for scale in (1, 3):
            shown = renderRegion(Pyramid(noise), (0, 0), scale, (WIDTH * scale, HEIGHT * scale), Look(lowPassPx=4.0))
            shown = np.asarray(shown, dtype=float)
            shown -= shown.mean()
            widths.append((shown[:, 4 * scale:] * shown[:, :-4 * scale]).mean() / shown.var())
        self.assertAlmostEqual(widths[0], widths[1], delta=0.05)

    def testLowPassLeavesHalfAtItsResolution(self):
        x = np.arange(400)
        for resolution in (8.0, 25.0):
            wave = np.tile(np.cos(2 * np.pi * x / resolution), (3, 1)).astype(np.float32)
            left = lowPass(wave, lowPassSigma(resolution))[0, 100:300]
            self.assertAlmostEqual(float(left.max()), 0.5, delta=0.01)

    def testFlatImage(self):
        self.assertEqual(len(set(np.asarray(renderRegion(Pyramid(np.ones((9, 9))), (0, 0), 1.0, (9, 9))).ravel())), 1)
