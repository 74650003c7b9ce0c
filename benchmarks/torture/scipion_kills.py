"""Runs in a real Scipion project that are ended at random moments, and continued as a user does.

    python -m benchmarks.torture.scipion_kills [--rounds 24] [--seed 0]

A training and a picking (one micrograph a batch, with a process that stays) run headless.  SIGKILL ends at a random
moment the process of the core, the process of the protocol, or both.  Then the run is continued until it has finished;
at most three times, because a second end may follow.  The result must be that of a run which nobody has ended: the
weights of the model to the bit, or all coordinates with their scores; and no process may be left.

Results: results/scipion_kills.json and .md.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.common.runs import RESULTS, hardware, pupicker_code
from pupicker.shared.atomic import write_text
from pupicker.shared.json_files import write_json
from pupicker.tests.scipion.workflow import WorkflowTestCase

from pupicker.schedule import updateRun  # isort: skip

KINDS, VICTIMS = ("train", "pick"), ("core", "protocol", "both")
POLL_S, LONGEST_S, MOST_CONTINUED = 0.1, 1800, 3
UPDATES = 40


class Killed(WorkflowTestCase):
    """The project, with its runs."""

    NAMES = [f"mic{number}.mrc" for number in range(1, 9)]

    @classmethod
    def begin(cls) -> dict[str, tuple[float, Any]]:
        """Import, and do both undisturbed: seconds and result of each."""
        cls.setUpClass()
        cls.labels = cls.importCoordinates(cls.mics, {name: cls.truth[name] for name in cls.NAMES[:3]}, 44)
        found = {}
        for kind in KINDS:
            begin, run = time.monotonic(), cls.new(kind)
            cls.launchProtocol(run)
            found[kind] = (time.monotonic() - begin, cls.result(run))
            if kind == "train":
                cls.model = run
        return found

    @classmethod
    def new(cls, kind: str) -> Any:
        """A run that is to be started."""
        if kind == "train":
            return cls.newTraining(cls.labels, updates=UPDATES, validationFraction=0.25)
        return cls.newPicking(cls.mics, cls.model, streamingBatchSize=1)

    @classmethod
    def result(cls, run: Any) -> Any:
        """What must be the same again."""
        from safetensors.numpy import load_file

        if hasattr(run, "outputModel"):
            path = os.path.join(cls.proj.path, run.outputModel.getPath())
            return {name: values.tobytes() for name, values in load_file(path).items()}
        return sorted((c.getMicId(), c.getPosition(), c._pupickerScore.get()) for c in run.outputCoordinates)

    @classmethod
    def round(cls, kind: str, victim: str, draw: random.Random, whole: tuple[float, Any], counts: Counter[str]) -> str:
        """End one run and continue it; what went wrong."""
        run = cls.new(kind)
        cls.proj.launchProtocol(run, wait=False)
        moment = time.monotonic() + draw.uniform(0, whole[0])
        while run.isActive() and (time.monotonic() < moment or not ended(cls.proj.path, run, victim)):
            time.sleep(POLL_S)
            updateRun(cls.proj, run)
            if time.monotonic() > moment + LONGEST_S:
                return "no process of it was found"
        counts["came to the end first" if run.isFinished() else "ended"] += 1
        problem = cls.waited(run)
        for _ in range(MOST_CONTINUED):
            if problem or run.isFinished():
                break
            counts["continued"] += 1
            cls.finish(run)
            problem = cls.waited(run)
        if not run.isFinished():
            return problem or f"not finished after being continued: {run.getErrorMessage()}"
        if cls.result(run) != whole[1]:
            return "the result is another one than without the end"
        left = processes(cls.proj.path, run)
        return f"left behind: {len(left)} processes" if left else ""

    @classmethod
    def waited(cls, run: Any) -> str:
        """Until it has ended, in whatever way."""
        deadline = time.monotonic() + LONGEST_S
        while run.isActive():
            time.sleep(POLL_S)
            updateRun(cls.proj, run)
            if time.monotonic() > deadline:
                return "still said to run, though its process was ended"
        return ""


def processes(project: str, run: Any) -> list[int]:
    """Those of the core that this run has started."""
    folder, found = os.path.basename(run.getWorkingDir()).encode(), []
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if any(word.endswith(b"launch.py") for word in words) and any(folder in word for word in words) \
                    and os.path.samefile(entry / "cwd", project):
                found.append(int(entry.name))
        except OSError:  # it has ended, or is no process
            continue
    return found


def ended(project: str, run: Any, victim: str) -> bool:
    """End what is to be ended, if it is there by now."""
    core, protocol = processes(project, run), run.getPid()
    if (victim != "protocol" and not core) or (victim != "core" and not protocol):
        return False
    for number in ([protocol] if victim != "core" else []) + (core if victim != "protocol" else []):
        try:
            os.kill(number, signal.SIGKILL)
        except ProcessLookupError:  # it has just ended by itself, or with the other one
            continue
    return True


def report(told: dict[str, Any]) -> str:
    """Counts, in Markdown."""
    lines = [f"Seed {told['seed']}, {told['minutes']:.0f} minutes.", "", "| run | ended | rounds |", "|---|---|---|"]
    lines += [f"| {name.replace(', ', ' | ')} | {number} |" for name, number in told["rounds"].items()]
    lines += ["", ", ".join(f"{name}: {number}" for name, number in told["counts"].items()) + ".", "",
              f"Went wrong: {len(told['wrong'])}.", "", *(f"- {line}" for line in told["wrong"])]
    return "\n".join(lines).rstrip() + "\n"


def main() -> int:
    """Do it and write what came out; 1 if something went wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=24)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=1e9, help="no round begins after so many")
    parser.add_argument("--output", type=Path, default=RESULTS / "scipion_kills.json")
    args = parser.parse_args()
    output, begin, draw = args.output.resolve(), time.monotonic(), random.Random(args.seed)
    versions = {"pupicker": pupicker_code()}
    counts, rounds, wrong = Counter[str](), Counter[str](), []
    try:
        whole = Killed.begin()
        for turn in range(args.rounds):
            if time.monotonic() - begin > 60 * args.minutes:
                break
            kind, victim = KINDS[turn % 2], VICTIMS[turn // 2 % 3]
            problem = Killed.round(kind, victim, draw, whole[kind], counts)
            rounds[f"{kind}, {victim}"] += 1
            wrong += [f"{kind}, {victim}, round {turn}: {problem}"] if problem else []
            print(f"{turn}: {kind}, {victim}: {problem or 'the same result'}", flush=True)
            told = {"seed": args.seed, "rounds": dict(sorted(rounds.items())), "counts": dict(sorted(counts.items())),
                    "wrong": wrong, "minutes": round((time.monotonic() - begin) / 60, 1), "machine": hardware(),
                    "versions": versions}
            write_json(output, told)
            write_text(output.with_suffix(".md"), report(told))
    finally:
        Killed.doClassCleanups()
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
