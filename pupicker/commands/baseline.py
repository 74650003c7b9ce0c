"""``pupicker baseline``: picking without labels, by the general model or by what the paper compares with."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from pupicker.commands.parsing.arguments import (
    add_device,
    add_exclusion,
    add_html,
    add_micrographs,
    add_option,
    add_options,
    add_results,
    chosen_device,
)
from pupicker.commands.pick import add_output, pick_all
from pupicker.shared import options

if TYPE_CHECKING:
    from pupicker.engine.picking.picker import MicrographPicker
    from pupicker.engine.runtime.run_report import Report

HELP = "Pick without labels: general model, difference of Gaussians, or template matching."
DISC = "disc"
EXAMPLE = "pupicker baseline general micrographs/ --diameter 180 --output picks.star"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("method", choices=("general", "dog", "template"),
                        help="general: the network with the weights that trainings start from; dog: difference of"
                        " Gaussians; template: normalised cross-correlation with templates of the particle")
    add_micrographs(parser)
    add_option(parser, options.DIAMETER)
    parser.add_argument("--template", metavar="disc|FILE",
                        help="with template: a soft disc of the diameter, or templates from a file: an MRC image or"
                        " stack, or a STAR file with _rlnImageName, such as class averages, either contrast (default:"
                        " disc)")
    step = options.ROTATION_STEP
    add_options(parser, options.TEMPLATE_PIXEL_SIZE, step.but(default=None, automatic=f"{step.default:g}"),
                options.BRIGHT)
    add_output(parser)
    add_options(parser, options.THRESHOLD.but(
        help="lowest score: with general, the log-odds of being a particle rather than noise of its micrograph; with"
        " the others, in standard deviations of the scores of a micrograph",
        automatic="0 for general, 1 for dog, 1.7 for template"), options.MIN_DISTANCE,
        options.KEEP_BORDERS)
    add_exclusion(parser)
    add_device(parser)
    add_results(parser)
    add_html(parser)


def run(args: argparse.Namespace) -> int:
    """Execute the command."""
    from pupicker.core.networks import DEFAULT_NETWORK, NETWORKS
    from pupicker.engine.files.micrographs import list_micrographs
    from pupicker.engine.picking.filter_picker import FilterPicker, Template, response_of
    from pupicker.engine.picking.general_picker import GeneralPicker
    from pupicker.engine.picking.picker import PickingOptions
    from pupicker.engine.preparation.exclusion import exclusion_for
    from pupicker.engine.preparation.task_geometry import first_geometry

    _check_ignored(args)
    device, threads = chosen_device(args)
    paths = list_micrographs(args.micrographs)

    def make(report: Report) -> MicrographPicker:
        wide = NETWORKS[DEFAULT_NETWORK].particle_px()  # the pixel size at which the network would work
        geometry, _ = first_geometry(paths, args.pixel_size, args.diameter, wide, report=report)
        exclusion = exclusion_for(None, args.margin, args.masks, args.exclude_contamination, paths)
        chosen = PickingOptions(
            args.threshold, args.min_distance, args.pixel_size, args.keep_borders, exclusion=exclusion
        )
        if args.method == "general":
            return GeneralPicker(geometry, device, chosen, args.bright)
        step = options.ROTATION_STEP.default if args.rotation_step is None else args.rotation_step
        template = Template(_file(args), args.template_pixel_size, step)
        response = response_of(args.method, geometry, template, args.bright)
        return FilterPicker(args.method, response, geometry, chosen)

    return pick_all(args, paths, make, threads)


def _file(args: argparse.Namespace) -> Path | None:
    """The file of templates; None: a soft disc, or no template matching."""
    return Path(args.template) if args.method == "template" and args.template not in (None, DISC) else None


def _check_ignored(args: argparse.Namespace) -> None:
    """Nothing that the method would not look at is accepted."""
    from pupicker.engine.runtime.errors import UsageError

    if args.method != "template" and args.template is not None:
        raise UsageError(f"--template {args.template}: {args.method} takes no template; call pupicker baseline"
                         " template")
    if args.method != "general" and args.device not in ("auto", "cpu"):
        raise UsageError(f"--device {args.device}: {args.method} runs on the processor; give cpu, or leave it out")
    for option in ("template_pixel_size", "rotation_step"):
        if getattr(args, option) is not None and _file(args) is None:
            raise UsageError(f"--{option.replace('_', '-')}: is for templates from a file; give them with"
                             " pupicker baseline template --template FILE")
