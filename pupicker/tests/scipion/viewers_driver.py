"""Opens the viewers on the runs of a project, uses them, and takes a picture of each.

    xvfb-run python -m pupicker.tests.scipion.viewers_driver PROJECT OUTPUT_FOLDER PICK_ID TRAIN_ID EVALUATE_ID
        [ONE_POINT_ID]

Writes ``result.json``: what the scores window kept, and the size of the set that it made.  A program of its own because
the main loop of Tk does not return.
"""

from __future__ import annotations

import json
import os
import sys
import time

from pupicker.tests.scipion.screen import drive, photograph, settle


def main():
    path, folder = sys.argv[1:3]
    names = ("pick", "train", "evaluate", "one_point")[:len(sys.argv) - 3]
    ids = dict(zip(names, map(int, sys.argv[3:]), strict=True))
    import pyworkflow as pw
    from pyworkflow.gui.project import ProjectWindow
    from pyworkflow.viewer import DESKTOP_TKINTER

    domain = pw.Config.getDomain()
    window = ProjectWindow(path)
    project, result = window.project, {}

    def opened(target, protocol):
        viewer = domain.findViewers(target, DESKTOP_TKINTER)[0](project=project, protocol=protocol, parent=window)
        result.setdefault("viewers", []).append(type(viewer).__name__)
        (view,) = viewer._visualize(target)
        view.show()
        view.window.root.geometry("+20+20")  # there is no window manager
        view.window.root.lift()
        settle(view.window.root)
        return view.window

    def finished(shown, name):
        settle(shown.root)
        photograph(shown.root, os.path.join(folder, name + ".png"))
        shown.root.destroy()

    def everything():
        runs = {name: project.getProtocol(number) for name, number in ids.items()}
        finished(opened(runs["train"].outputModel, runs["train"]), "model")
        finished(opened(runs["train"], runs["train"]), "training")
        finished(opened(runs["evaluate"], runs["evaluate"]), "evaluation")
        if "one_point" in runs:
            shown = opened(runs["one_point"], runs["one_point"])
            result["one_point"] = shown.text.get()
            shown.goToNext(1)  # a false pick
            finished(shown, "one_point")

        shown = opened(runs["pick"], runs["pick"])
        result["all"], result["opened at"] = len(shown.data.score), shown.threshold.value
        shown.root.focus_force()
        first = shown.micId()
        shown.root.event_generate("<Right>")
        settle(shown.root)
        result["moved"] = shown.micId() != first
        shown.threshold.scale.set(0.0)  # as the mouse does
        settle(shown.root)
        result["kept"] = int(shown.kept().sum())
        result["listed"] = sum(int(shown.table.set(row, "kept")) for row in shown.table.get_children())
        result["circles"], result["here"] = len(shown.canvas.find_withtag("circles")), shown.count(shown.micId())[0]
        edit(shown, result)
        shown.openGallery()
        settle(shown.gallery, 1)
        photograph(shown.gallery, os.path.join(folder, "gallery.png"))
        next(iter(shown.gallery.cells.values())).event_generate("<Button-1>")
        settle(shown.root)
        result["negatives"] = shown.corrections.record.number("not_particles")
        shown.gallery.destroy()
        result["corrected"] = shown.numberKept()
        shown.button.invoke()
        limit = time.monotonic() + 150
        while (shown.newRun is None or shown.newRun.isActive()) and time.monotonic() < limit:
            settle(shown.root)
        settle(shown.root, 2)
        result["run"], result["state"] = shown.newRun.getObjId(), shown.state.get()
        photograph(shown.root, os.path.join(folder, "scores.png"))
        shown.excludeMicrograph()  # after the run: nothing of it may change
        settle(shown.root)
        shown.root.destroy()
        with open(os.path.join(folder, "result.json"), "w", encoding="utf-8") as stream:
            json.dump(result, stream)

    drive(window, everything, 300)


def edit(shown, result):
    """Take one pick away, mark one as no particle, add one, undo and redo; as the mouse does."""
    picks = [(shown.data.x[row], shown.data.y[row]) for row in shown._rowsOf(shown.micId()) if shown.kept()[row]]

    def press(button, x, y):
        place = dict(zip(("x", "y"), map(int, shown.canvas.toWindow(x, y)), strict=True))
        shown.canvas.event_generate(f"<ButtonPress-{button}>", **place)
        shown.canvas.event_generate(f"<ButtonRelease-{button}>", **place)
        settle(shown.root, 0.1)

    width, height = shown.canvas.shape
    far = max(((x, y) for x in range(20, width - 20, 20) for y in range(20, height - 20, 20)),
              key=lambda place: min((place[0] - x) ** 2 + (place[1] - y) ** 2 for x, y in picks))
    press(1, *picks[0])
    press(3, *picks[1])
    press(1, *far)
    shown.root.focus_force()
    shown.root.event_generate("<Control-z>")
    settle(shown.root, 0.2)
    result["undone"] = shown.corrections.record.number("added")
    shown.root.event_generate("<Control-y>")
    settle(shown.root, 0.2)
    result["edits"] = shown.changes["text"]


if __name__ == "__main__":
    main()
