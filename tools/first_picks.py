"""The first picks of a new user, with a stopwatch: empty project, import, label, *Done*, pick; forms and real clicks.

    xvfb-run -a -s "-screen 0 1366x768x24" python -m tools.first_picks [--data FOLDER] [--labels 20] [--pictures FOLDER]

Opens the project window of a Scipion made for it, fills the forms of *import micrographs*, *label* and *pick* and
presses their *Execute*; particles of the eight micrographs of beta-galactosidase are clicked at their annotated places
in the window that labels, five on a micrograph, then a model is trained and *Done* pressed.  The user is given READ_S
for each form and CLICK_S for each click; that counts.  Wall time of each step, and the processor time of all processes
in it: results/first_picks.json.  The machine should do nothing else.  Needs xdotool, x11-utils and, for the pictures,
ImageMagick.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from benchmarks.common.datasets import data_folder, read_table
from benchmarks.common.real_sets import SETS, micrographs
from benchmarks.common.runs import RESULTS, hardware

SCREEN = os.environ.get("DISPLAY", "")

from pupicker.tests.scipion import scipion_environment  # noqa: E402, F401  (before pyworkflow; it takes DISPLAY away)
from pupicker.tests.scipion.label_hand import LabelHand  # noqa: E402
from pupicker.tests.scipion.screen import settle  # noqa: E402

READ_S, CLICK_S = 8.0, 1.2
EACH = 5  # labels on a micrograph
PATIENCE_S = 1800.0


class Stopwatch:
    """Wall and processor seconds of steps."""

    def __init__(self) -> None:
        self.steps: list[dict[str, Any]] = []

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Measure a block."""
        wall, cpu = time.monotonic(), _cpu_s()
        yield
        self.steps.append({"step": name, "wall_s": round(time.monotonic() - wall, 1),
                           "cpu_s": round(_cpu_s() - cpu, 1)})
        print("{step}: {wall_s} s, of processors {cpu_s} s".format(**self.steps[-1]), flush=True)


