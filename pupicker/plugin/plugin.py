"""The plugin class: variables, the environment of the child processes, installation of the core."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
from typing import Any, Dict, List

import pwem
import pyworkflow as pw
import pyworkflow.utils as pwutils
from pyworkflow.config import VarTypes

import pupicker
from pupicker.constants import (
    CORE_MINIMUM_PYTHON,
    CORE_REQUIREMENTS,
    DEVICES,
    PUPICKER_DEVICE,
    PUPICKER_HOME,
    PUPICKER_MODELS,
    PUPICKER_PYTHON,
    PUPICKER_USER_MODELS,
    SCIPION_EM_MINIMUM,
)
from pupicker.plugin.interpreter import contentsOf
from pupicker.shared.model_library import SITE, Folder, library_folders, names_in, user_folder

LAUNCHER = os.path.join(os.path.dirname(os.path.abspath(pupicker.__file__)), "commands", "launch.py")


class Plugin(pwem.Plugin):
    """Where the core of pupicker is and how its processes are started."""

    __module__ = "pupicker"  # Scipion takes the name and the folder of a plugin from here
    _homeVar = PUPICKER_HOME
    _supportedVersions = [pupicker.__version__]
    _processingField = ["SPA"]
    _url = "https://github.com/scipion-em/scipion-em-pupicker"

    @classmethod
    def _defineVariables(cls) -> None:
        cls._defineEmVar(PUPICKER_HOME, "pupicker-" + pupicker.__version__, var_type=VarTypes.FOLDER,
                         description="Folder of the environment that 'scipion installb pupicker' makes for the core.")
        cls._defineVar(PUPICKER_PYTHON, cls._getDefaultInterpreter(), var_type=VarTypes.PATH,
                       description="Python (3.10 or later, with torch) that runs training and picking. Default: the "
                                   "one of PUPICKER_HOME when it is installed, else the one that runs Scipion.")
        cls._defineVar(PUPICKER_MODELS, "", var_type=VarTypes.FOLDER,
                       description="Folder of picking models that this site offers, or several with : between them; "
                                   "it may be read-only. Forms take these models by name. Default: none.")
        cls._defineVar(PUPICKER_USER_MODELS, user_folder({}), var_type=VarTypes.FOLDER,
                       description="Folder of picking models of the user, in which 'publish model' puts them.")
        cls._defineVar(PUPICKER_DEVICE, DEVICES[0], var_type=VarTypes.STRING,
                       description="What 'Use GPU' says in new forms: cuda (yes), cpu (no), or auto, which is yes "
                                   "where there is an NVIDIA driver. Set it where forms are filled in on another "
                                   "machine than runs.")

    @classmethod
    def _getDefaultInterpreter(cls) -> str:
        own = cls.getHome("env", "bin", "python")
        return own if os.path.exists(cls.getHome("READY")) and os.path.exists(own) else sys.executable

    @classmethod
    def getInterpreter(cls) -> str:
        """Path of the Python that runs the core."""
        return os.path.expanduser(cls.getVar(PUPICKER_PYTHON) or sys.executable)

    @classmethod
    def isOwnInterpreter(cls) -> bool:
        """Whether the core runs in the environment that runs Scipion."""
        chosen, own = cls.getInterpreter(), sys.executable
        # A venv's python is a link to the system's: the folder tells environments apart, the target does not.
        return (os.path.dirname(os.path.abspath(chosen)) == os.path.dirname(os.path.abspath(own))
                and os.path.realpath(chosen) == os.path.realpath(own))

    @staticmethod
    def hasGpu() -> bool:
        """Whether this machine shows an NVIDIA driver: no promise."""
        return os.path.exists("/dev/nvidiactl")

    @classmethod
    def usesGpuByDefault(cls) -> bool:
        """The default of 'Use GPU' in the forms."""
        device = cls._getDevice()
        return cls.hasGpu() if device == "auto" else device == "cuda"

    @classmethod
    def _getDevice(cls) -> str:
        return (cls.getVar(PUPICKER_DEVICE) or DEVICES[0]).strip().lower()

    @classmethod
    def getModelFolder(cls) -> str:
        """First folder of the models of this site; empty if it has none."""
        return next((folder.path for folder in cls.getLibraryFolders() if folder.owner == SITE), "")

    @classmethod
    def getLibraryFolders(cls) -> List[Folder]:
        """Folders of the model library."""
        return library_folders(cls._getLibraryVariables())

    @classmethod
    def _getLibraryVariables(cls) -> Dict[str, str]:
        return {name: cls.getVar(name) or "" for name in (PUPICKER_MODELS, PUPICKER_USER_MODELS)}

    @classmethod
    def getLibraryModels(cls) -> List[str]:
        """Names of the models of the library."""
        return sorted({name for folder in cls.getLibraryFolders() for name in names_in(folder.path)})

    @classmethod
    def getEnviron(cls) -> Any:
        """Environment of a child process: Scipion's own modules are kept away from another interpreter."""
        environ = pwutils.Environ(os.environ)
        if not cls.isOwnInterpreter():
            for name in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"):
                environ.pop(name, None)
        environ.update(cls._getLibraryVariables())  # what Scipion's configuration says, the child knows from here only
        environ["PYTHONUNBUFFERED"] = "1"  # the log tabs of the GUI show progress as it happens
        return environ

    @classmethod
    def getProgram(cls) -> str:
        """Start of a shell command line; an outcome file and the arguments of ``pupicker`` follow."""
        return " ".join(shlex.quote(word) for word in cls.getCommand())

    @classmethod
    def getCommand(cls) -> List[str]:
        """The same as words, without a shell."""
        return [cls.getInterpreter(), LAUNCHER]

    @classmethod
    def validateInstallation(cls) -> List[str]:
        """Messages about what is missing; cheap, because Scipion asks for every protocol in its tree."""
        found = tuple(int(part) for part in re.findall(r"\d+", pwem.__version__)[:2])
        if found < SCIPION_EM_MINIMUM:
            return ["This Scipion has scipion-em %s; pupicker needs %d.%d or later. Run 'scipion3 update', or "
                    "'scipion3 pip install --upgrade scipion-em scipion-pyworkflow'."
                    % ((pwem.__version__,) + SCIPION_EM_MINIMUM)]
        interpreter = cls.getInterpreter()
        remedy = ("Run 'scipion installb pupicker', or set %s in the Scipion configuration to a Python %d.%d or later "
                  "that has torch." % ((PUPICKER_PYTHON,) + CORE_MINIMUM_PYTHON))
        if cls._getDevice() not in DEVICES:
            return ["%s = %s: set it to one of %s." % (PUPICKER_DEVICE, cls._getDevice(), ", ".join(DEVICES))]
        if not os.path.isfile(interpreter):
            return ["%s = %s does not exist. %s" % (PUPICKER_PYTHON, interpreter, remedy)]
        if not os.access(interpreter, os.X_OK, effective_ids=os.access in os.supports_effective_ids):
            return ["%s = %s is not executable. %s" % (PUPICKER_PYTHON, interpreter, remedy)]
        if cls.isOwnInterpreter():
            version, hasTorch = sys.version_info[:2], importlib.util.find_spec("torch") is not None
        elif interpreter == cls.getHome("env", "bin", "python") and os.path.exists(cls.getHome("READY")):
            return []
        else:
            contents = contentsOf(interpreter)
            version, hasTorch = contents.version or CORE_MINIMUM_PYTHON, contents.has("torch") or not contents.complete
        whose = "The Python that runs Scipion" if cls.isOwnInterpreter() else PUPICKER_PYTHON
        if version < CORE_MINIMUM_PYTHON:
            return ["%s (%s) is Python %d.%d, too old for the core of pupicker. %s"
                    % ((whose, interpreter) + version + (remedy,))]
        return [] if hasTorch else ["%s (%s) has no torch. %s" % (whose, interpreter, remedy)]

    @classmethod
    def defineBinaries(cls, env: Any) -> None:
        """Offer an environment for the core: ``scipion installb pupicker``.

        It is a virtual environment of a Python that is new enough; where there is none and Scipion is told how to
        activate conda (``CONDA_ACTIVATION_CMD``), conda brings the Python.  pip takes its index or folder of wheels
        from its own variables and configuration (``PIP_INDEX_URL``, ``PIP_NO_INDEX`` with ``PIP_FIND_LINKS``, ...), so
        an offline site or a CPU-only torch needs nothing special.
        """
        python, create = cls._findBasePython(), "%s -m venv env"
        if not python and pw.Config.CONDA_ACTIVATION_CMD:
            python, create = "conda", cls.getCondaActivationCmd() + " %s create --yes --prefix ./env python=3.11"
        python = python or "python3"
        requirements = " ".join(shlex.quote(item) for item in CORE_REQUIREMENTS)
        command = ("rm -rf env && %s && env/bin/python -m pip install %s && touch READY"
                   % (create % shlex.quote(python), requirements))
        env.addPackage("pupicker", version=pupicker.__version__, tar="void.tgz", commands=[(command, ["READY"])],
                       neededProgs=[] if python == "conda" else [python], default=not cls._hasOwnCore())

    @staticmethod
    def _hasOwnCore() -> bool:
        return sys.version_info[:2] >= CORE_MINIMUM_PYTHON and importlib.util.find_spec("torch") is not None

    @staticmethod
    def _findBasePython() -> str:
        """A Python that is new enough for the core, the one running Scipion if it is; empty if there is none."""
        if sys.version_info[:2] >= CORE_MINIMUM_PYTHON:
            return sys.executable
        for name in ("python3.13", "python3.12", "python3.11", "python3.10"):
            found = shutil.which(name)
            # A version manager's stand-in may be on the PATH without a Python behind it.
            if found and subprocess.run([found, "-c", "import venv"], capture_output=True).returncode == 0:
                return found
        return ""
