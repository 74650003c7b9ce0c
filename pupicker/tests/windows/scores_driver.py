"""Corrects made-up picks in the window of the scores, by the mouse and by keys, and writes what it shows.

    xvfb-run python -m pupicker.tests.windows.scores_driver FOLDER

There is no project: the run is one that was never started.
"""

from __future__ import annotations

import json
import os
import sys

import mrcfile
import numpy as np

from pupicker.tests.scipion.screen import photograph, settle

SIDE, BOX = 600, 60  # the diameter is two thirds of the box
NUMBER = 90  # of picks of a micrograph
SUGGESTED = 2.0


def open_window(folder):
    """The window, with two micrographs and picks that score from -6 to 8; some of the first one are known."""
    import pyworkflow as pw

    pw.Config.getDomain().getPlugins()
    from pupicker.objects import PuPickerModel
    from pupicker.protocols import ProtPuPickerImportModel, ProtPuPickerPick
    from pupicker.viewers.scored_set import MicrographEntry, ScoredSet
    from pupicker.viewers.viewer_scores import ScoresWindow

    generator, entries = np.random.default_rng(0), []
    for number in (1, 2):
        path = os.path.join(folder, f"mic{number}.mrc")
        with mrcfile.new(path, overwrite=True) as mrc:
            mrc.set_data(generator.normal(size=(SIDE, SIDE)).astype(np.float32))
        entries.append(MicrographEntry(number, os.path.basename(path), path))
    cells = np.array([(x, y) for x in range(30, SIDE, 60) for y in range(30, SIDE, 60)], dtype=float)[:NUMBER]
    score = np.tile(np.linspace(8, -6, NUMBER), 2)
    probability = 1 / (1 + np.exp(-score))
    data = ScoredSet(entries, np.repeat([1, 2], NUMBER), *np.tile(cells.T, 2), score, probability, BOX, 4.0)
    model = PuPickerModel(os.path.join(folder, "model.pupicker"))
    model._suggestedThreshold.set(SUGGESTED)
    model._diameterAng.set(BOX * 4.0 / 1.5)
    source = ProtPuPickerImportModel()
    source.outputModel = model
    run = ProtPuPickerPick()
    run.setWorkingDir(folder)
    run.inputModel.set(source)
    run.inputModel.setExtended("outputModel")
    os.makedirs(run.getCandidatesDir(), exist_ok=True)
    with open(os.path.join(run.getCandidatesDir(), "mic000001.tsv"), "w", encoding="utf-8") as stream:
        stream.write("micrograph\tx\ty\tscore\tprobability\nmic000001.mrc\t570\t30\t-7.5\t0.01\n")
    window = ScoresWindow(None, data, None, run, "outputCoordinates")
    window.root.deiconify()
    settle(window.root)
    return window


class Hand:
    """The mouse on a window, at places of the micrograph."""

    def __init__(self, window):
        self.canvas, self.root, self._now = window.canvas, window.root, 0

    def _event(self, name, x, y, **more):
        column, row = self.canvas.toWindow(x, y)
        self.canvas.event_generate(f"<{name}>", x=round(column), y=round(row), **more)

    def click(self, x, y, button=1, after_ms=1000):
        self._now += after_ms
        self._event(f"ButtonPress-{button}", x, y, time=self._now)
        self._event(f"ButtonRelease-{button}", x, y)
        settle(self.root, 0.05)

    def drag(self, *places, button=1, state=0):
        self._now += 1000
        self._event(f"ButtonPress-{button}", *places[0], time=self._now, state=state)
        for place in places[1:]:
            self._event(f"B{button}-Motion", *place)
        self._event(f"ButtonRelease-{button}", *places[-1])
        settle(self.root, 0.05)

    def key(self, key):
        self.root.focus_force()
        self.root.event_generate(f"<{key}>")
        settle(self.root, 0.1)

    def write(self, window, text):
        """Into the field of the threshold."""
        window.threshold.entry.focus_force()
        window.threshold.entry.delete(0, "end")
        window.threshold.entry.insert(0, text)
        window.threshold.entry.event_generate("<Return>")
        settle(self.root, 0.1)
        return round(window.threshold.value, 2)


def kept(window):
    """What the window says is kept, in the panel and, added up, in the list."""
    said = int(window.text.get().split()[1])
    rows = [window.table.set(row, "kept") for row in window.table.get_children()]
    return said, sum(int(text) for text in rows if text.isdigit())


