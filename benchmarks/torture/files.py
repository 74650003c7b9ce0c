"""Bad and mutated files: each ends in one line with a sensible exit code, none with a traceback, a crash or a hang."""

from __future__ import annotations

import contextlib
import io
import json
import random
import shutil
import signal
import traceback
from pathlib import Path
from typing import Any

from benchmarks.torture.bad_inputs import KINDS
from benchmarks.torture.processes import command, ended, started
from benchmarks.torture.scene import Scene
from pupicker.commands.main import main

FORMATS = (".star", ".tsv", ".csv", ".txt", ".box", ".cbox", ".cs")
BATCH = 40
"""Mutated files that one process reads."""

LONGEST_READ_S = 60


def torture(scene: Scene, mutations: int, seed: int) -> dict[str, Any]:
    """All kinds of bad input, then so many mutated files; what each gives, and what went wrong."""
    kinds, wrong = [], []
    for name, words in KINDS.items():
        folder = scene.folder / "bad" / name.replace(": ", "_").replace(" ", "_").replace("/", "_")
        folder.mkdir(parents=True)
        ended = command(words(scene, folder), scene.log)
        half = [path.name for path in folder.iterdir() if path.name.startswith(".") or path.name.startswith("out.tsv.")]
        half = [name for name in half if not name.endswith((".lock", ".report.json"))]
        good = ended.told and not half and not (folder / "out.tsv").exists()
        kinds.append({"kind": name, "exit_code": ended.code,
                      "says": ended.error.replace(str(folder), "DIR").replace(str(scene.folder), "DIR")[:200]})
        if not good:
            wrong.append(f"{name}: exit code {ended.code}, left {half}: {ended.error[:300]}")
    read = _mutated(scene, mutations, seed)
    counts = {key: read[key] for key in ("mutated", "read", "refused")}
    return {"kinds": kinds, **counts, "wrong": wrong + read["wrong"]}


def _originals(scene: Scene) -> list[tuple[Path, tuple[object, ...]]]:
    """Good files of all kinds, and the command that reads each; FILE is where the file is."""
    folder = scene.folder / "good"
    folder.mkdir()
    found: list[tuple[Path, tuple[object, ...]]] = []
    for ending in FORMATS:
        own = folder / f"mic_0001{ending}"
        source = folder / "one.tsv"
        rows = scene.labels.read_text().splitlines(keepends=True)
        source.write_text(rows[0] + "".join(row for row in rows[1:] if "mic_0001" in row))
        scene.must("convert", source, own, "--micrographs", *scene.micrographs, "--box-size", 40)
        found.append((own, ("convert", "FILE", "OUT.tsv", "--micrographs", *scene.micrographs)))
    small = folder / "a.mrc"
    scene.must("simulate", "--output", folder / "s", "--micrographs", 1, "--width", 64, "--height", 64, "--particles",
               1, "--pixel-size", 6, "--diameter", 100)
    shutil.copy(next(folder.joinpath("s").glob("*.mrc")), small)
    scene.must("simulate", "--output", folder / "t", "--micrographs", 1, "--width", 64, "--height", 64, "--particles",
               1, "--pixel-size", 6, "--diameter", 100, "--format", "tif")
    found += [(path, ("info", "FILE")) for path in (small, next(folder.joinpath("t").glob("*.tif")), scene.model)]
    return found


def _mutated(scene: Scene, count: int, seed: int) -> dict[str, Any]:
    """Read mutated files, a batch a process, so that a crash of a library is seen and costs one batch."""
    originals, work = _originals(scene), scene.folder / "mutated"
    work.mkdir()
    told: dict[str, Any] = {"mutated": 0, "read": 0, "refused": 0, "wrong": []}
    for batch in range(-(-count // BATCH)):
        answers = work / f"answers{batch}.json"
        status = ended(started(_read_batch, (seed * 1000 + batch, originals, work, answers), scene.log))
        if not answers.is_file():
            told["wrong"].append(f"batch {batch} of seed {seed}: ended by {status}; {scene.log.read_text()[-300:]}")
            continue
        for name, code, problem in json.loads(answers.read_text()):
            told["mutated"] += 1
            told["read" if code in (0, 3) else "refused"] += 1
            if problem:
                told["wrong"].append(f"batch {batch} of seed {seed}, {name}: {problem}")
    return told


def _read_batch(seed: int, originals: list[Any], work: Path, answers: Path) -> int:
    """In a process of its own: read so many, and write what came of each."""
    draw = random.Random(seed)
    answers.write_text(json.dumps([_read_one(draw, originals, work) for _ in range(BATCH)]))
    return 0


def _read_one(draw: random.Random, originals: list[Any], work: Path) -> tuple[str, int, str]:
    """In this process: name, exit code, and the traceback or the lines that are wrong."""
    original, words = draw.choice(originals)
    file = work / original.name
    file.write_bytes(mutated(original.read_bytes(), draw))
    text = io.StringIO()
    signal.alarm(LONGEST_READ_S)
    given = [str(word).replace("FILE", str(file)).replace("OUT", str(work / "out")) for word in words]
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(text):
            code = main(given)
    except BaseException:
        kept = work / f"kept_{draw.randrange(10**9)}{original.suffix}"
        shutil.copy(file, kept)
        return original.name, -1, f"{kept}: {traceback.format_exc()[-500:]}"
    errors = [line for line in text.getvalue().splitlines() if ": error: " in line]
    good = (code == 0 and not errors) or (code in (1, 2) and len(errors) == 1)
    return original.name, code, "" if good else f"exit code {code}: {text.getvalue()[-300:]}"


def mutated(content: bytes, draw: random.Random) -> bytes:
    """Bits flipped, parts cut out, doubled, zeroed or replaced, numbers made impossible; often near the start."""
    for _ in range(draw.choice([1, 1, 2, 4, 16])):
        if not content:
            return content
        place = draw.randrange(min(len(content), draw.choice([64, 1100, len(content)])) or 1)
        end = min(len(content), place + draw.choice([1, 2, 4, 30, 500]))
        how = draw.randrange(7)
        part = {
            0: bytes([content[place] ^ (1 << draw.randrange(8))]) + content[place + 1:end], 1: b"",
            2: content[place:end] * 2, 3: bytes(end - place), 4: draw.randbytes(end - place),
            5: draw.choice([b"nan", b"1e999", b"-1", b"\n", b'"', b"\xff\xfe", b"99999999999999999999", b"\t"]),
        }.get(how)
        content = content[:place] if part is None else content[:place] + part + content[end:]
    return content