def _cpu_s() -> float:
    """Processor seconds of this process and of all below it that have ended."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:  # runs are started and not waited for
            pass
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(some.ru_utime + some.ru_stime for some in used)


class User:
    """Works in the project window as a user does."""

    def __init__(self, window: Any, watch: Stopwatch, pictures: Path | None) -> None:
        self.window, self.view, self.project = window, window.viewWidget, window.project
        self.watch, self.pictures = watch, pictures

    def photograph(self, name: str) -> None:
        """Keep a picture of the screen, if pictures are wanted."""
        if self.pictures is not None:
            self.window.root.update()
            subprocess.check_call(["import", "-window", "root", self.pictures / f"{name}.png"])

    def run(self, name: str, previous: Any = None, **values: Any) -> Any:
        """Fill the form of a protocol and press *Execute*; inputs are those that the form suggests."""
        import pyworkflow as pw
        from pyworkflow.gui.form import FormWindow

        protocol = self.project.newProtocol(pw.Config.getDomain().getProtocols()[name])
        form = FormWindow(f"Protocol Run: {name}", protocol, self.view._executeSaveProtocol, self.window,
                          updateProtocolCallback=self.view._updateProtocol, disableRunMode=True, previousProt=previous)
        form.adjustSize()
        form.root.deiconify()
        form.root.lift()
        form.root.geometry("+20+20")  # there is no window manager
        settle(form.root, READ_S)
        for parameter, value in values.items():
            form.setVar(parameter, value)
        settle(form.root, 0.5)
        self.photograph(name)
        form.execute()
        return protocol

    def wait(self, ready: Callable[[], Any]) -> None:
        """Let the project window work until something is there."""
        limit = time.monotonic() + PATIENCE_S
        while not ready():
            if time.monotonic() > limit:
                raise SystemExit("it took too long")
            settle(self.window.root, 0.2)

    def finished(self, protocol: Any) -> None:
        """Wait for the end of a run."""
        from pupicker.schedule import updateRun

        def over() -> bool:
            updateRun(self.project, protocol)
            return not protocol.isActive()

        self.wait(over)
        if not protocol.isFinished():
            raise SystemExit(f"{protocol.getClassName()}: {protocol.getErrorMessage()}")
        ended = time.monotonic() + 10
        while self._hasChildren() and time.monotonic() < ended:  # its processor time counts once its process is gone
            settle(self.window.root, 0.1)

    @staticmethod
    def _hasChildren() -> bool:
        try:
            os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return False
        return True


def label(user: User, imported: Any, truth: dict[str, list[tuple[float, float]]], labels: int) -> Any:
    """Click particles, train, *Done*; the run."""
    from pupicker.shared.json_files import read_json

    with user.watch.step("form of label, until its window is there"):
        run = user.run("ProtPuPickerLabel", imported, diameter=str(SETS["bgal"].diameter_ang), useGpu=False)
        user.wait(LabelHand.isThere)
        settle(user.window.root, 1)
    with user.watch.step(f"{labels} clicks"):
        mics = list(imported.outputMicrographs.iterItems(iterate=False))
        hand = LabelHand(mics[0].getDim()[:2])
        chosen = random.Random(1)
        for number, mic in enumerate(mics[:labels // EACH]):
            if number:
                hand.press("n", 1.5)
            places = [place for place in truth[Path(mic.getMicName()).stem]
                      if all(40 < value < side - 40 for value, side in zip(place, hand.shape, strict=True))]
            for place in chosen.sample(places, EACH):
                hand.click(*place, pause=CLICK_S)
    with user.watch.step("t, until the model suggests"):
        hand.press("t")
        user.wait(lambda: read_json(run._getExtraPath("model.json")))
        settle(user.window.root, 3)
    user.photograph("label")
    with user.watch.step("Done, until labels and model are registered"):
        hand.press("ctrl+d")
        user.finished(run)
    if run.outputCoordinates.getSize() != labels:
        raise SystemExit(f"{run.outputCoordinates.getSize()} labels are registered, {labels} were clicked")
    return run


def whole_way(user: User, folder: Path, labels: int) -> dict[str, Any]:
    """All steps; what came out."""
    chosen = SETS["bgal"]
    truth: dict[str, list[tuple[float, float]]] = {}
    for name, x, y in read_table(data_folder() / chosen.folder / chosen.truth):
        truth.setdefault(name, []).append((x, y))
    with user.watch.step("form and run of import micrographs"):
        imported = user.run("ProtImportMicrographs", filesPath=str(folder), filesPattern="*.mrc", samplingRateMode=0,
                            samplingRate=str(chosen.pixel_size_ang))
        user.finished(imported)
    labelled = label(user, imported, truth, labels)
    with user.watch.step("form of pick, until the first micrograph is picked"):
        picking = user.run("ProtPuPickerPick", labelled, useGpu=False, inputMicrographs=_output(imported))
        user.wait(lambda: _size(user, picking))
    with user.watch.step("until all eight are picked"):
        user.finished(picking)
    user.photograph("project")
    return {"labels": labels, "picks": picking.outputCoordinates.getSize()}


def _output(run: Any) -> Any:
    from pyworkflow.object import Pointer

    return Pointer(run, extended="outputMicrographs")


def _size(user: User, run: Any) -> int:
    from pupicker.schedule import updateRun

    updateRun(user.project, run)
    if run.isFailed():
        raise SystemExit(run.getErrorMessage())
    output = getattr(run, "outputCoordinates", None)
    return 0 if output is None else int(output.getSize())


def main() -> None:
    """Drive the window; write the times."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=data_folder(), help="folder of the data, see README.md")
    parser.add_argument("--labels", type=int, default=20, help="clicks, a multiple of five")
    parser.add_argument("--pictures", type=Path, help="folder for pictures of the windows")
    args = parser.parse_args()
    os.environ["DISPLAY"] = SCREEN
    folder = Path(tempfile.mkdtemp(prefix="first_picks_"))
    for path in micrographs(args.data, "bgal", "train") + micrographs(args.data, "bgal", "test"):
        (folder / path.name).symlink_to(path)
    watch = Stopwatch()
    with watch.step("Scipion, until the window of an empty project is there"):
        import pwem  # noqa: F401  (sets the domain)
        from pyworkflow.project import Manager

        project = Manager().createProject("FirstPicks")
        from pyworkflow.gui.project import ProjectWindow

        window = ProjectWindow(project.path)
        window.root.update()
    user = User(window, watch, args.pictures)

    def everything() -> None:
        result = whole_way(user, folder, args.labels)
        total = {name: round(sum(step[name] for step in watch.steps), 1) for name in ("wall_s", "cpu_s")}
        content = {"machine": hardware(), "cores": len(os.sched_getaffinity(0)), "load": os.getloadavg()[0],
                   "read_s": READ_S, "click_s": CLICK_S, **result, "steps": watch.steps, "total": total}
        (RESULTS / "first_picks.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        print(total)

    window.root.after(500, lambda: _guarded(everything))
    window.show()


def _guarded(action: Callable[[], None]) -> None:
    """Tk goes on without a word after an error: end the program."""
    try:
        action()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
