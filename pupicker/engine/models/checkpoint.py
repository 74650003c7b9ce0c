"""A training that was stopped, to go on with: named tensors and JSON, as in the model file."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from pupicker.engine.files.tensors import write_tensors
from pupicker.engine.runtime.errors import InputError

_HEADER_KEY, _SUM_KEY = "pupicker_checkpoint", "crc32"


def identity_of(digest: str, *options: Any) -> str:
    """Short text that differs when the data or an option of a training differs."""
    return hashlib.sha256("\n".join([digest, *map(repr, options)]).encode()).hexdigest()[:16]


def checkpoint_path(model_path: Path) -> Path:
    """Beside the model: ``model.pupicker.checkpoint``."""
    return model_path.with_name(model_path.name + ".checkpoint")


def save_checkpoint(path: Path, tensors: dict[str, Tensor], progress: dict[str, Any]) -> None:
    """Write atomically: a kill at any moment leaves the one before."""
    text = json.dumps(progress)
    write_tensors(path, tensors, {_HEADER_KEY: text, _SUM_KEY: _checksum(tensors, text)})


def _checksum(tensors: Mapping[str, Tensor], text: str) -> str:
    """CRC-32 of all that is kept: a training must not go on from a flipped bit."""
    value = zlib.crc32(text.encode())
    for name in sorted(tensors):
        value = zlib.crc32(tensors[name].contiguous().reshape(-1).view(torch.uint8).numpy().data, value)
    return f"{value:08x}"


def load_checkpoint(path: Path, identity: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and progress.

    Raises
    ------
    InputError
        If the file is damaged, or its ``"identity"`` is another one: it belongs to other data or options.
    """
    try:
        with safe_open(str(path), framework="pt") as stored:
            metadata = stored.metadata() or {}
            progress = json.loads(metadata[_HEADER_KEY])
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 (not a dictionary)
        if metadata.get(_SUM_KEY) not in (None, _checksum(tensors, metadata[_HEADER_KEY])):
            raise ValueError("it is not what was written")
    except (SafetensorError, OSError, ValueError, KeyError, RecursionError) as error:
        raise InputError(f"{path}: not a checkpoint, or damaged ({error}); delete it and train anew") from error
    if not isinstance(progress, dict):
        raise InputError(f"{path}: not a checkpoint, or damaged; delete it and train anew")
    if progress.get("identity") != identity:
        raise InputError(
            f"{path}: belongs to a training with other data or options, or by another version; repeat those, or train"
            " anew without resuming", "resume",
        )
    return tensors, progress
