"""Choosing the attribute that holds the score."""

from __future__ import annotations

from typing import Any

from pyworkflow.gui import dialog
from pyworkflow.gui.tree import ListTreeProviderString
from pyworkflow.object import String
from pyworkflow.wizard import Wizard

from pupicker.protocols import ProtPuPickerEvaluate, ProtPuPickerThreshold
from pupicker.protocols.forms.thresholds import numericAttributes


class PuPickerAttributeWizard(Wizard):
    """Lists the numbers that the coordinates carry."""

    _targets = [(ProtPuPickerThreshold, ["attribute"]), (ProtPuPickerEvaluate, ["scoreAttribute"])]

    def show(self, form: Any, *params: Any) -> None:
        coordSet = form.protocol.inputCoordinates.get()
        if coordSet is None or coordSet.getSize() == 0:
            dialog.showWarning("Score attribute", "Choose scored coordinates first.", form.root)
            return
        names = numericAttributes(coordSet.getFirstItem())
        if not names:
            dialog.showWarning("Score attribute", "These coordinates carry no number that could be a score. Choose "
                                                  "others.", form.root)
            return
        provider = ListTreeProviderString([String(name) for name in names])
        chosen = dialog.ListDialog(form.root, "Score attribute", provider,
                                   "A larger value should mean a better particle.",
                                   selectmode="browse")
        if chosen.resultYes():
            field = "attribute" if hasattr(form.protocol, "attribute") else "scoreAttribute"
            form.setVar(field, chosen.values[0].get())
