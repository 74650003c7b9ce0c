"""The Scipion side of the demo: an installation of its own in one folder, a project in it, its runs.

Nothing outside of that folder is read or written, so that the demo neither needs nor touches a Scipion that is there.
"""

from __future__ import annotations

import os
import shlex
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Positions = Mapping[str, Sequence[tuple[float, float]]]

PROGRESS_S = 20.0

HOSTS = "[localhost]\nPARALLEL_COMMAND = mpirun -np %_(JOB_NODES)d %_(COMMAND)s\n"
# The viewers that need neither Xmipp nor Java.
CONFIG = """[PYWORKFLOW]
SCIPION_NOTIFY = False
VIEWERS = {"SetOfCoordinates": ["pwem.viewers.ACoordinateViewer"]}
"""


def scipion_environment(folder: Path) -> dict[str, str]:
    """Variables of a Scipion that keeps all it has in `folder`; they must be set before pyworkflow is imported."""
    config = folder / "home" / "config"
    binaries = Path(sys.executable).parent
    return {
        "SCIPION_HOME": str(folder / "home"),
        "SCIPION_USER_DATA": str(folder / "user"),
        "SCIPION_CONFIG": str(config / "scipion.conf"),
        "SCIPION_LOCAL_CONFIG": str(config / "scipion.conf"),
        "SCIPION_HOSTS": str(config / "hosts.conf"),
        "SCIPION_DOMAIN": "pwem",
        "SCIPION_PYTHON": sys.executable,
        "SCIPION_NOTIFY": "False",
        "VIRTUAL_ENV": sys.prefix,
        "PATH": f"{binaries}{os.pathsep}{os.environ.get('PATH', '')}",
    }


def set_up(folder: Path) -> None:
    """Write the configuration of the Scipion in `folder` and make this process use it."""
    environment = scipion_environment(folder)
    config = Path(environment["SCIPION_CONFIG"])
    config.parent.mkdir(parents=True, exist_ok=True)
    Path(environment["SCIPION_USER_DATA"]).mkdir(parents=True, exist_ok=True)
    config.write_text(CONFIG)
    Path(environment["SCIPION_HOSTS"]).write_text(HOSTS)
    os.environ.update(environment)
    os.environ.pop("DISPLAY", None)


def write_launcher(path: Path, folder: Path) -> None:
    """Write the shell script `path` that runs any command of the Scipion in `folder`."""
    variables = {name: shlex.quote(value) for name, value in scipion_environment(folder).items()}
    variables["PATH"] = f'{shlex.quote(str(Path(sys.executable).parent))}:"$PATH"'
    lines = [f"export {name}={value}" for name, value in variables.items()]
    path.write_text("\n".join(["#!/bin/sh", *lines, f'exec {shlex.quote(sys.executable)} -m scipion "$@"', ""]))
    path.chmod(0o755)


@contextmanager
def progress(run: Any) -> Iterator[None]:
    """Print how far a training is while the block waits for it; other runs say nothing."""
    from pupicker.protocols.bases.progress_text import trainingProgress
    from pupicker.shared.json_files import read_json

    ended = threading.Event()

    def follow() -> None:
        said = ""
        while not ended.wait(PROGRESS_S):
            line, *_ = trainingProgress(read_json(run._getStatusPath()), True) or [said]
            if line != said:
                print("  " + line.replace("*", ""), flush=True)
                said = line

    follower = threading.Thread(target=follow, daemon=True)
    if hasattr(run, "_getStatusPath"):
        follower.start()
    try:
        yield
    finally:
        ended.set()


class DemoProject:
    """A new project with the runs of the demo; `seconds` holds what each took."""

    def __init__(self, name: str) -> None:
        import pwem  # noqa: F401  (sets the domain)
        from pyworkflow.project import Manager

        manager = Manager()
        if manager.hasProject(name):
            manager.deleteProject(name)
        self.name = name
        self.seconds: dict[str, float] = {}
        self._project = manager.createProject(name)
        os.chdir(self._project.path)  # paths in Scipion's sets are relative to the project

    def path(self, relative: str) -> Path:
        """Absolute path of a file that a set of the project names."""
        return Path(self._project.path) / relative

    def run(self, protocol_class: type, label: str, inputs: Mapping[str, Any] | None = None, **settings: Any) -> Any:
        """Run one protocol to its end, in a process of its own, as the project window does.

        Parameters
        ----------
        inputs
            Parameter name -> (run, name of its output).
        settings
            The other parameters.

        Raises
        ------
        SystemExit
            The run failed; the message is Scipion's and names the log.
        """
        protocol = self._project.newProtocol(protocol_class, **settings)
        protocol.setObjLabel(label)
        for name, (source, output) in (inputs or {}).items():
            pointer = getattr(protocol, name)
            pointer.set(source)
            pointer.setExtended(output)
        print(f"{label} ...", flush=True)
        start = time.monotonic()
        with progress(protocol):
            self._project.launchProtocol(protocol, wait=True)
        self.seconds[label] = time.monotonic() - start
        if not protocol.isFinished():
            raise SystemExit(f"{label} failed: {protocol.getErrorMessage()}\nlog: {self.path(protocol.getStderrLog())}")
        return protocol

    def import_micrographs(self, folder: Path, label: str, pixel_size_ang: float) -> Any:
        """Import all .mrc files of `folder`."""
        from pwem.protocols import ProtImportMicrographs

        return self.run(
            ProtImportMicrographs, label, filesPath=str(folder), filesPattern="*.mrc", samplingRateMode=0,
            samplingRate=pixel_size_ang, voltage=300, sphericalAberration=2.7, amplitudeContrast=0.1,
        )

    def import_coordinates(self, positions: Positions, micrographs: Any, label: str, box_px: int, table: Path) -> Any:
        """Import centres in pixels (by micrograph name) through a coordinate table of Scipion, written to `table`."""
        from pwem.objects import Coordinate, SetOfCoordinates
        from pwem.protocols import ProtImportCoordinates

        table.unlink(missing_ok=True)
        coordinates = SetOfCoordinates(filename=str(table))
        coordinates.setBoxSize(box_px)
        for micrograph in micrographs.outputMicrographs:
            for x, y in positions.get(micrograph.getMicName(), ()):
                coordinate = Coordinate(x=round(x), y=round(y))
                coordinate.setMicrograph(micrograph)
                coordinates.append(coordinate)
        coordinates.write()
        coordinates.close()
        return self.run(
            ProtImportCoordinates, label, {"inputMicrographs": (micrographs, "outputMicrographs")},
            importFrom=ProtImportCoordinates.IMPORT_FROM_SCIPION, filesPath=str(table), filesPattern="", boxSize=box_px,
        )
