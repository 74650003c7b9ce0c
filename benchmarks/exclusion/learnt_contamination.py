"""Can a network learn where contamination is, and is that better than darkness?

    python -m benchmarks.exclusion.learnt_contamination [--scenes 40]

The network of the general model stays as it is; a second output is fitted to its last features on simulated scenes of
the kind that the general model learnt from (another seed), in which the truth is known: carbon, gold, ice crystals,
membranes, aggregates.

`linear`
    Logistic regression of the 256 features of a place, each eighth pixel: what costs nothing beside the scores.
`wide`
    A layer of 48 between, which also sees the mean of the features over 5×5 places (a square of two diameters), the
    depth of the place (`core/detection/contamination.py`), and the local spread of the image over one and over two
    diameters.

Both get the image as picking has it: flattened, with what the present estimate finds left out (and set to zero), or
flattened alone; the former stand beside the present estimate (`present or ...`), the latter alone.  The present
estimate has the lowest limit that a training gives it, and, for comparison, that of picking without labels.  The
threshold is the lowest at which, of the particles on four training micrographs of each of the five sets, as many are
covered as by the present estimate, or at most 0.2 % or 1 % more; the truth of the very sets tells it, which favours
what is learnt.

Judged: the mask of MicrographCleaner on a contaminated micrograph (share of it, share of the rest, intersection over
union); picks of the general model, without any estimate, on micrographs of each class that are removed (the first two
classes should lose them, the last two keep them).  Results: results/learnt_contamination.json and .md.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.common.datasets import data_folder, load_set, read_table
from benchmarks.common.runs import RESULTS, hardware, pupicker_code
from pupicker import PickingOptions, read_micrograph
from pupicker.core.detection.contamination import (
    DEPTH_WITHOUT_LABELS,
    MIN_DEPTH,
    contamination_mask,
    depth,
    limit_from_blobs,
)
from pupicker.core.geometry import Geometry, geometry
from pupicker.core.image.background import flatten, gaussian_mean
from pupicker.core.image.histograms import stack_histograms
from pupicker.core.image.normalization import fit, normalize
from pupicker.core.networks import DEFAULT_NETWORK, Classifier
from pupicker.engine.models.initial_weights import general_network
from pupicker.engine.picking.general_picker import GeneralPicker
from pupicker.engine.preparation.exclusion import Exclusion
from pupicker.engine.preparation.recipe import Recipe, prepare
from pupicker.engine.preparation.working_micrograph import Resampled
from pupicker.shared.atomic import write_text
from pupicker.shared.json_files import write_json
from pupicker.simulation.random_scene import DIAMETER_PX, random_scene

SETS = ("apoferritin", "bgal", "t20s", "stick", "trimer")
CLASSES = ("contaminated", "crystalline_ice", "decent", "great")
CLASS_PIXEL_SIZE_ANG, CLASS_DIAMETER_ANG = 5.0, 150.0
SEED, CELLS, STRIDE, OWN, HIDDEN, CONTEXT = 1_000_003, 400, 8, 256, 48, 5
UPDATES, RATE = 800, 3e-3
MICROGRAPHS = 4  # of each set
EXTRA = (0.0, 0.002, 0.01)
"""Of the particles of the sets, that may be covered beside those that the present estimate covers."""


@dataclass(frozen=True)
class Seen:
    """A micrograph as the estimates see it: flattened image, grey image, what the present estimate covers."""

    image: Tensor
    grey: Tensor
    present: Tensor


def seen(micrograph: Resampled, recipe: Recipe, present: Tensor) -> tuple[Seen, Seen]:
    """Flattened alone, and with what the present estimate finds left out."""
    own = fit(stack_histograms([micrograph.histogram()]))
    normal = normalize(micrograph.pixels, own.mixture, float(own.scale[0]), float(own.offset[0]))
    assert recipe.geometry is not None
    alone, rest = (flatten(normal, recipe.geometry.background_px, left_out)
                   for left_out in (None, present if bool(present.any()) else None))
    return Seen(alone, micrograph.pixels, present), Seen(rest, micrograph.pixels, present)


def present_estimate(pixels: Tensor) -> Tensor:
    """With the lowest limit that labels give."""
    return contamination_mask(pixels, DIAMETER_PX, MIN_DEPTH)


@torch.inference_mode()
def inputs(network: Classifier, one: Seen) -> Tensor:
    """``(c, h / 8, w / 8)`` of each eighth pixel; the first :data:`OWN` are all that `linear` sees."""
    own = network.features(network.padded(one.image, STRIDE)[None, None], STRIDE)[0]
    around = F.avg_pool2d(own[None], CONTEXT, 1, CONTEXT // 2, count_include_pad=False)[0]
    more = [depth(one.grey, DIAMETER_PX, DEPTH_WITHOUT_LABELS).clamp(-20, 60) / 10]
    for diameters in (1.0, 2.0):
        spread = gaussian_mean(one.image.square(), diameters * DIAMETER_PX).clamp(min=1e-6).sqrt()
        more.append((spread / spread.median()).log())
    rows, columns = own.shape[1:]
    return torch.cat([own, around, torch.stack(more)[:, ::STRIDE, ::STRIDE][:, :rows, :columns]])


def scene_as_seen(index: int) -> tuple[tuple[Seen, Seen], Tensor, Tensor]:
    """A simulated scene, at each eighth pixel the truth and the present estimate."""
    scene = random_scene(SEED, index)
    pixels = torch.from_numpy(scene.image)
    present = present_estimate(pixels)
    whole = (int(pixels.shape[0]), int(pixels.shape[1]))
    micrograph = Resampled(Path(f"scene {index}"), 1.0, whole, pixels, (1.0, 1.0), None)
    truth = torch.from_numpy(scene.contaminated)[::STRIDE, ::STRIDE].float()
    recipe = recipe_of(geometry(DIAMETER_PX, 1.0, DIAMETER_PX))
    return seen(micrograph, recipe, present), truth, present[::STRIDE, ::STRIDE]


def recipe_of(lengths: Geometry, pixel_size_ang: float | None = None) -> Recipe:
    """Nothing is left out by it: the estimates are made here."""
    return Recipe.of_geometry(lengths, pixel_size_ang, exclusion=Exclusion())


def drawn_places(network: Classifier, scenes: Iterable[int]) -> list[tuple[Tensor, Tensor]]:
    """Inputs ``(n, c)`` and truth ``(n,)`` of places of the scenes: of all, and of those that the estimate leaves."""
    drawn: list[list[tuple[Tensor, Tensor]]] = [[], []]
    for index in scenes:
        generator = torch.Generator().manual_seed(SEED + index)
        both, truth, present = scene_as_seen(index)
        for own, one, usable in zip(drawn, both, (torch.ones_like(present), ~present), strict=True):
            places = usable.flatten().nonzero()[:, 0]
            some = places[torch.randperm(len(places), generator=generator)[:CELLS]]
            own.append((inputs(network, one).flatten(1)[:, some].T, truth.flatten()[some]))
    return [(torch.cat([x for x, _ in own]).clone(), torch.cat([y for _, y in own]).clone()) for own in drawn]


def fitted(x: Tensor, y: Tensor, hidden: int) -> Callable[[Tensor], Tensor]:
    """Logistic regression, with a hidden layer or without: from inputs ``(c, h, w)`` to probabilities ``(h, w)``."""
    generator = torch.Generator().manual_seed(SEED)
    middle, scale = x.mean(0), x.std(0).clamp(min=1e-6)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        head = nn.Sequential(nn.Linear(x.shape[1], hidden), nn.ReLU(), nn.Linear(hidden, 1)) if hidden else \
            nn.Sequential(nn.Linear(x.shape[1], 1))
    optimizer = torch.optim.AdamW(head.parameters(), lr=RATE, weight_decay=1e-2)
    for update in range(UPDATES):
        optimizer.param_groups[0]["lr"] = RATE * (1 - update / UPDATES)
        rows = torch.randint(len(x), (1024,), generator=generator)
        optimizer.zero_grad()
        F.binary_cross_entropy_with_logits(head((x[rows] - middle) / scale)[:, 0], y[rows]).backward()
        optimizer.step()

    @torch.inference_mode()
    def probability(values: Tensor) -> Tensor:
        logits = head((values[: x.shape[1]].flatten(1).T - middle) / scale)
        return torch.sigmoid(logits).reshape(values.shape[1:])

    return probability


def full_size(small: Tensor, shape: Sequence[int]) -> Tensor:
    """A map of each eighth pixel at every pixel; the first ones coincide."""
    grid = [(side - 1) * STRIDE + 1 for side in small.shape]
    out = F.interpolate(small[None, None], grid, mode="bilinear", align_corners=True)
    rest = [max(0, side - n) for side, n in zip(shape, grid, strict=True)]
    return F.pad(out, (0, rest[1], 0, rest[0]), mode="replicate")[0, 0, : shape[0], : shape[1]]


def at(mask: Tensor, xy: np.ndarray) -> Tensor:
    """Values at positions ``(n, 2)`` x, y."""
    column, row = (torch.from_numpy(xy[:, axis]).round().long().clamp(0, mask.shape[1 - axis] - 1) for axis in (0, 1))
    return mask[row, column]


@dataclass(frozen=True)
class Case:
    """A micrograph to judge on: what it belongs to, as seen, and the particles, picks or mask there."""

    kind: str
    alone: Seen
    rest: Seen
    xy: np.ndarray
    mask: Tensor | None = None


def case_of(kind: str, path: Path, lengths: Geometry, pixel_size: float | None, xy: np.ndarray | None) -> Case:
    """Read; `xy` in pixels of the file, None: picks of the general model."""
    recipe = recipe_of(lengths, pixel_size)
    micrograph = prepare(path, recipe)
    present = present_estimate(micrograph.pixels)
    if xy is None:
        options = PickingOptions(pixel_size_ang=pixel_size, exclusion=Exclusion())
        places = GeneralPicker(lengths, torch.device("cpu"), options).working_picks(micrograph).xy.numpy()
    else:
        places = micrograph.to_working(xy[:, 0], xy[:, 1])
    return Case(kind, *seen(micrograph, recipe, present), places)


def cases_of_set(name: str) -> list[Case]:
    """Training micrographs with their particles."""
    chosen = load_set(name, data_folder())
    lengths, rows = geometry(chosen.diameter_ang, chosen.pixel_size_ang, DIAMETER_PX), read_table(chosen.truth)
    places = {path: np.array([row[1:] for row in rows if row[0] == path.stem]) for path in chosen.training}
    return [case_of(name, path, lengths, chosen.pixel_size_ang, places[path]) for path in chosen.training[:MICROGRAPHS]]


def cases_of_class(kind: str) -> list[Case]:
    """Micrographs with picks of the general model."""
    lengths = geometry(CLASS_DIAMETER_ANG, CLASS_PIXEL_SIZE_ANG, DIAMETER_PX)
    paths = sorted((data_folder() / "quality_classes" / kind).glob("*.mrc"))
    return [case_of(kind, path, lengths, CLASS_PIXEL_SIZE_ANG, None) for path in paths]


def case_with_mask() -> Case:
    """The micrograph of MicrographCleaner."""
    stem = data_folder() / "robustness" / "Ucsf_stack_1142_DW"
    lengths = geometry(CLASS_DIAMETER_ANG, CLASS_PIXEL_SIZE_ANG, DIAMETER_PX)
    case = case_of("mask", stem.with_suffix(".mrc"), lengths, CLASS_PIXEL_SIZE_ANG, np.zeros((0, 2)))
    mask = torch.from_numpy(read_micrograph(stem.with_name(f"{stem.name}_mask.mrc")).pixels)
    grown = F.interpolate(mask[None, None], case.alone.image.shape, mode="bilinear")[0, 0] > 0.5
    return replace(case, mask=grown)


def judged(own: Sequence[Case], masks: Sequence[Tensor]) -> dict[str, Any]:
    """Particles and picks that are covered, and how the mask of another program is."""
    out: dict[str, Any] = {}
    for case, mask in zip(own, masks, strict=True):
        if case.mask is not None:
            both, rest = (mask & case.mask).sum(), (mask & ~case.mask).sum()
            out["mask"] = {"covered": round(float(both / case.mask.sum()), 3),
                           "of_rest": round(float(rest / (~case.mask).sum()), 4),
                           "iou": round(float(both / (mask | case.mask).sum()), 3)}
        else:
            counts = out.setdefault(case.kind, {"places": 0, "covered": 0, "area": []})
            counts["places"] += len(case.xy)
            counts["covered"] += int(at(mask, case.xy).sum()) if len(case.xy) else 0
            counts["area"].append(round(float(mask.float().mean()), 4))
    return out


def lowest_threshold(own: Sequence[Case], maps: Sequence[Tensor], besides: bool, extra: float) -> float:
    """At which no more particles of the sets are covered than by the present estimate, but for a share of all."""
    of_sets = [(case, found) for case, found in zip(own, maps, strict=True) if case.kind in SETS]
    total = sum(len(case.xy) for case, _ in of_sets)
    now = sum(int(at(case.alone.present, case.xy).sum()) for case, _ in of_sets)
    values = torch.cat([at(found, case.xy)[~at(case.alone.present, case.xy)] if besides else at(found, case.xy)
                        for case, found in of_sets]).sort(descending=True).values
    allowed = int(extra * total) + (0 if besides else now)
    return float(values[allowed])


def measure(scenes: int) -> dict[str, Any]:
    """Everything."""
    network = frozen_network()
    own = [case_with_mask(), *(case for name in SETS for case in cases_of_set(name)),
           *(case for kind in CLASSES for case in cases_of_class(kind))]
    out = judged_present(own)
    for besides, (x, y) in enumerate(drawn_places(network, range(scenes))):
        start = time.process_time()
        values = [inputs(network, case.rest if besides else case.alone) for case in own]
        inputs_s = (time.process_time() - start) / len(own)
        for hidden in (0, HIDDEN):
            found = judged_learnt(own, values, (x, y), hidden, bool(besides))
            out |= {title: {"inputs_of_a_micrograph_cpu_s": round(inputs_s, 3), **one} for title, one in found.items()}
    return out


def frozen_network() -> Classifier:
    """Of the general model."""
    whole = general_network(DEFAULT_NETWORK)
    network: Classifier = getattr(whole, "base", whole)
    return network.eval()


def judged_present(own: Sequence[Case]) -> dict[str, Any]:
    """The present estimate, with a limit of its own for each micrograph and with the lowest one."""
    blobs = [contamination_mask(case.alone.grey, DIAMETER_PX, limit_from_blobs(case.alone.grey, DIAMETER_PX))
             for case in own]
    return {"present, without labels": judged(own, blobs),
            "present, lowest limit": judged(own, [case.alone.present for case in own])}


def judged_learnt(own: Sequence[Case], values: Sequence[Tensor], places: tuple[Tensor, Tensor], hidden: int,
                  besides: bool) -> dict[str, Any]:
    """A second output, at the thresholds that cover so many particles; alone or beside the present estimate."""
    x, y = places
    start = time.process_time()
    probability = fitted(x if hidden else x[:, :OWN], y, hidden)
    fit_s, start = time.process_time() - start, time.process_time()
    maps = [full_size(probability(v), case.alone.image.shape) for v, case in zip(values, own, strict=True)]
    map_s, out = (time.process_time() - start) / len(own), {}
    for extra in EXTRA:
        limit = lowest_threshold(own, maps, besides, extra)
        masks = [(found > limit) | case.alone.present if besides else found > limit
                 for case, found in zip(own, maps, strict=True)]
        title = f"{'present or ' if besides else ''}{'wide' if hidden else 'linear'}, {100 * extra:g} % more"
        out[title] = {"threshold": round(limit, 4), "contaminated_places": round(float(y.mean()), 4),
                      "fit_cpu_s": round(fit_s, 1), "map_of_a_micrograph_cpu_s": round(map_s, 3), **judged(own, masks)}
    return out


def table(found: dict[str, Any]) -> str:
    """In Markdown."""
    lines = ["# Contamination as something learnt", "",
             "Made by `python -m benchmarks.exclusion.learnt_contamination`. Mask: share of MicrographCleaner's mask"
             " that is covered / of the rest / intersection over union. Particles of the sets and picks of the classes"
             " that are covered, of so many.", "",
             f"| estimate | threshold | mask | {' | '.join((*SETS, *CLASSES))} |",
             "|---|---|---|" + "---|" * len((*SETS, *CLASSES))]
    for title, r in found.items():
        cells = [f"{r[kind]['covered']} of {r[kind]['places']}" for kind in (*SETS, *CLASSES)]
        mask = f"{r['mask']['covered']:.2f} / {r['mask']['of_rest']:.3f} / {r['mask']['iou']:.2f}"
        lines.append(f"| {title} | {r.get('threshold', '–')} | {mask} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=40)
    parser.add_argument("--output", type=Path, default=RESULTS / "learnt_contamination.json")
    args = parser.parse_args()
    torch.set_num_threads(1)
    found = measure(args.scenes)
    write_json(args.output, {"scenes": args.scenes, "machine": hardware(), "versions": {"pupicker": pupicker_code()},
                             "estimates": found})
    write_text(args.output.with_suffix(".md"), table(found))


if __name__ == "__main__":
    main()
