"""The HTML report of a picking: scores, picks of each micrograph, examples with many and with few picks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pupicker.core.image.background import flatten
from pupicker.core.image.downsampling import fourier_resize
from pupicker.engine.files.coordinates import CoordinateTable
from pupicker.engine.files.micrographs import read_image
from pupicker.engine.models.model_card import card
from pupicker.engine.models.model_file import Model
from pupicker.engine.preparation.recipe import Recipe, network_image, prepare
from pupicker.engine.reports.figures import (
    PICK,
    Circles,
    marked_micrograph,
    picks_per_micrograph,
    readable_part,
    score_histogram,
)
from pupicker.engine.reports.html import HtmlReport
from pupicker.engine.reports.provenance import Provenance
from pupicker.engine.reports.sections import for_the_eye, how_it_was_made, plain_rows, what_was_not_used
from pupicker.engine.runtime.errors import InputError
from pupicker.shared.plurals import counted

DRAWN = ("curve", "expected_curve")
"""What of a model's card is a figure in the report of its training."""

ALARMING_SHARE = 0.1
"""More micrographs without a pick than this share of all call for a look."""

EXAMPLES_EACH = 2
PLAIN_SIDE_PX, PLAIN_RADIUS_PX = 800, 10


@dataclass(frozen=True)
class Picking:
    """What a picking run left.

    Attributes
    ----------
    paths
        Micrographs, in the order given, also quarantined ones.
    table
        Picks; micrographs are named as ``str(path)``.
    run
        Report of the run (:meth:`pupicker.engine.runtime.run_report.Report.to_dict`): ``quarantined``, ``threshold``,
        ...
    model
        The one they were picked with, or None if it is not known.
    recipe
        How the micrographs were prepared, where the model is known; None: as the report of the run says, and as the
        model was trained where that says nothing.
    """

    paths: Sequence[Path]
    table: CoordinateTable
    run: Mapping[str, Any] = field(default_factory=dict)
    model: Model | None = None
    recipe: Recipe | None = None

    def counts(self) -> dict[Path, int]:
        """Picks of each micrograph that was not quarantined."""
        number = Counter(self.table.micrograph.tolist())
        quarantined = {str(entry["micrograph"]) for entry in self.run.get("quarantined", ())}
        return {path: number[str(path)] for path in self.paths if str(path) not in quarantined}

    def used_recipe(self) -> Recipe | None:
        """How the micrographs were prepared; None: no model is known, and they are shown as they are."""
        if self.model is None:
            return None
        recipe = self.recipe or Recipe.of_model(self.model)
        return recipe.as_recorded(self.run.get("preparation") or {}, self.paths)

    def probability(self) -> np.ndarray | None:
        """Of each pick: as the table has it, else by the model from the score."""
        table = self.table
        if table.probability is not None or self.model is None or table.score is None:
            return table.probability
        calibration = self.model.calibration
        logit = torch.tensor([calibration.logit(float(s)) for s in table.score], dtype=torch.float64)
        return calibration.probability(logit).numpy()


def picking_report(picking: Picking, origin: Provenance) -> HtmlReport:
    """The document; the example micrographs are read for it."""
    counts, probability = picking.counts(), picking.probability()
    page = HtmlReport("Picked particles", " on ".join((
        counted(sum(counts.values()), "pick"), counted(len(counts), "micrograph"))))
    _results(page, picking, counts, probability)
    if len(picking.table) and picking.table.score is not None:
        page.section("Scores")
        given = picking.run.get("threshold")
        suggested = picking.model.suggested_threshold if picking.model else None
        page.figure(
            score_histogram(picking.table.score, probability, suggested if given is None else float(given)),
            ("Histogram of the scores" if probability is None else "Histogram of the scores (log-likelihood ratios)")
            + ("." if probability is None else " and expected precision of the picks with at least this score."),
        )
    if counts:
        page.section("Picks per micrograph")
        page.figure(picks_per_micrograph(list(counts.values())), "Number of picks of each micrograph.")
        _examples(page, picking, counts, origin)
        _micrographs(page, picking, counts, probability, origin)
    what_was_not_used(page, picking.run, origin)
    if picking.model is not None:
        page.section("Model")
        page.table(("", ""), plain_rows({k: v for k, v in card(picking.model).items() if k not in DRAWN}))
    how_it_was_made(page, origin)
    return page


