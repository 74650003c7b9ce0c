"""Installations of a site: two environments, a package that cannot be written, another user, Scipion's commands."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import pytest

from pupicker.tests.scipion import scipion_environment  # noqa: F401  (before pyworkflow is imported)

import pyworkflow as pw  # isort: skip

import pupicker  # isort: skip
from pupicker.plugin.interpreter import contentsOf  # isort: skip

PACKAGE = Path(pupicker.__file__).resolve().parent
NOBODY = 65534
TORCH = ("torch", "torchgen", "functorch")
OURS = ("pupicker", "scipion_em_pupicker", "__editable__")
REMEDY = "Run 'scipion installb pupicker', or set PUPICKER_PYTHON"


def isLeftOut(name):
    """Whether an entry of site-packages is torch or this package."""
    return name.split("-")[0].split(".")[0].lower() in TORCH + OURS or name.startswith("__editable__")


def makeEnvironment(folder, base=sys.executable, leaveOut=isLeftOut):
    """A virtual environment with the packages of this one, by links; by default without torch and without pupicker."""
    subprocess.run([base, "-m", "venv", "--without-pip", folder], check=True)
    python = os.path.join(folder, "bin", "python")
    script = "import sysconfig; print(sysconfig.get_path('purelib'))"
    target = subprocess.run([python, "-c", script], check=True, capture_output=True, text=True).stdout.strip()
    for name in os.listdir(sysconfig.get_path("purelib")):
        if not leaveOut(name):
            os.symlink(os.path.join(sysconfig.get_path("purelib"), name), os.path.join(target, name))
    return python


def environmentFor(python, folder, package=PACKAGE, **variables):
    """Variables under which a Scipion that starts with `python` keeps everything in `folder`."""
    environment = {name: value for name, value in os.environ.items()
                   if not name.startswith(("SCIPION", "PUPICKER")) and name != "PYTHONPATH"}
    environment.update({"PYTHONPATH": str(package.parent), "HOME": str(folder), "TMPDIR": str(folder),
                        "VIRTUAL_ENV": os.path.dirname(os.path.dirname(python)),
                        "PATH": os.path.dirname(python) + os.pathsep + os.environ["PATH"]}, **variables)
    return environment


def runProject(python, folder, package=PACKAGE, before=(), **variables):
    """Run site_project.py; return what it found."""
    command = [*before, python, str(package / "tests" / "scipion" / "site_project.py")]
    done = subprocess.run(command, env=environmentFor(python, folder, package, **variables), cwd=folder,
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return json.loads([line for line in done.stdout.splitlines() if line.startswith("{")][-1])


def pythonOf(user, folder):
    """A Python with all packages that `user`, the start of a command line, can run."""

    def runs(python):
        command = [*user, "sh", "-c", '"$0" -c "import torch, mrcfile, sqlite3, tkinter"', python]
        return subprocess.run(command, cwd="/", capture_output=True).returncode == 0

    if runs(sys.executable):
        return sys.executable
    # Root's own Python may lie in its home, where others may not look; that of the system does not.
    system = "/usr/bin/python{}.{}".format(*sys.version_info[:2])
    if os.path.exists(system):
        python = makeEnvironment(os.path.join(folder, "env"), system, lambda name: False)
        if runs(python):
            return python
    raise unittest.SkipTest("needs a Python that other users can run")


def validate(python, folder, **variables):
    """What the plugin says is missing when Scipion runs on `python`, and whether that loaded or started anything."""
    script = ("import sys, json\nfrom pupicker.tests.scipion import scipion_environment\n"
              "import pyworkflow as pw, subprocess\npw.Config.getDomain().getPlugins()\n"
              "from pupicker import Plugin\nsubprocess.Popen = None\n"
              "print(json.dumps([Plugin.validateInstallation(), 'torch' in sys.modules]))")
    done = subprocess.run([python, "-c", script], env=environmentFor(python, folder, **variables), cwd=folder,
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    messages, loaded = json.loads(done.stdout.splitlines()[-1])
    assert not loaded
    return messages


class InstallationTestCase(unittest.TestCase):
    """With a folder that another user can reach."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="pupicker_site_")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = folder.name
        os.chmod(cls.folder, 0o755)


class TestOldScipion(unittest.TestCase):
    """The plugin loads in it, and one line says what to do."""

    def testOldScipionEm(self):
        pw.Config.getDomain().getPlugins()
        for version, isOld in (("3.10.2", True), ("3.9", True), ("3.11.0", False), ("3.12.0b1", False), ("4.0", False)):
            with mock.patch("pwem.__version__", version):
                messages = [line for line in pupicker.Plugin.validateInstallation() if "scipion-em" in line]
            self.assertEqual(bool(messages), isOld, version)
            if isOld:
                self.assertIn(f"has scipion-em {version}; pupicker needs 3.11 or later. Run", messages[0])


