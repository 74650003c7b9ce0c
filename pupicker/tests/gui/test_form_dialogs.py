"""Dialogs of the forms on a screen of this process: what they show when a micrograph cannot be read, and remember."""

from __future__ import annotations

import tkinter
from types import SimpleNamespace

import mrcfile
import numpy as np
import pytest

from pupicker.tests.scipion import scipion_environment  # noqa: F401  (before pyworkflow is imported)
from pupicker.tests.scipion.screen import need_screen, open_screen

from pupicker.convert.picks import Pick  # isort: skip
from pupicker.gui.detection_dialog import DetectionDialog, Preview  # isort: skip
from pupicker.gui.diameter_dialog import DiameterDialog  # isort: skip
from pupicker.gui.micrograph_dialog import Entry  # isort: skip

SIDE, WAIT_MS = 64, 400
pytestmark = pytest.mark.gui


@pytest.fixture(scope="module")
def root(request):
    """One for all: the buttons of pyworkflow keep their pictures with the first."""
    need_screen()
    open_screen(request.addfinalizer)
    window = tkinter.Tk()
    yield window
    window.destroy()


@pytest.fixture
def use(root, monkeypatch):
    """Open a dialog, do steps one after the other, and cancel; an error in a callback of Tk fails the test."""
    wrong = []
    monkeypatch.setattr(tkinter.Tk, "report_callback_exception", lambda self, kind, error, where: wrong.append(error))

    def opened(kind, *arguments, **steps):
        class Used(kind):

            def body(self, frame):
                super().body(frame)
                for number, step in enumerate([*steps.values(), kind.cancel], 1):
                    self.after(number * WAIT_MS, step, self)

        Used(root, *arguments)
        assert not wrong

    return opened


@pytest.fixture
def entries(tmp_path):
    """The second cannot be read."""
    with mrcfile.new(tmp_path / "good.mrc") as mrc:
        mrc.set_data(np.random.default_rng(0).normal(size=(SIDE, SIDE)).astype(np.float32))
    (tmp_path / "bad.mrc").write_text("no micrograph")
    return [Entry(SimpleNamespace(
        getObjId=lambda number=number: number, getMicName=lambda name=name: name, getXDim=lambda: SIDE,
        getSamplingRate=lambda: 1.0, getLocation=lambda name=name: (0, str(tmp_path / name))), "")
        for number, name in enumerate(("good.mrc", "bad.mrc"), 1)]


def said(dialog):
    """What stands on the canvas."""
    return [dialog.canvas.itemcget(item, "text") for item in dialog.canvas.find_all()
            if dialog.canvas.type(item) == "text"]


def test_a_micrograph_that_cannot_be_read_is_said_in_its_place(entries, use):
    found = []

    def zoom(dialog):
        dialog.zoomIn()
        found.append((dialog.current, dialog.canvas.pixels(), *said(dialog)))

    use(DiameterDialog, entries, {}, 1.0, 10.0, choose=lambda dialog: dialog.list.choose("1"), zoom=zoom)
    (current, pixels, text), = found
    assert current is None and pixels is None and "bad.mrc: cannot be shown" in text


class Running:
    """A process that picks for ever, or has picked."""

    def __init__(self, running):
        self.running, self.closed = running, False

    def isRunning(self):
        return self.running

    def check(self):
        return 0

    def getPath(self, name):
        return name

    def close(self):
        self.closed = True


def test_a_preview_ends_where_nothing_is_shown(entries, use):
    process, after = Running(True), []

    def end(dialog):
        process.running = False
        after.append(process.closed)

    use(DetectionDialog, entries, Preview(lambda *values: process, {}), 5.0, 0.0, 0.0,
        choose=lambda dialog: dialog.list.choose("1"), end=end)
    assert after == [True]


def test_a_preview_that_began_higher_is_not_taken_for_a_lower_one(entries, use, monkeypatch):
    asked, known = [], {}
    monkeypatch.setattr("pupicker.gui.detection_dialog.readPicks", lambda path: [Pick(5.0, 5.0, 1.0, None)])

    def start(mic, distance, lowest):
        asked.append(lowest)
        return Running(False)

    for threshold in (0.0, -9.0, 0.0):
        use(DetectionDialog, entries, Preview(start, known), 5.0, threshold, 0.0)
    assert asked == [-6.0, -9.0]
