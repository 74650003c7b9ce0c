"""The workflow templates: they are what their program writes, become projects from the command line, and run."""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import subprocess
import sys
import time
import unittest
from itertools import pairwise
from pathlib import Path

import pytest

from pupicker.tests.scipion.system_relion import missing_relion, use_system_relion
from pupicker.tests.scipion.workflow import DIAMETER, PIXEL_SIZE, UPDATES, WorkflowTestCase

from pyworkflow.project import Manager  # isort: skip
from pyworkflow.protocol import STATUS_SAVED  # isort: skip
from pyworkflow.template import LocalTemplate  # isort: skip

import pupicker  # isort: skip
from pupicker.constants import NETWORK_CHOICES  # isort: skip

TEMPLATES = Path(pupicker.__file__).resolve().parent / "templates"
PROGRAM = TEMPLATES.parents[1] / "tools" / "make_templates.py"
NAMES = ("classes", "pick", "pick_refine", "session", "streaming", "thresholds")
PLUGINS = ("pwem", "relion", "pupicker")
NEEDS_RELION = pytest.mark.skipif(importlib.util.find_spec("relion") is None, reason="needs scipion-em-relion")


def scipion(*arguments):
    """Run one command of Scipion to its end; return what it printed."""
    done = subprocess.run([sys.executable, "-m", "scipion", *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def fieldsOf(name):
    """The fields of a template by their name on the command line."""
    template = LocalTemplate("pupicker", TEMPLATES / f"{name}.json.template")
    template.replaceEnvVariables()
    template.parseContent()
    return template.getParams()


class TestTemplateFiles(unittest.TestCase):

    def testAllAreThere(self):
        self.assertEqual({path.name for path in TEMPLATES.iterdir()}, {f"{name}.json.template" for name in NAMES})

    def testFieldsAndDescription(self):
        for name in NAMES:
            text = (TEMPLATES / f"{name}.json.template").read_text(encoding="utf-8")
            description, _, body = text.partition("\n[\n")
            self.assertTrue(description.startswith("pupicker: "), name)
            fields = fieldsOf(name)
            self.assertEqual(len(fields), text.count("~") // 2, f"{name}: fields with the same label")
            for label, field in fields.items():
                if field.getAlias() not in ("scores", "timeout", "symmetry"):
                    self.assertRegex(label, r"Å|px|kV|file|path|particles", name)
            for run in json.loads("[" + body):
                self.assertTrue(run["object.label"], name)

    @NEEDS_RELION
    def testTheyAreWhatTheProgramWrites(self):
        """A changed form shows here: run tools/make_templates.py again."""
        if not PROGRAM.is_file():
            self.skipTest("needs the repository: tools are not beside the package")
        folder = Path(os.environ["SCIPION_USER_DATA"]) / "templates"
        subprocess.run([sys.executable, str(PROGRAM), "--output", str(folder)], check=True, capture_output=True)
        for name in NAMES:
            written, shipped = ((place / f"{name}.json.template").read_text(encoding="utf-8")
                                for place in (folder, TEMPLATES))
            self.assertEqual(written, shipped, name)


@NEEDS_RELION
class TestTemplateProjects(WorkflowTestCase):
    """Each becomes a project from the command line; those of the plugin alone run in it."""

    @classmethod
    def setUpClass(cls):
        use_system_relion()  # before the plugins are loaded: templates are checked against RELION's forms
        super().setUpClass()
        cls.labels = os.path.join(cls.raw, "labels.star")
        rows = [f"{x} {y} {name}" for name, points in cls.truth.items() for x, y in points]
        header = "data_\n\nloop_\n_rlnCoordinateX #1\n_rlnCoordinateY #2\n_rlnMicrographName #3\n"
        Path(cls.labels).write_text(header + "\n".join(rows) + "\n", encoding="utf-8")
        cls.given = {
            "micrographs": os.path.join(cls.raw, "*.mrc"), "pixelSize": PIXEL_SIZE, "voltage": 300,
            "labels": cls.labels, "diameter": DIAMETER, "timeout": 5, "model": "/nowhere/model.pupicker",
            "volume": os.path.join(cls.raw, "mic1.mrc"), "voxelSize": PIXEL_SIZE, "particleBox": 44,
            "symmetry": "C1", "scores": "3 1 -1", "goodClasses": 1,
        }

    def create(self, name, *flags, **values):
        """A project from a template, all its fields given on the command line."""
        names = {field.getAlias() for field in fieldsOf(name).values()}
        values = {**self.given, **{alias: 150 for alias in names if alias.startswith("mask")}, **values}
        project = self.project(name)
        scipion("template", f"pupicker-{name}", *(f"{alias}={values[alias]}" for alias in sorted(names)),
                f"project_name={project}", "--nogui", *flags)
        before = os.getcwd()
        self.addCleanup(os.chdir, before)
        return Manager().loadProject(project)

    def project(self, name):
        """Name of the project that :meth:`create` makes in this test."""
        return f"{name}_{self._testMethodName}"

    @staticmethod
    def only(runs, className):
        """The one run of a class; Scipion does not keep the labels of a template's runs."""
        (found,) = (run for run in runs if run.getClassName() == className)
        return found

    def assertValidUpToInputs(self, project):
        """Every run has the class, the links and the values of the template."""
        for run in project.getRuns():
            self.assertIn(run.getClassPackageName(), PLUGINS)
            for name, pointer in run.iterInputPointers():
                if pointer.hasValue():
                    self.assertTrue(pointer.getExtended(), name)
                else:
                    self.assertTrue(run.getParam(name).allowsNull or not run.evalParamCondition(name),
                                    f"{run.getObjLabel()}: {name}")
            # A form that waits for an output of another run cannot be checked yet.
            if all(pointer.get() is not None for _, pointer in run.iterInputPointers() if pointer.hasValue()):
                self.assertEqual(run.validate(), [], run.getObjLabel())

    def testPickRefine(self):
        project = self.create("pick_refine", "--noschedule")
        self.assertEqual(len(project.getRuns()), 8)
        self.assertValidUpToInputs(project)

    def testSession(self):
        project = self.create("session", "--noschedule")
        self.assertEqual(len(project.getRuns()), 3)
        self.assertValidUpToInputs(project)
        live = self.only(project.getRuns(), "ProtPuPickerLive")
        self.assertEqual(live.inputLabels.getExtended(), "outputCoordinates")
        self.assertEqual(live.diameter.get(), DIAMETER)

    def testClasses(self):
        project = self.create("classes", "--noschedule")
        self.assertEqual(len(project.getRuns()), 6)
        self.assertValidUpToInputs(project)
        live = self.only(project.getRuns(), "ProtPuPickerLive")
        self.assertEqual(live.inputParticles.getObjValue().getClassName(), "ProtClassesSelector")
        for name in ("ProtPuPickerLive", "ProtPuPickerBaseline"):
            self.assertEqual(self.only(project.getRuns(), name).diameter.get(), DIAMETER)

    @pytest.mark.relion
    @pytest.mark.slow
    def testGoodClassesAreLearntFrom(self):
        """From micrographs to picks of a model whose labels are the particles of RELION's biggest class."""
        if missing_relion():
            self.skipTest("needs " + " and ".join(missing_relion()))
        for name in self.NAMES:
            os.utime(os.path.join(self.raw, name), (time.time() - 600,) * 2)
        project = self.create("classes", "--noschedule")
        quick = {"ProtRelionExtractParticles": {"saveFloat16": False, "numberOfMpi": 1},
                 "ProtRelionClassify2D": {"numberOfClasses": 4, "numberOfIterations": 2, "doGpu": False,
                                          "numberOfMpi": 1, "inplaneAngularSamplingDeg": 30, "pooledParticles": 30},
                 "ProtPuPickerBaseline": {"minScore": 2.0}, "ProtPuPickerLive": {"updates": UPDATES, "newLabels": 1}}
        for className, values in quick.items():
            run = self.only(project.getRuns(), className)
            for name, value in values.items():
                getattr(run, name).set(value)
            project.saveProtocol(run)
        _, runs = self.scheduled("classes", "--wait")
        first, classified, chosen, live = (self.only(runs, name) for name in (
            "ProtPuPickerBaseline", "ProtRelionClassify2D", "ProtClassesSelector", "ProtPuPickerLive"))
        os.chdir(project.path)  # paths in Scipion's sets are relative to it
        sizes = sorted((item.getSize() for item in classified.outputClasses), reverse=True)
        places = {(c.getMicId(), *c.getPosition()) for c in (p.getCoordinate() for p in chosen.output)}
        self.assertEqual(len(places), sizes[0])
        self.assertLessEqual(places, {(c.getMicId(), *c.getPosition()) for c in first.outputCoordinates})
        self.assertEqual(live.outputModel1.getNumberOfLabels(), len(places))
        self.assertEqual(live.getPickingModel().getPath(), live.outputModel1.getPath())
        self.assertEqual(live.pickedMicrographs.get(), len(self.NAMES))
        self.assertPicksAreSound(live, self.truth)
        # Another choice, and Continue: a version that learns from the particles of all classes.
        self.link(live.inputParticles, classified, "outputClasses")
        live.getProject().launchProtocol(live, wait=True)
        self.assertTrue(live.isFinished(), live.getErrorMessage())
        self.assertEqual(live.outputModel2.getNumberOfLabels(), sum(sizes))
        self.assertIn(f"*Version 2*: {sum(sizes)} labels", "\n".join(live.summary()))

    def testThresholds(self):
        project = self.create("thresholds", "--noschedule")
        self.assertEqual(len(project.getRuns()), 12)
        self.assertValidUpToInputs(project)
        self.assertEqual(self.only(project.getRuns(), "ProtPuPickerThreshold").scores.get(), "3 1 -1")

    @pytest.mark.slow
    def testPickRunsAndItsModelPicksInStreaming(self):
        """The first project one run after the other, the second all at once."""
        for name in self.NAMES:  # files that were just written are left until they are old enough
            os.utime(os.path.join(self.raw, name), (time.time() - 600,) * 2)
        project = self.create("pick", "--noschedule")
        train = self.only(project.getRuns(), "ProtPuPickerTrain")
        train.updates.set(UPDATES)
        train.validationFraction.set(0.0)
        train.network.set(NETWORK_CHOICES.index("conv31"))
        project.saveProtocol(train)
        _, runs = self.scheduled("pick", "--one-by-one")
        self.assertEqual([run.getClassName() for run in runs],
                         ["ProtImportMicrographs", "ProtPuPickerImportLabels", "ProtPuPickerTrain", "ProtPuPickerPick"])
        for before, after in pairwise(runs):
            self.assertLessEqual(before.endTime.get(), after.initTime.get())
        self.assertPicksAreSound(runs[-1], self.truth)
        train = self.only(runs, "ProtPuPickerTrain")
        self.create("streaming", "--noschedule", model=os.path.join(project.path, train.outputModel.getPath()))
        printed, runs = self.scheduled("streaming", "--wait")
        self.assertIn(f"{len(runs)} runs started", printed)
        self.assertPicksAreSound(self.only(runs, "ProtPuPickerPick"), self.truth)

    def scheduled(self, name, how):
        """Run all of a project that :meth:`create` made; return what was printed, and the runs in their order."""
        printed = scipion("python", "-m", "pupicker.schedule", self.project(name), how)
        runs = sorted(Manager().loadProject(self.project(name)).getRuns(), key=lambda run: run.getObjId())
        for run in runs:
            self.assertTrue(run.isFinished(), f"{run.getObjLabel()}: {run.getErrorMessage()}")
        return printed, runs

    @pytest.mark.slow
    def testOneByOneEndsAtAFailure(self):
        broken = os.path.join(self.raw, "broken.pupicker")
        Path(broken).write_bytes(b"no model")
        project = self.create("streaming", "--noschedule", model=broken)
        done = subprocess.run([sys.executable, "-m", "pupicker.schedule", self.project("streaming"), "--one-by-one"],
                              capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("broken.pupicker", done.stderr)
        self.assertIn("not started", done.stderr)
        self.assertEqual(self.only(project.getRuns(refresh=True), "ProtPuPickerPick").getStatus(), STATUS_SAVED)

    def testARunThatCannotStartIsNamedAndNothingIsStarted(self):
        project = self.create("streaming", "--noschedule", model="/nowhere/model.pupicker")
        done = subprocess.run([sys.executable, "-m", "pupicker.schedule", self.project("streaming"), "--wait"],
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("/nowhere/model.pupicker", done.stderr.splitlines()[-1])
        self.assertTrue(all(run.getStatus() == STATUS_SAVED for run in project.getRuns(refresh=True)))

    @pytest.mark.slow
    def testAFailedRunEndsTheWaiting(self):
        broken = os.path.join(self.raw, "broken.pupicker")
        Path(broken).write_bytes(b"no model")
        self.create("streaming", "--noschedule", model=broken)
        done = subprocess.run([sys.executable, "-m", "pupicker.schedule", self.project("streaming"), "--wait"],
                              capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("broken.pupicker", done.stderr)
        self.assertNotIn("Aborted by user", done.stderr)

    @pytest.mark.slow
    def testARunThatDoesNotStartWithItsInputsIsNamed(self):
        """It would wait for ever: the scheduler of Scipion takes any complaint for a missing input."""
        project = self.create("streaming", "--noschedule", model=self.trainedModel())
        run = self.only(project.getRuns(), "ProtPuPickerPick")
        run.boxSize.set(7)
        project.saveProtocol(run)
        done = subprocess.run([sys.executable, "-m", "pupicker.schedule", self.project("streaming"), "--wait"],
                              capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("give an even number of pixels", done.stderr)
        self.assertNotIn("Aborted by user", done.stderr)

    @classmethod
    @functools.cache
    def trainedModel(cls):
        """Path of a model, trained for a moment."""
        labels = cls.importCoordinates(cls.mics, {"mic1.mrc": cls.truth["mic1.mrc"]}, 44)
        training = cls.launchProtocol(cls.newTraining(labels, updates=2))
        return os.path.join(cls.proj.path, training.outputModel.getPath())

    def testUnknownProject(self):
        done = subprocess.run([sys.executable, "-m", "pupicker.schedule", "Nowhere"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 2)
        self.assertIn("there is no project 'Nowhere'", done.stderr)
