"""``pupicker train``: raw micrographs and a few labelled particles in, a model out."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pupicker.commands.arguments import (
    add_borders,
    add_device,
    add_exclusion,
    add_html,
    add_micrographs,
    add_results,
    check_output_file,
    finish,
    first_geometry,
    report_of_failure,
)

if TYPE_CHECKING:
    from pupicker.core.geometry import Geometry
    from pupicker.engine.dataset import TrainingSet
    from pupicker.engine.model_file import Model
    from pupicker.engine.report_sections import Provenance
    from pupicker.engine.start_weights import Start
    from pupicker.engine.training_options import TrainingOptions
    from pupicker.engine.training_status import TrainingStatus

HELP = "Train a model on a few labelled particles."
EXAMPLE = "pupicker train micrographs/ --picks picks.star --diameter 180 --output model.pupicker"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    add_micrographs(parser)
    positives = parser.add_mutually_exclusive_group(required=True)
    positives.add_argument("--picks", type=Path, metavar="FILE",
                           help="labelled particles: .star, .tsv, .csv, .box, or a folder with one file per micrograph")
    positives.add_argument("--proposals", choices=("general", "dog", "template"),
                           help="no labels: the best proposals of the general weights, of the difference of Gaussians,"
                           " or of template matching with a disc, take their place")
    parser.add_argument("--proposal-count", type=int, metavar="N",
                        help="proposals to take, on all micrographs together (default: 25 for each micrograph)")
    parser.add_argument("--negatives", type=Path, metavar="FILE",
                        help="places that are no particles, in the same formats: false picks, carbon, contamination")
    parser.add_argument("--diameter", required=True, type=float, metavar="A",
                        help="longest extent of the particle, in A")
    parser.add_argument("--output", required=True, type=Path, metavar="MODEL", help="model file to write")
    parser.add_argument("--objective", default="ge-binomial", choices=("ge-binomial", "ge-kl", "nnpu", "pn"),
                        help="training objective")
    parser.add_argument("--start", default="general", metavar="general|random|MODEL",
                        help="weights to start from: general ones, trained on simulated particles of all kinds; random"
                        " ones; or those of a model, to go on learning")
    prior = parser.add_mutually_exclusive_group()
    prior.add_argument("--class-prior", type=float, metavar="X",
                       help="area fraction of positive regions (default: estimated while training)")
    prior.add_argument("--particles-per-micrograph", type=float, metavar="N",
                       help="the same as a number of particles, on an average micrograph")
    parser.add_argument("--validation-fraction", type=float, default=0.25, metavar="F",
                        help="share of the labels held out, as whole micrographs, to choose the length of training")
    parser.add_argument("--updates", type=int, metavar="N",
                        help="most updates of the weights (default: 25 times the number of labels to the power 0.9,"
                        " 200 to 2000; 200 with --proposals)")
    parser.add_argument("--no-refit", dest="refit", action="store_false",
                        help="keep the best epoch itself instead of training once more on all labels")
    parser.add_argument("--working-pixel-size", type=float, metavar="A",
                        help="override the one that follows from the diameter")
    parser.add_argument("--training-radius", type=float, metavar="PX", help="override, in working pixels")
    parser.add_argument("--min-distance", type=float, metavar="A", help="override the smallest distance of two picks")
    parser.add_argument("--box-size", type=float, metavar="A", help="override the box size")
    parser.add_argument("--learning-rate", type=float, default=1e-3, metavar="X", help="of the optimiser")
    parser.add_argument("--batch-size", type=int, default=256, metavar="N",
                        help="regions of a minibatch, 1/16 of them labelled")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of everything random")
    parser.add_argument("--resume", action="store_true",
                        help="go on from the checkpoint of the same, interrupted command")
    add_borders(parser)
    add_exclusion(parser, True)
    add_device(parser)
    add_results(parser)
    add_html(parser)
    parser.add_argument("--status", type=Path, metavar="FILE",
                        help="write how far the training is as JSON, anew after every epoch")


def run(args: argparse.Namespace) -> int:
    """Execute the command."""
    from pupicker.core.geometry import describe
    from pupicker.core.networks import DEFAULT_NETWORK, NETWORKS
    from pupicker.engine.checkpoint import checkpoint_path
    from pupicker.engine.coordinates import CoordinateTable, read_coordinates
    from pupicker.engine.dataset import load_training_set, split_validation
    from pupicker.engine.device import resolve_device, set_threads
    from pupicker.engine.exclusion import exclusion_for
    from pupicker.engine.micrographs import list_micrographs
    from pupicker.engine.model_card import card
    from pupicker.engine.model_file import save_model
    from pupicker.engine.proposals import with_proposals
    from pupicker.engine.report import Report
    from pupicker.engine.start_weights import load_start
    from pupicker.engine.training_status import TrainingStatus

    device, threads = resolve_device(args.device), set_threads(args.threads)
    _check(args)
    origin = _origin(args)
    start = load_start(args.start, DEFAULT_NETWORK)
    paths = list_micrographs(args.micrographs)
    picks = CoordinateTable.empty() if args.proposals else read_coordinates(args.picks, paths)
    negatives = None if args.negatives is None else read_coordinates(args.negatives, paths)
    field = NETWORKS[DEFAULT_NETWORK].receptive_field_px
    lengths, pixel_size = first_geometry(
        paths, args.pixel_size, args.diameter, field, args.working_pixel_size, args.training_radius, args.min_distance,
        args.box_size,
    )
    report, status = Report("train"), TrainingStatus(args.status)
    status.reading()
    with report_of_failure(report, args, args.output):
        data = load_training_set(
            paths, picks, args.pixel_size, lengths, threads, report, args.keep_borders, negatives,
            exclusion_for(None, args.margin, args.masks, args.exclude_contamination, paths), not args.proposals,
        )
        if args.proposals:
            data = with_proposals(data, args.proposals, lengths, DEFAULT_NETWORK, device, args.proposal_count)
        options = _options(args, data.label_count, start)
        split = split_validation(data, args.validation_fraction, args.seed)
        trained, seconds = _train(args, data, split, lengths, options, device, start, status)
    trained.details.update(_details(args, data, split, options, pixel_size, seconds))
    save_model(args.output, trained)
    checkpoint_path(args.output).unlink(missing_ok=True)  # not before: a model that cannot be written is in there
    status.done()
    report.results.update(card(trained))
    if args.html:
        from pupicker.engine.training_report import training_report

        training_report(trained, data, report, device, origin).write(args.html)
    rows = [("model", str(args.output), ""), *_rows(trained), *describe(lengths, pixel_size, field)]
    return finish(report, args, args.output, rows)


def _origin(args: argparse.Namespace) -> Provenance:
    """Check what is written and named before the work begins."""
    from pupicker.engine.report_sections import Provenance, read_names

    for option in ("output", "html", "status"):
        if getattr(args, option) is not None:
            check_output_file(getattr(args, option), f"--{option}")
    return Provenance(args.command_line, read_names(args.names))


def _check(args: argparse.Namespace) -> None:
    from pupicker.engine.errors import UsageError

    if not 0 <= args.validation_fraction < 1:
        raise UsageError(f"--validation-fraction {args.validation_fraction:g}: must be at least 0 and below 1")
    for name, least in (("updates", 1), ("batch_size", 32), ("proposal_count", 1)):
        if getattr(args, name) is not None and getattr(args, name) < least:
            raise UsageError(f"--{name.replace('_', '-')} {getattr(args, name)}: must be at least {least}")
    if not args.learning_rate > 0:
        raise UsageError(f"--learning-rate {args.learning_rate:g}: must be positive")


def _options(args: argparse.Namespace, labels: int, start: Start) -> TrainingOptions:
    from pupicker.engine.fitting import FittingOptions
    from pupicker.engine.training_options import PROPOSAL_UPDATES, TrainingOptions, updates_for

    updates = args.updates or (PROPOSAL_UPDATES if args.proposals else updates_for(labels))
    fitting = FittingOptions(
        objective=args.objective, learning_rate=args.learning_rate, batch_size=args.batch_size,
        positives=args.batch_size // 16, seed=args.seed, start=start.digest, start_share=start.share,
    )
    return TrainingOptions(
        fitting, args.class_prior, args.particles_per_micrograph, updates=updates,
        epoch_updates=min(100, updates), refit=args.refit,
    )


def _train(
    args: argparse.Namespace, data: TrainingSet, split: Any, lengths: Geometry, options: TrainingOptions, device: Any,
    start: Start, status: TrainingStatus,
) -> tuple[Model, float]:
    import time

    from pupicker.engine.checkpoint import checkpoint_path, identity_of, load_checkpoint, save_checkpoint
    from pupicker.engine.first_guess import general_density
    from pupicker.engine.interruption import stop_on_signals
    from pupicker.engine.start_weights import GENERAL
    from pupicker.engine.trainer import Training

    path = checkpoint_path(args.output)

    def save(tensors: dict[str, Any], progress: dict[str, Any]) -> None:
        save_checkpoint(path, tensors, {**progress, "identity": identity})
        status.epoch(progress)

    identity = identity_of(data.digest, lengths, options, args.validation_fraction)
    begin = time.monotonic()
    network = options.fitting.network
    seen = start.name == GENERAL and start.weights is not None
    general = general_density(data.micrographs, lengths, network, start.weights or {}, device) if seen else None
    with stop_on_signals() as stop:
        training = Training(data, split, lengths, options, device, stop, save, start.weights, general)
        if args.resume and path.exists():
            training.restore(*load_checkpoint(path, identity))
        status.begin(options.updates, bool(split.validation) and options.refit)
        trained = training.run()
    return trained, time.monotonic() - begin


def _details(
    args: argparse.Namespace, data: TrainingSet, split: Any, options: TrainingOptions, pixel_size: float, seconds: float
) -> dict[str, Any]:
    import platform

    import torch

    import pupicker

    return {
        "objective": options.fitting.objective,
        "start": args.start,
        "start_sha256": options.fitting.start,
        "labels": data.label_count,
        **({"proposals": args.proposals} if args.proposals else {}),
        "negatives": data.negative_count,
        "micrographs": len(data.micrographs),
        "held_out_labels": int(sum(int(h.sum()) for h in split.held_out)),
        "refit": bool(split.validation) and options.refit,
        "training_pixel_size_ang": pixel_size,
        "training_data_sha256": data.digest,
        "seed": args.seed,
        "training_seconds": round(seconds, 1),
        "software": {"pupicker": pupicker.__version__, "torch": torch.__version__, "python": platform.python_version()},
    }


def _labelled(details: dict[str, Any]) -> str:
    source = details.get("proposals")
    return f"best proposals ({source}), no labels: all below agrees with them, not with a truth;" if source else ""


def _rows(model: Model) -> list[tuple[str, str, str]]:
    validation = model.details["validation"]["average_precision"]
    details = model.details
    held_out = "none held out" if validation is None else f"estimated on {details['held_out_labels']} held-out labels"
    return [
        ("labels", str(details["labels"]), f"{_labelled(details)} on {details['micrographs']} micrographs"),
        *([("non-particles", str(details["negatives"]), "labelled as such")] if details["negatives"] else []),
        ("particles a micrograph", f"{details['particles_per_micrograph']:.0f}", details["class_prior_source"]),
        ("class prior", f"{model.class_prior:.4f}", "area fraction of positive regions"),
        ("validation AP", "-" if validation is None else f"{validation:.3f}", held_out),
        ("updates", str(details["validation"]["best_updates"]), "of the best epoch"),
        ("suggested threshold", f"{model.suggested_threshold:.2f}", "log-likelihood ratio with the best expected F1"),
    ]
