"""Clicks and drags on a micrograph, and writes what its window is told.

    xvfb-run python -m pupicker.tests.windows.mouse_driver RESULT.json
"""

from __future__ import annotations

import json
import sys
import tkinter

import numpy as np

from pupicker.tests.scipion.screen import settle
from pupicker.window.micrograph_canvas import MicrographCanvas, Mouse

SIZE = 400  # of the window; the micrograph has half of its width
CONTROL = 0x0004


def main():
    root, told, results, now = tkinter.Tk(), [], {}, [0]
    canvas = MicrographCanvas(root, SIZE, SIZE)
    canvas.pack()
    settle(root, 0.3)
    canvas.showPixels(np.random.default_rng(0).normal(size=(SIZE, SIZE // 2)).astype(np.float32))

    def note(name):
        return lambda *values: told.append((name, *values)) or name == "grab"

    canvas.mouse = Mouse(*map(note, ("click", "rightClick", "grab", "move", "drop", "lasso")), True, note("takeBack"))

    def press(button, place, state=0, after_ms=1000):  # of two in less than half a second Tk makes a double click
        now[0] += after_ms
        canvas.event_generate(f"<ButtonPress-{button}>", x=place[0], y=place[1], state=state, time=now[0])

    def act(name, button, start, *path, state=0):
        told.clear()
        press(button, start, state)
        for x, y in path:
            canvas.event_generate(f"<B{button}-Motion>", x=x, y=y)
        x, y = (start, *path)[-1]
        canvas.event_generate(f"<ButtonRelease-{button}>", x=x, y=y)
        settle(root, 0.05)
        results[name] = [one[0] for one in told]

    inside, beside = (200, 200), (40, 200)
    act("click", 1, inside)
    results["place"] = list(told[-1][1:])
    act("click beside", 1, beside)
    act("right click beside", 3, beside)
    act("drag beside", 1, inside, (150, 200), (60, 200), beside)
    act("drag", 1, inside, (220, 200))
    act("slip", 1, inside, (205, 201))
    act("there and back", 1, inside, (240, 200), (201, 200))
    canvas.circlesShown = False
    act("hidden", 1, inside)
    act("hidden right", 3, inside)
    act("hidden drag", 1, inside, (240, 200))
    canvas.drawCircles([], 10.0)
    results["reason"] = [canvas.itemcget(item, "text") for item in canvas.find_withtag("reason")
                         if canvas.type(item) == "text"]
    canvas.circlesShown = True
    canvas.drawCircles([], 10.0)
    results["no reason"] = len(canvas.find_withtag("reason"))
    canvas.zoom(2.0)
    for name, button, state in (("middle", 2, 0), ("control", 1, CONTROL)):
        before = canvas.toMicrograph(0, 0)
        act(name, button, inside, (200, 150), state=state)
        results[name + " moved"] = canvas.toMicrograph(0, 0)[1] - before[1]
    told.clear()
    for after_ms in (1000, 100):
        press(1, inside, after_ms=after_ms)
        canvas.event_generate("<ButtonRelease-1>", x=200, y=200)
    settle(root, 0.2)
    results["double"] = [one[0] for one in told if one[0] != "grab"]
    results["fits"] = canvas.enlargement
    with open(sys.argv[1], "w", encoding="utf-8") as stream:
        json.dump(results, stream)


if __name__ == "__main__":
    main()
