"""Interpreter, environment and installation of the core; the launcher that joins the two."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

import pytest

from pupicker.tests.scipion import scipion_environment

import pyworkflow as pw  # isort: skip
from scipion.install.funcs import Environment  # isort: skip

import pupicker  # isort: skip
from pupicker import Plugin  # isort: skip
from pupicker.commands import launch  # isort: skip
from pupicker.constants import (  # isort: skip
    CORE_MINIMUM_PYTHON, PUPICKER_DEVICE, PUPICKER_HOME, PUPICKER_MODELS, PUPICKER_PYTHON,
    PUPICKER_USER_MODELS,
)
from pupicker.protocols import ProtPuPickerImportModel, ProtPuPickerTrain  # isort: skip
from pupicker.shared.model_library import library_folders  # isort: skip


class PluginTestCase(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        pw.Config.getDomain().getPlugins()  # defines the variables of the plugin

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def setVariable(self, name, value):
        self.addCleanup(Plugin._vars.__setitem__, name, Plugin.getVar(name))
        Plugin._vars[name] = value

    def setEnvironment(self, name, value):
        before = os.environ.get(name)
        self.addCleanup(lambda: os.environ.pop(name, None) if before is None else os.environ.update({name: before}))
        os.environ[name] = value


class TestInterpreter(PluginTestCase):

    def testMissing(self):
        self.setVariable(PUPICKER_PYTHON, "/nowhere/bin/python")
        (message,) = Plugin.validateInstallation()
        self.assertIn("/nowhere/bin/python does not exist", message)
        self.assertIn("installb pupicker", message)

    def testNotExecutable(self):
        path = os.path.join(self.folder, "python")
        scipion_environment.write(path, "")
        self.setVariable(PUPICKER_PYTHON, path)
        (message,) = Plugin.validateInstallation()
        self.assertIn("not executable", message)

    def testOwnInterpreterKeepsItsPath(self):
        self.setVariable(PUPICKER_PYTHON, sys.executable)
        self.setEnvironment("PYTHONPATH", "/some/modules")
        self.assertTrue(Plugin.isOwnInterpreter())
        self.assertEqual(Plugin.getEnviron()["PYTHONPATH"], "/some/modules")

    def testOtherEnvironmentDoesNotSeeScipionsModules(self):
        """A venv's python is a link to the same file and still another environment."""
        path = os.path.join(self.folder, "python")
        os.symlink(os.path.realpath(sys.executable), path)
        self.setVariable(PUPICKER_PYTHON, path)
        self.setEnvironment("PYTHONPATH", "/some/modules")
        self.assertFalse(Plugin.isOwnInterpreter())
        self.assertNotIn("PYTHONPATH", Plugin.getEnviron())
        self.assertEqual(Plugin.validateInstallation(), [])
        self.assertEqual(os.environ["PYTHONPATH"], "/some/modules")

    def testCondaBelowAFolderWithAVersion(self):
        """The Python of the environment counts, not the 3.7 of the folder that it is in."""
        root = os.path.join(self.folder, "scipion-3.7", "envs", "core")
        os.makedirs(os.path.join(root, "conda-meta"))
        os.makedirs(os.path.join(root, "lib", "python3.11", "site-packages", "torch"))
        path = os.path.join(root, "bin", "python")
        os.makedirs(os.path.dirname(path))
        os.symlink(os.path.realpath(sys.executable), path)
        self.setVariable(PUPICKER_PYTHON, path)
        self.assertEqual(Plugin.validateInstallation(), [])

    def testInstalledEnvironmentIsTheDefault(self):
        self.setVariable(PUPICKER_HOME, self.folder)
        self.assertEqual(Plugin._getDefaultInterpreter(), sys.executable)
        own = os.path.join(self.folder, "env", "bin", "python")
        scipion_environment.write(own, "")
        self.assertEqual(Plugin._getDefaultInterpreter(), sys.executable)  # the installation was interrupted
        scipion_environment.write(os.path.join(self.folder, "READY"), "")
        self.assertEqual(Plugin._getDefaultInterpreter(), own)


class TestSiteDefaults(PluginTestCase):

    def testDeviceIsTheDefaultOfUseGpu(self):
        for device, expected in (("cpu", False), ("cuda", True), ("CUDA", True), ("auto", Plugin.hasGpu()),
                                 ("", Plugin.hasGpu())):
            self.setVariable(PUPICKER_DEVICE, device)
            self.assertEqual(ProtPuPickerTrain().useGpu.get(), expected, device)

    def testModelsAreFoundByName(self):
        for name in ("ribosome.pupicker", "apoferritin.pupicker", "notes.txt"):
            scipion_environment.write(os.path.join(self.folder, name), "")
        self.setVariable(PUPICKER_MODELS, self.folder)
        self.assertEqual(Plugin.getLibraryModels(), ["apoferritin", "ribosome"])
        run = ProtPuPickerImportModel()
        self.assertEqual(run.modelPath.get(), self.folder + os.sep)  # where its file browser begins
        for given, expected in (("", "choose the model file"), (self.folder, "is a folder"), ("actin", "no such file")):
            run.modelPath.set(given)
            (message,) = run._validate()
            self.assertIn(expected, message)
            self.assertIn("Models of the library: apoferritin, ribosome.", message)
        for given in ("ribosome", os.path.join(self.folder, "ribosome.pupicker")):
            run.modelPath.set(given)
            self.assertEqual(run._validate(), [])
            self.assertEqual(run._getModelPath(), os.path.join(self.folder, "ribosome.pupicker"))

    def testNoLibrary(self):
        for folder in ("", "/nowhere"):
            self.setVariable(PUPICKER_MODELS, folder)
            self.assertEqual(Plugin.getLibraryModels(), [])
        self.assertNotIn("Models of the library", ProtPuPickerImportModel()._validate()[0])

    def testTheCoreKnowsTheFoldersOfTheConfiguration(self):
        self.setVariable(PUPICKER_MODELS, "/site/a:/site/b")
        self.setVariable(PUPICKER_USER_MODELS, self.folder)
        environ = Plugin.getEnviron()
        self.assertEqual(library_folders(environ), Plugin.getLibraryFolders())
        self.assertEqual([path for path, _ in library_folders(environ)], [self.folder, "/site/a", "/site/b"])


