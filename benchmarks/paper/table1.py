"""Table 1: the paper's recipes, and average precision with them on the data sets that are here.

    python -m benchmarks.paper.table1 run [--sets t20s 80s trimer stick apoferritin bgal] [--labels 250]
        [--draws 10]
    python -m benchmarks.paper.table1 run --download t20s=FOLDER     (data that were downloaded from EMPIAR)
    python -m benchmarks.paper.table1 report

Simulated sets stand in for four of the five of the paper: their recipe's pixel size and training radius in pixels, the
class prior as an area fraction of all their particles.  The real sets have no recipe in the paper; theirs is what
pupicker derives from the diameter.  Beside each: pupicker with its own defaults, told the diameter only; runs that
label_efficiency.py has recorded are taken from there.  Results: results/table1.jsonl, .md.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from benchmarks.common.datasets import BenchmarkSet, load_set
from benchmarks.common.methods import paper_options, record_unit
from benchmarks.common.runs import Records, sha256
from benchmarks.label_efficiency_report import average_precisions, cell, defaults_elsewhere
from benchmarks.paper.experiment import KINDS, by_version, draws_of, experiment_parser, sections
from benchmarks.paper.presets import load_download, presets
from pupicker.shared.atomic import write_text


def recipe_of(name: str) -> dict[str, Any] | None:
    """The recipe whose set this is or stands in for."""
    return next((r for n, r in presets().items() if name in (r["stand_in"], f"EMPIAR-{n}")), None)


def recipe_options(chosen: BenchmarkSet, labels: int, updates: int, given_prior: bool) -> list[str]:
    """Options of `pupicker train` for the recipe; the paper's class prior where the data are the paper's."""
    settings = {"objective": "ge-binomial", "prior_factor": 1.0, "updates": updates}
    options = paper_options(chosen, labels, settings)
    recipe = recipe_of(chosen.name)
    if recipe is not None:
        options += ["--working-pixel-size", str(recipe["working_pixel_size_ang"]), "--training-radius",
                    str(recipe["training_radius_px"])]
        if given_prior:
            at = options.index("--particles-per-micrograph")
            options[at:at + 2] = ["--class-prior", str(recipe["class_prior"])]
    return options


def recorded_elsewhere(chosen: BenchmarkSet, labels: int, draw: int) -> bool:
    """Whether label_efficiency.py has this code's run with the defaults."""
    unit = chosen.name, labels, draw, sha256(chosen.labels(labels, draw))
    return any((r["set"], r["labels"], r["draw"], r["labels_sha256"]) == unit for r in defaults_elsewhere())


def run(args: Any) -> None:
    """Recipe and defaults for every set, draw and number of labels."""
    records = Records(args.records)
    downloads = dict(given.split("=", 1) for given in args.download)
    with tempfile.TemporaryDirectory(prefix="table1-") as work:
        for draw in range(args.draws):
            sets = [load_set(name, args.data, args.training_micrographs) for name in ([] if downloads else args.sets)]
            sets += [load_download(name, Path(folder), Path(work) / name) for name, folder in downloads.items()]
            for chosen in sets:
                for labels in args.labels:
                    options = recipe_options(chosen, labels, args.updates, bool(downloads))
                    record_unit(records, chosen, "paper", labels, draw, {"options": options}, options)
                    if not recorded_elsewhere(chosen, labels, draw):
                        record_unit(records, chosen, "defaults", labels, draw, {"options": []}, [])


def recipes() -> str:
    """The paper's table."""
    lines = ["| set | Å/px | worked at | particle radius px | training radius px | π | training | test | stand-in |",
             "|" + "---|" * 9]
    for recipe in presets().values():
        parts = [f"{recipe[p]['micrographs']} / {recipe[p]['particles']:,}" for p in ("training", "test")]
        lines.append(f"| {recipe['protein']}, {recipe['accession']} | {recipe['pixel_size_ang']:g} |"
                     f" {recipe['working_pixel_size_ang']:g} | {recipe['particle_radius_px']} |"
                     f" {recipe['training_radius_px']} | {recipe['class_prior']:g} | {' | '.join(parts)} |"
                     f" {recipe['stand_in'] or '–'} |")
    return "\n".join(lines) + "\n"


def table(records: list[dict[str, Any]]) -> str:
    """The results."""
    lines = ["| set | labels | average precision over | the paper's recipe | pupicker's defaults |", "|" + "---|" * 5]
    groups = draws_of(records)
    for name in dict.fromkeys(s for s, _ in groups):
        for labels in sorted({n for (s, _), values in groups.items() if s == name for n in values}):
            for kind, field in KINDS.items():
                cells = [cell(average_precisions(groups.get((name, m), {}).get(labels, {}), field=field))
                         for m in ("paper", "defaults")]
                lines.append(f"| {name} | {labels} | {kind} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure or report."""
    parser = experiment_parser(__doc__, "table1", ["t20s", "80s", "trimer", "stick", "apoferritin", "bgal"], [250], 10)
    parser.add_argument("--download", nargs="+", default=[], metavar="PRESET=FOLDER")
    args = parser.parse_args()
    if args.command == "run":
        run(args)
        return
    own = Records(args.records).load()
    beside = []
    for some in by_version(own).values():
        measured = {(r["set"], r["labels"], r["draw"]) for r in some}
        elsewhere = defaults_elsewhere(some[0]["settings"]["code"])
        beside += [r for r in elsewhere if (r["set"], r["labels"], r["draw"]) in measured]
    text = recipes() + "\n" + sections([*own, *beside], table)
    write_text(args.records.with_suffix(".md"), text)
    print(text)


if __name__ == "__main__":
    main()
