"""``pupicker info``: what a model or a micrograph is, or what follows from a diameter."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pupicker.commands.parsing.arguments import add_option, print_json, print_rows
from pupicker.shared import options

HELP = "Show a model, a micrograph, or what follows from a particle diameter."
EXAMPLE = "pupicker info model.pupicker\n  pupicker info micrograph.mrc --diameter 180"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("file", type=Path, metavar="MODEL|MIC", help="model file or micrograph")
    add_option(parser, options.PIXEL_SIZE.but(help="of the micrograph", automatic="from its header"))
    add_option(parser, options.DIAMETER.but(
        required=False, help="longest extent of the particle: shows every length that follows from it, and why"))
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def run(args: argparse.Namespace) -> int:
    """Execute the command."""
    from pupicker.engine.runtime.errors import UsageError
    from pupicker.shared.names import named_as_micrograph

    is_micrograph = named_as_micrograph(args.file)
    if not is_micrograph and (args.pixel_size is not None or args.diameter is not None):
        raise UsageError(f"--pixel-size and --diameter are for a micrograph, and {args.file} is none: what a model"
                         " stores is shown as it is")
    content, rows = _micrograph(args) if is_micrograph else _model(args.file)
    if args.json:
        print_json(content)
    else:
        print_rows(rows)
    return 0


Described = tuple[dict[str, Any], Sequence[tuple[str, ...]]]


def _model(path: Path) -> Described:
    from pupicker.core.geometry import describe
    from pupicker.engine.models.model_card import card, title_of
    from pupicker.engine.models.model_file import load_model
    from pupicker.shared.model_header import read_card

    _refuse_others(path)
    model = load_model(path)
    content = card(model)
    published = read_card(path)
    if published:
        content["card"] = published
    curves = ("curve", "expected_curve")
    plain = [(title_of(name), _text(value), "") for name, value in content.items() if name not in curves]
    lengths = describe(model.geometry, content["training_pixel_size_ang"], model.network.receptive_field_px)
    return content, plain + lengths


def _refuse_others(path: Path) -> None:
    """Say what a file is that is neither model nor micrograph."""
    from pupicker.engine.files.packed import require_file
    from pupicker.engine.models.other_files import what_it_is
    from pupicker.engine.runtime.errors import InputError

    if not path.exists():
        raise InputError(f"{path}: no such file")
    require_file(path)
    kind = what_it_is(path)
    if kind:
        raise InputError(f"{path}: not a pupicker model, nor a micrograph: it is {kind}")


def _micrograph(args: argparse.Namespace) -> Described:
    from pupicker.core.geometry import describe, geometry
    from pupicker.core.networks import DEFAULT_NETWORK, NETWORKS
    from pupicker.engine.files.micrographs import open_micrograph, resolve_pixel_size
    from pupicker.engine.runtime.errors import UsageError

    with open_micrograph(args.file) as file:
        header, image = file.header, file.read_image()
    content: dict[str, Any] = {
        "kind": "micrograph", "width": header.width, "height": header.height, "dtype": header.dtype,
        "pixel_size_ang": args.pixel_size or header.pixel_size_ang, "minimum": float(image.pixels.min()),
        "maximum": float(image.pixels.max()), "mean": float(image.pixels.mean()), "std": float(image.pixels.std()),
        "invalid_pixels": image.n_invalid,
    }
    rows: list[tuple[str, ...]] = [(name.replace("_", " "), _text(value), "") for name, value in content.items()]
    if args.diameter is not None:
        pixel_size, network = resolve_pixel_size(header, args.pixel_size), NETWORKS[DEFAULT_NETWORK]
        try:
            of_task = geometry(args.diameter, pixel_size, network.particle_px())
        except ValueError as error:
            raise UsageError(str(error)) from error
        content["geometry"] = of_task.to_dict()
        rows += describe(of_task, pixel_size, network.receptive_field_px)
    return content, rows


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.5g}"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_text(inner)}" for name, inner in value.items())
    return "-" if value is None else str(value)
