"""``pupicker evaluate``: precision, recall and average precision of picks."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pupicker.commands.parsing.arguments import (
    add_device,
    add_model,
    add_options,
    chosen_device,
    pixel_size_among,
    print_json,
    print_rows,
    worded,
)
from pupicker.engine.files.targets import check_output_file
from pupicker.shared import options

if TYPE_CHECKING:
    from pupicker.engine.evaluation.picks import Evaluation
    from pupicker.engine.files.coordinates import CoordinateTable
    from pupicker.engine.runtime.run_report import Report

HELP = "Compare picks with known particles."
EXAMPLE = "pupicker evaluate --picks picks.star --truth truth.star --diameter 180 --plot curve.png"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("--picks", required=True, type=Path, metavar="FILE",
                        help="picks: a table or a folder of them; without scores they are one point of precision and"
                        " recall, with scores a curve")
    parser.add_argument("--truth", required=True, type=Path, metavar="FILE", help="known particles, in the same pixels")
    add_options(
        parser, options.DIAMETER.but(required=False, help="longest extent of the particle; a hit is within half of it"),
        options.PIXEL_SIZE.but(automatic="from the header of a micrograph that is named and there"), options.RADIUS)
    parser.add_argument("--micrographs", nargs="+", metavar="MIC",
                        help="count these and no others: names, files, folders or a STAR file; a pick on one that the"
                             " truth does not name is a false one (default: all of the truth, picked or not)")
    add_model(parser, "with --micrographs files, also the average precision over regions of a model, as in the paper"
              " (files that cannot be used do not count in it, exit code 3)")
    parser.add_argument("--plot", type=Path, metavar="FILE",
                        help="draw the curves (.png, .svg or .pdf); for picks with probabilities (.tsv, .csv) also"
                        " whether these are right")
    parser.add_argument("--matches", type=Path, metavar="TSV",
                        help="write every pick as hit or false, and every missed particle")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    add_options(parser, options.NAME_PATTERN.but(
        help=f"{options.NAME_PATTERN.help}; of both tables"), options.KEEP_BORDERS)
    add_device(parser)


def run(args: argparse.Namespace) -> int:
    """Execute the command."""
    from pupicker.core.scores.reliability import reliability
    from pupicker.engine.evaluation.picks import evaluate, write_matches
    from pupicker.engine.files.coordinates import Reading, read_coordinates
    from pupicker.engine.reports.plots import PLOT_SUFFIXES, plot_precision_recall
    from pupicker.engine.runtime.errors import InputError, UsageError
    from pupicker.engine.runtime.run_report import Report

    if args.radius is None and args.diameter is None:
        raise UsageError("the largest distance of a hit is not known: give the diameter in A, or a radius in pixels",
                         "diameter", "radius")
    if args.radius is not None and args.diameter is not None:
        raise UsageError(f"the largest distance of a hit is given twice, by the diameter {args.diameter:g} A and the"
                         f" radius {args.radius:g} pixels: give one of them", "diameter", "radius")
    if args.keep_borders and not args.model:
        raise UsageError("--keep-borders is of the regions that a model scores: give --model, or leave it out")
    for option in ("plot", "matches"):
        if getattr(args, option):
            check_output_file(getattr(args, option), f"--{option}")
    if args.plot and args.plot.suffix.lower() not in PLOT_SUFFIXES:
        raise UsageError(f"--plot {args.plot}: must end with {', '.join(PLOT_SUFFIXES)}")
    reading = Reading(name_pattern=args.name_pattern)
    picks, truth = (read_coordinates(table, reading=reading) for table in (args.picks, args.truth))
    if not len(truth):
        raise InputError(f"{args.truth}: holds no particles; give a table of those that are known", "truth")
    only = _only(args)
    radius = _radius(args, [*(only or ()), *picks.names(), *truth.names()])
    result = evaluate(picks, truth, radius, only)
    report = Report("evaluate", word=worded)
    region = _region(args, truth, report) if args.model else None
    checked = None
    if result.picks.probability is not None and len(result.picks):
        checked = reliability(result.picks.probability, result.hit)
    if args.plot:
        plot_precision_recall(args.plot, result.curve, "", checked)
    if args.matches:
        write_matches(args.matches, result)
    summary = _summary(result, radius, region)
    summary["expected_calibration_error"] = None if checked is None else checked.calibration_error
    if args.json:
        bins = None if checked is None else [b.to_dict() for b in checked.bins]
        print_json({**summary, "reliability": bins, "micrographs": result.micrographs,
                    "quarantined": report.to_dict()["quarantined"]})
    else:
        if not result.curve.ranked:
            print_rows([("one point: nothing ranks the picks, so there is no average precision",)])
        print_rows([(name.replace("_", " "), f"{value:.4g}" if isinstance(value, float) else str(value))
                    for name, value in summary.items() if value is not None and name != "ranked"])
        if checked is not None:
            print_rows([("",) * 5, ("probability", "picks", "mean", "share of hits", "95 % interval"), *(
                (f"{b.low:.1f} to {b.high:.1f}", str(b.picks), f"{b.probability:.3f}", f"{b.observed:.3f}",
                 f"{b.observed_low:.3f} to {b.observed_high:.3f}") for b in checked.bins)])
    return report.exit_code


def _radius(args: argparse.Namespace, names: Sequence[str]) -> float:
    """The largest distance of a hit in pixels; `names` are those of micrographs, some of which may be there."""
    from pupicker.core.geometry import match_radius_ang

    if args.radius is not None:
        return float(args.radius)
    pixel_size = pixel_size_among(names, "radius") if args.pixel_size is None else args.pixel_size
    return float(match_radius_ang(args.diameter) / pixel_size)


def _only(args: argparse.Namespace) -> list[str] | None:
    """Names to count; what exists is expanded, the rest are names as they stand in a table."""
    from pupicker.engine.files.micrographs import list_micrographs

    if args.micrographs is None:
        return None
    return [
        str(path) for name in args.micrographs for path in (list_micrographs([name]) if Path(name).exists() else [name])
    ]


def _region(args: argparse.Namespace, truth: CoordinateTable, report: Report) -> float:
    from pupicker.engine.evaluation.regions import RegionScorer
    from pupicker.engine.files.micrographs import list_micrographs
    from pupicker.engine.models.library import model_file
    from pupicker.engine.models.model_file import load_model
    from pupicker.engine.preparation.recipe import Recipe
    from pupicker.engine.runtime.errors import UsageError

    if not args.micrographs:
        raise UsageError("--model needs --micrographs with the files that it shall score")
    device, threads = chosen_device(args)
    paths = list_micrographs(args.micrographs)
    model = load_model(model_file(args.model))
    recipe = Recipe.of_model(model, args.pixel_size, args.keep_borders)
    return RegionScorer(model, recipe, device, threads).average_precision(paths, truth, report)


def _summary(result: Evaluation, radius: float, region: float | None) -> dict[str, Any]:
    curve = result.curve
    best = curve.best
    last = len(curve.recall) - 1
    return {
        "average_precision": curve.average_precision if curve.ranked else None,
        "ranked": curve.ranked,
        "best_f1": float(curve.f1[best]) if best >= 0 else 0.0,
        "best_f1_threshold": float(curve.threshold[best]) if best >= 0 and curve.ranked else None,
        "precision_at_best_f1": float(curve.precision[best]) if best >= 0 else 0.0,
        "recall_at_best_f1": float(curve.recall[best]) if best >= 0 else 0.0,
        "precision": float(curve.precision[last]) if last >= 0 else 0.0,
        "recall": float(curve.recall[last]) if last >= 0 else 0.0,
        "picks": len(result.picks),
        "truth": curve.truth_count,
        "match_radius_px": radius,
        "region_average_precision": region,
    }
