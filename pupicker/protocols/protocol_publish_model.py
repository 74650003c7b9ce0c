"""Publishing of a model, for other projects and other people."""

from __future__ import annotations

import os
from typing import Any, List

from pwem.protocols import EMProtocol
from pyworkflow.constants import NEW
from pyworkflow.protocol import params
from pyworkflow.utils import Message

from pupicker.constants import PUBLISH_CHOICES, PUBLISH_SITE, PUBLISH_USER
from pupicker.plugin.plugin import Plugin
from pupicker.protocols.bases.protocol_base import ProtPuPickerBase
from pupicker.shared import options
from pupicker.shared.digests import digest_of, file_digest
from pupicker.shared.model_header import DIGITS_SHOWN, ModelError, content_digest, read_card, replaced_texts
from pupicker.shared.model_library import SITE, USER, library_file, read_entry

OF_CARD = (options.SPECIMEN, options.MICROSCOPE, options.NOTE, options.AUTHOR)


class ProtPuPickerPublishModel(ProtPuPickerBase, EMProtocol):
    """
    Puts a model into the model library under a name, with a card that says what it is for.

    In any project, _pupicker - pick_ and _pupicker - label_ then take it by its name. What is published is one file, a
    model like any other with its card inside: it can be handed on, and copied into the library of another site.
    """

    _label = "publish model"
    _devStatus = NEW

    # --------------------------- DEFINE param functions ----------------------
    def _defineParams(self, form: Any) -> None:
        form.addSection(label=Message.LABEL_INPUT)
        form.addParam("inputModel", params.PointerParam, pointerClass="PuPickerModel", important=True,
                      label="Model to publish",
                      help="Model from _pupicker - train_, _pupicker - label_ or _pupicker - import model_.")
        form.addParam("modelName", params.StringParam, default="", important=True, label="Name in the library",
                      help="By which it is chosen: " + options.MODEL_NAME.wording + ".")
        form.addParam("specimen", params.StringParam, default="", label="Specimen",
                      help="What the particles are, for instance: 70S ribosome, E. coli.")
        form.addParam("microscope", params.StringParam, default="", label="Microscope",
                      help="Microscope, detector and voltage: what the images depend on.")
        form.addParam("note", params.StringParam, default="", label="Note", help="Whatever else others should know.")
        form.addParam("library", params.EnumParam, choices=list(PUBLISH_CHOICES), default=PUBLISH_USER,
                      display=params.EnumParam.DISPLAY_HLIST, label="Library",
                      help="_of the user_: your own models, in any project of yours.\n"
                           "_of the site_: models for everybody here; who administers Scipion may write there "
                           "(variable PUPICKER_MODELS).")
        form.addParam("replace", params.BooleanParam, default=False, label="Replace another model?",
                      help="Yes: another model under this name is overwritten. Runs that have picked with it keep "
                           "their copy, and say that the library has another one.")
        form.addParam("author", params.StringParam, default="", expertLevel=params.LEVEL_ADVANCED, label="Author",
                      help="Whom to ask about it. Empty: the user's name on this machine.")

    # --------------------------- INSERT steps functions ----------------------
    def _insertAllSteps(self) -> None:
        self._insertFunctionStep(self.publishStep, digest_of(file_digest(self.inputModel.get().getPath()),
                                                             self._getPublishArguments()), needsGPU=False)

    # --------------------------- STEPS functions -----------------------------
    def publishStep(self, digest: str) -> None:
        arguments = ["publish", self.inputModel.get().getPath()] + self._getPublishArguments()
        self._runCore("models", arguments, "publish")

    def _getPublishArguments(self) -> List[str]:
        arguments = ["--name=" + self._getName(), "--folder=" + self._getFolder()]
        arguments += ["--%s=%s" % (option.name, self._getText(option.name)) for option in OF_CARD
                      if self._getText(option.name)]
        return arguments + (["--replace"] if self.replace.get() else [])

    # --------------------------- INFO functions ------------------------------
    def _validate(self) -> List[str]:
        errors = ["*%s*: %s." % (label, text) for label, text in
                  [("Name in the library", options.MODEL_NAME.problem(self._getName()))]
                  + [(option.label, option.problem(self._getText(option.name))) for option in OF_CARD] if text]
        model = self.inputModel.get()
        if model is not None and not model.exists():
            errors.append("*Model to publish*: its file %s is missing. Train or import it again." % model.getPath())
        if not self._getFolder():
            errors.append("*Library*: this site has none: the variable PUPICKER_MODELS is not set.")
        return errors or self._validateName(model)

    def _validateName(self, model: Any) -> List[str]:
        """Whether another model has the name; not once this run has published its own."""
        target = library_file(self._getFolder(), self._getName())
        if model is None or self.replace.get() or not os.path.exists(target):
            return []
        there, own = read_entry(target), ""
        try:
            own = content_digest(model.getPath())
        except ModelError as error:
            return ["*Model to publish*: %s." % error]
        if there.card.get("digest") == own:
            return []
        return ["*Name in the library*: %s has another model of this name (%s). Choose another name, or replace it."
                % (self._getFolder(), there.problem or ", ".join(there.card[name] for name in (
                    "specimen", "author", "date") if there.card.get(name)) or "without a card")]

    def _warnings(self) -> List[str]:
        """The same model with another card: what is lost of the one that it has there."""
        model = self.inputModel.get()
        if model is None or self.replace.get() or self._validate():
            return []
        there = read_entry(library_file(self._getFolder(), self._getName()))
        card = dict(read_card(model.getPath()), **{option.name: self._getText(option.name) for option in OF_CARD
                                                   if self._getText(option.name)})
        if not card.get("author"):
            card["author"] = there.card.get("author", "")  # the user's name, most likely the same one
        lost = replaced_texts(there.card, card)
        return ["The library has this model already. Replaced on its card: %s." % lost] if lost else []

    def _summary(self) -> List[str]:
        if not self.isFinished():
            return ["Not published yet."]
        entry = read_entry(library_file(self._getFolder(), self._getName()))
        if entry.problem:
            return ["Published as *%s*; now: %s" % (entry.name, entry.problem)]
        return ["Published as *%s* (digest %s)" % (entry.name, entry.card["digest"][:DIGITS_SHOWN]), entry.path]

    def _methods(self) -> List[str]:
        return []

    # --------------------------- UTILS functions -----------------------------
    def _getName(self) -> str:
        return self._getText("modelName")

    def _getText(self, name: str) -> str:
        return (getattr(self, name).get() or "").strip()

    def _getFolder(self) -> str:
        """Where it is published; empty: there is none."""
        owner = SITE if self.library.get() == PUBLISH_SITE else USER
        return next((folder.path for folder in Plugin.getLibraryFolders() if folder.owner == owner), "")
