"""Between Scipion's sets and the files of the command line."""

from __future__ import annotations

import os
import sqlite3
import tempfile
import unittest
from contextlib import closing

from pupicker.tests.scipion import scipion_environment  # before pyworkflow is imported

import mrcfile  # isort: skip
import numpy as np  # isort: skip
from pwem.objects import (  # isort: skip
    Class2D, Coordinate, Micrograph, Particle, SetOfClasses2D, SetOfCoordinates, SetOfMicrographs, SetOfParticles,
)

from pupicker.convert.micrographs import linkMicrograph, linkName, micIdOf, micIdsIn  # isort: skip
from pupicker.convert.picks import Pick, coordinateLike, iterCoordinates, readPicks, weakestPick, writePicks  # isort: skip
from pupicker.convert.labels import matchLabels, matchParticles, repeatedNames, rescale, writeLabels  # isort: skip
from pupicker.convert.set_columns import SetError, hasColumn, readColumns  # isort: skip


class ConvertTestCase(unittest.TestCase):
    """A folder for sets and files, removed afterwards."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def micrographs(self, file, samplingRate, names):
        micSet = SetOfMicrographs(filename=self.path(file))
        micSet.setSamplingRate(samplingRate)
        for name in names:
            mic = Micrograph(location=self.path(name))
            mic.setMicName(name)
            micSet.append(mic)
        micSet.write()
        return micSet

    def coordinates(self, micSet, points, byName=True):
        coordSet = SetOfCoordinates(filename=self.path("coordinates.sqlite"))
        coordSet.setMicrographs(micSet)
        for micId, x, y in points:
            coord = Coordinate(x=x, y=y)
            if byName:
                coord.setMicrograph(micSet[micId])
            else:
                coord.setMicId(micId)
            coordSet.append(coord)
        coordSet.write()
        return coordSet


def disable(someSet, objId, prefix=""):
    """As the user does with a right click."""
    with closing(sqlite3.connect(someSet.getFileName())) as database:
        database.execute(f"UPDATE {prefix}Objects SET enabled = 0 WHERE id = {objId}")
        database.commit()


class TestMatchLabels(ConvertTestCase):

    def testSamePixelsAreUntouched(self):
        mics = self.micrographs("a.sqlite", 2.0, ["one.mrc", "two.mrc"])
        labels = matchLabels(self.coordinates(mics, [(1, 0, 7), (2, 31, 5), (1, 3, 4)]), mics)
        self.assertEqual(labels.points, {1: [(0, 7), (3, 4)], 2: [(31, 5)]})
        self.assertEqual((labels.unmatched, labels.scale), ([], 1.0))

    def testPositionsFollowTheRatioOfSamplingRates(self):
        """As RELION's extraction does; Fourier cropping keeps pixel 0 on pixel 0."""
        small = self.micrographs("a.sqlite", 4.0, ["one.mrc"])
        large = self.micrographs("b.sqlite", 2.0, ["one.mrc"])
        labels = matchLabels(self.coordinates(small, [(1, 0, 10)]), large)
        self.assertEqual(labels.points, {1: [(0.0, 20.0)]})
        self.assertEqual(labels.scale, 2.0)

    def testRescalingThereAndBackIsTheIdentity(self):
        for value in (-0.5, 0, 1, 17.25, 4095):
            for factor in (0.25, 1.77 / 7.08, 3.0, 1 / 3):
                self.assertAlmostEqual(rescale(rescale(value, factor), 1 / factor), value, places=9)

    def testNamesCountNotIds(self):
        picked = self.micrographs("a.sqlite", 1.0, ["one.mrc", "two.mrc"])
        other = self.micrographs("b.sqlite", 1.0, ["two.mrc", "three.mrc"])
        labels = matchLabels(self.coordinates(picked, [(1, 1, 1), (2, 2, 2)]), other)
        self.assertEqual(labels.points, {1: [(2, 2)]})
        self.assertEqual(labels.unmatched, ["one.mrc"])

    def testExtensionAndFolderMayDiffer(self):
        picked = self.micrographs("a.sqlite", 1.0, ["May08_04.33.57.tif", "x.mrc"])
        other = self.micrographs("b.sqlite", 1.0, ["x", "job/May08_04.33.57.mrc"])
        labels = matchLabels(self.coordinates(picked, [(1, 1, 1), (2, 2, 2)]), other)
        self.assertEqual(labels.points, {2: [(1, 1)], 1: [(2, 2)]})

    def testDotsInANameAreNoExtension(self):
        picked = self.micrographs("a.sqlite", 1.0, ["May08_04.33.57"])
        other = self.micrographs("b.sqlite", 1.0, ["May08_04.33.mrc"])
        labels = matchLabels(self.coordinates(picked, [(1, 1, 1)]), other)
        self.assertEqual((labels.points, labels.unmatched), ({}, ["May08_04.33.57"]))

    def testDisabledOnesAreLeftOutAndCounted(self):
        mics = self.micrographs("a.sqlite", 2.0, ["one.mrc", "two.mrc"])
        coordinates = self.coordinates(mics, [(1, 0, 7), (2, 31, 5), (1, 3, 4)])
        disable(coordinates, 1)
        labels = matchLabels(coordinates, mics)
        self.assertEqual((labels.points, labels.disabled), ({1: [(3, 4)], 2: [(31, 5)]}, 1))

    def testEqualStemsAreNotGuessedBetween(self):
        picked = self.micrographs("a.sqlite", 1.0, ["one.tif"])
        other = self.micrographs("b.sqlite", 1.0, ["x/one.mrc", "y/one.mrc"])
        self.assertEqual(matchLabels(self.coordinates(picked, [(1, 1, 1)]), other).unmatched, ["one.tif"])

    def testEqualNamesOfOneSetAreToldApartByIds(self):
        mics = self.micrographs("a.sqlite", 1.0, ["one.mrc", "one.mrc", "two.mrc"])
        labels = matchLabels(self.coordinates(mics, [(1, 1, 1), (2, 2, 2), (3, 3, 3), (1, 4, 4)]), mics)
        self.assertEqual(labels.points, {1: [(1, 1), (4, 4)], 2: [(2, 2)], 3: [(3, 3)]})
        self.assertEqual(labels.unmatched, [])
        self.assertEqual(repeatedNames(mics), ["one.mrc"])

    def testIdOfAnotherMicrographThanTheNameIsNotBelieved(self):
        mics = self.micrographs("a.sqlite", 1.0, ["one.mrc", "two.mrc"])
        coordinates = self.coordinates(mics, [(1, 1, 1)])
        with closing(sqlite3.connect(coordinates.getFileName())) as database:
            column = dict(database.execute("SELECT label_property, column_name FROM Classes"))["_micId"]
            database.execute(f"UPDATE Objects SET {column} = 2")
            database.commit()
        self.assertEqual(matchLabels(coordinates, mics).points, {1: [(1, 1)]})

    def testNameOfSeveralInTheOtherSetIsNotGuessed(self):
        picked = self.micrographs("a.sqlite", 1.0, ["one.mrc", "two.mrc"])
        other = self.micrographs("b.sqlite", 1.0, ["one.mrc", "one.mrc", "two.mrc"])
        labels = matchLabels(self.coordinates(picked, [(1, 1, 1), (2, 2, 2)]), other)
        self.assertEqual((labels.points, labels.unmatched), ({3: [(2, 2)]}, ["one.mrc"]))
        self.assertEqual((repeatedNames(picked), repeatedNames(other)), ([], ["one.mrc"]))

    def testLabelsOfSeveralDoNotComeTogetherOnOne(self):
        for names in (["one.mrc", "one.mrc", "two.mrc"], ["x/one.tif", "y/one.tif", "two.mrc"]):
            with self.subTest(names=names):
                self.setUp()
                picked = self.micrographs("a.sqlite", 1.0, names)
                other = self.micrographs("b.sqlite", 1.0, ["one.mrc", "two.mrc"])
                labels = matchLabels(self.coordinates(picked, [(1, 1, 1), (2, 9, 9), (3, 2, 2)]), other)
                self.assertEqual((labels.points, labels.unmatched), ({2: [(2, 2)]}, sorted(set(names[:2]))))

    def testPickerThatStoredIdsOnly(self):
        mics = self.micrographs("a.sqlite", 1.0, ["one.mrc", "two.mrc"])
        labels = matchLabels(self.coordinates(mics, [(2, 8, 9)], byName=False), mics)
        self.assertEqual(labels.points, {2: [(8, 9)]})

    def testMissingFileOfTheLabelsIsNamed(self):
        mics = self.micrographs("a.sqlite", 2.0, ["one.mrc"])
        labels = self.coordinates(mics, [(1, 8, 9)])
        os.remove(labels.getFileName())
        with self.assertRaisesRegex(SetError, "no such file; run the protocol again"):
            matchLabels(labels, mics)

    def testLabelTable(self):
        writeLabels({12: [(0.5, 20.5)], 3: [(1, 2), (3, 4)]}, self.path("labels.tsv"))
        with open(self.path("labels.tsv")) as stream:
            self.assertEqual(stream.read().splitlines(), [
                "micrograph\tx\ty", "mic000003\t1.000\t2.000", "mic000003\t3.000\t4.000", "mic000012\t0.500\t20.500"])


