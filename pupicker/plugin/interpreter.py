"""What a Python environment holds, told from its files without starting it."""

from __future__ import annotations

import glob
import os
import re
from typing import Dict, List, NamedTuple, Optional, Tuple

CONFIGURATION = "pyvenv.cfg"


class Contents(NamedTuple):
    """What the files of an environment say.

    Attributes
    ----------
    version
        (major, minor) of its Python; None if the files do not tell.
    packages
        Names of the top-level entries of its folders of packages, in lower case.
    complete
        Whether these folders are all that its Python imports from.  They are not for the Python of the system or one
        that looks through to it.
    """

    version: Optional[Tuple[int, int]]
    packages: List[str]
    complete: bool

    def has(self, package: str) -> bool:
        """Whether `package` is there; only to be relied upon if `complete`."""
        return package in self.packages


def contentsOf(interpreter: str) -> Contents:
    """Look into the virtual or conda environment of the Python at the path `interpreter`."""
    root = os.path.dirname(os.path.dirname(os.path.abspath(interpreter)))
    settings = _readSettings(os.path.join(root, CONFIGURATION))
    isConda = os.path.isdir(os.path.join(root, "conda-meta"))
    libraries = sorted(glob.glob(os.path.join(root, "lib", "python3.*")))
    if not (settings or isConda) or len(libraries) != 1:
        return Contents(_version(settings.get("version", "")), [], False)
    version = _version(settings.get("version", settings.get("version_info", "")) or os.path.basename(libraries[0]))
    folders = [os.path.join(libraries[0], "site-packages")]
    folders += [os.path.join(root, "lib64", os.path.basename(libraries[0]), "site-packages")]
    folders += _addedBy(folders[0])
    packages = sorted({name.lower() for folder in folders if os.path.isdir(folder) for name in os.listdir(folder)})
    return Contents(version, packages, settings.get("include-system-site-packages", "false").lower() != "true")


def _readSettings(path: str) -> Dict[str, str]:
    """Content of a pyvenv.cfg; nothing if there is none."""
    try:
        with open(path, encoding="utf-8") as stream:
            pairs = [line.split("=", 1) for line in stream if "=" in line]
    except OSError:
        return {}
    return {key.strip().lower(): value.strip() for key, value in pairs}


def _version(text: str) -> Optional[Tuple[int, int]]:
    found = re.search(r"(3)\.(\d+)", text)
    return (int(found.group(1)), int(found.group(2))) if found else None


def _addedBy(folder: str) -> List[str]:
    """Folders that the .pth files of a folder of packages add."""
    added = []
    for path in glob.glob(os.path.join(folder, "*.pth")):
        try:
            with open(path, encoding="utf-8") as stream:
                lines = [line.strip() for line in stream]
        except (OSError, UnicodeDecodeError):
            continue
        added += [os.path.join(folder, line) for line in lines if line and not line.startswith(("#", "import "))]
    return added
