"""A hand at the window that labels, which another process has opened: real clicks, through the X server.

Needs the system packages xdotool and x11-utils, and DISPLAY.
"""

from __future__ import annotations

import re
import subprocess
import time

TITLE = "pupicker: label"
WINDOW = re.compile(r"^\s+0x\w+ .*?(\d+)x(\d+)\+-?\d+\+-?\d+\s+\+(-?\d+)\+(-?\d+)$")
BETWEEN_S = 0.3
"""Two clicks in less time are a double click."""


def xdotool(*words):
    """What the program says."""
    return subprocess.run(["xdotool", *map(str, words)], capture_output=True, text=True, check=False).stdout


class LabelHand:
    """Clicks places of the micrograph that is shown whole, of `shape` (width, height)."""

    def __init__(self, shape):
        self.shape = shape
        self.window = xdotool("search", "--onlyvisible", "--name", TITLE).strip()

    @staticmethod
    def isThere():
        """Whether the window is open."""
        return bool(xdotool("search", "--onlyvisible", "--name", TITLE).strip())

    def area(self):
        """Left, top, width and height of the part with the micrograph: the largest window without windows in it."""
        lines = subprocess.run(["xwininfo", "-tree", "-id", self.window], capture_output=True, text=True,
                               check=True).stdout.splitlines()
        followed = zip(lines, [*lines[1:], ""], strict=True)
        found = [WINDOW.match(line) for line, after in followed if "child" not in after]
        places = [tuple(map(int, match.groups())) for match in found if match]
        width, height, left, top = max(places, key=lambda place: place[0] * place[1])
        return left, top, width, height

    def click(self, x, y, button=1, pause=BETWEEN_S):
        """Click at a place of the micrograph, in its pixels."""
        left, top, width, height = self.area()
        scale = min(width / self.shape[0], height / self.shape[1])
        column = left + width / 2 + (x + 0.5 - self.shape[0] / 2) * scale
        row = top + height / 2 + (y + 0.5 - self.shape[1] / 2) * scale
        xdotool("mousemove", round(column), round(row), "click", button)
        time.sleep(pause)

    def press(self, key, pause=BETWEEN_S):
        """Press a key, say ctrl+d."""
        xdotool("key", "--window", self.window, key)
        time.sleep(pause)