class TestMatchParticles(ConvertTestCase):
    """Coordinates of particles are in pixels of the particles, here twice as large as those of the micrographs."""

    def particles(self, mics, places, byName=True):
        partSet = SetOfParticles(filename=self.path("particles.sqlite"))
        partSet.setSamplingRate(4.0)
        for micId, x, y in places:
            coord = Coordinate(x=x, y=y)
            coord.setMicId(micId)
            if byName:
                coord.setMicName(mics[micId].getMicName())
            particle = Particle(location=(partSet.getSize() + 1, self.path("images.mrcs")))
            particle.setCoordinate(coord)
            partSet.append(particle)
        partSet.write()
        return partSet

    def testParticles(self):
        mics = self.micrographs("a.sqlite", 2.0, ["one.mrc", "two.mrc"])
        for byName in (True, False):
            partSet = self.particles(mics, [(2, 10, 20), (1, 5, 6), (2, 30, 1)], byName)
            self.assertEqual(matchParticles(partSet, mics), {2: [(20, 40), (60, 2)], 1: [(10, 12)]})
            os.remove(partSet.getFileName())

    def testMembersOfGoodClasses(self):
        """Of three classes the middle one was left out."""
        mics = self.micrographs("a.sqlite", 2.0, ["one.mrc", "two.mrc"])
        partSet = self.particles(mics, [(1, 10, 20), (2, 5, 6), (1, 30, 1), (2, 7, 7)])
        classes = SetOfClasses2D(filename=self.path("classes.sqlite"))
        classes.setImages(partSet)
        members = {1: (1, 4), 2: (2,), 3: (3,)}
        for number, ids in members.items():
            item = Class2D(objId=number)
            item.copyInfo(partSet)
            item.setEnabled(number != 2)
            classes.append(item)
            for particleId in ids:
                item.append(partSet[particleId])
            classes.update(item)
        classes.write()
        self.assertEqual(matchParticles(classes, mics), {1: [(20, 40), (60, 2)], 2: [(14, 14)]})
        disable(classes, 4, "Class001_")
        self.assertEqual(matchParticles(classes, mics), {1: [(20, 40), (60, 2)]})

    def testDisabledParticles(self):
        mics = self.micrographs("a.sqlite", 2.0, ["one.mrc"])
        partSet = self.particles(mics, [(1, 10, 20), (1, 5, 6)])
        disable(partSet, 1)
        self.assertEqual(matchParticles(partSet, mics), {1: [(10, 12)]})

    def testWhatLiesOnOtherMicrographsDoesNotCount(self):
        mics = self.micrographs("a.sqlite", 2.0, ["one.mrc", "two.mrc"])
        other = self.micrographs("b.sqlite", 2.0, ["two.mrc"])
        self.assertEqual(matchParticles(self.particles(mics, [(1, 1, 1), (2, 4, 4)]), other), {1: [(8, 8)]})


