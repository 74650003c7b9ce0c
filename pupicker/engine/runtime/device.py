"""Where the tensors are computed."""

from __future__ import annotations

import os

import torch

from pupicker.engine.runtime.checks import check_options
from pupicker.engine.runtime.errors import UsageError
from pupicker.shared.options import DEVICE, THREADS


def resolve_device(text: str) -> torch.device:
    """``auto`` (a GPU if there is one), ``cpu``, ``cuda`` or ``cuda:N``.

    Raises
    ------
    UsageError
        If it is none of these, or a GPU that cannot be used: falling back to the processor would take hours unnoticed.
    """
    check_options({"device": text}, [DEVICE])
    if text == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(text)
    if device.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (device.index or 0) >= count:
            raise UsageError(
                f"the device {text} is not there: this torch ({torch.__version__}) finds {count} GPUs; give cpu, or"
                " check the driver and CUDA_VISIBLE_DEVICES", "device"
            )
    return device


def set_threads(threads: int) -> int:
    """Use this many threads (0: all cores that this process may use) and return the number.

    Raises
    ------
    UsageError
        There is no such number of threads.
    """
    check_options({"threads": threads}, [THREADS])
    chosen = threads or len(os.sched_getaffinity(0))
    torch.set_num_threads(chosen)
    return chosen
