"""The HTML report of a training: curves, what to expect of a threshold, labels beside picks, the model's card."""

from __future__ import annotations

from typing import Any

import torch

from pupicker.core.detection.candidates import leave_cut_borders, pick_image
from pupicker.core.geometry import describe
from pupicker.core.scores.likelihood import expected_curve
from pupicker.engine.models.model_card import card, expected_row, interval_row, precision_row
from pupicker.engine.models.model_file import Model
from pupicker.engine.reports.figures import (
    LABEL,
    PICK,
    Circles,
    expected_precision_recall,
    marked_micrograph,
    particles_curve,
    readable_part,
    training_curve,
)
from pupicker.engine.reports.html import HtmlReport
from pupicker.engine.reports.picking import DRAWN
from pupicker.engine.reports.provenance import Provenance
from pupicker.engine.reports.sections import for_the_eye, how_it_was_made, plain_rows, what_was_not_used
from pupicker.engine.runtime.device import on_device
from pupicker.engine.runtime.run_report import Report
from pupicker.engine.training.dataset import LabelledMicrograph, TrainingSet
from pupicker.engine.training.validation import representative
from pupicker.shared.plurals import counted

SHOWN_MICROGRAPHS = 3


def training_report(
    model: Model, data: TrainingSet, report: Report, device: torch.device, origin: Provenance
) -> HtmlReport:
    """The document; the micrographs that it shows and some others are picked once more for it."""
    content = card(model)
    page = HtmlReport(
        "Training of a picking model",
        f"{counted(content['labels'], 'label')} in a training on {counted(content['micrographs'], 'micrograph')},"
        f" particle diameter {model.geometry.diameter_ang:g} Å",
    )
    _results(page, model, content)
    page.section("Course of the training")
    _course(page, content)
    some, shown = representative(data.micrographs), _most_labelled(data.micrographs)
    found = {i: _picks(model, data.micrographs[i], device) for i in sorted({*some, *shown})}
    _expected(page, model, [found[i][1] for i in some])
    _examples(page, model, [(data.micrographs[i], *found[i]) for i in shown], origin)
    what_was_not_used(page, report.to_dict(), origin)
    page.section("Model")
    page.table(("", ""), plain_rows({name: value for name, value in content.items() if name not in DRAWN}))
    page.paragraph("Lengths, and what they follow from:")
    page.table(("", "", ""), describe(model.geometry, content["training_pixel_size_ang"],
                                      model.network.receptive_field_px))
    how_it_was_made(page, origin)
    return page


def _results(page: HtmlReport, model: Model, content: dict[str, Any]) -> None:
    page.table(("", "", ""), [
        precision_row(content, model.record.held_out_labels),
        ("suggested threshold", f"{model.suggested_threshold:.2f}", "log-likelihood ratio with the best expected F1"),
        *expected_row(content),
        ("particles a micrograph", f"{content['particles_per_micrograph']:.0f}", content["class_prior_source"]),
        *interval_row(content),
        ("training time", f"{content['training_seconds']:.0f} s", ""),
    ])


def _course(page: HtmlReport, content: dict[str, Any]) -> None:
    """The curves, as far as they say something: by default nothing is held out, and the number is known beforehand."""
    curve: list[dict[str, Any]] = content["curve"]
    if any(epoch["validation"] is not None for epoch in curve):
        caption = ("Left: loss; its level says little, it only has to become steady. Right: average precision estimated"
                   " from held-out labels after each epoch. The epoch kept is the last within one standard error of the"
                   " best.")
    else:
        caption = ("Loss; its level says little, it only has to become steady. No labels were held out: the last epoch"
                   " is kept.")
    page.figure(training_curve(curve, content["validation"]["best_updates"]), caption)
    selection = [epoch["particles_per_micrograph"] for epoch in curve if epoch["stage"] == "selection"]
    if len(set(selection)) > 1:
        page.figure(particles_curve(curve, content["particles_per_micrograph"]),
                    f"Particles on an average micrograph: {content['class_prior_source']}.")


def _picks(model: Model, micrograph: LabelledMicrograph, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """All candidates of a training micrograph: ``(n, 2)`` x, y in working pixels, ``(n,)`` logits, best first."""
    geometry = model.geometry
    network = on_device(model.picking_network, device)
    distance_px = geometry.min_distance_ang / geometry.working_pixel_size_ang
    xy, logit = pick_image(network, micrograph.image.to(device), distance_px, orientations=model.orientations,
                           excluded=micrograph.excluded)
    return leave_cut_borders(xy, logit, micrograph.image, micrograph.cut, geometry)


def _expected(page: HtmlReport, model: Model, logits: list[torch.Tensor]) -> None:
    logit = torch.cat(logits).sort(descending=True).values
    if not len(logit):
        return
    page.section("What a threshold does")
    expected = (model.record.particles_per_micrograph or 0.0) * len(logits)
    precision, recall, f1 = expected_curve(model.calibration.probability(logit), expected)
    score = model.calibration.log_likelihood_ratio(logit)
    page.figure(
        expected_precision_recall(
            score.numpy(), precision.numpy(), recall.numpy(), f1.numpy(), model.suggested_threshold
        ),
        f"Expected precision and recall on {counted(len(logits), 'training micrograph')}, if only picks with at least"
        " this score are taken. They follow from the calibrated probabilities and the expected number of particles; no"
        " truth is known.",
    )


def _most_labelled(micrographs: list[LabelledMicrograph]) -> list[int]:
    """Indices of the micrographs with the most labels."""
    most = sorted(range(len(micrographs)), key=lambda i: -len(micrographs[i].labels))[:SHOWN_MICROGRAPHS]
    return [i for i in most if len(micrographs[i].labels)]


def _examples(
    page: HtmlReport, model: Model, shown: list[tuple[LabelledMicrograph, torch.Tensor, torch.Tensor]],
    origin: Provenance,
) -> None:
    """Are the picks what was labelled, and what else is picked?"""
    page.section("Labels and picks")
    radius = model.geometry.diameter_ang / model.geometry.working_pixel_size_ang / 2
    for micrograph, xy, logit in shown:
        good = xy[model.calibration.log_likelihood_ratio(logit) >= model.suggested_threshold]
        groups = [
            Circles(good.numpy(), radius, PICK, "picks at the suggested threshold"),
            Circles(micrograph.labels.numpy(), 0.7 * radius, LABEL, "labels"),
        ]
        image = for_the_eye(micrograph.image, radius)
        part, inside = readable_part(image, groups)
        caption = f"{origin.shown(micrograph.path)}, as the network sees it, smoothed"
        page.figure(marked_micrograph(part, inside), caption + ("" if part is image else "; a part of it"), half=True)
