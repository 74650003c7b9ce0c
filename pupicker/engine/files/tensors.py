"""Named tensors and texts as a safetensors file: models, checkpoints, examples; numbers only, nothing is executed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from pupicker.engine.runtime.errors import InputError
from pupicker.shared.atomic import Target, atomic_path


def write_tensors(path: Target, tensors: Mapping[str, Tensor], texts: Mapping[str, str]) -> None:
    """Write the file at once, never half.

    Raises
    ------
    InputError, OSError
        There is no room for it, for one; it names the file.
    """
    try:
        with atomic_path(path) as temporary:
            save_file(dict(tensors), str(temporary), metadata=dict(texts))
    except SafetensorError as error:  # its word for a full disk
        raise InputError(f"{Path(path)}: cannot be written ({error})", "output") from error
