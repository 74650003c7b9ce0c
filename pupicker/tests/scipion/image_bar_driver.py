"""Shows the controls below a micrograph in wide and narrow windows; writes where they end, and in how many rows.

    xvfb-run python -m pupicker.tests.scipion.image_bar_driver FILE
"""

from __future__ import annotations

import json
import sys
import tkinter

from pupicker.tests.scipion.screen import settle
from pupicker.window.image_bar import ImageBar
from pupicker.window.micrograph_canvas import MicrographCanvas

WIDTHS_PX = (900, 420, 200, 901)


def main():
    found = {}
    root = tkinter.Tk()
    canvas = MicrographCanvas(root, 200, 200)
    bar = ImageBar(root, canvas)
    bar.pack(fill=tkinter.X, side=tkinter.BOTTOM)
    canvas.pack(fill=tkinter.BOTH, expand=True)
    for width in WIDTHS_PX:
        root.geometry(f"{width}x400")
        settle(root, 0.3)
        right = max(control.winfo_rootx() + control.winfo_width() for control in bar.controls) - root.winfo_rootx()
        found[width] = right, len({str(control.pack_info()["in"]) for control in bar.controls})
    with open(sys.argv[1], "w", encoding="utf-8") as stream:
        json.dump(found, stream)


if __name__ == "__main__":
    main()
