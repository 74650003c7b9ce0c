"""Lengths that follow from the particle's diameter and that forms tell as the core computes them."""

from __future__ import annotations

MIN_DISTANCE = 0.45  # diameters between two picks: neighbours may overlap by half
BOX_SIZE = 1.5  # diameters, room for the CTF's delocalisation


def even_box_size_px(box_size_ang: float, pixel_size_ang: float) -> int:
    """Even box size in pixels of a micrograph, at least 2."""
    return max(2, 2 * round(box_size_ang / pixel_size_ang / 2))


def packed_discs(area_ang2: float, distance_ang: float) -> float:
    """Number of discs with this distance of their centres that fit an area at the densest packing."""
    return area_ang2 / (distance_ang**2 * 3**0.5 / 2)
