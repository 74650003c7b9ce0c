"""Coordinates of several pickers put together, in a real project."""

from __future__ import annotations

import math
import os
import shutil
import sqlite3
import tempfile
from contextlib import closing

from pupicker.tests.scipion.workflow import DIAMETER, PARTICLES, WorkflowTestCase

from pyworkflow.object import Float, Pointer  # isort: skip

from pupicker.constants import PICKERS, PROBABILITY, SCORE  # isort: skip
from pupicker.protocols import ProtPuPickerCombine  # isort: skip

BOX = 44
POOLED = 1 / (1 + math.exp(-(math.log(0.9 / 0.1) + math.log(0.6 / 0.4)) / 2))


def scored(coord, number):
    """What picking writes: half of the coordinates are sure."""
    probability = 0.9 if number % 2 else 0.6
    setattr(coord, SCORE, Float(math.log(probability / (1 - probability))))
    setattr(coord, PROBABILITY, Float(probability))


def voted(coord, number):
    """What another picker writes."""
    coord._topazScore = Float(number)


class TestCombine(WorkflowTestCase):

    def newCombination(self, *runs, **values):
        run = self.newProtocol(ProtPuPickerCombine, **dict({"diameter": DIAMETER}, **values))
        run.inputCoordinates.set([Pointer(value=one, extended="outputCoordinates") for one in runs])
        return run

    def testWhatIsLeftOutIsTold(self):
        """A micrograph that only the second set has, and coordinates that were disabled."""
        folder = tempfile.mkdtemp(dir=self.raw)
        shutil.copy(os.path.join(self.raw, self.NAMES[0]), folder)
        first = self.importCoordinates(self.importMicrographs(folder), self.truth, BOX)
        second = self.importCoordinates(self.mics, self.truth, BOX)
        path = os.path.join(self.proj.path, second.outputCoordinates.getFileName())
        with closing(sqlite3.connect(path)) as database:
            database.execute("UPDATE Objects SET enabled = 0 WHERE id < 3")
            database.commit()
        run = self.launchProtocol(self.newCombination(first, second))
        self.assertEqual(run.outputCoordinates.getSize(), PARTICLES - 2)
        others = sorted(self.NAMES[1:])
        self.assertEqual(run.summary()[-2:], [
            f"*Micrographs of set 2 left out: {len(others)}*, not in the first set or of a name that several have "
            f"({', '.join(others[:3])}{', ...' if len(others) > 3 else ''})",
            "*Disabled coordinates of set 2 left out: 2*"])

    def testThreePickersOfTwoVersionsOfTheMicrographs(self):
        first = self.NAMES[0]
        again = self.importMicrographs(self.raw, pixelSize=8.0)  # as if binned: positions are half as large
        every = self.importCoordinates(self.mics, self.truth, BOX, scored)
        near = {name: [(x + 3, y) for x, y in self.truth[name][:10]] for name in self.NAMES}
        some = self.importCoordinates(self.mics, {first: near[first]}, BOX, scored)  # nothing on the others
        binned = {name: [(x / 2, y / 2) for x, y in self.truth[name][:15]] for name in self.NAMES}
        votes = self.importCoordinates(again, binned, BOX // 2, voted)
        run = self.launchProtocol(self.newCombination(every, some, votes))
        output = run.outputCoordinates
        self.assertEqual(output.getBoxSize(), BOX)
        self.assertEqual(output.getMicrographs().getObjId(), self.mics.outputMicrographs.getObjId())
        self.assertEqual(output.getSize(), 15 * len(self.NAMES))  # none is lost where one picker found nothing
        pickers = sorted(getattr(coord, PICKERS).get() for coord in output if coord.getMicName() == first)
        self.assertEqual(pickers, [2] * 5 + [3] * 10)
        truth = {name: set(points[:15]) for name, points in self.truth.items()}
        for coord in output:
            x, y = coord.getPosition()
            if coord.getMicName() != first:
                self.assertTrue(any(abs(x - a) <= 1 and abs(y - b) <= 1 for a, b in truth[coord.getMicName()]))
            # the pool of what two calibrated pickers say: 0.6 or 0.9 each, 0.6 where one has nothing
            probability = getattr(coord, PROBABILITY).get()
            self.assertTrue(any(abs(probability - p) < 1e-4 for p in (0.6, POOLED, 0.9)))
            self.assertAlmostEqual(getattr(coord, SCORE).get(), math.log(probability / (1 - probability)), places=4)
            if coord.getMicName() != first:
                self.assertLess(probability, 0.89)
        summary = "\n".join(run.summary())
        number = len(self.NAMES)
        self.assertIn(f"Set 1: {PARTICLES * number} picks, *75 %*", summary)
        self.assertIn(f"Places by number of pickers: 1: {5 * number}, 2: {5 + 15 * (number - 1)}, 3: 10", summary)
        self.assertNotIn("left out", summary)
        self.assertEqual(self.newCombination(every, votes, atLeast=3)._validate(),
                         ["*Pickers that agree*: 3 was found, and there are 2 sets; give as many or fewer."])
        self.assertIn("one set only", self.newCombination(every, atLeast=1)._validate()[0])
