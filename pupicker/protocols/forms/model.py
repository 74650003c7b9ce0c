"""Which model a run works with: one of the project, or one of the library, of which the run keeps a copy."""

from __future__ import annotations

import os
import shutil
from typing import Any, Dict, List, Optional

from pyworkflow.protocol import params

from pupicker.constants import MODEL_CHOICES, MODEL_GENERAL, MODEL_OF_LIBRARY, MODEL_OF_PROJECT
from pupicker.objects import PuPickerModel
from pupicker.plugin.plugin import Plugin
from pupicker.protocols.forms.run import Run, Value
from pupicker.shared.atomic import atomic_path
from pupicker.shared.choices import MODEL_SUFFIX
from pupicker.shared.digests import file_state
from pupicker.shared.json_files import read_json, write_json
from pupicker.shared.model_header import DIGITS_SHOWN, ModelError, content_digest, facts, read_header
from pupicker.shared.model_library import Entry, find_model, read_entry


class ModelForm(Run):
    """Mix-in before the base classes of a protocol.

    A run with a model of the library copies it before its first step and works with the copy: what others publish
    later changes no run, and is told.
    """

    _modelPicks = True  # whether what the run finds is of the model
    modelSource: Value
    inputModel: Value
    libraryModel: Value

    # --------------------------- DEFINE param functions ----------------------
    def _defineModelParams(self, form: Any, label: str, general: bool = False) -> None:
        """The fields; `general`: whether there may be no model of one's own."""
        choices = list(MODEL_CHOICES if general else MODEL_CHOICES[:MODEL_GENERAL])
        form.addParam("modelSource", params.EnumParam, choices=choices, label="Model from",
                      default=MODEL_GENERAL if general else MODEL_OF_PROJECT, display=params.EnumParam.DISPLAY_HLIST,
                      help="_this project_: a model that a run of this project has made or imported.\n"
                           "_the library_: a model that was published, by you or for this site; the run keeps a copy."
                           + ("\n_general model_: it knows no particle of yours, but what most have in common."
                              if general else ""))
        form.addParam("inputModel", params.PointerParam, pointerClass="PuPickerModel", important=True, label=label,
                      condition="modelSource==%d" % MODEL_OF_PROJECT,
                      help="Model from _pupicker - train_, _pupicker - label_ or _pupicker - import model_.")
        form.addParam("libraryModel", params.StringParam, default="", important=True, label="Model of the library",
                      condition="modelSource==%d" % MODEL_OF_LIBRARY,
                      help="Name of a model of the library; the wand shows all with specimen, diameter, pixel size and "
                           "date. _pupicker - publish model_ puts models there.")

    # --------------------------- checks ---------------------------
    def _validateModel(self, label: str) -> List[str]:
        source = self.modelSource.get()
        if source == MODEL_OF_LIBRARY and not self._getLibraryName():
            return ["*Model of the library*: choose one: the wand lists them."]
        try:
            model = self.getModel()
        except ModelError as error:
            return ["*Model of the library*: %s." % error]
        if source == MODEL_OF_PROJECT and model is not None and not model.exists():
            return ["*%s*: its file %s is missing. Train or import it again." % (label, model.getPath())]
        return []

    def _warnModel(self) -> List[str]:
        changed = self._getLibraryChange()
        return [changed] if changed else []

    # --------------------------- the model ---------------------------
    def getModel(self) -> Optional[PuPickerModel]:
        """The model to work with; None: the general one, or one that is not chosen yet or was deleted.

        Raises
        ------
        ModelError
            The library has no such model, or it is damaged; one line.
        """
        if self.modelSource.get() == MODEL_OF_PROJECT:
            found: Optional[PuPickerModel] = self.inputModel.get()
            return found
        if self.modelSource.get() != MODEL_OF_LIBRARY or not self._getLibraryName():
            return None
        path = self._getLibraryCopy() if self._isTaken() else self._find().path
        model = PuPickerModel(path)
        model.setInfo(facts(read_header(path)))
        return model

    def _takeLibraryModel(self) -> None:
        """Copy the model of the library, unless an earlier start of this run has done so."""
        if self.modelSource.get() != MODEL_OF_LIBRARY or self._isTaken():
            return
        entry = self._find()
        with atomic_path(self._getLibraryCopy()) as temporary:
            shutil.copyfile(entry.path, temporary)
            if content_digest(temporary) != entry.card["digest"]:
                raise ModelError("%s: it changed while it was copied; start again" % entry.path)
        write_json(self._getLibraryRecord(), dict(entry.to_dict(), state=file_state(entry.path)))

    def _modelSummary(self) -> List[str]:
        """Which model of the library it was, and whether the library has another one now."""
        record = self._getTaken()
        if self.modelSource.get() != MODEL_OF_LIBRARY or not record:
            return []
        said = ", ".join(text for text in (record["specimen"], record["date"], "digest " + record["digest"][
            :DIGITS_SHOWN]) if text)
        changed = self._getLibraryChange()
        return ["Model *%s* of the library (%s)" % (record["name"], said)] + (["*Note*: " + changed] if changed else [])

    # --------------------------- UTILS functions -----------------------------
    def _find(self) -> Entry:
        return find_model(self._getLibraryName(), Plugin.getLibraryFolders())

    def _getLibraryName(self) -> str:
        return (self.libraryModel.get() or "").strip()

    def _isTaken(self) -> bool:
        return bool(self._getTaken()) and os.path.exists(self._getLibraryCopy())

    def _getTaken(self) -> Dict[str, Any]:
        """What was copied; empty if nothing was, or a model of another name."""
        record = read_json(self._getLibraryRecord()) if self.hasObjId() else {}
        return record if record.get("name") == self._getLibraryName() else {}

    def _getLibraryChange(self) -> str:
        """That the library has another model under the name by now; empty if it has not, or none any more."""
        record = self._getTaken()
        if self.modelSource.get() != MODEL_OF_LIBRARY or not record or file_state(record["path"]) in (
                [], record["state"]):
            return ""
        now = read_entry(record["path"])
        if now.card.get("digest") == record["digest"]:
            return ""
        said = now.problem or "digest " + now.card["digest"][:DIGITS_SHOWN]
        return ("The library has another model under the name %s by now (%s); this run goes on with the one that it "
                "began with, _Restart_ takes the new one." % (record["name"], said))

    def _getLibraryCopy(self) -> str:
        return self._getExtraPath("library_model" + MODEL_SUFFIX)

    def _getLibraryRecord(self) -> str:
        return self._getExtraPath("library_model.json")