@pytest.mark.slow
class TestTwoEnvironments(InstallationTestCase):
    """Scipion in an environment without torch, the core in another one."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.python = makeEnvironment(os.path.join(cls.folder, "scipion_env"))

    def testWithoutACoreItSaysSo(self):
        (message,) = validate(self.python, self.folder)
        self.assertIn(f"The Python that runs Scipion ({self.python}) has no torch", message)
        self.assertIn(REMEDY, message)

    def testOtherEnvironmentWithoutTorch(self):
        """Scipion's Python is complete here, but a wrong one was set."""
        (message,) = validate(sys.executable, self.folder, PUPICKER_PYTHON=self.python)
        self.assertIn(f"PUPICKER_PYTHON ({self.python}) has no torch", message)
        self.assertIn(REMEDY, message)

    def testOldEnvironment(self):
        old = os.path.join(self.folder, "old")
        os.makedirs(os.path.join(old, "lib", "python3.8", "site-packages", "torch"))
        os.makedirs(os.path.join(old, "bin"))
        os.symlink(sys.executable, os.path.join(old, "bin", "python"))
        Path(old, "pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.8.10\n", encoding="utf-8")
        (message,) = validate(sys.executable, self.folder, PUPICKER_PYTHON=os.path.join(old, "bin", "python"))
        self.assertIn("is Python 3.8, too old for the core", message)

    def testDevice(self):
        (message,) = validate(sys.executable, self.folder, PUPICKER_DEVICE="gpu0")
        self.assertEqual(message, "PUPICKER_DEVICE = gpu0: set it to one of auto, cpu, cuda.")

    def testContents(self):
        contents = contentsOf(self.python)
        self.assertEqual(contents.version, sys.version_info[:2])
        self.assertTrue(contents.complete and contents.has("pwem") and not contents.has("torch"))
        self.assertFalse(contentsOf("/usr/bin/python3").complete)

    def testTrainAndPickInBoth(self):
        work = os.path.join(self.folder, "work")
        os.mkdir(work)
        found = runProject(self.python, work, PUPICKER_PYTHON=sys.executable)
        self.assertFalse(found["scipion_has_torch"])
        self.assertEqual((found["scipion"], found["core"]), (self.python, sys.executable))
        self.assertTrue(found["core_in_log"])
        self.assertGreaterEqual(found["found"], 0.85)


@pytest.mark.slow
class TestReadOnlyPackage(InstallationTestCase):
    """A site installs once; others use it."""

    def testAnotherUserTrainsAndPicks(self):
        package = Path(self.folder) / "site" / "pupicker"
        shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
        for path in [package.parent, *package.parent.rglob("*")]:
            path.chmod(0o555 if path.is_dir() else 0o444)
        self.addCleanup(lambda: [path.chmod(0o755) for path in [package.parent, *package.parent.rglob("*")]])
        before = sorted(package.parent.rglob("*"))
        home = os.path.join(self.folder, "home")
        os.mkdir(home)
        user = ()  # write permissions hold for this user as they would for another, if it is not root
        if os.getuid() == 0:
            os.chown(home, NOBODY, NOBODY)
            # This Python may lie in a folder that only root may enter; the other user may read there, but not write.
            user = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
                    "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
        found = runProject(pythonOf(user, self.folder), home, package, user)
        self.assertEqual(found["package"], str(package / "__init__.py"))
        self.assertGreaterEqual(found["found"], 0.85)
        self.assertEqual(sorted(package.parent.rglob("*")), before)


@pytest.mark.slow
class TestCommands(InstallationTestCase):
    """``scipion3`` is ``python -m scipion``."""

    def scipion(self, python, *arguments, **variables):
        """Run one command; return all that it printed."""
        environment = {**environmentFor(python, self.folder), **variables}
        for name in os.environ:
            if name.startswith("SCIPION"):
                environment.setdefault(name, os.environ[name])
        environment["SCIPION_PYTHON"] = python
        done = subprocess.run([python, "-m", "scipion", *arguments], env=environment, cwd=self.folder,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert done.returncode == 0, done.stdout[-3000:]
        return done.stdout

    def testProtocols(self):
        printed = self.scipion(sys.executable, "protocols")
        for name in ("ProtPuPickerTrain", "ProtPuPickerPick", "ProtPuPickerImportModel"):
            self.assertIn(name, printed)

    def testTests(self):
        self.assertIn("pupicker.tests.workflows.test_workflow", self.scipion(
            sys.executable, "tests", "--show", "--grep", "pupicker"))

    def testConfig(self):
        printed = self.scipion(sys.executable, "config", "-p", "pupicker", PUPICKER_MODELS="/site/models")
        for name in ("PUPICKER_PYTHON", "PUPICKER_HOME", "PUPICKER_DEVICE", "/site/models"):
            self.assertIn(name, printed)

    def testInstallPlugin(self):
        """From a folder with the name of the distribution, without an index."""
        source = PACKAGE.parent
        if not (source / "setup.py").is_file():
            self.skipTest("needs the repository: setup.py is not beside the package")
        python = makeEnvironment(os.path.join(self.folder, "env"))
        tree = Path(self.folder) / "scipion-em-pupicker"
        tree.mkdir()
        for name in ("setup.py", "pyproject.toml", "requirements.txt", "README.md", "LICENSE", "MANIFEST.in"):
            shutil.copy(source / name, tree)
        shutil.copytree(PACKAGE, tree / "pupicker", ignore=shutil.ignore_patterns("__pycache__", "tests"))
        printed = self.scipion(
            python, "installp", "-p", str(tree), "--devel", "--noBin", PYTHONPATH="", PIP_NO_INDEX="1", PIP_NO_DEPS="1",
            PIP_NO_BUILD_ISOLATION="0", PIP_DISABLE_PIP_VERSION_CHECK="1")
        self.assertNotIn("ERROR", printed)
        where = subprocess.run([python, "-c", "import pupicker; print(pupicker.__file__)"], cwd=self.folder,
                               env={**environmentFor(python, self.folder), "PYTHONPATH": ""}, check=True,
                               capture_output=True, text=True).stdout
        self.assertEqual(Path(where.strip()), tree / "pupicker" / "__init__.py")
