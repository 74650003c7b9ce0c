"""Pickers without learning, which the paper compares with: difference of Gaussians and template matching."""

from pupicker.core.baselines.dog import difference_of_gaussians
from pupicker.core.baselines.template import match_templates, rotated, soft_disc

__all__ = ["difference_of_gaussians", "match_templates", "rotated", "soft_disc"]
