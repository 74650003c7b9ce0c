"""The window that labels, for the micrographs of a run."""

from __future__ import annotations

import tkinter as tk
from typing import Any, Dict, List, Tuple

from pupicker.gui.micrograph_reader import readMicrograph
from pupicker.window.label_record import LabelRecord
from pupicker.window.label_window import LabelWindow
from pupicker.window.suggester import LabelMicrograph, Suggester


def labelMicrographs(micrographs: List[LabelMicrograph], locations: Dict[str, Tuple[int, str]], record: LabelRecord,
                     worker: Any, folder: str, first: Dict[str, Any]) -> bool:
    """Open the window and wait until it is closed; whether *Done* was pressed.

    Parameters
    ----------
    micrographs
        The list, with the files that the core reads.
    locations
        Index and file of each in Scipion, by its key.
    record
        The labels.
    worker
        Client of ``pupicker serve``, not started yet.
    folder
        For the models.
    first
        Card of the model of the first suggestions; empty: the general one.

    Raises
    ------
    Exception
        There is no screen; the message is one line.
    """
    try:
        root = tk.Tk()
    except tk.TclError as error:
        raise Exception("The window cannot be opened (%s): run it on the computer that you sit at, without a queue."
                        % error) from error
    window = LabelWindow(root, micrographs, record, lambda one: readMicrograph(locations[one.key][1],
                                                                               locations[one.key][0]),
                         Suggester(worker, record, micrographs, folder, first))
    root.mainloop()
    return window.finished
