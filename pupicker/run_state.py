"""The state of a run that another process executes."""

from __future__ import annotations

import os
from typing import Any


def updateRun(project: Any, run: Any) -> None:
    """Bring `run` up to date with what its process wrote; a failure is believed only after a second look.

    Scipion reads what the process wrote and looks whether it lives afterwards.  A run that ends in between counts as
    dead, and as it takes the time of the file after reading it, too, it may never read the end.
    """
    if run.isActive():
        project._updateProtocol(run)
    if run.isFailed() and os.path.exists(run.getDbPath()):
        run.lastUpdateTimeStamp.set(None)  # else Scipion takes its copy for the newest
        project._updateProtocol(run)
