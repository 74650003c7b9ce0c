"""What a run costs when it grows, and what it survives while micrographs arrive.

    python -m benchmarks.growth grow --micrographs 100 1000 3000 10000
    python -m benchmarks.growth chain --micrographs 10000
    python -m benchmarks.growth live --micrographs 200 --side 1024 --every 5 --kills 10
    python -m benchmarks.growth look --micrographs 1000 5000 20000
    python -m benchmarks.growth report

Each makes a Scipion project in a temporary folder and micrographs there: hard links to a few simulated ones.  ``grow``
runs *pick* on a set that grows meanwhile, ``chain`` preprocesses a set and picks the result, ``live`` lets one
micrograph arrive at a time, and kills the process that picks at random moments.  ``look`` measures one look of the
streaming loop, as the host does it and as *pick* does.  Times are those of this machine with whatever else it does; the
load is recorded.  Results: results/growth.json, .md, .png.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.common.runs import RESULTS, hardware, pupicker_code
from benchmarks.growth.live import Killer, lost_and_doubled, reference
from benchmarks.growth.look import one_look
from benchmarks.growth.project import PIXEL_SIZE_ANG, Project, link, make_micrographs, make_model, set_up_scipion
from benchmarks.growth.report import keep, write_report
from benchmarks.growth.sampling import Arrivals, Chunks

CHUNKS = 20
FEED_S = 1.0


def feed(distinct: list[Path], folder: Path, total: int, per_second: float, already: int) -> None:
    """Let micrographs appear in a folder at this rate until so many are there."""
    start, there = time.monotonic(), already
    while there < total:
        wanted = min(total, already + int(per_second * (time.monotonic() - start)) + 1)
        link(distinct, folder, there, wanted)
        there = wanted
        time.sleep(min(FEED_S, 1 / per_second))


def told() -> dict[str, Any]:
    """What every record says."""
    return {"pupicker": pupicker_code(), "hardware": hardware(), "load_at_the_end": round(os.getloadavg()[0], 2)}


@contextlib.contextmanager
def workplace(args: argparse.Namespace) -> Iterator[tuple[Path, list[Path], Path]]:
    """A folder with the distinct micrographs and a model, which goes afterwards."""
    before = os.getcwd()
    with tempfile.TemporaryDirectory(prefix="pupicker_growth_") as name:
        folder = Path(name)
        distinct = make_micrographs(folder / "distinct", args.side, args.seed)
        (folder / "micrographs").mkdir()
        yield folder, distinct, args.model.resolve() if args.model else make_model(folder / "model")
        os.chdir(before)


def grow(args: argparse.Namespace, total: int) -> dict[str, Any]:
    """Pick a set that grows meanwhile."""
    with workplace(args) as (folder, distinct, model_file):
        project = Project(f"growth_{total}")
        model = project.model(model_file)
        link(distinct, folder / "micrographs", 0, 1)
        imported = project.importing(folder / "micrographs", growing=True)
        project.wait_for(imported, "outputMicrographs")
        picking = project.picking(imported, model, args.batch)
        feeder = threading.Thread(target=feed, args=(distinct, folder / "micrographs", total, args.per_second, 1))
        feeder.start()
        project.start(picking)
        chunks = Chunks(project.path, picking.getWorkingDir(), max(10, total // CHUNKS))
        chunks.start()
        feeder.join()
        project.close_import(imported)
        project.finish(picking)
        found = chunks.end()
        picked, picks = picking.pickedMicrographs.get(), picking.outputCoordinates.getSize()
        project.finish(imported)
    if picked != total:
        raise SystemExit(f"{picked} of {total} micrographs were picked")
    return {"micrographs": total, "side_px": args.side, "picks": picks, "batch": args.batch,
            "per_second": args.per_second, **found, **told()}


def chain(args: argparse.Namespace, total: int) -> dict[str, Any]:
    """Preprocess a set, pick the result."""
    from pupicker.protocols import ProtPuPickerPreprocess

    with workplace(args) as (folder, distinct, model_file):
        project = Project(f"chain_{total}")
        model = project.model(model_file)
        link(distinct, folder / "micrographs", 0, total)
        imported = project.finish(project.importing(folder / "micrographs", growing=False))
        found = {}
        small = project.new(ProtPuPickerPreprocess, {"inputMicrographs": (imported, "outputMicrographs")}, pixelMode=1,
                            targetPixelSize=PIXEL_SIZE_ANG, binThreads=1)  # coarser ones are unlike the training's
        for name, run in (("preprocess", small), ("pick", project.picking(small, model, args.batch))):
            project.start(run)
            chunks = Chunks(project.path, run.getWorkingDir(), max(10, total // CHUNKS))
            chunks.start()
            project.finish(run)
            found[name] = chunks.end()
        picked = project_numbers(small, run)
    return {"micrographs": total, "side_px": args.side, **picked, "batch": args.batch, **found, **told()}


def project_numbers(small: Any, picking: Any) -> dict[str, int]:
    """How much came out of a chain."""
    return {"preprocessed": small.outputMicrographs.getSize(), "picked": picking.pickedMicrographs.get(),
            "picks": picking.outputCoordinates.getSize()}


def live(args: argparse.Namespace, total: int) -> dict[str, Any]:
    """Pick micrographs that arrive one at a time; the process that picks is killed."""
    with workplace(args) as (folder, distinct, model_file):
        project, inputs = Project(f"live_{total}"), folder / "micrographs"
        model = project.model(model_file)
        link(distinct, inputs, 0, 1)
        imported = project.importing(inputs, growing=True)
        project.wait_for(imported, "outputMicrographs")
        picking = project.picking(imported, model, 16)
        project.start(picking)
        work = picking.getWorkingDir()
        arrivals = Arrivals(project.path / imported.outputMicrographs.getFileName(), project.path / work)
        chunks = Chunks(project.path, work, max(1, total // CHUNKS))
        killer = Killer(project.path, work, args.kills, total * args.every, args.seed)
        for thread in (arrivals, chunks, killer):
            thread.start()
        feed(distinct, inputs, total, 1 / args.every, 1)
        project.close_import(imported)
        project.finish(picking)
        seconds, kills, used = arrivals.end(), killer.end(), chunks.end()
        expected = reference(distinct, model_file, folder / "reference")
        compared = lost_and_doubled(picking, expected, project.path / picking.getCoordsDir())
        project.finish(imported)
    return {"micrographs": total, "side_px": args.side, "every_s": args.every, "seed": args.seed, "kills": kills,
            **compared, **summary(seconds["set_to_output"]), "largest_backlog": max(arrivals.backlog),
            "parts_s": {name: summary(values) for name, values in seconds.items()},
            "latencies_s": seconds["set_to_output"], **used, **told()}


def look(args: argparse.Namespace, total: int) -> dict[str, Any]:
    """What one look costs when so many micrographs are known."""
    before = os.getcwd()
    with tempfile.TemporaryDirectory(prefix="pupicker_growth_") as name:
        found = one_look(Path(name) / "run", total)
        os.chdir(before)
    return {**found, **told()}


def summary(latencies: list[float]) -> dict[str, float]:
    """Of seconds from the input set to the output."""
    ordered = sorted(latencies)
    return {"latency_s_median": round(statistics.median(ordered), 2),
            "latency_s_99": ordered[-1 - len(ordered) // 100], "latency_s_longest": ordered[-1]}


def parser() -> argparse.ArgumentParser:
    """Of the command line."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("command", choices=["grow", "chain", "live", "look", "report"])
    made.add_argument("--micrographs", type=int, nargs="+", default=[100, 1000])
    made.add_argument("--side", type=int, default=128, help="of a micrograph in pixels (default: 128)")
    made.add_argument("--batch", type=int, default=32, help="most micrographs of a batch (default: 32)")
    made.add_argument("--per-second", type=float, default=8.0, help="how fast micrographs arrive (default: 8)")
    made.add_argument("--every", type=float, default=5.0, help="live: seconds between two (default: 5)")
    made.add_argument("--kills", type=int, default=10, help="live: kills of the process that picks (default: 10)")
    made.add_argument("--model", type=Path, help="a model for particles of 80 Å (default: one is trained)")
    made.add_argument("--seed", type=int, default=1)
    made.add_argument("--output", type=Path, default=RESULTS / "growth.json")
    return made


def main() -> None:
    """Measure, and write the results."""
    args = parser().parse_args()
    args.output = args.output.resolve()
    measure = {"grow": grow, "chain": chain, "live": live, "look": look}.get(args.command)
    with tempfile.TemporaryDirectory(prefix="pupicker_scipion_") as scipion:  # one: it is read at the first import
        set_up_scipion(Path(scipion) / "scipion")
        for total in args.micrographs if measure else ():
            assert measure is not None
            keep(args.output, args.command, measure(args, total))
    write_report(args.output)


if __name__ == "__main__":
    main()