class TestColumns(ConvertTestCase):

    def testValuesAreThoseOfTheItems(self):
        mics = self.micrographs("a.sqlite", 2.0, ["one.mrc"])
        coordSet = self.coordinates(mics, [(1, n, 2 * n) for n in range(12000)])  # more than are read at once
        ids, xs, ys, other = readColumns(coordSet.getFileName(), ["id", "_x", "_y", "_other"])
        self.assertEqual(list(zip(ids, xs, ys, strict=True)),
                         [(coord.getObjId(), *coord.getPosition()) for coord in coordSet])
        self.assertIsNone(other)

    def testEmptySetHasNoColumnsYet(self):
        coordSet = SetOfCoordinates(filename=self.path("empty.sqlite"))
        coordSet.write()
        self.assertFalse(hasColumn(coordSet.getFileName(), "_x"))

    def testWhatIsNoSetIsNamed(self):
        with open(self.path("text.sqlite"), "w") as stream:
            stream.write("no database, but a text that is long enough to be taken for one " * 20)
        with self.assertRaisesRegex(SetError, "text.sqlite: cannot be read as a set"):
            readColumns(self.path("text.sqlite"), ["_x"])
        self.assertFalse(hasColumn(self.path("text.sqlite"), "_x"))


class TestPicks(ConvertTestCase):

    def mic(self):
        mic = Micrograph(location=self.path("one.mrc"))
        mic.setObjId(4)
        mic.setMicName("one.mrc")
        return mic

    def testRoundingAndAttributes(self):
        coordinate = next(iterCoordinates([Pick(10.7, 20.2, 2.5, 0.9)], self.mic()))
        self.assertEqual(coordinate.getPosition(), (11, 20))
        self.assertEqual((coordinate.getMicId(), coordinate.getMicName()), (4, "one.mrc"))
        self.assertEqual(coordinate._pupickerScore.get(), 2.5)
        self.assertEqual(coordinate._pupickerProbability.get(), 0.9)
        self.assertEqual(coordinate._rlnAutopickFigureOfMerit.get(), 2.5)
        self.assertEqual((coordinate._rlnClassNumber.get(), coordinate._rlnAnglePsi.get()), (0, 0.0))

    def testHalvesGoUpAndStayInside(self):
        positions = [c.getPosition() for c in iterCoordinates(
            [Pick(-0.4, 0.5, 3, 1), Pick(2.5, 1.5, 2, 1)], self.mic())]
        self.assertEqual(positions, [(0, 1), (3, 2)])

    def testOfTwoOnOnePixelTheBetterStays(self):
        with open(self.path("picks.tsv"), "w") as stream:
            stream.write("micrograph\tx\ty\tscore\tprobability\n"
                         "m\t10.2\t5.0\t1.0\t0.6\nm\t9.8\t5.3\t4.0\t0.9\nm\t11.0\t5.0\t-2\t0.1\n")
        coordinates = list(iterCoordinates(readPicks(self.path("picks.tsv")), self.mic()))
        self.assertEqual([(c.getPosition(), c._pupickerScore.get()) for c in coordinates],
                         [((10, 5), 4.0), ((11, 5), -2.0)])

    def testUncertaintyIsAnAttributeWhereItIsKnown(self):
        with open(self.path("picks.tsv"), "w") as stream:
            stream.write("micrograph\tx\ty\tscore\tprobability\tscore_sd\nm\t10\t5\t1.0\t0.6\t0.25\n")
        (known,) = iterCoordinates(readPicks(self.path("picks.tsv")), self.mic())
        self.assertEqual(known._pupickerUncertainty.get(), 0.25)
        (unknown,) = iterCoordinates([Pick(1, 1, 3, 1)], self.mic())
        self.assertFalse(hasattr(unknown, "_pupickerUncertainty"))

    def testACoordinateLikeAnotherHasNoneOfItsValues(self):
        like = next(iterCoordinates([Pick(1, 1, 3, 0.9, 0.25, 3)], self.mic()))
        names = ("_pupickerScore", "_pupickerProbability", "_pupickerUncertainty", "_pupickerPickers")
        for pick in (Pick(7, 8, 1.0, None), Pick(7, 8, 1.0, 0.5, 0.75, 2)):
            coord = coordinateLike(like, pick, self.mic())
            self.assertEqual(tuple(coord.getAttributeValue(name) for name in names), tuple(pick[2:]))

    def testProbabilitiesAreWrittenWhereAllPicksHaveOne(self):
        coordSet = SetOfCoordinates(filename=self.path("picks.sqlite"))
        coordSet.setMicrographs(self.micrographs("m.sqlite", 2.0, ["one.mrc"]))
        for coord in iterCoordinates([Pick(1, 1, 3, 0.9), Pick(2, 2, 1, 0.5)], self.mic()):
            coordSet.append(coord)
        coordSet.write()
        self.assertEqual(writePicks(coordSet, "_pupickerScore", self.path("picks.tsv")), 0)
        self.assertEqual([pick[2:4] for pick in readPicks(self.path("picks.tsv"))], [(3.0, 0.9), (1.0, 0.5)])
        one = coordSet.getFirstItem().clone()
        one._pupickerProbability.set(None)
        coordSet.update(one)
        coordSet.write()
        self.assertEqual(writePicks(coordSet, "_pupickerScore", self.path("picks.tsv")), 0)
        self.assertEqual([pick[2:4] for pick in readPicks(self.path("picks.tsv"))], [(3.0, None), (1.0, None)])

    def testWeakestOfATable(self):
        head = "micrograph\tx\ty\tscore\tprobability\n"
        for micId, rows in ((1, ["9.5", "-2.25"]), (2, [str(100 - n) for n in range(101)]), (3, [])):
            with open(self.path(linkName(micId) + ".tsv"), "w", encoding="utf-8") as stream:
                stream.write(head + "".join(f"mic\t1\t2\t{row}\t0.5\n" for row in rows))
        self.assertEqual([weakestPick(self.folder, micId) for micId in (1, 2, 3, 4)], [-2.25, 0, np.inf, np.inf])

    def testTableWithoutPicks(self):
        with open(self.path("picks.tsv"), "w") as stream:
            stream.write("micrograph\tx\ty\tscore\tprobability\n")
        self.assertEqual(readPicks(self.path("picks.tsv")), [])


