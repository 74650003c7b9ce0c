"""Programs with windows on a virtual screen: started, guarded, photographed, and their pictures looked through.

The main loop of Tk does not return, so whatever drives windows is a program of its own (``*_driver.py``) that a test
starts by :func:`run_on_screen` and that ends itself.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

import pytest

PROGRAMS = {"xvfb-run": "xvfb", "xauth": "xauth", "import": "imagemagick"}
FIRST_DISPLAY = 99
DISPLAYS_OF_A_WORKER = 100  # two programs that look for a free display at the same time may find the same one
REPOSITORY = Path(__file__).resolve().parents[3]
CONTRAST = 150  # grey levels between the darkest and the brightest pixel of a picture that shows something


# ------------------------- in the test -------------------------
def need_screen(**programs):
    """Skip the test where a program of a virtual screen is missing, or one of these (program=system package)."""
    missing = [package for program, package in {**PROGRAMS, **programs}.items() if shutil.which(program) is None]
    if missing:
        pytest.skip("needs the system packages " + " ".join(missing))


def pictures_folder(add_cleanup):
    """A folder for pictures: that of the variable ``PUPICKER_PICTURES``, else one that is removed afterwards."""
    folder = os.environ.get("PUPICKER_PICTURES")
    if folder is None:
        folder = tempfile.mkdtemp()
        add_cleanup(shutil.rmtree, folder, ignore_errors=True)
    return folder


def run_on_screen(driver, *arguments, **environment):
    """Run a module on a virtual screen, of this package or by its whole name; a failure shows the end of its output."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
    done = subprocess.run(
        ["xvfb-run", "-a", "-n", str(FIRST_DISPLAY + worker * DISPLAYS_OF_A_WORKER), "-s", "-screen 0 1920x1200x24",
         sys.executable, "-m", driver if "." in driver else f"{__package__}.{driver}", *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=REPOSITORY, check=False,
        env=dict(os.environ, **environment))
    assert done.returncode == 0, f"exit code {done.returncode}: {done.stdout[-3000:]}"


def open_screen(add_cleanup):
    """A screen for windows that the test's own processes open."""
    told, tell = os.pipe()
    screen = subprocess.Popen(["Xvfb", "-displayfd", str(tell), "-screen", "0", "1500x950x24", "-nolisten", "tcp"],
                              pass_fds=[tell])
    os.close(tell)
    with os.fdopen(told) as stream:
        number = stream.readline().strip()  # of a display that was free; empty if Xvfb has ended
    add_cleanup(screen.wait)
    add_cleanup(screen.terminate)
    assert number, "Xvfb did not start"
    before = os.environ.get("DISPLAY")
    add_cleanup(lambda: os.environ.pop("DISPLAY") if before is None else os.environ.update(DISPLAY=before))
    os.environ["DISPLAY"] = f":{number}"


def assert_shows_something(folder, names):
    """The pictures are there and not of one colour."""
    from PIL import Image

    for name in names:
        darkest, brightest = Image.open(os.path.join(folder, name + ".png")).convert("L").getextrema()
        assert brightest - darkest > CONTRAST, name + ": the picture is empty"


# ------------------------- in the driver -------------------------
def guarded(action):
    """`action`, ending the program with its traceback if it fails: Tk would go on without a word."""
    def run():
        try:
            action()
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)
    return run


def drive(window, action, seconds):
    """Run `action` once the main window is up; the program ends after it, or with an error after `seconds`."""
    def whole():
        action()
        sys.stdout.flush()
        os._exit(0)

    window.root.after(1500, guarded(whole))
    window.root.after(1000 * seconds, lambda: os._exit(3))
    window.show()


def settle(widget, seconds=0.6):
    """Let the windows do their work for a while."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        widget.update()
        time.sleep(0.02)


def photograph(widget, path):
    """Write what the screen shows of a window, whatever lies over it."""
    widget.update()
    area = f"{widget.winfo_width()}x{widget.winfo_height()}+{widget.winfo_rootx()}+{widget.winfo_rooty()}"
    subprocess.check_call(["import", "-window", "root", "-crop", area, "+repage", path])
