"""A real project with simple synthetic micrographs, and short ways to run the protocols in it."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import unittest
from unittest import mock

from pupicker.tests.scipion import scipion_environment  # before pyworkflow is imported
from pupicker.tests.scipion.forked_python import CORE, SCIPION, ForkedPython, watched
from pupicker.tests.shared_folder import one_at_a_time, shared_folder

import mrcfile  # isort: skip
import numpy as np  # isort: skip
import pyworkflow as pw  # isort: skip
from pwem.objects import Coordinate, SetOfCoordinates  # isort: skip
from pwem.protocols import ProtImportCoordinates, ProtImportMicrographs  # isort: skip
from pyworkflow.project import Manager  # isort: skip
from pyworkflow.tests import BaseTest, setupTestProject  # isort: skip

from pupicker import Plugin  # isort: skip
from pupicker.constants import NETWORK_CHOICES, PUPICKER_PYTHON  # isort: skip
from pupicker.protocols import ProtPuPickerPick, ProtPuPickerTrain  # isort: skip

PIXEL_SIZE = 4.0
DIAMETER = 120.0
WIDTH, HEIGHT = 480, 416
MARGIN, SPACING = 40, 62
PARTICLES = 20
UPDATES = 12


def makeMicrographs(folder, names, seed=7):
    """Write micrographs with dark round particles; return their centres, ``{name: [(x, y)]}``."""
    generator = np.random.default_rng(seed)
    os.makedirs(folder, exist_ok=True)
    sigma = DIAMETER / PIXEL_SIZE / 4
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    cells = [(x, y) for x in range(MARGIN, WIDTH - MARGIN, SPACING) for y in range(MARGIN, HEIGHT - MARGIN, SPACING)]
    truth = {}
    for name in names:
        image = generator.normal(100, 10, (HEIGHT, WIDTH))
        chosen = generator.permutation(len(cells))[:PARTICLES]
        points = [(cells[i][0] + int(generator.integers(-8, 9)), cells[i][1] + int(generator.integers(-8, 9)))
                  for i in chosen]
        for x, y in points:
            image -= 15 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma ** 2))
        with mrcfile.new(os.path.join(folder, name), overwrite=True) as mrc:
            mrc.set_data(image.astype(np.float32))
            mrc.voxel_size = PIXEL_SIZE
        truth[name] = points
    return truth


def foundFraction(coordSet, truth):
    """Fraction of the particles among as many best-scored picks on their micrographs, within half a radius.

    It does not depend on the threshold, which a training of a few seconds cannot place well.
    """
    picks = [(coord._pupickerScore.get(), coord.getMicName(), coord.getPosition())
             for coord in coordSet if coord.getMicName() in truth]
    total = sum(map(len, truth.values()))
    best = sorted(picks, reverse=True)[:total]
    found = 0
    for name, points in truth.items():
        here = np.array([position for _, mic, position in best if mic == name], dtype=float).reshape(-1, 1, 2)
        distance = np.hypot(*np.moveaxis(here - np.array(points, dtype=float), -1, 0))
        found += int((distance <= DIAMETER / PIXEL_SIZE / 4).any(axis=0).sum())
    return found / total


_forked: dict[object, ForkedPython] = {}
"""The Pythons that fork, made at first use: (modules, what they read from the environment) -> :class:`ForkedPython`."""


def forkedPython(modules):
    """Path of the Python that starts with these modules imported."""
    key = (modules, tuple(sorted(watched(os.environb).items())))
    if key not in _forked:
        _forked[key] = ForkedPython(modules, quickPolls=modules is SCIPION)
    return _forked[key].path


class WorkflowTestCase(BaseTest):
    """A project per class, with `NAMES` imported as ``cls.mics``.

    Attributes
    ----------
    FORKED
        Whether the processes of runs and of the core are forks of one that has imported the packages (see
        :mod:`pupicker.tests.scipion.forked_python`), not started each for itself.
    """

    NAMES = [f"mic{number}.mrc" for number in range(1, 5)]
    FORKED = True

    @classmethod
    def setUpClass(cls):
        pw.Config.getDomain().getPlugins()  # defines the variables of the plugin
        missing = Plugin.validateInstallation()
        if missing:
            raise unittest.SkipTest(f"needs the core: {missing[0]}")
        cls.addClassCleanup(os.chdir, os.getcwd())
        if cls.FORKED and scipion_environment.PREPARED and PUPICKER_PYTHON not in os.environ:
            cls.useForks()
        cls.raw = tempfile.mkdtemp(prefix="pupicker_raw_")
        cls.addClassCleanup(shutil.rmtree, cls.raw)
        cls.truth = makeMicrographs(cls.raw, cls.NAMES)
        cls.openProject()

    @classmethod
    def openProject(cls):
        """A new project, and the first run in it."""
        setupTestProject(cls)
        cls.mics = cls.importMicrographs(cls.raw)

    @classmethod
    def useForks(cls):
        """Start the runs of this class, and what they start, with Pythons that fork."""
        scipion, core = forkedPython(SCIPION), forkedPython(CORE)
        for patch in (mock.patch.object(pw, "PYTHON", scipion), mock.patch.dict(Plugin._vars, {PUPICKER_PYTHON: core})):
            patch.start()
            cls.addClassCleanup(patch.stop)
        cls.addClassCleanup(os.environ.update, {"SCIPION_PYTHON": os.environ["SCIPION_PYTHON"]})
        cls.addClassCleanup(os.environ.pop, PUPICKER_PYTHON)
        os.environ.update({"SCIPION_PYTHON": scipion, PUPICKER_PYTHON: core})

    @classmethod
    def finish(cls, run):
        """Launch a run, wait until it has finished or failed, and return it."""
        cls.proj.launchProtocol(run, wait=True)
        return run

    @classmethod
    def launchProtocol(cls, run, **kwargs):
        """Launch a run that has to finish; if it fails, its log is in the error."""
        cls.finish(run)
        if not run.isFinished():
            logs = [cls.read(log).decode()[-3000:] for log in (run.getStdoutLog(), run.getStderrLog())]
            raise AssertionError("\n".join([run.getRunName(), str(run.getErrorMessage()), *logs]))
        return run

    @classmethod
    def importMicrographs(cls, folder, pixelSize=PIXEL_SIZE):
        run = cls.newProtocol(ProtImportMicrographs, filesPath=folder, filesPattern="*.mrc", samplingRateMode=0,
                              samplingRate=pixelSize, voltage=300, sphericalAberration=2.7, amplitudeContrast=0.1)
        return cls.launchProtocol(run)

    @classmethod
    def importCoordinates(cls, micsRun, points, boxSize, complete=None):
        """Import `points` (``{name: [(x, y)]}``) through the file of another set, as from another project.

        `complete(coordinate, number)` may add attributes to each; numbers count from 0.
        """
        path = os.path.join(tempfile.mkdtemp(dir=cls.raw), "coordinates.sqlite")
        coordSet = SetOfCoordinates(filename=path)
        coordSet.setBoxSize(boxSize)
        for mic in micsRun.outputMicrographs:
            for x, y in points.get(mic.getMicName(), ()):
                coord = Coordinate(x=x, y=y)
                coord.setMicrograph(mic)
                if complete is not None:
                    complete(coord, coordSet.getSize())
                coordSet.append(coord)
        coordSet.write()
        coordSet.close()
        run = cls.newProtocol(ProtImportCoordinates, importFrom=ProtImportCoordinates.IMPORT_FROM_SCIPION,
                              filesPath=path, filesPattern="", boxSize=boxSize)
        cls.link(run.inputMicrographs, micsRun, "outputMicrographs")
        return cls.launchProtocol(run)

    @classmethod
    def read(cls, path):
        """Content of a file, its path relative to the project."""
        with open(os.path.join(cls.proj.path, path), "rb") as stream:
            return stream.read()

    @staticmethod
    def link(pointer, run, output):
        pointer.set(run)
        pointer.setExtended(output)

    @classmethod
    def newTraining(cls, labelsRun, micsRun=None, **values):
        """A short training with the paper's network, which takes half the time of the default one."""
        values = dict({"diameter": DIAMETER, "updates": UPDATES, "validationFraction": 0.0, "useGpu": False,
                       "numberOfThreads": 1, "network": NETWORK_CHOICES.index("conv31")}, **values)
        run = cls.newProtocol(ProtPuPickerTrain, **values)
        cls.link(run.inputCoordinates, labelsRun, "outputCoordinates")
        if micsRun is not None:
            cls.link(run.inputMicrographs, micsRun, "outputMicrographs")
        return run

    @classmethod
    def newPicking(cls, micsRun, modelRun, **values):
        values = dict({"useGpu": False, "binThreads": 1}, **values)
        run = cls.newProtocol(ProtPuPickerPick, **values)
        cls.link(run.inputMicrographs, micsRun, "outputMicrographs")
        cls.link(run.inputModel, modelRun, "outputModel")
        return run

    def assertPicksAreSound(self, run, truth, least=0.85):
        """The best picks are the particles; each pick once, within the image, with all its attributes."""
        picks = run.outputCoordinates
        self.assertGreaterEqual(foundFraction(picks, truth), least)
        self.assertLessEqual({coord.getMicName() for coord in picks}, set(truth))
        positions = [(coord.getMicId(),) + coord.getPosition() for coord in picks]
        self.assertEqual(len(positions), len(set(positions)))
        for coord in picks:
            self.assertTrue(0 <= coord.getX() < WIDTH and 0 <= coord.getY() < HEIGHT)
            self.assertIsInstance(coord.getX(), int)
            self.assertEqual(coord._pupickerScore.get(), coord._rlnAutopickFigureOfMerit.get())
            self.assertTrue(0 <= coord._pupickerProbability.get() <= 1)
            self.assertEqual((coord._rlnClassNumber.get(), coord._rlnAnglePsi.get()), (0, 0))
        self.assertTrue(picks.isStreamClosed())
        self.assertEqual(picks.getBoxSize() % 2, 0)
        self.assertGreater(picks.getBoxSize() * picks.getMicrographs().getSamplingRate(), DIAMETER)

    def assertOneLineError(self, run, expected):
        """The run failed and its box shows one line that says why."""
        self.assertTrue(run.isFailed())
        message = run.getErrorMessage()
        self.assertIn(expected, message)
        self.assertNotIn("Traceback", message)
        self.assertEqual(len(message.strip().splitlines()), 1, message)


