"""What a model is: its card."""

from __future__ import annotations

import tkinter as tk
from tkinter import ttk
from typing import Any, List, Tuple

from pyworkflow.gui.gui import Window
from pyworkflow.viewer import View, Viewer

from pupicker.objects import PuPickerModel
from pupicker.viewers.browser import WindowView

ROWS = (("Particle diameter (Å)", "_diameterAng"), ("Working pixel size (Å)", "_workingPixelSizeAng"),
        ("Box size (Å)", "_boxSizeAng"), ("Minimum distance (Å)", "_minDistanceAng"), ("Class prior", "_classPrior"),
        ("Particles per micrograph", "_particlesPerMicrograph"), ("  90 % interval from", "_particlesLow"),
        ("  90 % interval to", "_particlesHigh"),
        ("Objective", "_objective"), ("Network", "_network"), ("Labelled particles", "_numberOfLabels"),
        ("Average precision (held-out labels)", "_averagePrecision"), ("Updates of the best epoch", "_bestUpdates"),
        ("Suggested threshold (score)", "_suggestedThreshold"), ("  expected precision there", "_expectedPrecision"),
        ("  expected recall there", "_expectedRecall"), ("Format of the file", "_schemaVersion"),
        ("Version of pupicker", "_softwareVersion"), ("File", "_path"))


def cardRows(model: Any) -> List[Tuple[str, str]]:
    """Title and value of all that is known of a model."""
    values = [(title, getattr(model, name).get()) for title, name in ROWS]
    return [(title, "%.4g" % value if isinstance(value, float) else str(value))
            for title, value in values if value is not None]


class ModelWindow(Window):
    """Key and value, line by line."""

    def __init__(self, parent: Any, model: Any) -> None:
        Window.__init__(self, "pupicker: model", parent, minsize=(560, 360))
        table = ttk.Treeview(self.root, columns=["key", "value"], show="headings", height=len(ROWS))
        for column, title, width in (("key", "model", 260), ("value", "", 440)):
            table.heading(column, text=title, anchor=tk.W)
            table.column(column, width=width)
        for row in cardRows(model):
            table.insert("", tk.END, values=row)
        table.grid(row=0, column=0, sticky="news", padx=6, pady=6)


class PuPickerModelViewer(Viewer):
    """The card of a model."""

    _name = "pupicker model"
    _targets = [PuPickerModel]

    def _visualize(self, obj: Any, **kwargs: Any) -> List[View]:
        if not obj.exists():
            return [self.errorMessage("%s: no such model file; train or import it again." % obj.getPath(),
                                      "pupicker model")]
        return [WindowView(lambda parent: ModelWindow(parent, obj), self.formWindow)]
