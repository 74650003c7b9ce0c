"""Opens the window that labels on real micrographs, clicks true particles, lets the suggestions learn.

    xvfb-run python -m pupicker.tests.scipion.label_driver MICROGRAPHS TRUTH OUTPUT_FOLDER DIAMETER first|second

The first start is killed after some clicks; the second goes on, trains, and writes ``result.json``.  A program of its
own because the main loop of Tk does not return.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import tkinter
from pathlib import Path

from pupicker.engine.files.coordinates import read_coordinates
from pupicker.engine.files.listing import list_micrographs
from pupicker.engine.files.micrographs import open_micrograph, read_image
from pupicker.shared.worker import Worker
from pupicker.tests.scipion.screen import photograph, settle
from pupicker.window.label_record import LabelRecord
from pupicker.window.label_window import LabelWindow
from pupicker.window.suggester import LabelMicrograph, Suggester

CLICKS = 6
PATIENCE_S = 240
SERVE = [sys.executable, "-m", "pupicker", "serve", "--device", "cpu", "--threads", "1"]


def main():
    source, truth, output, diameter, start = sys.argv[1:]
    folder = Path(output)
    paths = list_micrographs([source])
    with open_micrograph(paths[0]) as first:
        pixel_size = first.header.pixel_size_ang
    entries = [LabelMicrograph(path.stem, path.name, str(path), pixel_size) for path in paths]
    record, result = LabelRecord(str(folder / "labels.json")), {}
    result["found again"] = record.number()
    record.setDiameter(float(diameter))
    places = read_coordinates(truth, paths)
    with Worker(SERVE) as worker:
        suggester = Suggester(worker, record, entries, output)
        window = LabelWindow(tkinter.Tk(), entries, record, lambda one: read_image(one.path).pixels, suggester)
        window.root.update()
        own = places.of(str(paths[[one.key for one in entries].index(window.key())]))
        here = list(zip(own.x.tolist(), own.y.tolist(), strict=True))
        wait(window, lambda: window.key() in suggester.known)
        result["suggested"] = len(window.suggestions())
        done = CLICKS if start == "second" else 0
        for place in here[done : done + CLICKS]:
            press(window, 1, *place)
        if start == "first":
            os.kill(os.getpid(), signal.SIGKILL)
        press(window, 3, *farthest(window, here))
        press(window, 1, *here[0])  # a click on a circle
        window.root.focus_force()
        window.root.event_generate("<Control-z>")
        settle(window.root, 0.2)
        result["labels"], result["none"] = record.number(), record.number("not_particles")
        diameters = [record.diameterAng]
        window.canvas.event_generate("<Button-4>", x=100, y=100)
        window.canvas.event_generate("<Button-5>", x=100, y=100)
        result["diameters"] = [*diameters, record.diameterAng]
        window.root.event_generate("t")
        wait(window, lambda: bool(suggester.model) and window.key() in suggester.known)
        result["model"], result["error"] = suggester.model, suggester.error
        result["hits"] = share_of_hits(window, here)
        settle(window.root)
        photograph(window.root, folder / "label.png")
        window.root.event_generate("<Control-d>")
        result["finished"] = window.finished
    (folder / "result.json").write_text(json.dumps(result), encoding="utf-8")


def wait(window, ready):
    """Let the window work until something is there."""
    limit = time.monotonic() + PATIENCE_S
    while not ready():
        assert time.monotonic() < limit and not window.suggester.error, window.suggester.error or "nothing came"
        window.root.update()
        time.sleep(0.02)
    settle(window.root, 0.2)


def press(window, button, x, y):
    """Click at a place of the micrograph."""
    column, row = window.canvas.toWindow(x, y)
    for event in ("ButtonPress", "ButtonRelease"):
        window.canvas.event_generate(f"<{event}-{button}>", x=int(column), y=int(row))
    window.root.update()


def farthest(window, particles):
    """A place far from all particles."""
    width, height = window.canvas.shape
    return max(((x, y) for x in range(40, width - 40, 10) for y in range(40, height - 40, 10)),
               key=lambda place: min((place[0] - x) ** 2 + (place[1] - y) ** 2 for x, y in particles))


def share_of_hits(window, particles):
    """Of as many of the best suggestions as there are particles, those that are some."""
    found = window.suggester.known[window.key()]
    best = list(zip(found.x, found.y, strict=True))[: len(particles)]
    near = window.radiusPx() ** 2
    return sum(any((x - a) ** 2 + (y - b) ** 2 < near for a, b in particles) for x, y in best) / max(1, len(best))


if __name__ == "__main__":
    main()