def _results(page: HtmlReport, picking: Picking, counts: dict[Path, int], probability: np.ndarray | None) -> None:
    without = sum(1 for n in counts.values() if not n)
    rows: list[tuple[str, str]] = [("picks", str(sum(counts.values()))), ("micrographs", str(len(counts)))]
    if counts:
        values = list(counts.values())
        rows.append(("picks a micrograph", f"{np.mean(values):.1f} (median {np.median(values):g},"
                                           f" {min(values)} to {max(values)})"))
    rows.append(("micrographs without a pick", str(without)))
    if probability is not None and len(probability):
        rows.append(("expected precision", f"{probability.mean():.2f}: {probability.sum():.0f} of the picks should be"
                                           " particles"))
    for key, name, unit in (("threshold", "threshold", ""), ("min_distance_ang", "minimum distance", " Å"),
                            ("box_size_ang", "box size", " Å")):
        if picking.run.get(key) is not None:
            rows.append((name, f"{picking.run[key]:.4g}{unit}"))
    page.table(("", ""), rows)
    if counts and without > ALARMING_SHARE * len(counts):
        of_all = f"of {counted(len(counts), 'micrograph')}"
        page.alarm(
            f"{counted(without, f'{of_all} has', f'{of_all} have')} no pick. Look at them: if there are particles,"
            " lower the threshold, and check that contrast, normalisation and pixel size are those of the training"
            " micrographs."
        )


def _examples(page: HtmlReport, picking: Picking, counts: dict[Path, int], origin: Provenance) -> None:
    """Micrographs with the most, a median and the fewest picks."""
    page.section("Examples")
    recipe = picking.used_recipe()
    ranked = sorted(counts, key=lambda path: -counts[path])
    middle = max(0, len(ranked) // 2 - EXAMPLES_EACH // 2)
    chosen: dict[Path, str] = {}
    for name, some in (("most picks", ranked[:EXAMPLES_EACH]), ("fewest picks", ranked[-EXAMPLES_EACH:]),
                       ("median", ranked[middle : middle + EXAMPLES_EACH])):
        for path in some:
            chosen.setdefault(path, name)
    for path in (path for path in ranked if path in chosen):
        try:
            image, circles = _marked(picking, recipe, path)
        except InputError as error:
            page.paragraph(f"{origin.shown(path)} cannot be shown ({str(error).replace(f'{path}: ', '')}).")
        else:
            part, shown = readable_part(image, [circles])
            caption = f"{origin.shown(path)}, {chosen[path]}, smoothed{'' if part is image else '; a part of it'}"
            page.figure(marked_micrograph(part, shown), caption, half=True)


def _marked(picking: Picking, recipe: Recipe | None, path: Path) -> tuple[np.ndarray, Circles]:
    """The picture of a micrograph and its picks; as the network sees it, where the model is known."""
    own = picking.table.of(str(path))
    if picking.model is None or recipe is None:
        pixels = torch.from_numpy(read_image(path).pixels)
        scale = min(1.0, PLAIN_SIDE_PX / max(pixels.shape))
        image = fourier_resize(pixels, (round(pixels.shape[0] * scale), round(pixels.shape[1] * scale)))
        radius = float(PLAIN_RADIUS_PX)
        image, xy = flatten(image, 4 * radius), np.stack([own.x, own.y], axis=1) * scale
    else:
        geometry = picking.model.geometry
        micrograph = prepare(path, recipe)
        image = network_image(micrograph, recipe)
        radius = geometry.diameter_ang / geometry.working_pixel_size_ang / 2
        xy = micrograph.to_working(own.x, own.y)
    return for_the_eye(image, radius), Circles(xy, radius, PICK, "picks")


def _micrographs(
    page: HtmlReport, picking: Picking, counts: dict[Path, int], probability: np.ndarray | None, origin: Provenance
) -> None:
    """Table of micrographs, fewest picks first, because those call for a look."""
    page.section("Micrographs")
    expected: Counter[str] = Counter()
    if probability is not None:
        for name, p in zip(picking.table.micrograph, probability, strict=True):
            expected[name] += p
    header = ("micrograph", "picks") + (() if probability is None else ("expected particles among them",))
    rows: list[tuple[Any, ...]] = []
    for path in sorted(counts, key=lambda path: counts[path]):
        row: tuple[Any, ...] = (origin.shown(path), counts[path])
        rows.append(row if probability is None else (*row, round(float(expected[str(path)]), 1)))
    page.paragraph("Fewest picks first.")
    page.table(header, rows)
