"""A training that was stopped, to go on with: named tensors and JSON, as in the model file."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from pupicker.engine.runtime.errors import InputError
from pupicker.shared.atomic import atomic_path

_HEADER_KEY = "pupicker_checkpoint"


def identity_of(digest: str, *options: Any) -> str:
    """Short text that differs when the data or an option of a training differs."""
    return hashlib.sha256("\n".join([digest, *map(repr, options)]).encode()).hexdigest()[:16]


def checkpoint_path(model_path: Path) -> Path:
    """Beside the model: ``model.pupicker.checkpoint``."""
    return model_path.with_name(model_path.name + ".checkpoint")


def save_checkpoint(path: Path, tensors: dict[str, Tensor], progress: dict[str, Any]) -> None:
    """Write atomically: a kill at any moment leaves the one before."""
    try:
        with atomic_path(path) as temporary:
            save_file(tensors, str(temporary), metadata={_HEADER_KEY: json.dumps(progress)})
    except SafetensorError as error:  # a full disk, for one
        raise InputError(f"{path}: cannot be written ({error})", "output") from error


def load_checkpoint(path: Path, identity: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and progress.

    Raises
    ------
    InputError
        If the file is damaged, or its ``"identity"`` is another one: it belongs to other data or options.
    """
    try:
        with safe_open(str(path), framework="pt") as stored:
            progress = json.loads((stored.metadata() or {})[_HEADER_KEY])
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 (not a dictionary)
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise InputError(f"{path}: not a checkpoint, or damaged ({error}); delete it and train anew") from error
    if not isinstance(progress, dict):
        raise InputError(f"{path}: not a checkpoint, or damaged; delete it and train anew")
    if progress.get("identity") != identity:
        raise InputError(
            f"{path}: belongs to a training with other data or options, or by another version; repeat those, or train"
            " anew without resuming", "resume",
        )
    return tensors, progress
