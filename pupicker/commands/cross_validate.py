"""``pupicker cross-validate``: which options of a training pick best what it has not seen."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pupicker.commands.parsing.arguments import (
    add_device,
    add_option,
    add_results,
    chosen_device,
    finish,
    named,
    print_rows,
    reading_of,
    report_of_failure,
    worded,
)
from pupicker.commands.parsing.targets import IN_FOLDER
from pupicker.commands.parsing.training_arguments import add_learning_arguments, check, training_options
from pupicker.commands.train import sources_of
from pupicker.engine.files.targets import check_output_folder
from pupicker.shared import options

if TYPE_CHECKING:
    from pupicker.commands.parsing.grid import Cell
    from pupicker.engine.cross_validation.folds import FoldResult
    from pupicker.engine.runtime.run_report import Report
    from pupicker.engine.training.dataset import TrainingSet

HELP = "Compare options of a training by cross-validation over micrographs."
EXAMPLE = ("pupicker cross-validate micrographs/ --picks picks.star --diameter 180 --folds 4\n"
           "      --grid updates=400,800 --grid objective=ge-binomial,pn --output comparison/")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command: those of a training, and its own."""
    add_learning_arguments(parser)
    _add_own(parser)


def _add_own(parser: argparse.ArgumentParser) -> None:
    add_option(parser, options.FOLDS)
    parser.add_argument("--grid", action="append", default=[], metavar="NAME=V1,V2,...",
                        help="values of an option of pupicker train to try, without its dashes; several --grid: all"
                        " combinations; options without a value as no-refit=yes,no")
    parser.add_argument("--output", required=True, type=Path, metavar="FOLDER",
                        help="for table.tsv, table.json, figure.png, and what is trained; the same command goes on"
                        " with what is in it")
    parser.add_argument("--status", type=Path, metavar="FILE",
                        help="write how far it is as JSON, anew after every training")
    add_device(parser)
    add_results(parser)


def run(args: argparse.Namespace) -> int:
    """Execute the command."""
    from pupicker.commands.parsing.grid import make_cells
    from pupicker.engine.cross_validation.table import Table
    from pupicker.engine.reports.plots import plot_cross_validation
    from pupicker.engine.runtime.errors import PuPickerError, UsageError
    from pupicker.engine.runtime.run_report import Report
    from pupicker.engine.runtime.sole_writer import sole_writer
    from pupicker.shared.atomic import write_text
    from pupicker.shared.json_files import write_json

    device, threads = chosen_device(args)
    check_output_folder(args.output, "--output")
    cells = make_cells(args.grid, _given(args), add_learning_arguments)
    for cell in cells:
        try:
            check(cell.args)
            if cell.args.pseudo_labels:
                raise UsageError("cross-validation judges by labels, not by pseudo-labels: give some",
                                 "pseudo_labels", "picks")
        except UsageError as error:
            raise cell.blamed(error) from None
    report = Report("cross-validate", word=worded)
    with report_of_failure(report, args, args.output / "table"), sole_writer(args.output):
        work = _Work(args, cells, device, threads, report)
        results, failures = work.run()
    table = Table([cell.title for cell in cells], [dict(cell.values) for cell in cells], results, failures)
    if table.best is None:
        raise PuPickerError(f"all {len(cells)} cells failed; the first: {next(iter(failures.values()))}")
    command = ["pupicker", "train", *cells[table.best].line, "--output", "model.pupicker"]
    content = {**table.to_dict(), "folds": work.folds, "command": shlex.join(command)}
    table_tsv, table_json, figure = (args.output / name for name in IN_FOLDER[args.command])
    write_text(table_tsv, table.to_tsv())
    write_json(table_json, content)
    plot_cross_validation(figure, table)
    report.results.update(content)
    for index, reason in failures.items():
        sys.stderr.write(f"warning: {cells[index].title}: failed and left out: {reason}\n")
    code = finish(report, args, args.output / "table", table.rows())
    if not args.json:
        print_rows([("", ""), *_verdict(table, command)])
    return code


def _given(args: argparse.Namespace) -> list[str]:
    """The user's line without the command and its own options: what a training would take."""
    own = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    _add_own(own)
    return own.parse_known_args(shlex.split(args.command_line)[2:])[1]


