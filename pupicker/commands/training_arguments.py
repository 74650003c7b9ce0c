"""Arguments of ``pupicker train``, and the options that they mean."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pupicker.commands.arguments import (
    add_borders,
    add_device,
    add_exclusion,
    add_html,
    add_micrographs,
    add_results,
)

if TYPE_CHECKING:
    from pupicker.engine.models.initial_weights import Start
    from pupicker.engine.training.options import TrainingOptions

OBJECTIVES = ("ge-binomial", "ge-kl", "nnpu", "pn", "ge-gaussian", "ge-squared")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    add_learning_arguments(parser)
    parser.add_argument("--output", required=True, type=Path, metavar="MODEL", help="model file to write")
    parser.add_argument("--resume", action="store_true",
                        help="go on from the checkpoint of the same, interrupted command")
    add_device(parser)
    add_results(parser)
    add_html(parser)
    parser.add_argument("--status", type=Path, metavar="FILE",
                        help="write how far the training is as JSON, anew after every epoch")


def add_learning_arguments(parser: argparse.ArgumentParser) -> None:
    """What decides which model comes out: the data and every choice of the method."""
    add_micrographs(parser)
    positives = parser.add_mutually_exclusive_group(required=True)
    positives.add_argument("--picks", "--labels", type=Path, metavar="FILE",
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
    parser.add_argument("--ring-negatives", action="store_true",
                        help="take places around labelled particles, where no other centre can be, for negatives")
    parser.add_argument("--objective", default="ge-binomial", choices=OBJECTIVES, help="training objective")
    parser.add_argument("--start", default="auto", metavar="auto|general|random|MODEL",
                        help="weights to start from: general ones, trained on simulated particles of all kinds; random"
                        " ones; or those of a model, to go on learning. auto: general ones if there are some for the"
                        " network and its settings, else random ones")
    _add_network(parser)
    prior = parser.add_mutually_exclusive_group()
    prior.add_argument("--class-prior", type=float, metavar="X",
                       help="area fraction of positive regions (default: estimated while training)")
    prior.add_argument("--particles-per-micrograph", type=float, metavar="N",
                       help="the same as a number of particles, on an average micrograph")
    parser.add_argument("--validation-fraction", type=float, default=0.25, metavar="F",
                        help="share of the labels held out, as whole micrographs, to choose the length of training")
    parser.add_argument("--updates", type=int, metavar="N",
                        help="most updates of the weights (default: 60 times the square root of the number of"
                        " labels, from random weights 25 times its power 0.9, 200 to 2000; 200 with --proposals)")
    parser.add_argument("--no-refit", dest="refit", action="store_false",
                        help="keep the best epoch itself instead of training once more on all labels")
    parser.add_argument("--working-pixel-size", type=float, metavar="A",
                        help="override the one that follows from the diameter")
    parser.add_argument("--training-radius", type=float, metavar="PX", help="override, in working pixels")
    parser.add_argument("--min-distance", type=float, metavar="A", help="override the smallest distance of two picks")
    parser.add_argument("--box-size", type=float, metavar="A", help="override the box size")
    parser.add_argument("--learning-rate", type=float, default=1e-3, metavar="X", help="of the optimiser")
    parser.add_argument("--weight-decay", type=float, default=1e-2, metavar="X",
                        help="L2 penalty: what the optimiser takes off every weight, in units of the learning rate")
    parser.add_argument("--autoencoder", default="0", metavar="GAMMA|auto",
                        help="weight of the term that draws each region from its features; 0: none; auto: the paper's"
                        " 10/N for N labels up to 250, none for more. Makes a training several times slower")
    parser.add_argument("--batch-size", type=int, default=512, metavar="N",
                        help="regions of a minibatch, 1/16 of them labelled")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of everything random")
    add_borders(parser)
    add_exclusion(parser, True)


def _add_network(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--network", default="conv47", metavar="NAME",
                        help="conv47 (default; sees the particle's surroundings too), conv31 (the paper's), conv63,"
                        " conv127 (deeper, larger fields), resnet31, or one that an installed package offers")
    parser.add_argument("--width", type=int, metavar="N", help="channels of the network's first layer (default: 32)")
    parser.add_argument("--dropout", type=float, metavar="F",
                        help="fraction of the last features that is dropped while training (default: 0)")
    parser.add_argument("--norm", metavar="KIND",
                        help="normalisation layers: batch, group, affine or none (default: batch)")
    parser.add_argument("--network-setting", action="append", default=[], metavar="NAME=VALUE",
                        help="any setting of the network, for one that has others; may be repeated")


def check(args: argparse.Namespace) -> None:
    """Raise UsageError at a number that cannot be."""
    from pupicker.engine.models.initial_weights import WEIGHTS
    from pupicker.engine.runtime.errors import UsageError

    if not 0 <= args.validation_fraction < 1:
        raise UsageError(f"--validation-fraction {args.validation_fraction:g}: must be at least 0 and below 1")
    for name, least in (("updates", 1), ("batch_size", 32), ("proposal_count", 1)):
        if getattr(args, name) is not None and getattr(args, name) < least:
            raise UsageError(f"--{name.replace('_', '-')} {getattr(args, name)}: must be at least {least}")
    if args.proposal_count is not None and not args.proposals:
        raise UsageError("--proposal-count: says how many --proposals to take; give those, or leave it out")
    if args.proposals == "general" and not (WEIGHTS / f"{args.network}.safetensors").is_file():
        known = " and ".join(sorted(path.stem for path in WEIGHTS.glob("*.safetensors")))
        raise UsageError(f"--proposals general: there are general weights for {known} only, not for {args.network};"
                         " give one of those with --network, or other proposals")
    if not args.learning_rate > 0:
        raise UsageError(f"--learning-rate {args.learning_rate:g}: must be positive")
    if not 0 <= args.weight_decay < float("inf"):
        raise UsageError(f"--weight-decay {args.weight_decay:g}: must be 0 or larger")
    autoencoder_weight(args.autoencoder, 1)


def autoencoder_weight(text: str, labels: int) -> float:
    """The weight that ``--autoencoder`` means for so many labels."""
    from pupicker.core.networks.autoencoder import paper_weight
    from pupicker.engine.runtime.errors import UsageError

    if text == "auto":
        return paper_weight(labels)
    try:
        weight = float(text)
    except ValueError:
        weight = -1.0
    if not 0 <= weight < float("inf"):
        raise UsageError(f"--autoencoder {text}: must be 0, a larger number, or auto")
    return weight


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


def training_options(args: argparse.Namespace, labels: int, start: Start) -> TrainingOptions:
    """What the arguments mean for so many labels."""
    from pupicker.engine.training.optimisation import FittingOptions
    from pupicker.engine.training.options import PROPOSAL_UPDATES, TrainingOptions, updates_for

    updates = args.updates or (PROPOSAL_UPDATES if args.proposals else updates_for(labels, start))
    fitting = FittingOptions(
        objective=args.objective, network=args.network, network_settings=network_settings(args),
        learning_rate=args.learning_rate, weight_decay=args.weight_decay, batch_size=args.batch_size,
        positives=args.batch_size // 16, seed=args.seed, start=start.digest,
        autoencoder=autoencoder_weight(args.autoencoder, labels),
    )
    return TrainingOptions(
        fitting, args.class_prior, args.particles_per_micrograph, updates=updates,
        epoch_updates=min(100, updates), refit=args.refit, ring_negatives=args.ring_negatives,
    )
