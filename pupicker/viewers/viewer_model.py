"""What a model is: its card."""

from __future__ import annotations

import tkinter as tk
from tkinter import ttk
from typing import Any, Callable, Dict, List, Tuple

from pyworkflow.gui.gui import Window
from pyworkflow.viewer import View, Viewer

from pupicker.objects import PuPickerModel
from pupicker.shared.choices import objective_text
from pupicker.shared.shares import roughly
from pupicker.viewers.browser import WindowView
from pupicker.viewers.model_header import formatValue, headerRows, readHeader
from pupicker.viewers.scored_set import ViewerError

ROWS = (("Particle diameter (Å)", "_diameterAng"), ("Working pixel size (Å)", "_workingPixelSizeAng"),
        ("Box size (Å)", "_boxSizeAng"), ("Minimum distance (Å)", "_minDistanceAng"),
        ("Share of the area on particles", "_classPrior"),
        ("Particles per micrograph", "_particlesPerMicrograph"), ("  90 % interval from", "_particlesLow"),
        ("  90 % interval to", "_particlesHigh"),
        ("What training assumed (objective)", "_objective"), ("Network", "_network"),
        ("Labelled particles", "_numberOfLabels"),
        ("Average precision (estimated)", "_averagePrecision"), ("Updates", "_bestUpdates"),
        ("Suggested threshold (score)", "_suggestedThreshold"), ("  expected precision there", "_expectedPrecision"),
        ("  expected recall there", "_expectedRecall"), ("Format of the file", "_schemaVersion"),
        ("Version of pupicker", "_softwareVersion"), ("File", "_path"))

FORMATS: Dict[str, Callable[[Any], str]] = {  # as many digits as are known
    "_particlesPerMicrograph": "{:0.0f}".format, "_particlesLow": "{:0.0f}".format, "_particlesHigh": "{:0.0f}".format,
    "_objective": objective_text, "_expectedPrecision": roughly, "_expectedRecall": roughly,
    "_averagePrecision": "{:0.2f}".format, "_suggestedThreshold": "{:0.2f}".format}


def cardRows(model: Any) -> List[Tuple[str, str]]:
    """Title and value of all that the project knows of a model."""
    values = [(title, name, getattr(model, name).get()) for title, name in ROWS]
    return [(title, FORMATS.get(name, formatValue)(value)) for title, name, value in values if value is not None]


class ModelWindow(Window):
    """Key and value, line by line: first what matters to users, then everything that the file holds."""

    def __init__(self, parent: Any, model: Any, header: Dict[str, Any]) -> None:
        Window.__init__(self, "pupicker: model", parent, minsize=(640, 420))
        self.root.rowconfigure(0, weight=1)
        self.root.columnconfigure(0, weight=1)
        table = ttk.Treeview(self.root, columns=["value"], height=24)
        for column, title, width in (("#0", "model", 320), ("value", "", 520)):
            table.heading(column, text=title, anchor=tk.W)
            table.column(column, width=width)
        for key, value in dict(header.get("card") or {}).items():
            table.insert("", tk.END, text=key.capitalize(), values=(value,))
        for key, value in cardRows(model):
            table.insert("", tk.END, text=key, values=(value,))
        everything = table.insert("", tk.END, text="Everything in the file", open=False)
        for key, value in headerRows(header):
            table.insert(everything, tk.END, text=key, values=(value,))
        bar = ttk.Scrollbar(self.root, command=table.yview)
        table.configure(yscrollcommand=bar.set)
        table.grid(row=0, column=0, sticky="news", padx=(6, 0), pady=6)
        bar.grid(row=0, column=1, sticky="ns", padx=(0, 6), pady=6)
        self.table = table


class PuPickerModelViewer(Viewer):
    """The card of a model."""

    _name = "pupicker model"
    _targets = [PuPickerModel]

    def _visualize(self, obj: Any, **kwargs: Any) -> List[View]:
        try:
            header = readHeader(obj.getPath())
        except ViewerError as error:
            return [self.errorMessage(str(error), "pupicker model")]
        return [WindowView(lambda parent: ModelWindow(parent, obj, header), self.formWindow)]
