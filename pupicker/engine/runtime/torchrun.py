"""What the environment says of torchrun; without torch, because every command asks."""

from __future__ import annotations

import os

VARIABLES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""What torchrun tells its processes."""


def started_by_torchrun() -> bool:
    """Whether this is one of several processes."""
    return all(name in os.environ for name in VARIABLES) and int(os.environ["WORLD_SIZE"]) > 1


def processes_here() -> int:
    """How many of them share this machine."""
    return int(os.environ["LOCAL_WORLD_SIZE"]) if started_by_torchrun() else 1


def number_here() -> int:
    """Of this one among them, from 0."""
    return int(os.environ["LOCAL_RANK"]) if started_by_torchrun() else 0
