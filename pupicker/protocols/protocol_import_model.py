"""Import of a model file."""

from __future__ import annotations

import os
import shutil
from typing import Any, List

from pwem.protocols import EMProtocol
from pyworkflow.constants import NEW
from pyworkflow.protocol import params
from pyworkflow.utils import Message

from pupicker.objects import PuPickerModel
from pupicker.plugin.outcome import CoreError
from pupicker.plugin.plugin import Plugin
from pupicker.protocols.bases.protocol_base import ProtPuPickerBase
from pupicker.shared.choices import MODEL_SUFFIX
from pupicker.shared.digests import digest_of
from pupicker.shared.json_files import read_json
from pupicker.shared.model_library import library_file, names_in


class ProtPuPickerImportModel(ProtPuPickerBase, EMProtocol):
    """
    Imports a picking model that was trained elsewhere: in another project, at another site, or on the command line.

    The file is checked and *copied* into the project, so the project stays complete when it is moved and when the
    original is deleted.
    """

    _label = "import model"
    _devStatus = NEW
    _possibleOutputs = {"outputModel": PuPickerModel}

    # --------------------------- DEFINE param functions ----------------------
    def _defineParams(self, form: Any) -> None:
        form.addSection(label=Message.LABEL_INPUT)
        form.addParam("modelPath", params.PathParam, default=os.path.join(Plugin.getModelFolder(), ""), important=True,
                      label="Model file",
                      help="File written by _pupicker - train_ (extra/model%s in the folder of its run) or by the "
                           "command _pupicker train_, or the name of a model of the library. It is copied into "
                           "this project.\n%s" % (MODEL_SUFFIX, self._getLibraryText()))

    # --------------------------- INSERT steps functions ----------------------
    def _insertAllSteps(self) -> None:
        path = self._getModelPath()
        status = os.stat(path)
        digest = digest_of(os.path.abspath(path), status.st_size, status.st_mtime_ns)
        self._insertFunctionStep(self.importStep, digest, needsGPU=False)
        self._insertFunctionStep(self.createOutputStep, digest, needsGPU=False)

    # --------------------------- STEPS functions -----------------------------
    def importStep(self, digest: str) -> List[str]:
        model, info = self._getCopyPath(), self._getInfoPath()
        shutil.copyfile(self._getModelPath(), model)
        try:
            self._runCore("info", [model, "--json"], "info", stdout=info)
        except CoreError as error:  # name the file that the user gave, not its copy
            raise CoreError(str(error).replace(model, self._getModelPath())) from None
        return [model, info]

    def createOutputStep(self, digest: str) -> None:
        info = read_json(self._getInfoPath())
        if info.get("kind") != "model":
            raise Exception("%s is not a model of pupicker: give the file that training wrote." % self._getModelPath())
        model = PuPickerModel(self._getCopyPath())
        model.setInfo(info)
        self._defineOutputs(outputModel=model)

    # --------------------------- INFO functions ------------------------------
    def _validate(self) -> List[str]:
        path = self._getModelPath()
        if not path:
            return ["*Model file*: choose the model file. %s" % self._getLibraryText()]
        if os.path.isdir(path):
            return ["*Model file*: %s is a folder; choose a file in it. %s" % (path, self._getLibraryText())]
        if not os.path.isfile(path):
            return ["*Model file*: %s: no such file. Choose a file that training wrote. %s"
                    % (path, self._getLibraryText())]
        return []

    def _summary(self) -> List[str]:
        model = getattr(self, "outputModel", None)
        if model is None:
            return ["No model yet."]
        return ["Copied from %s" % self._getModelPath()] + model.getSummary()

    def _methods(self) -> List[str]:
        return ["A particle picking model [Bepler2019] was imported."]

    # --------------------------- UTILS functions -----------------------------
    def _getModelPath(self) -> str:
        """The file; what is the name of a model of the library means that model."""
        given = (self.modelPath.get() or "").strip()
        for folder in Plugin.getLibraryFolders():
            if given in names_in(folder.path):
                return library_file(folder.path, given)
        return os.path.expanduser(given)

    @staticmethod
    def _getLibraryText() -> str:
        models = Plugin.getLibraryModels()
        return "Models of the library: %s." % ", ".join(models) if models else ""

    def _getCopyPath(self) -> str:
        return self._getExtraPath("model" + MODEL_SUFFIX)

    def _getInfoPath(self) -> str:
        return self._getExtraPath("model_info.json")
