"""Convolutional classifiers of square regions.

A network is a :class:`~pupicker.core.networks.base.Classifier` registered here by name: a new one is a new file and
one line.
"""

from __future__ import annotations

from pupicker.core.networks.base import Classifier
from pupicker.core.networks.conv31 import Conv31

DEFAULT_NETWORK = "conv31"
NETWORKS: dict[str, type[Classifier]] = {"conv31": Conv31}


def build(name: str, **settings: object) -> Classifier:
    """A network by name with its settings.

    Raises
    ------
    ValueError
        If there is no such network, or it does not have one of the settings.
    """
    if name not in NETWORKS:
        raise ValueError(f"there is no network {name!r}; known: {', '.join(NETWORKS)}")
    return NETWORKS[name].from_settings(settings)


__all__ = ["DEFAULT_NETWORK", "NETWORKS", "Classifier", "build"]
