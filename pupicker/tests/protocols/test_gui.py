"""The windows of a real project on a virtual screen: the forms open and can be photographed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile

import pytest

from pupicker.tests.protocols import scipion_environment

from pyworkflow.tests import BaseTest, setupTestProject  # isort: skip

PROGRAMS = {"xvfb-run": "xvfb", "xauth": "xauth", "import": "imagemagick"}
FORMS = ["ProtPuPickerTrain", "ProtPuPickerPick", "ProtPuPickerBaseline", "ProtPuPickerThreshold",
         "ProtPuPickerEvaluate", "ProtPuPickerPreprocess", "ProtPuPickerImportModel"]


@pytest.mark.gui
class TestWindows(BaseTest):
    """One project window; every protocol's form, with its expert fields."""

    @classmethod
    def setUpClass(cls):
        missing = [package for program, package in PROGRAMS.items() if shutil.which(program) is None]
        if missing:
            pytest.skip("needs the system packages " + " ".join(missing))
        setupTestProject(cls)

    def testEveryFormOpens(self):
        from PIL import Image

        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        done = subprocess.run(
            ["xvfb-run", "-a", "-s", "-screen 0 1920x1200x24", sys.executable, "-m",
             "pupicker.tests.protocols.gui_driver", self.proj.path, folder, *FORMS],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=scipion_environment.REPOSITORY,
            check=False)
        self.assertEqual(done.returncode, 0, done.stdout[-3000:])
        for name in FORMS:
            picture = Image.open(os.path.join(folder, name + ".png")).convert("L").crop((40, 40, 840, 640))
            levels = picture.getextrema()
            self.assertGreater(levels[1] - levels[0], 150, name + ": the picture of the form is empty")
            # A form of grey, white and red areas with text: more than a few per cent of it is not background.
            histogram = picture.histogram()
            self.assertLess(max(histogram) / sum(histogram), 0.9, name)