class TrainedTestCase(WorkflowTestCase):
    """A project that has begun: ``cls.mics``, ``cls.labels`` on three of four, ``cls.training``, ``cls.picking``.

    The fourth micrograph is seen at picking only.  These runs are made once for all classes and processes; each class
    works in a copy of that project.
    """

    LABELLED, LABELS_EACH, BOX = 3, 12, 44

    @classmethod
    def openProject(cls):
        with one_at_a_time(shared_folder(), "project") as prepared:
            if not prepared.exists():
                cls._prepare(prepared)
        manager = Manager()
        path = manager.getProjectPath(cls.__name__)
        shutil.copytree(os.path.join(prepared, "project"), path, symlinks=True)
        cls.proj, cls.projName, cls.outputPath = manager.loadProject(cls.__name__), cls.__name__, path
        with open(os.path.join(prepared, "runs.json"), encoding="utf-8") as stream:
            for name, number in json.load(stream).items():
                setattr(cls, name, cls.proj.getProtocol(number))

    @classmethod
    def _prepare(cls, folder):
        """Run it all in a project of this process; put a copy of that into the folder."""
        raw, part = f"{folder}_raw", f"{folder}.part"  # links in the project lead to the micrographs
        maker = type("Prepared", (WorkflowTestCase,), {"raw": raw})
        truth = makeMicrographs(raw, cls.NAMES)
        setupTestProject(maker)
        runs = {"mics": maker.importMicrographs(raw)}
        some = {name: truth[name][:cls.LABELS_EACH] for name in cls.NAMES[:cls.LABELLED]}
        runs["labels"] = maker.importCoordinates(runs["mics"], some, cls.BOX)
        runs["training"] = maker.launchProtocol(maker.newTraining(runs["labels"], validationFraction=0.25))
        runs["picking"] = maker.launchProtocol(maker.newPicking(runs["mics"], runs["training"]))
        shutil.copytree(maker.proj.path, os.path.join(part, "project"), symlinks=True)
        with open(os.path.join(part, "runs.json"), "w", encoding="utf-8") as stream:
            json.dump({name: run.getObjId() for name, run in runs.items()}, stream)
        os.rename(part, folder)
