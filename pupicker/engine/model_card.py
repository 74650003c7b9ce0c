"""What a model is, as a flat JSON-able dictionary: for ``pupicker info``, reports and the plugin."""

from __future__ import annotations

from typing import Any

from pupicker.engine.model_file import SCHEMA_VERSION, Model


def card(model: Model) -> dict[str, Any]:
    """The model's card; lengths in Å."""
    lengths, details = model.geometry, model.details
    return {
        "kind": "model",
        "schema_version": SCHEMA_VERSION,
        "network": model.network_name,
        "objective": details.get("objective"),
        "start": details.get("start"),
        "diameter_ang": lengths.diameter_ang,
        "working_pixel_size_ang": lengths.working_pixel_size_ang,
        "training_radius_px": lengths.training_radius_px,
        "min_distance_ang": lengths.min_distance_ang,
        "box_size_ang": lengths.box_size_ang,
        "normalization": model.mixture.form,
        "class_prior": model.class_prior,
        "class_prior_source": details.get("class_prior_source"),
        "particles_per_micrograph": details.get("particles_per_micrograph"),
        "exclusion": model.exclusion,
        "labels": details.get("labels"),
        "proposals": details.get("proposals"),
        "negatives": details.get("negatives"),
        "micrographs": details.get("micrographs"),
        "suggested_threshold": model.suggested_threshold,
        "validation": details.get("validation"),
        "training_pixel_size_ang": details.get("training_pixel_size_ang"),
        "training_seconds": details.get("training_seconds"),
        "training_data_sha256": details.get("training_data_sha256"),
        "seed": details.get("seed"),
        "software": details.get("software"),
        "curve": details.get("curve"),
        "expected_curve": details.get("expected_curve"),
    }
