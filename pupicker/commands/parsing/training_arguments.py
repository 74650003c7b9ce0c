"""Arguments of ``pupicker train``, and the options that they mean."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pupicker.commands.parsing.arguments import (
    add_device,
    add_exclusion,
    add_html,
    add_micrographs,
    add_option,
    add_results,
    add_table,
)
from pupicker.shared import options

if TYPE_CHECKING:
    from pupicker.engine.training.options import TrainingOptions


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    add_learning_arguments(parser)
    parser.add_argument("--output", required=True, type=Path, metavar="MODEL", help="model file to write")
    parser.add_argument("--resume", action="store_true",
                        help="go on from the checkpoint of the same, interrupted command")
    add_device(parser)
    add_results(parser)
    add_html(parser)
    parser.add_argument("--only-html", action="store_true",
                        help="draw the report of the model that this command has trained, and train nothing")
    parser.add_argument("--status", type=Path, metavar="FILE",
                        help="write how far the training is as JSON, anew after every epoch")


def add_learning_arguments(parser: argparse.ArgumentParser) -> None:
    """What decides which model comes out: the data and every choice of the method."""
    add_micrographs(parser)
    positives = parser.add_mutually_exclusive_group(required=True)
    positives.add_argument("--picks", "--labels", type=Path, metavar="FILE",
                           help="labelled particles: a table of RELION, cryoSPARC, crYOLO, EMAN, Topaz, Xmipp, Scipion,"
                           " tsv/csv; or a folder with one file per micrograph")
    prior = parser.add_mutually_exclusive_group()
    groups = {options.PSEUDO_LABELS: positives, options.CLASS_PRIOR: prior, options.PARTICLES_PER_MICROGRAPH: prior}
    for option in options.TRAINING:
        add_option(groups.get(option, parser), option)
    parser.add_argument("--negatives", type=Path, metavar="FILE",
                        help="places that are no particles, in the same formats: false picks, carbon, contamination")
    parser.add_argument("--network-setting", action="append", default=[], metavar="NAME=VALUE",
                        help="any setting of the network, for one that has others; may be repeated")
    add_table(parser)
    add_option(parser, options.CHECK_LABELS)
    add_option(parser, options.KEEP_BORDERS)
    add_exclusion(parser)


def check(args: argparse.Namespace) -> None:
    """Raise UsageError at values that cannot be together, before any file is read."""
    from pupicker.engine.runtime.errors import UsageError
    from pupicker.engine.training.options import check_together

    check_together(vars(args))
    for option in options.TABLE if args.picks is None and args.negatives is None else ():
        if getattr(args, option.name) != option.default:
            raise UsageError(f"{option.label}: is of a table of labels, and none is given; leave it out", option.name)


def network_settings(args: argparse.Namespace) -> dict[str, Any]:
    """Settings of the network that were given; those that were not are the network's own defaults."""
    from pupicker.engine.runtime.errors import UsageError

    settings = {name: getattr(args, name) for name in ("width", "dropout", "norm") if getattr(args, name) is not None}
    for text in args.network_setting:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise UsageError(f"--network-setting {text}: must be NAME=VALUE, e.g. dropout=0.2")
        if name in settings:
            raise UsageError(f"--network-setting {text}: {name} is given twice")
        try:
            settings[name] = json.loads(value)
        except ValueError:
            settings[name] = value
    return settings


def training_options(args: argparse.Namespace) -> TrainingOptions:
    """What the arguments mean."""
    from pupicker.engine.training.options import options_from

    return options_from(vars(args), network_settings(args))
