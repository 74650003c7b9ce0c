"""Corrections by hand, and what the model says of the places that were added."""

from __future__ import annotations

import os
import tempfile
import unittest

from pupicker.tests.scipion import scipion_environment  # before pyworkflow is imported

from pwem.objects import Micrograph  # isort: skip

from pupicker.convert.corrections import scoredPlaces  # isort: skip
from pupicker.shared.worker import WorkerError  # isort: skip

assert scipion_environment


class Refusing:
    """A worker that cannot read any micrograph, and has loaded a model."""

    def ask(self, do, tell, places, **fields):
        for name in places:
            tell({"event": "quarantined", "micrograph": name, "reason": name + ": truncated"})

    def exists(self):
        return True

    def getPath(self):
        return "m.pupicker"

    def getDiameterAng(self):
        return 100.0


class TestScoredPlaces(unittest.TestCase):
    def test_places_that_cannot_be_scored_are_not_lost(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "a.mrc")
            open(path, "w").close()
            mic = Micrograph(location=path)
            mic.setObjId(1)
            mic.setSamplingRate(2.0)
            with self.assertRaisesRegex(WorkerError, "truncated"):
                scoredPlaces({1: [(5.0, 5.0)]}, {1: mic}, Refusing(), Refusing(), folder)
