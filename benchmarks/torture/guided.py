"""Coverage-guided search for files that a reader of tables or of micrographs fails on with anything but one clear line.

    python -m benchmarks.torture.guided [--seconds 600] [--seed 1]

Needs `atheris`, which no other part of pupicker needs (pip install atheris).  It follows which branches of the readers
(``pupicker.engine.files``) a file reaches, and changes files that reached new ones.  The first byte of an input chooses
the extension.  Whatever a reader raises that is not its own error is kept, once for each place in the code, with the
file; the search goes on.

Results: results/guided.json and .md.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import os
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common.runs import RESULTS, hardware, pupicker_code
from pupicker.shared.atomic import write_text
from pupicker.shared.json_files import read_json, write_json

TABLES = (".star", ".tsv", ".csv", ".txt", ".box", ".cbox", ".cs", ".json", ".pos", ".xmd", ".sqlite")
IMAGES = (".mrc", ".tif", ".dm4", ".png")
WRITTEN = {
    ".json": b'{"boxes": [[5, 7, "manual"], [20.5, 8, "manual"]]}',
    ".pos": b"data_particles\nloop_\n _xcoor\n _ycoor\n5 7\n20 8\n",
    ".xmd": b"# XMIPP_STAR_1 *\n#\ndata_particles\nloop_\n _xcoor\n _ycoor\n5 7\n20 8\n",
    ".sqlite": b"SQLite format 3\0", ".dm4": b"\0\0\0\4", ".png": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"}
"""Beginnings of what is only read."""

LONGEST_BYTES, NOTED_EVERY, NOTED_S = 4096, 200, 5
KEPT_LETTERS = 300


class Target:
    """Reads one file after another, and keeps what goes wrong."""

    def __init__(self, folder: Path, notes: Path) -> None:
        self._folder, self._notes = folder, notes
        self._noted = time.monotonic()
        self._counts = {"files": 0, "read": 0, "refused": 0}
        self._found: dict[str, dict[str, Any]] = {}

    def __call__(self, content: bytes) -> None:
        """Read it as the extension of its first byte."""
        if not content:
            return
        suffix = (*TABLES, *IMAGES)[content[0] % len((*TABLES, *IMAGES))]
        path = self._folder / f"mic_0001{suffix}"
        path.write_bytes(content[1:])
        self._counts["files"] += 1
        try:
            self._counts["read" if _reads(path) else "refused"] += 1
        except Exception as error:
            self.keep(error, suffix, content[1:])
        if self._counts["files"] % NOTED_EVERY == 1 or time.monotonic() - self._noted > NOTED_S:
            self.write()

    def keep(self, error: Exception, suffix: str, content: bytes) -> None:
        """What was raised, unless the same was before at that place."""
        frames = traceback.extract_tb(error.__traceback__)
        own = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames if "pupicker" in frame.filename]
        place = f"{type(error).__name__} at {', '.join([*own[-1:], *(frame.name for frame in frames[-1:])])}"
        self._found.setdefault(place, {"suffix": suffix, "says": str(error)[:KEPT_LETTERS], "content": content.hex()})

    def write(self) -> None:
        """The counts and what was found so far."""
        self._noted = time.monotonic()
        write_json(self._notes, {**self._counts, "found": self._found})


def _reads(path: Path) -> bool:
    """Whether it is read, not refused in one line."""
    from pupicker.engine.files.coordinates import read_coordinates
    from pupicker.engine.files.micrographs import read_image
    from pupicker.engine.runtime.errors import PuPickerError

    read: Callable[[Path], object] = read_image if path.suffix in IMAGES else read_coordinates
    try:
        with warnings.catch_warnings(), open(os.devnull, "w") as nothing, contextlib.redirect_stderr(nothing):
            warnings.simplefilter("ignore")
            read(path)
    except PuPickerError as error:
        if len(str(error).strip().splitlines()) != 1:
            raise ValueError(f"not one line: {error}") from error
        return False
    return True


def _seeds(folder: Path) -> None:
    """Small good files to begin with."""
    import tifffile

    from pupicker.engine.files.coordinate_table import CoordinateTable
    from pupicker.engine.files.coordinates import write_coordinates
    from pupicker.engine.files.micrographs import write_mrc

    folder.mkdir()
    micrograph = folder.parent / "mic_0001.mrc"
    pixels = np.random.default_rng(0).normal(size=(20, 24)).astype(np.float32)
    write_mrc(micrograph, pixels, 2.0)
    table = CoordinateTable(np.array([str(micrograph)] * 3, dtype=object), np.array([5.0, 10.5, 21.0]),
                            np.array([7.0, 8.0, 3.0]), np.array([0.5, -1.0, 2.0]))
    for number, suffix in enumerate((*TABLES, *IMAGES)):
        path = folder / f"mic_0001{suffix}"
        if suffix == ".mrc":
            write_mrc(path, pixels, 2.0)
        elif suffix == ".tif":
            tifffile.imwrite(path, pixels)
        elif suffix in WRITTEN:
            path.write_bytes(WRITTEN[suffix])
        else:
            write_coordinates(path, table, [micrograph], box_size_px=16)
        (folder / f"seed{number}").write_bytes(bytes([number]) + path.read_bytes())
        path.unlink()


def _search(folder: Path, notes: Path, seconds: float, seed: int) -> None:
    """In a process of its own, which the library ends itself."""
    import atheris

    for module in [module for module in sys.modules if module.startswith("pupicker.engine")]:
        del sys.modules[module]  # only what is imported now is followed
    with atheris.instrument_imports(include=["pupicker.engine.files"]):
        import pupicker.engine.files.coordinates
        import pupicker.engine.files.micrographs  # noqa: F401
    log = os.open(notes.with_suffix(".log"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 2)
    (folder / "work").mkdir()
    atheris.Setup(["guided", str(folder / "seeds"), f"-max_total_time={seconds:.0f}", f"-seed={seed}",
                   f"-max_len={LONGEST_BYTES}", "-timeout=60", "-rss_limit_mb=4096",
                   f"-artifact_prefix={folder}/"], Target(folder / "work", notes))
    atheris.Fuzz()


def report(told: dict[str, Any]) -> str:
    """Counts and what was found, in Markdown."""
    lines = [f"Seed {told['seed']}, {told['seconds']:.0f} s.", "",
             f"{told['files']} files: {told['read']} read, {told['refused']} refused in one line, {len(told['found'])}"
             " kinds of failure.", ""]
    lines += [f"- {place} ({row['suffix']}): {row['says']}" for place, row in told["found"].items()]
    return "\n".join(lines).rstrip() + "\n"


def main() -> int:
    """Search, and write what was found; 1 if a reader fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, default=RESULTS / "guided.json")
    args = parser.parse_args()
    if importlib.util.find_spec("atheris") is None:
        print("needs atheris: pip install atheris (Linux and macOS); nothing else of pupicker does", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="guided-") as name:
        folder, notes = Path(name), Path(name) / "notes.json"
        begin, number = time.monotonic(), os.fork()
        if not number:
            try:
                _seeds(folder / "seeds")
                _search(folder, notes, args.seconds, args.seed)
            finally:
                os._exit(1)
        status = os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])
        log = notes.with_suffix(".log")
        told = {**read_json(notes), "seed": args.seed, "seconds": round(time.monotonic() - begin), "status": status,
                "machine": hardware(), "versions": {"pupicker": pupicker_code()}}
        if "files" not in told or status:
            print(log.read_text(errors="replace")[-2000:] if log.is_file() else "it did not begin", file=sys.stderr)
            return 1
    write_json(args.output, told)
    write_text(args.output.with_suffix(".md"), report(told))
    print(json.dumps({key: told[key] for key in ("files", "read", "refused")}), report(told), sep="\n")
    return 1 if told["found"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
