"""Convolutional classifiers of square regions.

A network is a :class:`~pupicker.core.networks.base.Classifier`, known by name in :mod:`.registry`: a new one is a new
file and one line, or a package of its own.

In the order of use: ``registry``, ``base`` (dense evaluation at any stride), ``blocks`` with ``activation``,
``convolutional`` and ``residual``, ``statistics`` (batch normalisation of crops beside patches), ``dropout`` (of a
share of a minibatch), ``autoencoder``,
``cell_head`` (four scores a step), ``inference`` (the same scores for less).
"""

from __future__ import annotations

from pupicker.core.networks.base import Classifier, Pace, StridedConv
from pupicker.core.networks.registry import DEFAULT_NETWORK, NETWORKS, Unavailable, build, known, provider

__all__ = [
    "DEFAULT_NETWORK", "NETWORKS", "Classifier", "Pace", "StridedConv", "Unavailable", "build", "known", "provider",
]
