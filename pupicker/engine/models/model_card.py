"""What a model is, as a flat JSON-able dictionary: for ``pupicker info``, reports and the plugin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pupicker.engine.models.model_file import Model
from pupicker.shared.plurals import counted

DOUBTFUL_PRECISION = 0.5
"""Of trainings that went well the lowest expected precision was 0.74 (``benchmarks.trust``)."""


def card(model: Model) -> dict[str, Any]:
    """The model's card; lengths in Å."""
    geometry, record, stored = model.geometry, model.record, model.record.to_dict()
    return {
        "kind": "model",
        "schema_version": model.schema_version,
        "network": model.network_name,
        "network_settings": model.network.settings,
        "objective": record.objective,
        "start": record.start,
        "autoencoder": record.autoencoder,
        "ring_negatives": record.ring_negatives,
        "precision": record.precision,
        "diameter_ang": geometry.diameter_ang,
        "working_pixel_size_ang": geometry.working_pixel_size_ang,
        "training_radius_px": geometry.training_radius_px,
        "min_distance_ang": geometry.min_distance_ang,
        "box_size_ang": geometry.box_size_ang,
        "views": model.orientations,
        "normalization": model.mixture.form,
        "class_prior": model.class_prior,
        "class_prior_source": record.class_prior_source,
        "particles_per_micrograph": record.particles_per_micrograph,
        "particles_interval": stored.get("particles_interval"),
        "crowding": record.crowding,
        "exclusion": model.exclusion,
        "labels": record.labels,
        "proposals": record.pseudo_labels,
        "negatives": record.negatives,
        "micrographs": record.micrographs,
        "suggested_threshold": model.suggested_threshold,
        **_expected(model),
        "doubt": doubt(model),
        "validation": stored.get("validation"),
        "training_pixel_size_ang": record.training_pixel_size_ang,
        "training_seconds": record.training_seconds,
        "training_data_sha256": record.training_data_sha256,
        "seed": record.seed,
        "software": record.software,
        "method_version": record.method_version,
        "curve": stored.get("curve"),
        "expected_curve": record.expected_curve,
    }


TITLES = {"proposals": "pseudo-labels", "views": "orientations"}


def title_of(key: str) -> str:
    """What a table for people calls an entry of the card, whose keys are those of the first version."""
    return TITLES.get(key, key.replace("_", " "))


def doubt(model: Model) -> str | None:
    """A line if the model expects more wrong picks than right ones at its suggested threshold."""
    precision = _expected(model)["expected_precision"]
    if precision is None or precision >= DOUBTFUL_PRECISION:
        return None
    return (
        f"of the picks at the suggested threshold the model expects only {precision:.0%} to be particles: it hardly"
        " tells them from the background; look whether the labels are on particles, check the diameter and the pixel"
        " size, and label more"
    )


def _expected(model: Model) -> dict[str, float | None]:
    """Precision and recall expected at the suggested threshold; of older models from the nearest row of their curve."""
    precision, recall, curve = (
        model.record.expected_precision, model.record.expected_recall, model.record.expected_curve)
    if precision is None and curve:
        _, precision, recall = min(curve, key=lambda row: abs(row[0] - model.suggested_threshold))
    return {"expected_precision": precision, "expected_recall": recall,
            "expected_average_precision": model.record.expected_average_precision}


def precision_row(content: Mapping[str, Any], held_out: int | None) -> tuple[str, str, str]:
    """The row of a table that says how good the picks are, on held-out labels or as the scores say it."""
    known = (content.get("validation") or {}).get("average_precision")
    if known is not None:
        return "validation AP", f"{known:.3f}", f"average precision estimated on {counted(held_out, 'held-out label')}"
    expected = content.get("expected_average_precision")
    if expected is None:
        return "average precision", "-", "not known"
    return "expected AP", f"{expected:.2f}", "average precision that follows from scores and number of particles"


def interval_row(content: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """The row of a table that says how sure the number of particles is; none if that is not known."""
    interval = content.get("particles_interval")
    if interval is None:
        return []
    return [("interval of it", f"{interval['low']:.0f} to {interval['high']:.0f}",
             f"holds the number with {interval['level']:.0%}, as far as the labels tell")]


def expected_row(content: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """The rows of a table that say what to expect of the suggested threshold."""
    if content.get("expected_precision") is None:
        return []
    return [("expected precision", f"{content['expected_precision']:.2f}", "of the picks at the suggested threshold"),
            ("expected recall", f"{content['expected_recall']:.2f}", "of the particles there")]