def _verdict(table: Any, command: Sequence[str]) -> list[tuple[str, str]]:
    as_good = table.as_good_as_best()
    close = f"not to be told from it within one standard error: {'; '.join(as_good)}" if as_good else ""
    return [("best", table.titles[table.best]), *([("", close)] if close else []),
            ("train it with", shlex.join(command))]


@dataclass
class _Work:
    """Trains what is not there yet, cell by cell; what the cells share is made once."""

    args: argparse.Namespace
    cells: Sequence[Cell]
    device: Any
    threads: int
    report: Report
    folds: int = 0

    def run(self) -> tuple[dict[int, list[FoldResult]], dict[int, str]]:
        """Results of the cells that did not fail, and why the others did."""
        from pupicker.engine.cross_validation.folds import warned_once
        from pupicker.engine.runtime.errors import PuPickerError
        from pupicker.engine.runtime.interruption import Stopped, stop_on_signals
        from pupicker.engine.training.trainer import Interrupted

        results: dict[int, list[FoldResult]] = {}
        failures: dict[int, str] = {}
        warned: set[tuple[str, ...]] = set()
        self._data: tuple[str, TrainingSet] | None = None
        with stop_on_signals() as stop:
            for index, cell in enumerate(self.cells):
                sys.stderr.write(f"cell {index + 1} of {len(self.cells)}: {cell.title}\n")
                try:
                    with warned_once(warned):
                        results[index] = self._cell(index, cell, stop)
                except Interrupted as error:
                    raise Stopped("stopped; the same command goes on with what is not done yet") from error
                except (PuPickerError, RuntimeError) as error:
                    if len(self.cells) == 1:
                        raise (cell.blamed(error) if isinstance(error, PuPickerError) else error) from None
                    others = cell.others(error) if isinstance(error, PuPickerError) else []
                    failures[index] = " ".join(named(str(error), others).split())
        return results, failures

    def _cell(self, index: int, cell: Cell, stop: Callable[[], bool]) -> list[FoldResult]:
        from pupicker.engine.cross_validation.folds import deal_folds, fold_digest
        from pupicker.engine.files.micrographs import list_micrographs
        from pupicker.engine.training.options import Task, untrained

        args = cell.args
        chosen, paths = training_options(args), list_micrographs(args.micrographs)
        task = Task.of(vars(args), chosen, untrained(chosen.fitting), paths, self.device)
        data = self._load(args, paths, task.geometry)
        folds = deal_folds(data, self.args.folds, seed=0)
        if len(folds) < self.args.folds and not self.folds:
            sys.stderr.write(f"note: only {len(folds)} micrographs have labels, so there are {len(folds)} folds\n")
        self.folds = len(folds)
        results = []
        for number, fold in enumerate(folds):
            labels = data.label_count - sum(len(data.micrographs[i].labels) for i in fold)
            name = fold_digest(data, fold, task.geometry, task.resolved(labels).options)
            results.append(self._fold(self.args.output / "folds" / f"{name}.json", (data, fold, task, stop)))
            self._note(index * len(folds) + number + 1, len(self.cells) * len(folds), cell)
        return results

    def _fold(self, path: Path, choices: tuple[Any, ...]) -> FoldResult:
        """Read, if it is there, or train."""
        import json

        from pupicker.engine.cross_validation.folds import FoldResult, train_and_test
        from pupicker.shared.json_files import write_json

        try:
            return FoldResult(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            pass  # not done yet, or by something else
        result = train_and_test(*choices)
        write_json(path, result.to_dict())
        return result

    def _load(self, args: argparse.Namespace, paths: list[Path], geometry: Any) -> TrainingSet:
        """The prepared micrographs; those of the cell before where nothing changed that they depend on."""
        from pupicker.engine.runtime.run_report import Report
        from pupicker.engine.training.dataset import load_training_set

        key = repr((paths, args.picks, args.negatives, args.pixel_size, args.keep_borders, geometry,
                    args.margin, args.masks, args.exclude_contamination, reading_of(args),
                    args.check_labels))
        if self._data is None or self._data[0] != key:
            report = self.report if self._data is None else Report("cross-validate", word=worded)
            self._data = None  # before the next ones are read: both may not fit
            self._data = key, load_training_set(sources_of(args, paths), geometry, self.threads, report)
        return self._data[1]

    def _note(self, done: int, total: int, cell: Cell) -> None:
        from pupicker.shared.json_files import write_json

        if self.args.status:
            write_json(self.args.status, {"done": done, "total": total, "cell": cell.title})
