"""What a model is, as a flat JSON-able dictionary: for ``pupicker info``, reports and the plugin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pupicker.engine.models.model_file import SCHEMA_VERSION, Model


def card(model: Model) -> dict[str, Any]:
    """The model's card; lengths in Å."""
    lengths, details = model.geometry, model.details
    return {
        "kind": "model",
        "schema_version": SCHEMA_VERSION,
        "network": model.network_name,
        "network_settings": model.network.settings,
        "objective": details.get("objective"),
        "start": details.get("start"),
        "autoencoder": details.get("autoencoder"),
        "ring_negatives": details.get("ring_negatives"),
        "diameter_ang": lengths.diameter_ang,
        "working_pixel_size_ang": lengths.working_pixel_size_ang,
        "training_radius_px": lengths.training_radius_px,
        "min_distance_ang": lengths.min_distance_ang,
        "box_size_ang": lengths.box_size_ang,
        "views": model.views,
        "normalization": model.mixture.form,
        "class_prior": model.class_prior,
        "class_prior_source": details.get("class_prior_source"),
        "particles_per_micrograph": details.get("particles_per_micrograph"),
        "particles_interval": details.get("particles_interval"),
        "crowding": details.get("crowding"),
        "exclusion": model.exclusion,
        "labels": details.get("labels"),
        "proposals": details.get("proposals"),
        "negatives": details.get("negatives"),
        "micrographs": details.get("micrographs"),
        "suggested_threshold": model.suggested_threshold,
        **_expected(model),
        "validation": details.get("validation"),
        "training_pixel_size_ang": details.get("training_pixel_size_ang"),
        "training_seconds": details.get("training_seconds"),
        "training_data_sha256": details.get("training_data_sha256"),
        "seed": details.get("seed"),
        "software": details.get("software"),
        "curve": details.get("curve"),
        "expected_curve": details.get("expected_curve"),
    }


def _expected(model: Model) -> dict[str, float | None]:
    """Precision and recall expected at the suggested threshold; of older models from the nearest row of their curve."""
    precision, recall = model.details.get("expected_precision"), model.details.get("expected_recall")
    curve = model.details.get("expected_curve")
    if precision is None and curve:
        _, precision, recall = min(curve, key=lambda row: abs(row[0] - model.suggested_threshold))
    return {"expected_precision": precision, "expected_recall": recall}


def interval_row(content: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """The row of a table that says how sure the number of particles is; none if that is not known."""
    interval = content.get("particles_interval")
    if interval is None:
        return []
    return [("interval of it", f"{interval['low']:.0f} to {interval['high']:.0f}",
             f"holds the number with {interval['level']:.0%}, as far as the held-out labels tell")]


def expected_row(content: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """The rows of a table that say what to expect of the suggested threshold."""
    if content.get("expected_precision") is None:
        return []
    return [("expected precision", f"{content['expected_precision']:.2f}", "of the picks at the suggested threshold"),
            ("expected recall", f"{content['expected_recall']:.2f}", "of the particles there")]
