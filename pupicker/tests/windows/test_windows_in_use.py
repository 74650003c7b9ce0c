"""Windows in use on a screen of this process: keys, names, places that are gone through, small windows, controls."""

from __future__ import annotations

import threading
import time
import tkinter
from types import SimpleNamespace

import mrcfile
import numpy as np
import pytest

from pupicker.tests.scipion import scipion_environment  # noqa: F401  (before pyworkflow is imported)
from pupicker.tests.scipion.screen import need_screen, open_screen, settle

from pyworkflow.gui import gui  # isort: skip

from pupicker.convert.picks import Pick  # isort: skip
from pupicker.gui.detection_dialog import DetectionDialog, Preview  # isort: skip
from pupicker.gui.diameter_dialog import DiameterDialog  # isort: skip
from pupicker.gui.micrograph_dialog import Entry  # isort: skip
from pupicker.gui.micrograph_reader import readMicrograph  # isort: skip
from pupicker.shared.worker import Worker  # isort: skip
from pupicker.viewers.scored_set import MicrographEntry  # isort: skip
from pupicker.viewers.viewer_evaluation import (  # isort: skip
    FALSE, HIT, MISSED, Evaluation, EvaluationWindow, Matches)
from pupicker.window.image_bar import LOW_PASS, ImageBar  # isort: skip
from pupicker.window.label_record import LabelRecord  # isort: skip
from pupicker.window.label_window import LabelWindow  # isort: skip
from pupicker.window.micrograph_canvas import MicrographCanvas  # isort: skip
from pupicker.window.score_bars import ScoreBars  # isort: skip
from pupicker.window.suggester import LabelMicrograph, Suggester, Suggestions  # isort: skip

SIDE, RADIUS, PIXEL_SIZE = 256, 16, 4.0
NAMES = [f"a_very_long_name_of_a_session_with_a_grid_and_a_square_and_a_hole_{number}_aligned.mrc"
         for number in range(5)]
PLACES = [(60.0 + 45 * column, 60.0 + 45 * row) for column in range(4) for row in range(3)]
WAIT_MS = 400
"""Until the next thing that is done in a dialog."""
SMALL_PX = (984, 540)
"""What a screen of 1024 by 600 leaves for a window."""

pytestmark = pytest.mark.gui


@pytest.fixture(scope="module", autouse=True)
def screen(request):
    need_screen()
    open_screen(request.addfinalizer)
    limit = time.monotonic() + 20
    while True:
        try:
            tkinter.Tk().destroy()
            return
        except tkinter.TclError:
            assert time.monotonic() < limit, "no screen came"
            time.sleep(0.1)


@pytest.fixture(scope="module")
def micrographs(tmp_path_factory):
    """Noise with discs; each is half as bright as the one before."""
    folder, random = tmp_path_factory.mktemp("mics"), np.random.default_rng(0)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    for number, name in enumerate(NAMES):
        pixels = random.normal(0, 0.5, (SIDE, SIDE)).astype(np.float32)
        for x, y in PLACES:
            pixels -= np.hypot(columns - x, rows - y) < RADIUS
        with mrcfile.new(folder / name) as mrc:
            mrc.set_data((pixels * 0.5**number).astype(np.float32))
    return [str(folder / name) for name in NAMES]


@pytest.fixture
def evaluation(micrographs):
    """The window of an evaluation in which micrograph 1 has a hit, two false picks, and what no pick was near."""
    matches = {number: Matches(*np.array([(60, 60, 3.0, HIT), (105, 60, 1.5, FALSE), (150, 60, 2.5, FALSE)][
        : 3 if number == 1 else 1]).T) for number in range(1, 6)}
    matches[2] = Matches(*np.array([(60, 60, -np.inf, MISSED), (105, 105, -np.inf, MISSED)]).T)
    entries = [MicrographEntry(number, path, path, 1) for number, path in enumerate(micrographs, 1)]
    window = EvaluationWindow(None, entries, Evaluation(matches, RADIUS, 0.0, 0.9, pixelSizeAng=PIXEL_SIZE))
    window.root.deiconify()
    settle(window.root, 0.3)
    yield window
    window.root.destroy()


@pytest.fixture
def labelling(micrographs, tmp_path):
    """The window that labels, its record, and a suggester whose core cannot be started."""
    record = LabelRecord(str(tmp_path / "labels.json"))
    record.setDiameter(2 * RADIUS * PIXEL_SIZE)
    entries = [LabelMicrograph(f"m{number}", path, path, PIXEL_SIZE) for number, path in enumerate(micrographs)]
    suggester = Suggester(Worker(["false"]), record, entries, str(tmp_path))

    def opened():
        window = LabelWindow(tkinter.Tk(), entries, record, lambda one: readMicrograph(one.path), suggester)
        opened.window = window
        settle(window.root, 0.3)
        return window

    yield SimpleNamespace(record=record, suggester=suggester, open=opened)
    opened.window.close()


