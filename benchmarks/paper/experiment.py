"""What the paper's experiments share: trainings the paper's way, within a limit of time, one record each.

Two figures are shown everywhere, and named: the average precision over regions (every pixel, within the training radius
of a particle or not), which is the paper's, and the one over particles (picks against particles), which a user wants.

The paper's way: random start, a class prior that is given (here: from the true number of particles of the training
micrographs), a fixed number of updates, all labels used, nothing held out.  Only what an experiment varies differs.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from benchmarks.common.datasets import MICROGRAPHS, SETS, data_folder, load_set
from benchmarks.common.figures import panels
from benchmarks.common.methods import paper_options, record_unit
from benchmarks.common.runs import FIRST_METHOD, Records
from pupicker.shared.atomic import write_text

RESULTS = Path(__file__).resolve().parent / "results"
OBJECTIVE, UPDATES = "ge-binomial", 500
#: What average precision is taken over -> field of a record.
KINDS = {"particles": "average_precision", "regions": "region_average_precision"}
GE_KL_AS_IN_THE_PAPER = 4
"""Version of the method from which the objective "ge-kl" is the paper's; before, it was "ge-kl-forward"."""

#: (set, method) -> number of labels, or a setting -> draw -> record
Groups = dict[tuple[str, str], dict[Any, dict[int, Any]]]


def experiment_parser(text: str | None, name: str, sets: list[str], labels: list[int], draws: int
                      ) -> argparse.ArgumentParser:
    """Arguments of all experiments, with the full experiment as default."""
    out = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    out.add_argument("command", choices=("run", "report"), help="measure what is not recorded, or draw what is")
    out.add_argument("--records", type=Path, default=RESULTS / f"{name}.jsonl")
    out.add_argument("--data", type=Path, default=data_folder())
    out.add_argument("--sets", nargs="+", default=sets, choices=SETS)
    out.add_argument("--labels", type=int, nargs="+", default=labels)
    out.add_argument("--draws", type=int, default=draws, metavar="N", help="draws of labels")
    out.add_argument("--updates", type=int, default=UPDATES, help="of every training")
    out.add_argument("--training-micrographs", type=int, default=MICROGRAPHS, metavar="N",
                     help="of a simulated set: the stick needs 17 for 1,000 labels, the trimer 12")
    out.add_argument("--minutes", type=float, metavar="M", help="start no further training after so many minutes")
    return out


def run_units(args: argparse.Namespace, variants: Iterable[tuple[str, dict[str, Any]]]) -> None:
    """Train and score every variant (name, what it changes) on every set, number of labels and draw.

    A variant may change `objective`, `prior_factor` (of the true class prior), `autoencoder` (its weight, or the text
    ``10/N``).
    """
    start, records = time.monotonic(), Records(args.records)
    for draw in range(args.draws):
        for name in args.sets:
            chosen = load_set(name, args.data, args.training_micrographs)
            here = chosen.particles(chosen.training)
            more = {} if len(chosen.training) <= MICROGRAPHS else {"training_micrographs": len(chosen.training)}
            for labels in args.labels:
                if labels > here:
                    print(f"{name} {labels} labels: left out, there are {here} particles")
                    continue
                for method, changed in variants:
                    if args.minutes and time.monotonic() - start > 60 * args.minutes:
                        print(f"{args.minutes:g} minutes are over; the same command goes on")
                        return
                    settings = {"objective": OBJECTIVE, "prior_factor": 1.0, "updates": args.updates, **more, **changed}
                    options = paper_options(chosen, labels, settings)
                    record_unit(records, chosen, method, labels, draw, settings, options)


def version_of(record: dict[str, Any]) -> int:
    """Version of the method that a record was made with."""
    code = record["settings"]["code"]
    return 1 if code == FIRST_METHOD else int(code.rsplit("-", 1)[1])


def by_version(records: list[dict[str, Any]]) -> dict[int, list[dict[str, Any]]]:
    """Version of the method -> its records, newest version first; objectives under the names that they have now."""
    out: dict[int, list[dict[str, Any]]] = {}
    for record in records:
        version = version_of(record)
        if record["method"] == "ge-kl" and version < GE_KL_AS_IN_THE_PAPER:
            record = {**record, "method": "ge-kl-forward"}
        out.setdefault(version, []).append(record)
    return dict(sorted(out.items(), reverse=True))


def shown(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What a figure shows: of the newest version of the method that has a third as many records as any, or more."""
    versions = list(by_version(records).values())
    most = max(map(len, versions), default=0)
    return next((own for own in versions if 3 * len(own) >= most), [])


def sections(records: list[dict[str, Any]], table: Callable[[list[dict[str, Any]]], str]) -> str:
    """A table for each version of the method, each under its heading."""
    return "\n".join(f"# Version {version} of the method\n\n{table(own)}"
                     for version, own in by_version(records).items())


def draws_of(records: list[dict[str, Any]], key: str = "labels") -> Groups:
    """(set, method) -> value of `key` (a field or a setting) -> draw -> record."""
    out: Groups = {}
    for record in sorted(records, key=lambda r: (r["set"], r.get(key, r["settings"].get(key)))):
        value = record.get(key, record["settings"].get(key))
        out.setdefault((record["set"], record["method"]), {}).setdefault(value, {})[record["draw"]] = record
    return out


def write_report(args: argparse.Namespace, table: Callable[[Any], str], draw: Callable[[Any, Path], None]) -> None:
    """Tables of all versions of the method, printed too, and a figure of what is :func:`shown`, beside the records."""
    records = Records(args.records).load()
    text = sections(records, table)
    write_text(args.records.with_suffix(".md"), text)
    draw(shown(records), args.records.with_suffix(".png"))
    print(text)


def figure_and_axes(columns: int, rows: int = 1) -> tuple[Any, Any]:
    """Panels ``(rows, columns)``."""
    return panels(rows, columns, (4.2 * columns + 0.6, 4.0 * rows))
