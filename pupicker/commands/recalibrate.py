"""``pupicker recalibrate``: another number of particles for a model; its scores and its threshold follow."""

from __future__ import annotations

import argparse
from pathlib import Path

from pupicker.commands.parsing.arguments import add_option, print_json, print_rows
from pupicker.engine.files.targets import check_output_file
from pupicker.shared import options

HELP = "Tell a model how many particles a micrograph holds: what its scores mean follows, without a training."
EXAMPLE = "pupicker recalibrate model.pupicker --particles-per-micrograph 600 --output model_600.pupicker"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("model", metavar="MODEL", help="model file, or the name of one of the library")
    add_option(parser, options.PARTICLES_PER_MICROGRAPH.but(
        help="as counted by eye, on an average micrograph of the training", required=True, automatic=""))
    parser.add_argument("--output", type=Path, required=True, metavar="MODEL", help="the model with that number")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def run(args: argparse.Namespace) -> int:
    """Execute the command."""
    from pupicker.engine.models.library import model_file
    from pupicker.engine.models.model_card import card
    from pupicker.engine.models.model_file import load_model, save_model
    from pupicker.engine.runtime.sole_writer import sole_writer
    from pupicker.engine.training.recalibration import recalibrated

    check_output_file(args.output, "--output")
    model = load_model(model_file(args.model))
    with sole_writer(args.output):
        changed = recalibrated(model, args.particles_per_micrograph)
        save_model(args.output, changed)
    before, after = card(model), card(changed)
    names = ("particles_per_micrograph", "suggested_threshold", "expected_precision", "expected_recall",
             "expected_average_precision")
    if args.json:
        print_json({"model": str(args.output), **{name: after[name] for name in names}})
        return 0
    print_rows([(name.replace("_", " "), _text(after[name]), f"it was {_text(before[name])}") for name in names])
    return 0


def _text(value: float | None) -> str:
    return "not known" if value is None else f"{value:.4g}"
