"""Micrographs to coordinates.

``pick`` (for Python programs), ``picker`` (with a model), ``general_picker`` and ``filter_picker`` (without labels).
"""
