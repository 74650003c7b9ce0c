"""Options of the training judged on training micrographs that are left out; no test micrograph is opened.

    python -m benchmarks.left_out run [--labels 10 50] [--draws 0 1 2] [--variants default rate-0.003] [--weights FILE]
    python -m benchmarks.left_out report

For every set, number of labels and draw: one micrograph of the four (two of the eight of a simulated set) is left out;
labels are drawn from the particles of the others; `pupicker train` learns from them with the options of each variant,
all of its updates, and the class prior that follows from the true number of particles of those micrographs (half of it
with random weights, as training takes it, section 8 of the method); the average precision of finding all particles of
the micrographs left out is recorded.  Unlabelled particles of the micrographs that are trained on are part of the
training, so finding them says little.  Each record says what its variant differs in, and from which version of the
method: what won a comparison became the default of the next.

--weights judges other weights of a general model than those that pupicker has, a file of tools/pretrain.py: the
method's name ends with `, weights ` and their digest then.  What the general model finds before it is trained is
recorded too (`untrained`).

Rule, fixed beforehand: a variant becomes the default only if its mean gain over the present one, paired by set and
draw, is more than twice its standard error.  (The whole prior has not passed it; section 7 of the method says why it is
the default all the same.)  Results: results/left_out.jsonl and .md.  Records of before the versions of the method were
counted trained and picked inside of the program, with one orientation of a micrograph; `by_updates` in them is the
average precision half way.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.torch import load_file

from benchmarks.common.datasets import LABELS, SETS, BenchmarkSet, data_folder, drawn, load_set, read_table
from benchmarks.common.methods import evaluate, pupicker_run
from benchmarks.common.real_sets import LOWEST_THRESHOLD
from benchmarks.common.runs import DEVICE, RESULTS, Records, hardware, process, pupicker_code, sha256
from pupicker import load_model, save_model
from pupicker.shared.atomic import write_text

DEFAULT = "default"
FIRST_DRAW_SEED = 100
RANDOM_SHARE = 0.5  # of the true number of particles: what a training from random weights takes

Precisions = dict[tuple[str, int], float]  # set, draw -> average precision

#: What differs from the defaults: `options` of `pupicker train`; `diameter_px` of the particle, in place of the
#: network's; `prior_share`, the part of the true number of particles that the objective is told; `updates_factor`
#: makes the training longer.
VARIANTS: dict[str, dict[str, Any]] = {
    DEFAULT: {},
    "rate-0.002": {"options": ["--learning-rate", "2e-3"]},
    "rate-0.003": {"options": ["--learning-rate", "3e-3"]},
    "rate-0.006": {"options": ["--learning-rate", "6e-3"]},
    "batch-256": {"options": ["--batch-size", "256"]},
    **{name: {"options": ["--objective", name]}
       for name in ("ge-kl", "ge-kl-forward", "pn", "nnpu", "ge-gaussian", "ge-squared")},
    "autoencoder": {"options": ["--autoencoder", "auto"]},
    "ring-negatives": {"options": ["--ring-negatives"]},
    "25-px": {"diameter_px": 25.5},
    "prior-half": {"prior_share": 0.5},
    "prior-whole": {"prior_share": 1.0},
    "prior-1.5": {"prior_share": 1.5},
    "longer": {"updates_factor": 2},
    "rate-0.003-longer": {"options": ["--learning-rate", "3e-3"], "updates_factor": 2},
    "conv31": {"options": ["--network", "conv31"]},
    "random": {"options": ["--start", "random"], "prior_share": RANDOM_SHARE},
    "half-as-long": {"updates_factor": 0.5},
    "rate-0.0003": {"options": ["--learning-rate", "3e-4"]},
    "rate-0.0005": {"options": ["--learning-rate", "5e-4"]},
}


def split(chosen: BenchmarkSet, labels: int, draw: int, work: Path) -> tuple[BenchmarkSet, Path]:
    """The training micrographs alone, some to train on and some to judge on, and the table of labels that are drawn."""
    count = len(chosen.training)
    out = {draw % count} if count <= 4 else {2 * draw % count, (2 * draw + 1) % count}
    kept = [path for i, path in enumerate(chosen.training) if i not in out]
    rows = read_table(chosen.truth)
    own = [[row for row in rows if row[0] == path.stem] for path in kept]
    some = drawn([len(of_one) for of_one in own], labels, FIRST_DRAW_SEED + draw)
    given = [row for of_one, taken in zip(own, some, strict=True) for row in np.array(of_one, dtype=object)[taken]]
    table = work / "labels.tsv"
    table.write_text("micrograph\tx\ty\n" + "".join(f"{m}\t{x:.2f}\t{y:.2f}\n" for m, x, y in given))
    return replace(chosen, training=kept, test=[chosen.training[i] for i in sorted(out)]), table


def options_of(judged: BenchmarkSet, labels: int, changed: dict[str, Any], default_updates: int | None) -> list[str]:
    """Options of `pupicker train` for a variant."""
    told = max(changed.get("prior_share", 1.0) * judged.particles(judged.training), labels) / len(judged.training)
    out = ["--validation-fraction", "0", "--particles-per-micrograph", f"{told:.3f}", *changed.get("options", [])]
    if "diameter_px" in changed:
        out += ["--working-pixel-size", f"{judged.diameter_ang / changed['diameter_px']:.4f}"]
    if default_updates is not None:
        out += ["--updates", str(round(default_updates * changed["updates_factor"]))]
    return out


def with_weights(judged: BenchmarkSet, table: Path, weights: Path, network: list[str], work: Path) -> Path:
    """A model with the weights of a file, to start from: one that was hardly trained, with other weights."""
    path = work / "start.pupicker"
    process([sys.executable, "-m", "pupicker", "train", *judged.training, "--picks", table, "--diameter",
             judged.diameter_ang, "--pixel-size", judged.pixel_size_ang, "--output", path, "--start", "random",
             "--updates", 1, "--validation-fraction", 0, "--threads", 1, "--device", DEVICE, *network], work / "log")
    model = load_model(path)
    own = {name: t for name, t in load_file(str(weights)).items() if not name.startswith("cell_head.")}
    model.network.load_state_dict(own)
    save_model(path, replace(model, cell_head=None))
    return path


def untrained(judged: BenchmarkSet, start: Path | None, work: Path) -> float:
    """Average precision of a model as it is, or of the general model."""
    picks = work / "untrained.tsv"
    what = ["baseline", "general", "--diameter", judged.diameter_ang] if start is None else ["pick", "--model", start]
    process([sys.executable, "-m", "pupicker", *what, *judged.test, "--output", picks, "--pixel-size",
             judged.pixel_size_ang, f"--threshold={LOWEST_THRESHOLD}", "--threads", 1, "--device", DEVICE],
            work / "log")
    return round(float(evaluate(judged, picks, work)["average_precision"]), 4)


def measure(chosen: BenchmarkSet, labels: int, draw: int, changed: dict[str, Any], weights: Path | None,
            default_updates: int | None) -> dict[str, Any]:
    """Train, from the weights of a file if there is one, and judge."""
    with tempfile.TemporaryDirectory(prefix="left-out-") as name:
        work = Path(name)
        judged, table = split(chosen, labels, draw, work)
        options, own = options_of(judged, labels, changed, default_updates), changed.get("options", [])
        start = None
        if weights is not None:
            network = own[own.index("--network"):][:2] if "--network" in own else []
            start = with_weights(judged, table, weights, network, work)
            options += ["--start", str(start)]
        result = pupicker_run(judged, table, draw, options)
        before = {} if "random" in own else {"untrained": untrained(judged, start, work)}
    return {"average_precision": round(result["average_precision"], 4), **before, "training": result["training"]}


def updates_of_default(records: Records, unit: dict[str, Any]) -> int:
    """How long the training with the defaults was that a longer or shorter one is compared with.

    Raises
    ------
    SystemExit
        It is not recorded.
    """
    stage = unit["settings"]["stage"]
    for r in records.load():
        if r["method"] == DEFAULT and r["settings"].get("stage") == stage and all(
                r[name] == unit[name] for name in ("set", "labels", "draw")):
            return int(r["training"]["updates"])
    raise SystemExit(f"{unit['set']}, {unit['labels']} labels, draw {unit['draw']}: measure the variant {DEFAULT}"
                     f" first, from whose updates those of {unit['method']} follow")


def run(args: argparse.Namespace) -> None:
    """Measure what is not recorded, the defaults first."""
    records, code = Records(args.records), pupicker_code()
    common = {"machine": hardware(), "versions": {"pupicker": code}}
    other = {"weights": sha256(args.weights)} if args.weights else {}
    variants = sorted(args.variants, key=lambda name: name != DEFAULT)
    for draw, labels, name, variant in product(args.draws, args.labels, args.sets, variants):
        changed = VARIANTS[variant]
        unit = {"set": name, "method": ", weights ".join([variant, *other.values()]), "labels": labels, "draw": draw,
                "settings": {"stage": code["code"], **changed, **other}}
        if not records.missing(unit):
            continue
        updates = updates_of_default(records, unit) if "updates_factor" in changed else None
        chosen = load_set(name, args.data)
        records.run(unit, partial(measure, chosen, labels, draw, changed, args.weights, updates), common)


def row(labels: int, variant: str, own: Precisions, default: Precisions) -> list[str]:
    """Line of the table: gain over the default on the pairs that both have; none without a pair."""
    gains = {key: own[key] - default[key] for key in own.keys() & default.keys()}
    if not gains:
        return []
    error = f"{statistics.stdev(gains.values()) / len(gains) ** 0.5:.4f}" if len(gains) > 1 else "–"
    each = ", ".join(f"{s} {d}: {gain:+.3f}" for (s, d), gain in sorted(gains.items()))
    cells = (labels, variant, len(gains), f"{statistics.mean(gains.values()):+.4f}", error, each)
    return [f"| {' | '.join(map(str, cells))} |"]


def stage_lines(stage: str, records: list[dict[str, Any]]) -> list[str]:
    """The part of one stage of the defaults: nothing is compared with what other ones found."""
    found: dict[tuple[int, str], Precisions] = {}
    for r in records:
        found.setdefault((r["labels"], r["method"]), {})[r["set"], r["draw"]] = r["average_precision"]
        if r["method"] == "longer" and "by_updates" in r:  # half way it is the default
            half = found.setdefault((r["labels"], DEFAULT), {})
            half.setdefault((r["set"], r["draw"]), min(r["by_updates"].items(), key=lambda row: int(row[0]))[1])
    titles = ("labels", "variant", "pairs", "mean gain", "standard error", "each pair")
    lines = [f"## {stage}", "", f"| {' | '.join(titles)} |", "|" + "---|" * len(titles)]
    for labels, variant in sorted(found):
        if variant != DEFAULT:
            lines += row(labels, variant, found[labels, variant], found.get((labels, DEFAULT), {}))
    return lines


def report(args: argparse.Namespace) -> None:
    """Mean gain of each variant over the default, and every pair; the newest defaults first."""
    records = Records(args.records).load()
    if not records:
        raise SystemExit(f"{args.records}: holds no records; measure first")
    stages: dict[str, list[dict[str, Any]]] = {}
    for r in sorted(records, key=lambda r: str(r["finished"]), reverse=True):
        stages.setdefault(r["settings"]["stage"], []).append(r)
    lines = ["# Options on micrographs that are left out", "",
             "Made by `python -m benchmarks.left_out report`: gain of average precision over the defaults of `pupicker"
             " train`, paired by set and draw. Each part has the defaults that it names: those of a version of the"
             " method, or earlier ones in words."]
    for stage, own in stages.items():
        lines += ["", *stage_lines(stage, own)]
    text = "\n".join(lines) + "\n"
    write_text(args.records.with_suffix(".md"), text)
    print(text)


def main() -> None:
    """Run or report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("run", "report"))
    parser.add_argument("--data", type=Path, default=data_folder())
    parser.add_argument("--sets", nargs="+", default=["bgal", "t20s", "trimer", "stick", "apoferritin"], choices=SETS)
    parser.add_argument("--labels", type=int, nargs="+", default=[10, 50], choices=LABELS)
    parser.add_argument("--draws", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--variants", nargs="+", default=[DEFAULT, "rate-0.003"], choices=list(VARIANTS))
    parser.add_argument("--weights", type=Path, metavar="FILE", help="of a general model, to start from")
    parser.add_argument("--records", type=Path, default=RESULTS / "left_out.jsonl")
    args = parser.parse_args()
    {"run": run, "report": report}[args.command](args)


if __name__ == "__main__":
    main()
