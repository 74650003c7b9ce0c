"""``pupicker simulate``: micrographs with known truth from a 3D density."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

from pupicker.commands.parsing.arguments import add_option, print_text
from pupicker.engine.files.targets import check_output_folder
from pupicker.shared import options
from pupicker.shared.plurals import counted
from pupicker.simulation.config import PIXEL_TYPES, SimulationConfig

HELP = "Simulate micrographs with known particle positions."
EXAMPLE = "pupicker simulate --output demo --density ring --diameter 130 --micrographs 10 --carbon --gold 5"

_DEFAULT = SimulationConfig()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command; those of the simulation are named as the fields of SimulationConfig."""
    parser.add_argument("--output", metavar="DIR", type=Path, required=True, default=argparse.SUPPRESS,
                        help="folder for micrographs, truth.star, truth.tsv and simulation.json")
    parser.add_argument("--micrographs", metavar="N", type=int, default=5, help="number of micrographs")
    parser.add_argument("--format", choices=("mrc", "tif"), default="mrc", help="file format")
    parser.add_argument("--prefix", default="mic_", help="start of the file names")
    add_option(parser, options.THREADS.but(help="micrographs made at the same time, 0: one for each core"))
    parser.add_argument("--json", action="store_true", help="print all parameters and results as JSON, not a table")
    particle = parser.add_argument_group("particles")
    _add(particle, "density", str, "map (.mrc .map), atoms (.pdb .cif), also with .gz, or globular, ring, stick,"
         " trimer, barrel", metavar="FILE|NAME")
    _add(particle, "diameter_ang", float, "diameter of a made-up density in A (default: 160)", option="--diameter")
    _add(particle, "particles", int, "particles in each micrograph")
    _add(particle, "min_distance_ang", float, "least distance of two centres in A (default: the diameter)",
         option="--min-distance")
    _add(particle, "tilt_sd_deg", float, "preferred orientation: spread of the tilt in degrees (default: all views)",
         option="--tilt-sd")
    image = parser.add_argument_group("image")
    _add(image, "width", int, "columns")
    _add(image, "height", int, "rows")
    _add(image, "pixel_size_ang", float, "pixel size in A", option="--pixel-size")
    _add(image, "dtype", str, "pixel type", choices=PIXEL_TYPES)
    _add(image, "snr", float, "mean squared signal within the particle discs over the variance of the noise")
    _add(image, "structural_fraction", float, "share of the noise that comes from the ice; the rest is shot noise")
    image.add_argument("--no-noise", dest="noise", action="store_false", default=argparse.SUPPRESS,
                       help="leave the noise out, keep the contrast")
    _add(image, "dose_per_ang2", float, "electrons per A^2", option="--dose")
    _add(image, "thickness_gradient", float, "relative difference of intensity from thin to thick side")
    _add(image, "intensity_scale_sd", float, "spread of the micrographs' intensity scales (standard deviation of the "
         "logarithm)", option="--intensity-scale-sd")
    _add_microscope(parser.add_argument_group("microscope"))
    dirt = parser.add_argument_group("contamination (never in the truth)")
    dirt.add_argument("--carbon", action="store_true", default=False, help="a carbon edge in each micrograph")
    _add(dirt, "gold", int, "gold beads in each micrograph")
    _add(dirt, "gold_diameter_ang", float, "their diameter in A", option="--gold-diameter")
    _add(dirt, "ice_crystals", int, "ice crystals in each micrograph", option="--ice")
    _add(dirt, "membranes", int, "vesicles in each micrograph")
    _add(dirt, "aggregates", int, "clumps of particles in each micrograph")
    _add(parser, "seed", int, "seed of everything random")


def _add_microscope(group: argparse._ArgumentGroup) -> None:
    low, high = _DEFAULT.defocus_range_um
    group.add_argument("--defocus-range", dest="defocus_range_um", metavar=("LOW", "HIGH"), nargs=2, type=float,
                       default=(low, high),
                       help=f"underfocus in um, drawn for each micrograph (default: {low:g} to {high:g})")
    _add(group, "astigmatism_um", float, "difference of the principal defoci in um", option="--astigmatism")
    _add(group, "voltage_kv", float, "acceleration voltage in kV", option="--voltage")
    _add(group, "cs_mm", float, "spherical aberration in mm", option="--cs")
    _add(group, "amplitude_contrast", float, "amplitude contrast")
    _add(group, "b_factor_ang2", float, "B factor of the envelope in A^2", option="--b-factor")


def _add(group: Any, field: str, kind: type, text: str, option: str = "", **more: Any) -> None:
    """Add the option of one field of SimulationConfig with the field's default."""
    default = getattr(_DEFAULT, field)
    if kind is not str:
        more["metavar"] = "N" if kind is int else "X"
    group.add_argument(option or "--" + field.replace("_", "-"), dest=field, type=kind, help=text,
                       default=argparse.SUPPRESS if default is None else default, **more)


def run(args: argparse.Namespace) -> int:
    """Write the set, show progress on stderr and a table on stdout."""
    given = {field.name: getattr(args, field.name) for field in fields(SimulationConfig) if hasattr(args, field.name)}
    config = SimulationConfig(**{**given, "defocus_range_um": tuple(args.defocus_range_um)})
    check_output_folder(args.output, "--output")
    threads = args.threads or os.cpu_count() or 1

    import torch

    from pupicker.engine.runtime.progress import Progress
    from pupicker.simulation.dataset import simulate_dataset

    torch.set_num_threads(1)  # one micrograph a thread is faster than many threads on one
    progress = Progress(args.micrographs, "simulating")
    record = simulate_dataset(
        config, args.output, args.micrographs, args.format, args.prefix, threads,
        on_written=lambda file: progress.advance(note=file.name),
    )
    crowded = [made["name"] for made in record["micrographs"] if made["particles"] < config.particles]
    if crowded:
        sys.stderr.write(f"pupicker simulate: warning: no room for all {config.particles} particles in "
                         f"{counted(len(crowded), 'micrograph')}, first {crowded[0]}; the truth lists those that are"
                         " there\n")
    print_text(_as_json(record) if args.json else _as_table(record))
    return 0


def _as_json(record: dict[str, Any]) -> str:
    import json

    return json.dumps(record, indent=2) + "\n"


def _as_table(record: dict[str, Any]) -> str:
    made = record["micrographs"]
    width = max(len("micrograph"), *(len(row["name"]) for row in made))
    lines = [f"{'micrograph':{width}}  particles  defocus/um  intensity"]
    lines += [f"{row['name']:{width}}  {row['particles']:9d}  {row['defocus_um']:10.3f}  {row['intensity_scale']:9.3f}"
              for row in made]
    density = record["density"]
    lines.append(f"{counted(len(made), 'micrograph')}, {counted(sum(row['particles'] for row in made), 'particle')} of"
                 f" {density['name']}, "
                 f"diameter {density['diameter_ang']:.0f} A")
    return "\n".join(lines) + "\n"
