"""How many particles are on a micrograph, judged from the labels."""

from __future__ import annotations

import tkinter as tk
from typing import Any, Callable, List, Optional, Tuple

from pyworkflow.gui import dialog


class PriorDialog(dialog.Dialog):
    """Offers numbers of particles a micrograph that the labels suggest, with the class prior that each stands for.

    Parameters
    ----------
    counts
        (name, number of labels) of the labelled micrographs.
    priorOf
        Class prior of a number of particles a micrograph; None where it is not known.
    number
        What the form says now.
    unknown
        Why the class prior is not known; "" if it is.

    Attributes
    ----------
    number
        What was chosen.
    """

    def __init__(self, parent: Any, counts: List[Tuple[str, int]], priorOf: Callable[[float], Optional[float]],
                 number: float, unknown: str) -> None:
        self._counts, self._priorOf, self._unknown = sorted(counts, key=lambda count: -count[1]), priorOf, unknown
        self.number = number
        dialog.Dialog.__init__(self, parent, "Particles per micrograph",
                               buttons=[("OK", dialog.RESULT_YES), ("Cancel", dialog.RESULT_CANCEL)])

    def body(self, bodyFrame: Any) -> None:
        total, (fullest, most) = sum(count for _, count in self._counts), self._counts[0]
        mean = total / len(self._counts)
        choices = [("most labels on one micrograph (%s)" % fullest, float(most)),
                   ("mean of the labelled micrographs", round(mean, 1)),
                   ("twice the most, if about half of its particles are labelled", 2.0 * most)]
        tk.Label(bodyFrame, anchor="w", justify="left", wraplength=560, text=(
            "There are %d labels on %d micrographs. Training needs the number of all particles, labelled or not, on "
            "an average micrograph; within a factor of two is good enough. If the micrograph with the most labels is "
            "labelled completely, take its number." % (total, len(self._counts)))).grid(
                row=0, column=0, columnspan=3, sticky="w", pady=(4, 8))
        for column, heading in enumerate(("particles", "class prior"), 1):
            tk.Label(bodyFrame, text=heading, anchor="e").grid(row=1, column=column, sticky="ew", padx=6)
        self.value = tk.StringVar(self, value="%g" % self.number)
        for row, (text, number) in enumerate(choices, 2):
            tk.Radiobutton(bodyFrame, text=text, value="%g" % number, variable=self.value, anchor="w").grid(
                row=row, column=0, sticky="w")
            tk.Label(bodyFrame, text="%g" % number, anchor="e").grid(row=row, column=1, sticky="ew", padx=6)
            tk.Label(bodyFrame, text=self._priorText(number), anchor="e").grid(row=row, column=2, sticky="ew", padx=6)
        row = len(choices) + 2
        tk.Label(bodyFrame, text="Particles per micrograph", anchor="w").grid(row=row, column=0, sticky="w", pady=8)
        entry = tk.Entry(bodyFrame, textvariable=self.value, width=9, justify="right")
        entry.grid(row=row, column=1, sticky="e", padx=6)
        self.prior = tk.Label(bodyFrame, anchor="e", width=10)
        self.prior.grid(row=row, column=2, sticky="ew", padx=6)
        if self._unknown:
            tk.Label(bodyFrame, text=self._unknown, anchor="w", fg="#606060", wraplength=560, justify="left").grid(
                row=row + 1, column=0, columnspan=3, sticky="w")
        self.value.trace_add("write", lambda *args: self._tell())
        self._tell()
        self.initial_focus = entry

    def _priorText(self, number: float) -> str:
        prior = self._priorOf(number)
        return "?" if prior is None else "%0.4f" % prior

    def _tell(self) -> None:
        number = self._read()
        self.prior.config(text="?" if number is None else self._priorText(number))

    def _read(self) -> Optional[float]:
        try:
            number = float(self.value.get())
        except ValueError:
            return None
        return number if 0 < number < float("inf") else None

    def validate(self) -> bool:
        number = self._read()
        if number is None:
            dialog.showError("Particles per micrograph", "%s was found; give a number above 0."
                             % (self.value.get() or "nothing"), self)
            return False
        self.number = number
        return True
