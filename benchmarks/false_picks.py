"""What false picks show: those that most of several models make, to be judged by eye.

    python -m benchmarks.false_picks --models FOLDER [--set apoferritin] [--labels 100]

FOLDER is one that `python -m benchmarks.calibration DATA --seeds 0 1 2 3 4 --models FOLDER` filled. Each of its models
picks the test micrographs. Of a model's false picks those count that rank among the first T, with T the number of
annotated particles. Places that more than half of the models share are shown, the highest first (30 at most), and after
them the annotated particles that no model found (six at most, in no order): results/false_picks_SET.png, with the place
in red or orange and annotations in blue.

Someone looks at the figure and writes into results/false_picks_SET.tsv what each false pick shows: `particle`, `cut`
(by the border), `nothing`, or `?`, which it says at first.  Started again, the program keeps these verdicts and tells
in results/false_picks_SET.json the average precision of each model, as annotated, and with places judged `particle` or
`cut` counting neither as hit nor as false.  The second figure is no result of the picker, since others would gain as
well: it tells how much of what is missing to 1 is the annotation.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common.datasets import data_folder, read_table
from benchmarks.common.figures import GREYS, panels, save
from benchmarks.common.real_sets import SETS, DataSet
from benchmarks.common.runs import RESULTS, hardware, pupicker_code, sha256
from benchmarks.picking_options import evaluated, picked, read
from pupicker import read_micrograph
from pupicker.core.scores.metrics import precision_recall
from pupicker.shared.atomic import write_text
from pupicker.shared.json_files import write_json

VERDICTS = ("particle", "cut", "nothing", "?")
COLUMNS = ("micrograph", "x", "y", "kind", "mean_rank", "verdict")
CROP, ACROSS = 3, 6  # half the width of a crop in radii of the particle; crops beside each other
DPI = 50  # a crop is shown with 100 pixels: noise hardly compresses
MOST = {"false": 30, "missed": 6}  # places that are shown

Row = dict[str, str]


def near(row: Row, others: list[Row], radius_px: float) -> Row | None:
    """The first of the others that lies within the radius on the same micrograph."""
    for other in others:
        distance = np.hypot(float(row["x"]) - float(other["x"]), float(row["y"]) - float(other["y"]))
        if row["micrograph"] == other["micrograph"] and distance <= radius_px:
            return other
    return None


def shared(models: list[list[Row]], truth: int, radius_px: float) -> list[Row]:
    """Places that are false among the first T picks of most models, then particles that every model missed."""
    false = [[{**row, "rank": str(rank)} for rank, row in enumerate(rows[:truth], 1) if row["outcome"] == "false"]
             for rows in models]
    out: list[Row] = []
    for row in (row for own in false for row in own):
        found = [other for others in false if (other := near(row, others, radius_px)) is not None]
        if 2 * len(found) > len(models) and near(row, out, radius_px) is None:
            out.append({**row, "kind": "false", "mean_rank": f"{np.mean([int(f['rank']) for f in found]):.1f}"})
    out.sort(key=lambda place: float(place["mean_rank"]))
    missed = [[row for row in rows if row["outcome"] == "missed"] for rows in models]
    every = [row for row in missed[0] if all(near(row, others, 0.1) is not None for others in missed)]
    return [*out, *({**row, "kind": "missed", "mean_rank": ""} for row in every)]


def shown(places: list[Row]) -> list[Row]:
    """The first of each kind."""
    return [row for kind, most in MOST.items() for row in [place for place in places if place["kind"] == kind][:most]]


def with_verdicts(places: list[Row], before: list[Row], radius_px: float) -> list[Row]:
    """The places with the verdicts written before; missed particles have none.

    Raises
    ------
    SystemExit
        One of them is none of :data:`VERDICTS`.
    """
    out = []
    for place in places:
        known = near(place, [row for row in before if row["kind"] == place["kind"]], radius_px)
        verdict = "" if place["kind"] == "missed" else "?" if known is None else known["verdict"]
        if verdict not in ("", *VERDICTS):
            raise SystemExit(f"verdict {verdict!r}: write one of {', '.join(VERDICTS)}")
        out.append({**{name: place[name] for name in COLUMNS[:-1]}, "verdict": verdict})
    return out


def no_longer_shown(before: list[Row], places: list[Row], radius_px: float) -> list[Row]:
    """What was judged and is not among the places: other models may show it again."""
    return [{**row, "mean_rank": ""} for row in before
            if row["verdict"] in VERDICTS[:-1] and near(row, places, radius_px) is None]


def average_precision(rows: list[Row], truth: int, ignored: list[Row], radius_px: float) -> float:
    """Of picks in the order of their scores; false ones at the places that are ignored do not count."""
    hit = np.array([row["outcome"] == "hit" for row in rows if row["outcome"] == "hit"
                    or (row["outcome"] == "false" and near(row, ignored, radius_px) is None)])
    return precision_recall([hit], [-np.arange(len(hit), dtype=float)], truth).average_precision


def matches(data: Path, name: str, model: Path) -> list[Row]:
    """What became of each pick of a model, highest score first, then the missed particles."""
    with tempfile.TemporaryDirectory() as folder:
        return evaluated(data, name, picked(data, name, model, None, Path(folder), uncertainty=False), Path(folder))[1]


def summary(files: list[Path], models: list[list[Row]], places: list[Row], truth: int, radius_px: float
            ) -> dict[str, Any]:
    """Numbers of the places by verdict; average precision of each model, as annotated and without those judged."""
    false = [place for place in places if place["kind"] == "false"]
    particles = [place for place in false if place["verdict"] in ("particle", "cut")]
    runs = [{"model": file.stem, "model_sha256": sha256(file),
             "false_among_first": sum(row["outcome"] == "false" for row in rows[:truth]),
             "average_precision": round(average_precision(rows, truth, [], radius_px), 4),
             "average_precision_without_judged": round(average_precision(rows, truth, particles, radius_px), 4)}
            for file, rows in zip(files, models, strict=True)]
    verdicts = {verdict: sum(place["verdict"] == verdict for place in false) for verdict in VERDICTS}
    return {"false_shown": len(false), "verdicts_of_false": verdicts, "runs": runs}


def draw(places: list[Row], annotated: list[Row], chosen: DataSet, folder: Path, path: Path) -> None:
    """Crops around the places, slightly smoothed."""
    from matplotlib.patches import Circle
    from scipy.ndimage import gaussian_filter

    radius = 0.5 * chosen.diameter_ang / chosen.pixel_size_ang
    lines = -(-len(places) // ACROSS)
    figure, grid = panels(lines, ACROSS, (2.1 * ACROSS, 2.35 * lines))
    images: dict[str, np.ndarray] = {}
    for axis, row in zip(grid.ravel(), places, strict=False):
        name, x, y = row["micrograph"], float(row["x"]), float(row["y"])
        if name not in images:
            images[name] = gaussian_filter(read_micrograph(folder / f"{name}.mrc").pixels, radius / 16)
        image, half = images[name], CROP * radius
        seen = image[max(0, round(y - half)):round(y + half), max(0, round(x - half)):round(x + half)]
        axis.imshow(image, cmap="gray", vmin=np.percentile(seen, 1), vmax=np.percentile(seen, 99))
        for other in (r for r in annotated if near(row, [r], 2 * half)):
            axis.add_patch(Circle((float(other["x"]), float(other["y"])), radius, fill=False, ec="deepskyblue"))
        false = row["kind"] == "false"
        axis.add_patch(Circle((x, y), radius, fill=False, ec="red" if false else "orange", lw=1.8))
        axis.set(xlim=(x - half, x + half), ylim=(y + half, y - half), facecolor="white")
        axis.set_title(f"rank {row['mean_rank']}: {row['verdict']}" if false else "missed", fontsize=9)
    for axis in figure.axes:
        axis.set(xticks=[], yticks=[])
        axis.set_frame_on(axis.has_data())
    save(figure, path, DPI, GREYS)


def main() -> None:
    """Pick with every model, compare, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=data_folder(), metavar="FOLDER")
    parser.add_argument("--models", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--set", default="apoferritin", choices=SETS)
    parser.add_argument("--labels", type=int, default=100)
    args = parser.parse_args()
    chosen, out = SETS[args.set], RESULTS / f"false_picks_{args.set}.tsv"
    files = sorted(args.models.glob(f"{args.set}_{args.labels}_*.pupicker"))
    if not files:
        raise SystemExit(f"{args.models} holds no {args.set}_{args.labels}_SEED.pupicker: calibration.py makes them")
    models = [matches(args.data, args.set, file) for file in files]
    truth, radius = sum(row["outcome"] in ("hit", "missed") for row in models[0]), chosen.match_radius_px
    agreed = shared(models, truth, radius)
    before = read(out) if out.is_file() else []
    places = with_verdicts(shown(agreed), before, radius)
    rows = [*places, *no_longer_shown(before, places, radius)]
    lines = [COLUMNS, *([row[name] for name in COLUMNS] for row in rows)]
    write_text(out, "".join("\t".join(line) + "\n" for line in lines))
    runs = summary(files, models, places, truth, radius)
    counts = {title: sum(place["kind"] == kind for place in agreed)
              for title, kind in (("false_in_most_models", "false"), ("missed_in_all_models", "missed"))}
    command = f"python -m benchmarks.false_picks --models FOLDER --set {args.set} --labels {args.labels}"
    write_json(out.with_suffix(".json"), {"command": command, "machine": hardware(), "versions":
                                          {"pupicker": pupicker_code()}, "annotated": truth, **counts, **runs})
    table = [{"micrograph": name, "x": str(x), "y": str(y)}
             for name, x, y in read_table(args.data / chosen.folder / chosen.truth)]
    draw(places, table, chosen, args.data / chosen.folder / chosen.micrographs, out.with_suffix(".png"))


if __name__ == "__main__":
    main()
