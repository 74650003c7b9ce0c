"""Networks by name: pupicker's own, and those of installed packages.

A package offers a network without a change to pupicker: it names a :class:`~pupicker.core.networks.base.Classifier`
in the entry-point group ``pupicker.networks`` of its metadata::

    [project.entry-points."pupicker.networks"]
    mynet = "mypackage.networks:MyNet"

It is imported when it is asked for, not before.  A name that is taken twice is an error, never a silent choice.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

from pupicker.core.networks.base import Classifier
from pupicker.core.networks.convolutional import Conv31, Conv47, Conv63, Conv127
from pupicker.core.networks.residual import ResNet31
from pupicker.shared.options import NETWORK

GROUP = "pupicker.networks"
DEFAULT_NETWORK: str = NETWORK.default
NETWORKS: dict[str, type[Classifier]] = {
    "conv47": Conv47, "conv31": Conv31, "conv63": Conv63, "conv127": Conv127, "resnet31": ResNet31,
}


class Unavailable(ValueError):
    """There is no such network here, or it cannot be used."""


def known() -> list[str]:
    """Names that can be asked for."""
    return [*NETWORKS, *sorted({entry.name for entry in entry_points(group=GROUP)} - set(NETWORKS))]


def provider(name: str) -> str | None:
    """``PACKAGE VERSION`` that an installed network comes from, None for pupicker's own."""
    return next((_package(entry) for entry in entry_points(group=GROUP) if entry.name == name), None)


def build(name: str, **settings: object) -> Classifier:
    """A network by name with its settings.

    Raises
    ------
    Unavailable
        There is no such network, it cannot be loaded, or the name is taken twice.
    ValueError
        It does not have one of the settings, or cannot have that value.
    """
    return _find(name).from_settings(settings)


def _find(name: str) -> type[Classifier]:
    offered = [entry for entry in entry_points(group=GROUP) if entry.name == name]
    packages = [*(["pupicker"] if name in NETWORKS else []), *sorted({_package(entry) for entry in offered})]
    if not packages:
        raise Unavailable(f"there is no network {name!r}; known: {', '.join(known())}")
    if len(packages) > 1:
        raise Unavailable(f"the network {name!r} is offered by {' and '.join(packages)}: remove one of them")
    if name in NETWORKS:
        return NETWORKS[name]
    try:
        found = offered[0].load()
    except Exception as error:  # whatever the module of somebody else does when it is imported
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise Unavailable(f"the network {name!r} of {packages[0]} cannot be loaded ({reason})") from error
    if not (isinstance(found, type) and issubclass(found, Classifier)):
        raise Unavailable(f"the network {name!r} of {packages[0]} is no pupicker.core.networks.Classifier")
    return found


def _package(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist is not None else entry.value
