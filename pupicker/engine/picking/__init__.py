"""Micrographs to coordinates.

``pick`` (for Python programs), ``output`` (tables, while micrographs finish), ``picker`` (with a model),
``general_picker`` and ``filter_picker`` (without labels).
"""