def resize(window, size):
    window.root.geometry(f"{size[0]}x{size[1]}")
    settle(window.root, 0.3)


def clickRow(window, key):
    """As the mouse does."""
    left, top, _, height = window.list.table.bbox(key)
    for event in ("ButtonPress", "ButtonRelease"):
        window.list.table.event_generate(f"<{event}-1>", x=left + 5, y=top + height // 2)
    settle(window.root, 0.1)


def press(window, *keys):
    """Press keys where the focus is; the rows that are chosen after each."""
    chosen = []
    for key in keys:
        window.root.focus_get().event_generate(f"<{key}>")
        settle(window.root, 0.1)
        chosen.append(window.list.chosen())
    return chosen


def test_a_key_is_one_step_wherever_the_focus_is(evaluation):
    evaluation.root.focus_force()
    assert press(evaluation, "Right", "Down") == ["2", "3"]
    clickRow(evaluation, "1")
    assert evaluation.root.focus_get() is evaluation.table
    assert press(evaluation, "Right", "Right", "Down", "Down", "Up", "Left") == ["2", "3", "4", "5", "4", "3"]


def test_keys_of_the_window_that_labels_move_its_cross_only(labelling):
    window = labelling.open()
    clickRow(window, "m1")
    assert press(window, "Down", "n", "Next", "p") == ["m1", "m2", "m3", "m2"]


def test_names_differ_above_the_image_too(evaluation, labelling):
    for window in (evaluation, labelling.open()):
        resize(window, SMALL_PX)
        window.list.choose(window.list.rows()[3])
        settle(window.root, 0.2)
        text = str(window.title["text"])
        assert "…" in text and "_3_aligned.mrc" in text
        assert tkinter.font.Font(root=window.root, name="TkDefaultFont", exists=True).measure(
            text) <= window.title.winfo_width()
        assert window.title._tooltip.text.endswith(NAMES[3])


def test_places_are_numbered_and_gone_through_both_ways(evaluation):
    told = []
    for kind, step in ((FALSE, 1), (FALSE, 1), (FALSE, 1), (FALSE, -1), (MISSED, -1), (MISSED, 1)):
        evaluation.goToNext(kind, step)
        told.append(evaluation.place["text"])
    assert told == [f"False pick {number} of 2: score {score}" for number, score in
                    ((1, "2.50"), (2, "1.50"), (1, "2.50"), (2, "1.50"))] + [
                        f"Missed particle {number} of 2: no pick there" for number in (2, 1)]
    evaluation.threshold.move(3.5)  # above all picks
    settle(evaluation.root, 0.2)
    evaluation.goToNext(FALSE)
    assert evaluation.place["text"] == "There is no false pick."
    evaluation.goToNext(MISSED, -1)
    assert evaluation.place["text"] == "Missed particle 6 of 6: score 3.00, below the threshold"


def test_the_mark_stays_when_the_window_gets_another_size(evaluation):
    evaluation.goToNext(FALSE)
    for size in ((1100, 700), SMALL_PX):
        resize(evaluation, size)
        canvas = evaluation.canvas
        left, top, right, bottom = canvas.bbox("mark")
        assert min(left, top) > 0 and right < canvas.winfo_width() and bottom < canvas.winfo_height()


def test_everything_can_be_reached_in_a_small_window(evaluation, labelling):
    for window, panel in ((evaluation, evaluation._side), (labelling.open(), None)):
        panel = panel or window.panel.scrolled
        resize(window, (1400, 860))
        assert all(least <= small for least, small in zip(window.root.minsize(), SMALL_PX, strict=True))
        assert not panel.bar.winfo_ismapped()
        resize(window, window.root.minsize())
        assert panel.bar.winfo_ismapped() and window.canvas.winfo_width() > 250
        for part in window.bar.controls:
            assert part.winfo_rootx() + part.winfo_width() <= window.bar.winfo_rootx() + window.bar.winfo_width()
        last = max(panel.inside.winfo_children(), key=lambda part: part.winfo_y())
        for _ in range(30):
            last.event_generate("<Button-5>")
        settle(window.root, 0.1)
        assert last.winfo_rooty() + last.winfo_height() <= window.root.winfo_rooty() + window.root.winfo_height()


def test_suggestions_are_counted_on_the_micrograph_that_is_shown(labelling):
    window = labelling.open()
    labelling.suggester.known.update({
        f"m{number}": Suggestions(*zip(*[(x, y, 3.0) for x, y in PLACES[: 4 + number]], strict=True), None, "")
        for number in range(2)})
    window.changed()
    assert window.panel.suggested["text"].startswith("4 suggestions")
    press(window, "n")
    assert window.panel.suggested["text"].startswith("5 suggestions")


def test_a_diameter_is_typed_and_keys_are_for_the_window_again(labelling):
    window = labelling.open()
    typed = []
    for text, key in (("120,5", "Return"), ("inf", "Return"), ("nan", "Return"), ("100", "Escape"),
                      ("99999", "Return")):
        window.panel.diameter.focus_force()
        window.panel.diameter.delete(0, tkinter.END)
        window.panel.diameter.insert(0, text)
        press(window, key)
        typed.append((labelling.record.diameterAng, window.panel.diameter.get()))
        assert window.root.focus_get() is window.canvas
    assert typed == [(120.5, "120.5")] * 4 + [(SIDE * PIXEL_SIZE, "1024")]
    assert press(window, "n") == ["m1"]


def test_nothing_is_labelled_on_what_cannot_be_seen(labelling):
    window = labelling.open()
    window.read = lambda one: readMicrograph(one.path if one.key != "m1" else one.path + "_gone")
    labelling.suggester.known.update({
        f"m{number}": Suggestions(*zip(*[(x, y, 3.0) for x, y in PLACES], strict=True), None, "")
        for number in range(2)})
    press(window, "n", "Left", "Return", "x", "a")
    assert labelling.record.number() == labelling.record.number("not_particles") == 0
    assert window.panel.suggested["text"] == "0 suggestions shown on this micrograph"
    press(window, "p", "h", "Left", "Return", "a")
    assert labelling.record.number() == 0
    press(window, "a")  # that before has shown them
    assert labelling.record.number() == len(PLACES)


def test_one_right_click_is_one_step_back(labelling):
    window = labelling.open()
    window.click(*PLACES[0])
    window.rightClick(PLACES[0][0] + 1.23456, PLACES[0][1])
    assert labelling.record.places("m0", "not_particles") == [(61.23, 60.0)]
    window.undo()
    assert labelling.record.places("m0") == [PLACES[0]] and labelling.record.number("not_particles") == 0


def test_why_no_suggestion_is_shown(labelling):
    window = labelling.open()
    labelling.suggester.known["m0"] = Suggestions(*zip(*[(x, y, 3.0) for x, y in PLACES], strict=True), None, "")

    def told(level):
        window.panel.slider.set(level)
        settle(window.root, 0.1)
        return str(window.panel.suggested["text"]).partition("micrograph")[2]

    assert told(2.0) == "" and told(4.0) == "; the best scores 3.0"
    window.panel.slider.set(2.0)
    press(window, "a")
    assert told(2.0) == "; all of them are decided"
    labelling.suggester.known["m0"] = Suggestions([20.0], [20.0], [-2.0], None, "")
    assert told(0.0) == "; the best scores -2.0, noise alone gives as much"


def test_a_slider_that_was_moved_stays_when_a_model_has_learnt_more(labelling):
    window = labelling.open()
    levels = []
    for trained, threshold, moved in ((1, 1.0, 3.0), (2, 1.5, None), (3, -1.0, None)):
        labelling.suggester.trained, labelling.suggester.threshold = trained, threshold
        window.panel.modelChanged()
        levels.append(window.panel.threshold())
        if moved is not None:
            window.panel.slider.set(moved)
    assert levels == [1.0, 3.0, 3.0]


def test_the_window_opens_where_it_was_left(labelling):
    window = labelling.open()
    labelling.record.add("m1", PLACES[:1])
    press(window, "n", "n", "n")
    window.close()
    assert labelling.open().key() == "m3"


def test_labels_that_cannot_be_written_are_said_and_the_window_closes(labelling, tmp_path):
    """A folder is where the file should be, then it is gone."""
    window = labelling.open()
    (tmp_path / "labels.json").unlink(missing_ok=True)
    (tmp_path / "labels.json").mkdir()
    window.click(*PLACES[0])
    assert labelling.record.number() == 1 and len(window.canvas.find_withtag("labels")) == 1
    assert str(window.panel.counts["text"]).startswith("NOT SAVED: ") and "labels.json" in window.panel.counts["text"]
    asked = []
    window.askToLose = lambda reason: bool(asked.append(reason))
    window.done()
    assert asked and not window.finished and window.root.winfo_exists()
    (tmp_path / "labels.json").rmdir()
    window.click(*PLACES[1])
    assert str(window.panel.counts["text"]).startswith("Labels: 2")
    assert len(LabelRecord(str(tmp_path / "labels.json")).places("m0")) == 2


def test_a_failure_is_told_of_its_own_micrograph(labelling):
    window = labelling.open()
    labelling.suggester.poll = lambda key: False  # the core cannot be started, which would be told
    labelling.suggester.error = labelling.suggester.state = ""
    labelling.suggester._failed["m1"] = "m1.mrc: truncated"
    press(window, "n")
    assert window.panel.stateText["text"] == "no suggestions here: m1.mrc: truncated"
    press(window, "n")
    assert window.panel.stateText["text"] == ""


def test_one_label_on_another_micrograph_leaves_the_mean_as_it_is(labelling):
    """Also where labels are of an earlier start, and of micrographs with another contrast."""
    labelling.record.add("m0", PLACES[:11])
    labelling.record.add("m1", PLACES[:3])
    window = labelling.open()
    settle(window.root, 1.2)
    before = window.panel.plot._values
    fifteen = window.panel._mean.sums(labelling.record.labelled(), 1.25 * labelling.record.diameterAng)[1]
    press(window, "n", "n")
    x, y = window.canvas.toWindow(20, 20)
    for event in ("ButtonPress", "ButtonRelease"):
        window.canvas.event_generate(f"<{event}-1>", x=int(x), y=int(y))
    settle(window.root, 0.8)
    assert labelling.record.number() == 15
    after = window.panel.plot._values
    assert np.corrcoef(before, after)[0, 1] > 0.98
    assert window.panel._mean.sums(labelling.record.labelled(), 1.25 * labelling.record.diameterAng)[1].sum() > (
        fifteen.sum())
    assert not any(thread is window.panel._reading for thread in threading.enumerate())


def test_a_low_pass_is_a_length_of_the_micrograph():
    root = tkinter.Tk()
    canvas = MicrographCanvas(root, 200, 200)
    bar = ImageBar(root, canvas)
    assert str(bar.lowPassText["text"]) == f"{LOW_PASS['px'][0]:g} px"
    canvas.pixelSizeAng = 2.0
    assert str(bar.lowPassText["text"]) == "30 Å"
    assert canvas.look.lowPassPx == pytest.approx(15 * 0.18739, rel=1e-3)
    bar.lowPass.set(60.0)
    canvas.pixelSizeAng = 4.0
    assert str(bar.lowPassText["text"]) == "60 Å" and canvas.look.lowPassPx == pytest.approx(15 * 0.18739, rel=1e-3)
    bar.lowPass.set(0.0)
    assert str(bar.lowPassText["text"]) == "off" and canvas.look.lowPassPx == 0
    assert "half of its amplitude" in bar._tooltips[0].text
    root.destroy()


def test_scores_beyond_the_slider_have_a_bar_that_says_so():
    root = tkinter.Tk()
    slider = tkinter.Scale(root, from_=-6, to=12, orient="horizontal", showvalue=False)
    bars = ScoreBars(root, slider, lambda value: None)
    bars.pack(fill="x")
    slider.pack(fill="x")
    settle(root, 0.2)
    bars.show([0.0, 3.0, 12.0], 0.0)
    assert not bars.find_withtag("beyond")
    bars.show([0.0, 3.0, 12.0, 40.0, 50.0], 0.0)
    bar, text = bars.find_withtag("beyond")
    assert bars.itemcget(text, "text") == "> 12"
    assert bars.coords(bar)[0] > bars.placeOf(12) and bars.bbox(bar)[2] <= bars.winfo_width()
    root.destroy()


@pytest.fixture
def use(monkeypatch):
    """Open a dialog of a form, do steps one by one, and cancel; an error in a callback of Tk fails the test."""
    root, wrong = tkinter.Tk(), []
    monkeypatch.setattr(tkinter, "_default_root", root)  # whose the pictures of the buttons are
    monkeypatch.setattr(gui, "image_cache", {})
    monkeypatch.setattr(tkinter.Tk, "report_callback_exception", lambda self, kind, error, where: wrong.append(error))

    def opened(kind, *arguments, **steps):
        class Used(kind):

            def wait_visibility(self, window=None):
                super().wait_visibility(window)  # a busy machine may take long; no step comes before it
                for number, step in enumerate([*steps.values(), kind.cancel], 1):
                    self.after(number * WAIT_MS, step, self)

        Used(root, *arguments)
        assert not wrong

    yield opened
    root.destroy()


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
