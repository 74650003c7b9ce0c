"""What a file is that was given as a model and is none."""

from __future__ import annotations

from pathlib import Path

from pupicker.engine.files.coordinates.formats import is_table
from pupicker.engine.files.sample import Sample
from pupicker.shared.choices import MODEL_SUFFIX
from pupicker.shared.names import named_as_micrograph


def what_it_is(path: Path) -> str:
    """In words; empty if that is not known, or if the file is called like a model, which may be damaged."""
    if path.suffix.lower() == MODEL_SUFFIX:
        return ""
    if named_as_micrograph(path):
        return "a micrograph"
    sample = Sample.of(path)
    if sample.head.strip() and is_table(path):
        return "a table of coordinates (pupicker convert reads it)"
    return sample.kind
