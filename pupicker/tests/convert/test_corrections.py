"""Corrections by hand, and what the model says of the places that were added."""

from __future__ import annotations

import os
import tempfile
import unittest

from pupicker.tests.full_disk import FULL, room_for
from pupicker.tests.scipion import scipion_environment  # noqa: F401  (before pyworkflow is imported)

from pwem.objects import Micrograph  # isort: skip

from pupicker.convert.corrections import frozenCopy, scoredPlaces  # isort: skip
from pupicker.shared.worker import WorkerError  # isort: skip


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


class TestFrozenCopy(unittest.TestCase):
    def test_nothing_is_left_of_a_copy_that_has_no_room(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "corrections.json")
            with open(path, "w") as stream:
                stream.write("{}")
            with room_for(1), self.assertRaises(OSError) as caught:
                frozenCopy(path)
            self.assertIn(f"{FULL}: '{path}'", str(caught.exception))
            self.assertEqual(os.listdir(folder), ["corrections.json"])
            copy = frozenCopy(path)
            self.assertEqual(sorted(os.listdir(folder)), sorted(["corrections.json", os.path.basename(copy)]))
            with open(copy) as stream:
                self.assertEqual(stream.read(), "{}")


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