def main():
    folder = sys.argv[1]
    window = open_window(folder)
    hand, told = Hand(window), {}
    place = [(float(x), float(y)) for x, y in zip(window.data.x, window.data.y, strict=True)]
    told["opened"], told["suggestion"] = window.threshold.value, window.threshold.suggestion["text"]
    told["kept at first"] = kept(window)
    told["undo"] = [window.undoButton.instate(["!disabled"])]
    photograph(window.root, os.path.join(folder, "opened.png"))
    # a pick is moved twice; one is added and moved
    hand.drag(place[0], (place[0][0] + 12, place[0][1]))
    hand.drag((place[0][0] + 12, place[0][1]), (place[0][0] + 25, place[0][1]))
    free = (570.0, 570.0)
    hand.click(*free)
    hand.drag(free, (free[0] - 20, free[1]))
    told["undo"].append(window.undoButton.instate(["!disabled"]))
    told["changes"], told["kept then"] = window.changes["text"], kept(window)
    # a drag beside the image, a double click, and clicks while nothing is shown change nothing
    before = json.dumps(window.corrections.record._places)
    hand.drag(place[1], (-15, place[1][1]))
    hand.click(*place[2])
    hand.click(*place[2], after_ms=100)
    told["double"] = json.dumps(window.corrections.record._places) == before
    hand.key("h")
    hand.click(*place[3])
    told["hidden"] = json.dumps(window.corrections.record._places) == before
    photograph(window.root, os.path.join(folder, "hidden.png"))
    hand.key("h")
    # a micrograph is left out
    forecast = [line for line in window.text.get().splitlines() if line.startswith("recall")]
    hand.key("e")
    told["left out"] = [window.table.set("1", "kept"), window.excludeButton["text"], window.canvas.locked,
                        list(window.table.item("1", "tags"))]
    told["kept of the other"] = kept(window)
    told["recall stays"] = forecast == [line for line in window.text.get().splitlines() if line.startswith("recall")]
    out = window.corrections.number()
    hand.click(*place[4])
    told["locked"] = window.corrections.number() == out
    photograph(window.root, os.path.join(folder, "left_out.png"))
    hand.key("e")
    told["taken back"] = [window.table.set("1", "kept").isdigit(), window.excludeButton["text"]]
    told["written"] = [hand.write(window, text) for text in ("3,5", "99", "-40", "nothing")]
    told["writes still"] = window.root.focus_get() is window.threshold.entry
    # the gallery follows, and there is one
    window.threshold.move(SUGGESTED)
    settle(window.root, 0.2)
    hand.key("g")
    first = window.gallery
    settle(first, 0.3)
    told["frames"] = frames(first)
    window.threshold.move(3.0)
    settle(window.root, 0.2)
    told["frames above"] = frames(first)
    row = next(iter(first.cells))
    first.cells[row].event_generate("<Button-1>")
    settle(window.root, 0.1)
    told["rejected"] = frames(first)
    photograph(first, os.path.join(folder, "gallery.png"))
    hand.key("Control-z")
    told["undone"] = frames(first)
    for _ in range(2):
        first.cells[row].event_generate("<Button-1>")
        settle(window.root, 0.1)
    told["clicked twice"] = frames(first)
    first.cells[row].event_generate("<Button-1>")
    first.focus_force()
    first.event_generate("<Control-z>")
    settle(window.root, 0.1)
    told["undone in the gallery"] = frames(first)
    first.event_generate("<Right>")
    first.event_generate("<Left>")
    settle(window.root, 0.1)
    page = set(first.cells)
    first.next.invoke()
    told["next page"] = [len(first.cells), len(page & set(first.cells)), first.previous.instate(["!disabled"])]
    hand.key("g")
    told["galleries"] = sum(child.winfo_class() == "Toplevel" for child in window.root.winfo_children())
    told["same gallery"] = window.gallery is first
    # weaker picks come, and what was done is undone as before
    changes = window.corrections.number()
    told["weaker is offered"] = window.weakerButton.winfo_ismapped()
    window._suggested = -6.5
    window.threshold.suggestion.destroy()
    window.threshold.suggestion = None  # as if the picks had been cut there
    window.weakerButton.invoke()
    settle(window.root, 0.2)
    told["suggestion then"] = window.threshold.suggestion["text"]
    told["weaker"] = [len(window.data.score), window.state.get()]
    hand.key("Control-z")
    told["undone then"] = window.corrections.number() != changes
    told["label"] = label_in_figure(window)
    window.showWeaker()
    told["no weaker"] = window.state.get()
    # nothing is kept, and then something
    for micId in (1, 2):
        window.select(micId)
        settle(window.root, 0.1)
        hand.key("e")
    window.createSet()
    told["nothing"] = window.state.get()
    hand.key("e")
    told["something"] = window.state.get()
    with open(os.path.join(folder, "result.json"), "w", encoding="utf-8") as stream:
        json.dump(told, stream)
    os._exit(0)


def label_in_figure(window):
    """Whether the label of the histogram is whole where there are thousands of picks."""
    from pupicker.viewers.threshold_control import ScoreHistogram

    window._figure.clear()
    axes = ScoreHistogram(window._figure, np.repeat(window.data.score, 1000), print).axes
    window._figure.canvas.draw()
    return bool(axes.yaxis.label.get_window_extent().x0 >= 0)


def frames(gallery):
    """How many pictures have a frame of each colour."""
    colours = [str(cell["highlightbackground"]) for cell in gallery.cells.values()]
    return {colour: colours.count(colour) for colour in sorted(set(colours))}


if __name__ == "__main__":
    main()
