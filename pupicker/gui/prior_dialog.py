"""How many particles are on a micrograph, judged from the labels."""

from __future__ import annotations

import tkinter as tk
from typing import Any, List, Optional, Tuple

from pyworkflow.gui import dialog

from pupicker.shared.plurals import counted

POLL_MS = 100
WAITING = "…"


class PriorDialog(dialog.Dialog):
    """Offers numbers of particles a micrograph that the labels suggest, with the share of the area of each.

    Parameters
    ----------
    counts
        (name, number of labels) of the labelled micrographs.
    question
        Tells the share of the area (class prior) of a number of particles a micrograph, as soon as it is known
        (:class:`~pupicker.wizards.wizard_prior.ClassPriorQuestion`).
    number
        What the form says now.

    Attributes
    ----------
    number
        What was chosen.
    """

    def __init__(self, parent: Any, counts: List[Tuple[str, int]], question: Any, number: float) -> None:
        self._counts, self._question = sorted(counts, key=lambda count: -count[1]), question
        self.number = number
        self._next = ""  # id of the next look at the question
        dialog.Dialog.__init__(self, parent, "Particles per micrograph",
                               buttons=[("OK", dialog.RESULT_YES), ("Cancel", dialog.RESULT_CANCEL)])

    def body(self, bodyFrame: Any) -> None:
        total, (fullest, most) = sum(count for _, count in self._counts), self._counts[0]
        mean = total / len(self._counts)
        choices = [("most labels on one micrograph (%s)" % fullest, float(most)),
                   ("mean of the labelled micrographs", round(mean, 1)),
                   ("twice the most, if about half of its particles are labelled", 2.0 * most)]
        tk.Label(bodyFrame, anchor="w", justify="left", wraplength=560, text=(
            "%s on %s. Training needs the number of all particles, labelled or not, on "
            "an average micrograph; half to one and a half times the right number is good enough. If the micrograph "
            "with the most labels is labelled completely, take its number." % (
                counted(total, "label is", "labels are"), counted(len(self._counts), "micrograph")))).grid(
                row=0, column=0, columnspan=3, sticky="w", pady=(4, 8))
        for column, heading in enumerate(("particles", "share of the area"), 1):
            tk.Label(bodyFrame, text=heading, anchor="e").grid(row=1, column=column, sticky="ew", padx=6)
        self.value = tk.StringVar(self, value="%g" % self.number)
        self._priors: List[Tuple[Any, float]] = []  # labels that wait for the share of a number
        for row, (text, number) in enumerate(choices, 2):
            tk.Radiobutton(bodyFrame, text=text, value="%g" % number, variable=self.value, anchor="w").grid(
                row=row, column=0, sticky="w")
            tk.Label(bodyFrame, text="%g" % number, anchor="e").grid(row=row, column=1, sticky="ew", padx=6)
            prior = tk.Label(bodyFrame, anchor="e")
            prior.grid(row=row, column=2, sticky="ew", padx=6)
            self._priors.append((prior, number))
        row = len(choices) + 2
        tk.Label(bodyFrame, text="Particles per micrograph", anchor="w").grid(row=row, column=0, sticky="w", pady=8)
        entry = tk.Entry(bodyFrame, textvariable=self.value, width=9, justify="right")
        entry.grid(row=row, column=1, sticky="e", padx=6)
        self.prior = tk.Label(bodyFrame, anchor="e", width=10)
        self.prior.grid(row=row, column=2, sticky="ew", padx=6)
        self._failure = tk.Label(bodyFrame, anchor="w", fg="#606060", wraplength=560, justify="left")
        self._failure.grid(row=row + 1, column=0, columnspan=3, sticky="w")
        self.value.trace_add("write", lambda *args: self._tell())
        self._poll()
        self.initial_focus = entry

    def _poll(self) -> None:
        self._next = self.after(POLL_MS, self._poll) if self._question.isOpen() else ""
        for label, number in self._priors:
            label.config(text=self._priorText(number))
        self._failure.config(text=self._question.failure)
        self._tell()

    def _priorText(self, number: float) -> str:
        if self._question.isOpen():
            return WAITING
        prior = self._question.classPrior(number)
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

    def destroy(self) -> None:
        if self._next:
            self.after_cancel(self._next)
        dialog.Dialog.destroy(self)
