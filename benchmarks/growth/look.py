"""What one look of the streaming loop costs when so many micrographs are known: as the host does it, and as we do."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

NEW = 16
"""Micrographs that have arrived since the last look."""


def made_set(path: Path, micrographs: int) -> Any:
    """A set of micrographs whose files need not exist."""
    from pwem.objects import Micrograph, SetOfMicrographs

    made = SetOfMicrographs(filename=str(path))
    made.setSamplingRate(1.0)
    for number in range(micrographs):
        mic = Micrograph(location=f"mic_{number:06d}.mrc")
        mic.setMicName(f"mic_{number:06d}.mrc")
        made.append(mic)
    made.write()
    made.close()
    return made


def milliseconds(work: Callable[[], Any]) -> float:
    """Of the processor, for one call."""
    begin = time.process_time()
    work()
    return round(1000 * (time.process_time() - begin), 2)


def one_look(folder: Path, known: int) -> dict[str, Any]:
    """Processor milliseconds of the parts of a look, when :data:`NEW` of the micrographs are new."""
    from pwem.protocols import ProtParticlePickingAuto as Host

    from pupicker.protocols import ProtPuPickerPick

    folder.mkdir()
    os.chdir(folder)
    run, micrographs = ProtPuPickerPick(), made_set(folder / "micrographs.sqlite", known + NEW)
    run.setWorkingDir(str(folder))
    run.makePathsAndClean()
    run.micDict = {}
    run.micDict = Host._loadMics(run, micrographs)[0]
    listed = list(run.micDict.values())
    for mic in listed[known:]:
        del run.micDict[mic.getMicName()]
    run._known = (known, known)
    for _ in range(known // NEW):
        run._insertFunctionStep(run.pickMicrographListStep, [mic.getMicName() for mic in listed[:NEW]],
                                prerequisites=[])
    os.makedirs(os.path.dirname(run._getAllDone()), exist_ok=True)
    Path(run._getAllDone()).write_text("".join(f"{mic.getObjId()}\n" for mic in listed[:known]))
    found = {}
    for name, kind in (("host", Host), ("pupicker", type(run))):
        run._storeSteps()
        run._insertFunctionStep(run.pickMicrographListStep, [mic.getMicName() for mic in listed[known:]],
                                prerequisites=[])

        def search(kind: Any = kind) -> None:
            done = kind._readDoneList(run)
            assert len([mic for mic in listed if mic.getObjId() not in done]) == NEW

        found[f"{name}_ms"] = {"read the set": milliseconds(partial(kind._loadMics, run, micrographs)),
                               "store the steps": milliseconds(partial(kind.updateSteps, run)),
                               "search what is done": milliseconds(search)}
    return {"micrographs": known, "new": NEW, **found}
