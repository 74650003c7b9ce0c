"""Micrographs under many names, a Scipion project of its own, runs in it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

DIAMETER_ANG, PIXEL_SIZE_ANG = 80.0, 4.0
DISTINCT = 20
"""Micrographs that differ; all others are further names of these."""

HOSTS = "[localhost]\nPARALLEL_COMMAND = mpirun -np %_(JOB_NODES)d %_(COMMAND)s\n"
POLL_S = 0.2


def pupicker(*words: object) -> None:
    """Run one command of pupicker."""
    subprocess.run([sys.executable, "-m", "pupicker", *map(str, words)], check=True, stdout=subprocess.DEVNULL)


def make_micrographs(folder: Path, side_px: int, seed: int) -> list[Path]:
    """Simulate the distinct ones, with as many particles a pixel whatever their size."""
    particles = max(1, round(6 * (side_px / 128) ** 2))
    pupicker("simulate", "--output", folder, "--micrographs", DISTINCT, "--diameter", DIAMETER_ANG, "--pixel-size",
             PIXEL_SIZE_ANG, "--width", side_px, "--height", side_px, "--particles", particles, "--snr", 0.1,
             "--threads", 1, "--seed", seed)
    return sorted(folder.glob("*.mrc"))


def make_model(folder: Path) -> Path:
    """A model that was trained for a short while on micrographs of its own."""
    pupicker("simulate", "--output", folder, "--micrographs", 4, "--diameter", DIAMETER_ANG, "--pixel-size",
             PIXEL_SIZE_ANG, "--width", 512, "--height", 512, "--particles", 60, "--snr", 0.1, "--threads", 1,
             "--seed", 99)
    pupicker("train", folder, "--picks", folder / "truth.star", "--diameter", DIAMETER_ANG, "--updates", 60,
             "--output", folder / "model.pupicker", "--threads", 1)
    return folder / "model.pupicker"


def link(distinct: Sequence[Path], folder: Path, first: int, last: int) -> None:
    """Put the micrographs of these numbers into a folder, as hard links to the distinct ones in turn."""
    for number in range(first, last):
        os.link(distinct[number % len(distinct)], folder / f"mic_{number:06d}.mrc")


def set_up_scipion(folder: Path) -> None:
    """Make this process use a Scipion that keeps all it has in `folder`; pyworkflow must not be imported yet."""
    config = folder / "home" / "config"
    config.mkdir(parents=True)
    (folder / "user").mkdir()
    (config / "scipion.conf").write_text("[PYWORKFLOW]\nSCIPION_NOTIFY = False\n")
    (config / "hosts.conf").write_text(HOSTS)
    os.environ.update(
        SCIPION_HOME=str(folder / "home"), SCIPION_USER_DATA=str(folder / "user"), SCIPION_DOMAIN="pwem",
        SCIPION_CONFIG=str(config / "scipion.conf"), SCIPION_LOCAL_CONFIG=str(config / "scipion.conf"),
        SCIPION_HOSTS=str(config / "hosts.conf"), SCIPION_NOTIFY="False", SCIPION_PYTHON=sys.executable,
        SCIPION_EM_NEW_FILE_CHECK_SEC="2", VIRTUAL_ENV=sys.prefix,
        PATH=os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"])
    os.environ.pop("DISPLAY", None)


class Project:
    """A new project; current folder of this process from then on, because paths in it are relative."""

    def __init__(self, name: str) -> None:
        import pwem  # noqa: F401  (sets the domain)
        from pyworkflow.project import Manager

        self._project = Manager().createProject(name)
        self.path = Path(self._project.path)
        os.chdir(self.path)

    def new(self, protocol_class: type, inputs: dict[str, tuple[Any, str]], **settings: Any) -> Any:
        """A run that is not started; inputs are outputs of other runs, by their names."""
        run = self._project.newProtocol(protocol_class, **settings)
        for name, (source, output) in inputs.items():
            pointer = getattr(run, name)
            pointer.set(source)
            pointer.setExtended(output)
        return run

    def start(self, run: Any) -> Any:
        """Start a run in a process of its own."""
        self._project.launchProtocol(run, wait=False)
        return run

    def update(self, run: Any) -> None:
        """Read what the process of the run wrote."""
        from pupicker.schedule import updateRun

        updateRun(self._project, run)

    def finish(self, run: Any) -> Any:
        """Wait until it has ended; it must not fail."""
        while run.isActive():
            time.sleep(POLL_S)
            self.update(run)
        if not run.isFinished():
            raise SystemExit(f"{run.getRunName()} failed: {run.getErrorMessage()}\n"
                             f"{(self.path / run.getStderrLog()).read_text()[-2000:]}")
        return run

    def importing(self, folder: Path, growing: bool) -> Any:
        """Import the micrographs of a folder; one that grows until :func:`close_import`."""
        from pwem.protocols import ProtImportMicrographs

        streaming = {"dataStreaming": True, "timeout": "1h", "fileTimeout": "0"} if growing else {}
        return self.start(self.new(
            ProtImportMicrographs, {}, filesPath=str(folder), filesPattern="*.mrc", samplingRateMode=0,
            samplingRate=PIXEL_SIZE_ANG, voltage=300, sphericalAberration=2.7, amplitudeContrast=0.1, **streaming))

    def wait_for(self, run: Any, output: str) -> None:
        """Wait until a run that goes on has made its output."""
        while not hasattr(run, output):
            time.sleep(POLL_S)
            self.update(run)
            if not run.isActive() and not hasattr(run, output):
                self.finish(run)
                raise SystemExit(f"{run.getRunName()} made no {output}")

    def model(self, path: Path) -> Any:
        """A run that has brought in a model."""
        from pupicker.protocols import ProtPuPickerImportModel

        return self.finish(self.start(self.new(ProtPuPickerImportModel, {}, modelPath=str(path))))

    def picking(self, micrographs: Any, model: Any, batch: int) -> Any:
        """*pick* on the processor, with one process."""
        from pupicker.protocols import ProtPuPickerPick

        return self.new(ProtPuPickerPick, {"inputMicrographs": (micrographs, "outputMicrographs"),
                                           "inputModel": (model, "outputModel")},
                        useGpu=False, binThreads=1, streamingBatchSize=batch)

    def close_import(self, run: Any) -> None:
        """No more micrographs come: what the window of Scipion does on *Stop import*."""
        (self.path / run._getStopStreamingFilename()).touch()
