"""``pupicker train``: raw micrographs and a few labelled particles in, a model out."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pupicker.commands.arguments import check_output_file, finish, first_geometry, report_of_failure
from pupicker.commands.training_arguments import add_arguments, check, network_settings, training_options

if TYPE_CHECKING:
    from pupicker.core.geometry import Geometry
    from pupicker.core.networks import Classifier
    from pupicker.engine.models.initial_weights import Start
    from pupicker.engine.models.model_file import Model
    from pupicker.engine.reports.sections import Provenance
    from pupicker.engine.training.dataset import TrainingSet
    from pupicker.engine.training.options import TrainingOptions
    from pupicker.engine.training.status import TrainingStatus

HELP = "Train a model on a few labelled particles."
EXAMPLE = "pupicker train micrographs/ --picks picks.star --diameter 180 --output model.pupicker"

__all__ = ["EXAMPLE", "HELP", "add_arguments", "run"]


def run(args: argparse.Namespace) -> int:
    """Execute the command."""
    from pupicker.core.geometry import describe
    from pupicker.engine.files.coordinates import CoordinateTable, read_coordinates
    from pupicker.engine.files.micrographs import list_micrographs
    from pupicker.engine.models.checkpoint import checkpoint_path
    from pupicker.engine.models.initial_weights import load_start
    from pupicker.engine.models.model_card import card
    from pupicker.engine.models.model_file import save_model
    from pupicker.engine.preparation.exclusion import exclusion_for
    from pupicker.engine.runtime.device import resolve_device, set_threads
    from pupicker.engine.runtime.run_report import Report
    from pupicker.engine.training.dataset import load_training_set, split_validation
    from pupicker.engine.training.pseudo_labels import with_proposals
    from pupicker.engine.training.status import TrainingStatus

    device, threads = resolve_device(args.device), set_threads(args.threads)
    check(args)
    origin = _origin(args)
    network = network_of(args)
    start = load_start(args.start, args.network, network)
    paths = list_micrographs(args.micrographs)
    picks = CoordinateTable.empty() if args.pseudo_labels else read_coordinates(args.picks, paths)
    negatives = None if args.negatives is None else read_coordinates(args.negatives, paths)
    lengths, pixel_size = geometry_of(args, paths, network)
    report, status = Report("train"), TrainingStatus(args.status)
    status.reading()
    with report_of_failure(report, args, args.output):
        data = load_training_set(
            paths, picks, args.pixel_size, lengths, threads, report, args.keep_borders, negatives,
            exclusion_for(None, args.margin, args.masks, args.exclude_contamination, paths), not args.pseudo_labels,
        )
        if args.pseudo_labels:
            data = with_proposals(data, args.pseudo_labels, lengths, args.network, device, args.pseudo_label_count)
        options = training_options(args, data.label_count, start)
        split = split_validation(data, args.validation_fraction, args.seed)
        trained, seconds = _train(args, data, split, lengths, options, device, start, status)
    trained.details.update(_details(args, data, split, options, start, pixel_size, seconds))
    save_model(args.output, trained)
    checkpoint_path(args.output).unlink(missing_ok=True)  # not before: a model that cannot be written is in there
    status.done(trained.details)
    report.results.update(card(trained))
    if args.html:
        from pupicker.engine.reports.training import training_report

        training_report(trained, data, report, device, origin).write(args.html)
    rows = [("model", str(args.output), ""), *_rows(trained),
            *describe(lengths, pixel_size, network.receptive_field_px)]
    return finish(report, args, args.output, rows)


def _origin(args: argparse.Namespace) -> Provenance:
    """Check what is written and named before the work begins."""
    from pupicker.engine.reports.sections import Provenance, read_names

    for option in ("output", "html", "status"):
        if getattr(args, option) is not None:
            check_output_file(getattr(args, option), f"--{option}")
    return Provenance(args.command_line, read_names(args.names))


def network_of(args: argparse.Namespace) -> Classifier:
    """The network that is asked for, with weights that nobody uses: what it is, before the work begins."""
    import torch

    from pupicker.core.networks import build
    from pupicker.engine.runtime.errors import UsageError

    settings = network_settings(args)
    try:
        with torch.random.fork_rng(devices=[]):
            return build(args.network, **settings)
    except ValueError as error:
        raise UsageError(f"--network {args.network}: {error}") from error


def geometry_of(args: argparse.Namespace, paths: list[Path], network: Classifier) -> tuple[Geometry, float]:
    """Lengths of the task, and the pixel size of the micrographs that they follow from."""
    from pupicker.engine.runtime.errors import UsageError

    lengths, pixel_size = first_geometry(
        paths, args.pixel_size, args.diameter, network.particle_px(), args.working_pixel_size,
        args.training_radius, args.min_distance, args.box_size,
    )
    if args.ring_negatives:
        try:
            _ = lengths.ring_px  # whether there is room for them
        except ValueError as error:
            raise UsageError(str(error)) from error
    return lengths, pixel_size


def _train(
    args: argparse.Namespace, data: TrainingSet, split: Any, lengths: Geometry, options: TrainingOptions, device: Any,
    start: Start, status: TrainingStatus,
) -> tuple[Model, float]:
    import time

    import pupicker
    from pupicker.engine.models.checkpoint import checkpoint_path, identity_of, load_checkpoint, save_checkpoint
    from pupicker.engine.models.initial_weights import GENERAL
    from pupicker.engine.runtime.interruption import stop_on_signals
    from pupicker.engine.training.initial_count import general_density
    from pupicker.engine.training.trainer import Training

    path = checkpoint_path(args.output)

    def save(tensors: dict[str, Any], progress: dict[str, Any]) -> None:
        save_checkpoint(path, tensors, {**progress, "identity": identity})
        status.epoch(progress)

    identity = identity_of(data.digest, lengths, options, args.validation_fraction, pupicker.__version__)
    begin = time.monotonic()
    name = options.fitting.network
    seen = start.name == GENERAL and start.weights is not None
    general = general_density(data.micrographs, lengths, name, start.weights or {}, device) if seen else None
    with stop_on_signals() as stop:
        training = Training(data, split, lengths, options, device, stop, save, start.weights, general)
        if args.resume and path.exists():
            training.restore(*load_checkpoint(path, identity))
        if not training.expected.estimated:
            _warn(training.crowding())
        status.begin(options.updates, bool(split.validation) and options.refit)
        trained = training.run()
        if training.expected.estimated:
            _warn(training.crowding())
    return trained, time.monotonic() - begin


def _warn(text: str | None) -> None:
    if text:
        sys.stderr.write(f"warning: {text}\n")


def _details(
    args: argparse.Namespace, data: TrainingSet, split: Any, options: TrainingOptions, start: Start, pixel_size: float,
    seconds: float,
) -> dict[str, Any]:
    import platform

    import torch

    import pupicker

    return {
        "objective": options.fitting.objective,
        "start": start.name,
        "start_sha256": options.fitting.start,
        "autoencoder": options.fitting.autoencoder,
        "weight_decay": options.fitting.weight_decay,
        "ring_negatives": options.ring_negatives,
        "labels": data.label_count,
        **({"proposals": args.pseudo_labels} if args.pseudo_labels else {}),
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
    from pupicker.core.networks import DEFAULT_NETWORK
    from pupicker.engine.models.model_card import expected_row, interval_row

    validation = model.details["validation"]["average_precision"]
    details = model.details
    held_out = "none held out" if validation is None else f"estimated on {details['held_out_labels']} held-out labels"
    settings = ", ".join(f"{name} {value}" for name, value in model.network.settings.items())
    default = model.network_name == DEFAULT_NETWORK and not settings
    return [
        *([] if default else [("network", model.network_name, settings)]),
        ("labels", str(details["labels"]), f"{_labelled(details)} on {details['micrographs']} micrographs"),
        *([("non-particles", str(details["negatives"]), "labelled as such")] if details["negatives"] else []),
        ("particles a micrograph", f"{details['particles_per_micrograph']:.0f}", details["class_prior_source"]),
        *interval_row(details),
        ("class prior", f"{model.class_prior:.4f}", "area fraction of positive regions"),
        ("validation AP", "-" if validation is None else f"{validation:.3f}", held_out),
        ("updates", str(details["validation"]["best_updates"]), "of the best epoch"),
        ("suggested threshold", f"{model.suggested_threshold:.2f}", "log-likelihood ratio with the best expected F1"),
        *expected_row(details),
    ]
