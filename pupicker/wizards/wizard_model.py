"""Choosing a model of the library."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Tuple

from pyworkflow.gui import dialog
from pyworkflow.gui.tree import ListTreeProvider
from pyworkflow.wizard import Wizard

from pupicker.plugin.plugin import Plugin
from pupicker.protocols import ProtPuPickerLabel, ProtPuPickerPick
from pupicker.shared.model_library import Entry, library_entries, matching
from pupicker.shared.plurals import counted

COLUMNS = (("Name", 180), ("Specimen", 180), ("Diameter (Å)", 100), ("Pixel size (Å)", 110), ("Microscope", 140),
           ("Precision", 80), ("Date", 90), ("Of", 110))


class Row:
    """A model in a list of Scipion, which notes on it where it is shown."""

    def __init__(self, entry: Entry) -> None:
        self.entry = entry


class ModelList(ListTreeProvider):
    """The models of the library, as a list of Scipion shows them."""

    def __init__(self, entries: List[Entry]) -> None:
        ListTreeProvider.__init__(self, [Row(entry) for entry in entries])
        self.getColumns = lambda: list(COLUMNS)

    def getObjectInfo(self, obj: Row) -> Dict[str, Any]:
        entry = obj.entry
        values = (entry.card.get("specimen", ""), _number("%0.0f", entry.facts.get("diameter_ang")),
                  _number("%0.2f", entry.facts.get("working_pixel_size_ang")), entry.card.get("microscope", ""),
                  _number("%0.3f", entry.average_precision), entry.card.get("date", ""),
                  ", ".join(text for text in (entry.owner, entry.state) if text))
        return {"key": entry.path, "text": entry.name, "values": values}

    def getText(self, obj: Row) -> str:
        return obj.entry.name


class PuPickerModelWizard(Wizard):
    """Lists the models of the library that can pick the micrographs of the form."""

    _targets = [(ProtPuPickerPick, ["libraryModel"]), (ProtPuPickerLabel, ["libraryModel"])]

    def show(self, form: Any, *params: Any) -> None:
        entries, message = offered(form.protocol)
        if not entries:
            dialog.showWarning("Model of the library", message, form.root)
            return
        chosen = dialog.ListDialog(form.root, "Model of the library", ModelList(entries), message,
                                   selectmode="browse", validateSelectionCallback=_whyNot)
        if chosen.resultYes():
            form.setVar("libraryModel", chosen.values[0].entry.name)


def offered(protocol: Any) -> Tuple[List[Entry], str]:
    """The models to choose from, and a line about them."""
    folders = Plugin.getLibraryFolders()
    every = library_entries(folders)
    if not every:
        return [], ("There is no model in the library (%s). pupicker - publish model puts one there."
                    % ", ".join(folder.path for folder in folders))
    micSet = protocol.inputMicrographs.get()
    rate = micSet.getSamplingRate() if micSet is not None else None
    if rate is None:
        return every, "All models of the library."
    fitting = matching(every, pixel_size_ang=rate)
    if not fitting:
        return every, "None of them works at a pixel size as coarse as that of the micrographs, %0.2f Å." % rate
    left = len(every) - len(fitting)
    return fitting, "Models that can pick these micrographs%s." % (
        "; %s" % counted(left, "other needs finer ones", "others need finer ones") if left else "")


def _whyNot(chosen: List[Row]) -> Optional[str]:
    """Why one of the list cannot be taken; None: it can."""
    entry = chosen[0].entry
    hidden = "A model of yours has the same name and comes first; choose that, or import this one."
    return entry.problem or (hidden if entry.hidden else None)


def _number(pattern: str, value: Any) -> str:
    return "" if value is None else pattern % value
