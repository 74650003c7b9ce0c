"""Micrographs to coordinates: ``picker`` (with a model), ``general_picker`` and ``filter_picker`` (without labels)."""
