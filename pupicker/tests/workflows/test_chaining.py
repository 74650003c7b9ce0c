"""Between pupicker and the rest: labels from other programs' files, picks into pwem's and RELION's set protocols."""

from __future__ import annotations

import importlib.util
import os
import tempfile
from pathlib import Path

import pytest

from pupicker.tests.scipion.workflow import TrainedTestCase, WorkflowTestCase, foundFraction

from pwem.objects import Coordinate  # isort: skip
from pwem.protocols import ProtImportCoordinates, ProtSubSet, ProtUnionSet  # isort: skip
from pyworkflow.object import Float, Pointer  # isort: skip

BOX = 44
LABELLED = 3  # micrographs with labels; the fourth is seen at picking only
CBOX = """
data_global

_cbox_format_version 1.0

data_cryolo

loop_
_CoordinateX #1
_CoordinateY #2
_CoordinateZ #3
_Width #4
_Height #5
_Depth #6
_EstWidth #7
_EstHeight #8
_Confidence #9
_NumBoxes #10
_Angle #11
"""


def needs(plugin):
    """Skip where a plugin of Scipion is missing that the test extra of the package installs."""
    return pytest.mark.skipif(importlib.util.find_spec(plugin) is None, reason=f"needs the package scipion-em-{plugin}")


class TestInputs(WorkflowTestCase):
    """Labels as other pickers' plugins bring them; a model that is trained from them finds the particles."""

    FORKED = False  # of all workflows, this one starts its processes as a user's Scipion does

    def assertInPlace(self, labelsRun):
        """Same positions as the truth, and a training takes them."""
        for coord in labelsRun.outputCoordinates:
            x, y = coord.getPosition()
            nearest = min(max(abs(x - a), abs(y - b)) for a, b in self.truth[coord.getMicName()])
            self.assertLessEqual(nearest, 1, "the labels are not where they were drawn")
        self.assertEqual(self.newTraining(labelsRun).validate(), [])

    def importFiles(self, path, pattern, source):
        """Run pwem's import of files of another program."""
        run = self.newProtocol(ProtImportCoordinates, importFrom=source, filesPath=path, filesPattern=pattern,
                               boxSize=BOX)
        self.link(run.inputMicrographs, self.mics, "outputMicrographs")
        return self.launchProtocol(run)

    @needs("relion")
    @pytest.mark.slow
    def testStarFileOfRelion(self):
        from pupicker.tests.scipion.system_relion import use_system_relion

        use_system_relion()
        header = "\ndata_\n\nloop_\n_rlnMicrographName #1\n_rlnCoordinateX #2\n_rlnCoordinateY #3\n"
        rows = [f"{name} {x:.6f} {y:.6f}" for name in self.NAMES[:LABELLED] for x, y in self.truth[name][:12]]
        path = Path(self.raw, "labels.star")
        path.write_text(header + "\n".join(rows) + "\n", encoding="utf-8")
        labels = self.importFiles(str(path), "", ProtImportCoordinates.IMPORT_FROM_RELION)
        self.assertInPlace(labels)
        training = self.launchProtocol(self.newTraining(labels))
        picks = self.launchProtocol(self.newPicking(self.mics, training)).outputCoordinates
        self.assertGreaterEqual(foundFraction(picks, self.truth), 0.85)

    @needs("sphire")
    def testPicksOfCryolo(self):
        """CBOX files, read as crYOLO's own plugin reads them, its score on each particle."""
        from sphire.convert import CoordBoxReader

        folder = Path(tempfile.mkdtemp(dir=self.raw))
        points, scores = {}, []
        for name in self.NAMES[:LABELLED]:
            path = folder / f"{Path(name).stem}.cbox"
            rows = [f"{x - BOX / 2} {y - BOX / 2} <NA> {BOX} {BOX} 1 {BOX} {BOX} 0.5{n} 1 <NA>"
                    for n, (x, y) in enumerate(self.truth[name][:12], 10)]
            path.write_text(CBOX + "\n".join(rows) + "\n", encoding="utf-8")
            read = list(CoordBoxReader(BOX).iterCoords(str(path)))
            points[name] = [(x, y) for x, y, *_ in read]
            scores += [row[3] for row in read]
        self.assertEqual(len(scores), 12 * LABELLED)
        run = self.importCoordinates(self.mics, points, BOX,
                                     lambda coord, number: setattr(coord, "_cryoloScore", Float(scores[number])))
        self.assertIsInstance(run.outputCoordinates.getFirstItem(), Coordinate)
        self.assertInPlace(run)


class TestOutputs(TrainedTestCase):
    """Picks go through what pwem and RELION do with sets, their scores with them."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.picks = cls.picking.outputCoordinates
        cls.scores = {cls.key(coord): coord._pupickerScore.get() for coord in cls.picks}

    @staticmethod
    def key(coord):
        """A particle, in whatever set."""
        return coord.getMicName(), coord.getX(), coord.getY()

    def assertScoresKept(self, run, size):
        """The one output holds `size` of the picks, each with its score; it opens like the picks."""
        (_, kept), = run.iterOutputAttributes()
        self.assertEqual(kept.getSize(), size)
        self.assertEqual(kept.getBoxSize(), self.picks.getBoxSize())
        self.assertIsNotNone(kept.getMicrographs())
        for coord in kept:
            self.assertEqual(coord._pupickerScore.get(), self.scores[self.key(coord)])

    def testRandomSubset(self):
        run = self.newProtocol(ProtSubSet, chooseAtRandom=True, nElements=10)
        self.link(run.inputFullSet, self.picking, "outputCoordinates")
        self.assertScoresKept(self.launchProtocol(run), 10)

    def testUnionWithASecondPicking(self):
        """All of both are there, also what is in each."""
        second = self.launchProtocol(self.newPicking(self.mics, self.training))
        run = self.newProtocol(ProtUnionSet, renumber=True)
        for source in (self.picking, second):
            run.inputSets.append(Pointer(source, extended="outputCoordinates"))
        self.assertScoresKept(self.launchProtocol(run), 2 * self.picks.getSize())

    @needs("relion")
    def testExportToRelion(self):
        """Files that RELION reads, with figure of merit; pupicker's own command reads them back."""
        from pupicker.engine.files.coordinates import read_coordinates
        from pupicker.tests.scipion.system_relion import use_system_relion

        use_system_relion()
        from relion.protocols import ProtRelionExportCoordinates

        run = self.newProtocol(ProtRelionExportCoordinates)
        self.link(run.inputCoordinates, self.picking, "outputCoordinates")
        self.launchProtocol(run)
        folder = Path(self.proj.path, run._getExportPath())
        files = sorted(folder.glob("*_coords.star"))
        self.assertEqual(len(files), len({coord.getMicName() for coord in self.picks}))
        self.assertTrue(all("_rlnAutopickFigureOfMerit" in file.read_text() for file in files))
        self.assertEqual(sum(len(read_coordinates(file).x) for file in files), self.picks.getSize())
        self.assertFalse(os.path.islink(files[0]))
