"""The windows of a real project on a virtual screen: the forms open and can be photographed."""

from __future__ import annotations

import os

import pytest

from pupicker.tests.scipion import scipion_environment  # noqa: F401  (before pyworkflow is imported)
from pupicker.tests.scipion.screen import assert_shows_something, need_screen, pictures_folder, run_on_screen

from pyworkflow.tests import BaseTest, setupTestProject  # isort: skip

import pupicker.protocols  # isort: skip

FORMS = pupicker.protocols.__all__
SMALL_SCREEN_PX = 768 - 60  # of a laptop, less the bars of its desktop and of the window


@pytest.mark.gui
class TestWindows(BaseTest):
    """One project window; every protocol's form, with its expert fields."""

    @classmethod
    def setUpClass(cls):
        need_screen()
        setupTestProject(cls)

    def testEveryFormOpens(self):
        from PIL import Image

        folder = pictures_folder(self.addCleanup)
        run_on_screen("gui_driver", self.proj.path, folder, *FORMS)
        names = [name + suffix for name in FORMS for suffix in ("", "_expert")]
        assert_shows_something(folder, names)
        for name in names:
            # A form of grey, white and red areas with text: more than a few per cent of it is not background.
            picture = Image.open(os.path.join(folder, name + ".png"))
            self.assertLess(picture.height, SMALL_SCREEN_PX, name)  # its buttons can be reached
            histogram = picture.convert("L").histogram()
            self.assertLess(max(histogram) / sum(histogram), 0.9, name)
