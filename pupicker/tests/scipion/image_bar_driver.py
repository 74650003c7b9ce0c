"""Shows the controls below a micrograph in a wide and in a narrow window, and fails if one of them is cut.

    xvfb-run python -m pupicker.tests.scipion.image_bar_driver
"""

from __future__ import annotations

import tkinter

from pupicker.tests.scipion.screen import settle
from pupicker.window.image_bar import ImageBar
from pupicker.window.micrograph_canvas import MicrographCanvas

WIDTHS_PX = {900: 1, 420: 2, 200: 4, 901: 1}
"""Of the window, and the rows that the controls need there."""


def main():
    root = tkinter.Tk()
    canvas = MicrographCanvas(root, 200, 200)
    bar = ImageBar(root, canvas)
    bar.pack(fill=tkinter.X, side=tkinter.BOTTOM)
    canvas.pack(fill=tkinter.BOTH, expand=True)
    for width, rows in WIDTHS_PX.items():
        root.geometry(f"{width}x400")
        settle(root, 0.3)
        right = max(control.winfo_rootx() + control.winfo_width() for control in bar.controls) - root.winfo_rootx()
        found = len({str(control.pack_info()["in"]) for control in bar.controls})
        assert right <= width and found == rows, (width, right, found)


if __name__ == "__main__":
    main()