class TestBinaries(PluginTestCase):

    def getInstallCommand(self):
        environment = Environment()
        Plugin.defineBinaries(environment)
        target = environment.getTarget(f"pupicker-{pupicker.__version__}")
        (install,) = (str(c._cmd) for c in target.getCommands() if "pip install" in str(c._cmd))
        return install

    def testCommand(self):
        install = self.getInstallCommand()
        self.assertIn("-m venv env", install)
        self.assertIn("torch", install)
        self.assertTrue(install.endswith("touch READY"))

    def testCondaBringsThePythonWhereThereIsNone(self):
        """Only the command is looked at: conda is not to be had from an index."""
        activate = 'eval "$(/opt/conda/bin/conda shell.bash hook)"'
        with mock.patch.object(Plugin, "_findBasePython", return_value=""):
            self.assertIn("python3 -m venv env", self.getInstallCommand())
            with mock.patch.object(pw.Config, "CONDA_ACTIVATION_CMD", activate), \
                    mock.patch.object(Plugin, "_condaActivationCmd", None):
                install = self.getInstallCommand()
        self.assertIn(f"{activate}&& conda create --yes --prefix ./env python=3.11 && env/bin/python -m pip", install)

    @pytest.mark.slow
    def testCommandMakesAnEnvironment(self):
        """The same shell line without the packages: it needs no network."""
        start, rest = self.getInstallCommand().split("pip install")
        subprocess.run(start + "pip --version &&" + rest.split("&&")[1], shell=True, cwd=self.folder, check=True,
                       stdout=subprocess.DEVNULL)
        python = os.path.join(self.folder, "env", "bin", "python")
        self.assertTrue(os.stat(python).st_mode & stat.S_IXUSR)
        self.assertTrue(os.path.exists(os.path.join(self.folder, "READY")))


class TestLauncher(PluginTestCase):

    def launch(self, *arguments, launcher=launch.__file__):
        outcome = os.path.join(self.folder, "outcome.json")
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        result = subprocess.run([Plugin.getInterpreter(), launcher, outcome, *arguments], env=environment,
                                cwd=self.folder, capture_output=True, text=True)
        with open(outcome, encoding="utf-8") as stream:
            content = json.load(stream)
        self.assertEqual(content["exit_code"], result.returncode)
        return content, result

    def testRunsThisCopyWithoutBeingInstalled(self):
        content, result = self.launch("--version")
        self.assertEqual(content, {"exit_code": 0, "error": ""})
        self.assertIn("pupicker", result.stdout)

    def testErrorLineIsKept(self):
        content, result = self.launch("info", "nothing.mrc")
        self.assertEqual(content["exit_code"], 1)
        self.assertRegex(content["error"], r"^pupicker info: error: .*nothing\.mrc")
        self.assertIn(content["error"], result.stderr)

    def testUsageErrorIsKept(self):
        content, _ = self.launch("train", "--no-such-option")
        self.assertEqual(content["exit_code"], 2)
        self.assertIn("pupicker train: error:", content["error"])

    def testNeighboursOfThePackageStayOut(self):
        """Beside the package lie Scipion's own modules, perhaps made for another Python."""
        os.symlink(launch.PACKAGE_FOLDER, os.path.join(self.folder, "pupicker"))
        for name in ("numpy.py", "torch.py", "mrcfile.py"):
            scipion_environment.write(os.path.join(self.folder, name), "raise SystemExit(99)")
        launcher = os.path.join(self.folder, "pupicker", "commands", "launch.py")
        content, _ = self.launch("info", "nothing.mrc", launcher=launcher)
        self.assertEqual(content["exit_code"], 1)
        self.assertIn("nothing.mrc", content["error"])

    def testOldestPythonIsSaidAlike(self):
        """The launcher can import nothing before it has looked."""
        self.assertEqual(launch.MINIMUM_PYTHON, CORE_MINIMUM_PYTHON)

    def testTooOldPythonSaysSo(self):
        self.addCleanup(setattr, launch, "MINIMUM_PYTHON", launch.MINIMUM_PYTHON)
        launch.MINIMUM_PYTHON = (99, 0)
        code, error = launch.run_command(["--version"])
        self.assertEqual(code, 1)
        self.assertIn(sys.executable, error)
        self.assertIn("PUPICKER_PYTHON", error)
