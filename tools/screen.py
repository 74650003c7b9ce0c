"""Windows on a virtual screen.

They are driven by the programs in ``pupicker/tests/scipion``, which the tests start too; those come with the package.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
DRIVERS = "pupicker.tests.scipion"


def run_on_screen(driver: str, *arguments: object) -> None:
    """Run the program `driver` on a virtual screen.

    Raises
    ------
    SystemExit
        It failed; the text is the end of what it printed.
    """
    done = subprocess.run(
        ["xvfb-run", "-a", "-s", "-screen 0 1920x1200x24", sys.executable, "-m", f"{DRIVERS}.{driver}",
         *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=REPOSITORY, check=False)
    if done.returncode:
        raise SystemExit(f"{driver} ended with status {done.returncode}:\n{done.stdout[-3000:]}")
