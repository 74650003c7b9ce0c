"""What the paper's experiments share: trainings the paper's way, within a limit of time, one record each.

The paper's way: random start, a class prior that is given (here: from the true number of particles of the training
micrographs), a fixed number of updates, all labels used, nothing held out.  Only what an experiment varies differs.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from benchmarks.common.datasets import SETS, data_folder, load_set
from benchmarks.common.figures import panels
from benchmarks.common.methods import paper_options, record_unit
from benchmarks.common.runs import Records

RESULTS = Path(__file__).resolve().parent / "results"
OBJECTIVE, UPDATES = "ge-binomial", 500


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
            chosen = load_set(name, args.data)
            for labels in args.labels:
                for method, changed in variants:
                    if args.minutes and time.monotonic() - start > 60 * args.minutes:
                        print(f"{args.minutes:g} minutes are over; the same command goes on")
                        return
                    settings = {"objective": OBJECTIVE, "prior_factor": 1.0, "updates": args.updates, **changed}
                    options = paper_options(chosen, labels, settings)
                    record_unit(records, chosen, method, labels, draw, settings, options)


def draws_of(records: list[dict[str, Any]], key: str = "labels") -> dict[tuple[str, str], dict[Any, dict[int, Any]]]:
    """(set, method) -> value of `key` (a field or a setting) -> draw -> record."""
    out: dict[tuple[str, str], dict[Any, dict[int, Any]]] = {}
    for record in sorted(records, key=lambda r: (r["set"], r.get(key, r["settings"].get(key)))):
        value = record.get(key, record["settings"].get(key))
        out.setdefault((record["set"], record["method"]), {}).setdefault(value, {})[record["draw"]] = record
    return out


def write_report(args: argparse.Namespace, content: Any, table: Callable[[Any], str],
                 draw: Callable[[Any, Path], None]) -> None:
    """Table, printed too, and figure of what was measured, beside the records."""
    text = table(content)
    args.records.with_suffix(".md").write_text(text, encoding="utf-8")
    draw(content, args.records.with_suffix(".png"))
    print(text)


def figure_and_axes(columns: int) -> tuple[Any, Any]:
    """A row of panels."""
    figure, axes = panels(1, columns, (4.2 * columns + 0.6, 4.0))
    return figure, axes[0]
