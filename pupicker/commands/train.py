"""``pupicker train``: raw micrographs and a few labelled particles in, a model out."""

from __future__ import annotations

import argparse
import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pupicker.commands.parsing.arguments import chosen_device, finish, reading_of, report_of_failure, worded
from pupicker.commands.parsing.training_arguments import add_arguments, check, training_options
from pupicker.engine.files.targets import check_output_file
from pupicker.shared.plurals import counted

if TYPE_CHECKING:
    import torch

    from pupicker.core.networks import Classifier
    from pupicker.engine.models.model_file import Model
    from pupicker.engine.reports.provenance import Provenance
    from pupicker.engine.runtime.processes import Processes
    from pupicker.engine.training.dataset import Sources
    from pupicker.engine.training.options import TrainingOptions

STOPPING_S = 60.0
"""A training that was told to stop, by a queue for one, may take so long to end; one that goes on waits for it."""

HELP = "Train a model on a few labelled particles."
EXAMPLE = "pupicker train micrographs/ --picks picks.star --diameter 180 --output model.pupicker"

__all__ = ["EXAMPLE", "HELP", "add_arguments", "run"]


def run(args: argparse.Namespace) -> int:
    """Execute the command."""
    from pupicker.core.geometry import describe
    from pupicker.engine.files.micrographs import list_micrographs
    from pupicker.engine.models.checkpoint import checkpoint_path
    from pupicker.engine.models.model_card import card
    from pupicker.engine.models.model_file import load_model, save_model
    from pupicker.engine.runtime.interruption import stop_on_signals
    from pupicker.engine.runtime.run_report import Report
    from pupicker.engine.runtime.sole_writer import sole_writer
    from pupicker.engine.training.dataset import load_training_set
    from pupicker.engine.training.options import Task, untrained
    from pupicker.engine.training.pseudo_labels import with_pseudo_labels
    from pupicker.engine.training.status import TrainingStatus
    from pupicker.engine.training.train import train

    device, threads = chosen_device(args)
    check(args)
    origin = _origin(args)
    options = training_options(args)
    network = untrained(options.fitting)
    device, processes = _together(args, options, network, device)
    paths = list_micrographs(args.micrographs)
    task = Task.of(vars(args), options, network, paths, device, processes)
    sources = sources_of(args, paths)
    unfinished = checkpoint_path(args.output)
    if args.resume and not args.only_html and args.output.exists() and not unfinished.exists():
        logging.getLogger(__name__).info("%s: is finished, there is nothing to resume; it is trained anew", args.output)
    report, status = Report("train", word=worded), TrainingStatus(args.status)
    status.reading()
    patience_s = STOPPING_S if args.resume else 0.0
    with report_of_failure(report, args, args.output), sole_writer(args.output, patience_s, (unfinished,)):
        data = load_training_set(sources, task.geometry, threads, report)
        if args.pseudo_labels:
            data = with_pseudo_labels(data, args.pseudo_labels, task, args.pseudo_label_count)
        with stop_on_signals() as stop:
            model = load_model(args.output) if args.only_html else train(
                data, task, unfinished, args.resume, status, stop)
        if not args.only_html:
            save_model(args.output, model)
            unfinished.unlink(missing_ok=True)  # not before: a model that is not written is in there
    status.done(model.record)
    content = card(model)
    report.results.update(content)
    if args.html:
        from pupicker.engine.reports.training import training_report

        training_report(model, data, report, device, origin).write(args.html)
    rows = [("model", str(args.output), ""), *_rows(model, content),
            *describe(task.geometry, task.pixel_size_ang, network.receptive_field_px)]
    return finish(report, args, args.output, rows)


def _together(
    args: argparse.Namespace, options: TrainingOptions, network: Classifier, device: torch.device
) -> tuple[torch.device, Processes]:
    """Who computes, and where this process does; other processes of torchrun, if there are any, are told."""
    from pupicker.engine.runtime.errors import UsageError
    from pupicker.engine.runtime.processes import ALONE
    from pupicker.engine.training.optimisation import check_shares, lead_fitting

    processes: Processes = args.processes or ALONE
    if not processes:
        return device, processes
    if ":" in args.device:
        raise UsageError(f"{args.device} is one GPU for {processes.count} processes: give cuda, each takes its own",
                         "device")
    check_shares(options.fitting, network, processes.count)
    device = processes.device(device.type)
    lead_fitting(processes, device, args.threads)
    logging.getLogger(__name__).info("%d processes share the updates, on the %s", processes.count, device.type)
    return device, processes


def _origin(args: argparse.Namespace) -> Provenance:
    """Check what is written and named before the work begins."""
    from pupicker.engine.reports.provenance import Provenance, read_names
    from pupicker.engine.runtime.errors import UsageError

    if args.only_html and not args.html:
        raise UsageError("--only-html: says nothing without a file; give --html")
    for option in ("output", "html", "status"):
        if getattr(args, option) is not None:
            check_output_file(getattr(args, option), f"--{option}")
    return Provenance(args.command_line.replace(" --only-html", ""), read_names(args.names))


def sources_of(args: argparse.Namespace, paths: list[Path]) -> Sources:
    """What is learnt from; the tables are read."""
    from pupicker.engine.files.coordinates import read_coordinates
    from pupicker.engine.preparation.exclusion import exclusion_for
    from pupicker.engine.training.dataset import Sources

    reading = reading_of(args)
    labels = None if args.picks is None else read_coordinates(args.picks, paths, reading)
    unscored = replace(reading, min_score=None)
    negatives = None if args.negatives is None else read_coordinates(args.negatives, paths, unscored)
    exclusion = exclusion_for(None, args.margin, args.masks, args.exclude_contamination, paths)
    return Sources(paths, labels, negatives, args.pixel_size, args.keep_borders, exclusion, args.check_labels)


def _labelled(source: str | None) -> str:
    return f"pseudo-labels ({source}), no labels: all below agrees with them, not with a truth; " if source else ""


def _rows(model: Model, content: dict[str, Any]) -> list[tuple[str, str, str]]:
    from pupicker.core.networks import DEFAULT_NETWORK
    from pupicker.engine.models.model_card import expected_row, interval_row, precision_row

    record = model.record
    settings = ", ".join(f"{name} {value}" for name, value in model.network.settings.items())
    default = model.network_name == DEFAULT_NETWORK and not settings
    return [
        *([] if default else [("network", model.network_name, settings)]),
        ("labels", str(record.labels),
         f"{_labelled(record.pseudo_labels)}in a training on {counted(record.micrographs, 'micrograph')}"),
        *([("negatives", str(record.negatives), "labelled as such")] if record.negatives else []),
        ("particles a micrograph", f"{record.particles_per_micrograph:.0f}", str(record.class_prior_source)),
        *interval_row(content),
        ("share of the area", f"{model.class_prior:.4f}", "on particles, within the training radius"),
        precision_row(content, record.held_out_labels),
        ("updates", str(content["validation"]["best_updates"]), "of the weights"),
        ("suggested threshold", f"{model.suggested_threshold:.2f}", "log-likelihood ratio with the best expected F1"),
        *expected_row(content),
    ]