class TestMicrographs(ConvertTestCase):

    def write(self, name, values):
        with mrcfile.new(self.path(name), overwrite=True) as mrc:
            mrc.set_data(values)
        return self.path(name)

    def mic(self, micId, location):
        mic = Micrograph(location=location)
        mic.setObjId(micId)
        return mic

    def testEqualBaseNamesDoNotCollide(self):
        image = np.arange(12, dtype=np.float32).reshape(3, 4)
        os.makedirs(self.path("a"))
        os.makedirs(self.path("b"))
        os.makedirs(self.path("links"))
        first, second = self.write("a/mic.mrc", image), self.write("b/mic.mrc", image + 1)
        links = [linkMicrograph(self.mic(i, path), self.path("links")) for i, path in ((1, first), (2, second))]
        self.assertEqual([os.path.realpath(link) for link in links],
                         [os.path.realpath(first), os.path.realpath(second)])
        self.assertEqual([micIdOf(link) for link in links], [1, 2])
        linkMicrograph(self.mic(1, second), self.path("links"))  # a step that runs again links anew
        self.assertEqual(os.path.realpath(links[0]), os.path.realpath(second))

    def testFilesThatAreBeingWrittenDoNotCount(self):
        for name in (linkName(7) + ".tsv", linkName(8) + ".json", "." + linkName(9) + ".0a1b2c3d.tsv"):
            scipion_environment.write(self.path(name), "")
        self.assertEqual(micIdsIn(self.folder, ".tsv"), {7})
        self.assertEqual(micIdsIn(self.path("nowhere"), ".tsv"), set())

    def testImageOfAStackIsConverted(self):
        stack = np.random.default_rng(3).normal(size=(3, 8, 10)).astype(np.float32)
        path = linkMicrograph(self.mic(7, (2, self.write("stack.mrcs", stack))), self.folder)
        self.assertFalse(os.path.islink(path))
        with mrcfile.open(path) as mrc:
            np.testing.assert_allclose(np.squeeze(mrc.data), stack[1])

    def testMissingFileIsNamed(self):
        with self.assertRaisesRegex(Exception, "nothing.mrc: no such file"):
            linkMicrograph(self.mic(1, self.path("nothing.mrc")), self.folder)

    def testUnreadableFormatIsOneLine(self):
        scipion_environment.write(self.path("broken.dm4"), "no image")
        with self.assertRaisesRegex(Exception, "broken.dm4: cannot be converted") as caught:
            linkMicrograph(self.mic(1, self.path("broken.dm4")), self.folder)
        self.assertNotIn("\n", str(caught.exception))
