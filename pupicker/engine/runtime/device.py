"""Where the tensors are computed, by how many threads, and in which numbers."""

from __future__ import annotations

import os
from functools import cache

import torch

from pupicker.core.networks import Classifier
from pupicker.engine.runtime.checks import check_options
from pupicker.engine.runtime.errors import UsageError
from pupicker.engine.runtime.torchrun import processes_here
from pupicker.shared.options import DEVICE, PRECISION, THREADS
from pupicker.shared.plurals import counted

_precision: str = PRECISION.default


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
                f"the device {text} is not there: this torch ({torch.__version__}) finds {counted(count, 'GPU')}; give"
                " cpu, or check the driver and CUDA_VISIBLE_DEVICES", "device"
            )
    return device


def set_threads(threads: int) -> int:
    """Use this many threads, at most one a core that this process may use (0: all of them), and return the number.

    Four threads on two cores wait for each other: a training took three times as long.  Processes that train together
    share the cores of their machine.

    Raises
    ------
    UsageError
        There is no such number of threads.
    """
    check_options({"threads": threads}, [THREADS])
    cores = max(1, len(os.sched_getaffinity(0)) // processes_here())
    chosen = min(threads or cores, cores)
    torch.set_num_threads(chosen)
    return chosen


def set_precision(text: str) -> None:
    """In which numbers this process computes the features of networks, as :func:`set_threads` for all that follows.

    ``auto``: bfloat16 on a processor with instructions for it, where it takes a third of the time; float32 elsewhere.
    Nothing but features is concerned: the last layer, statistics, weights and losses stay float32.
    """
    global _precision
    check_options({"precision": text}, [PRECISION])
    _precision = text


def precision_on(device: torch.device) -> torch.dtype:
    """What features are computed in there."""
    if _precision == "auto":
        return torch.bfloat16 if device.type == "cpu" and _computes_bfloat16() else torch.float32
    return torch.bfloat16 if _precision == "bfloat16" else torch.float32


def precision_name(device: torch.device) -> str:
    """For a record: float32 or bfloat16."""
    return str(precision_on(device)).removeprefix("torch.")


def on_device(network: Classifier, device: torch.device) -> Classifier:
    """The network itself, on a device, with the precision that it has there."""
    network.precision = precision_on(device)
    return network.to(device)


@cache
def _computes_bfloat16() -> bool:
    """Whether the processor multiplies matrices of bfloat16: AVX512_BF16 or AMX, which torch has no public word for."""
    asked = (getattr(torch.cpu, f"_is_{name}_supported", None) for name in ("avx512_bf16", "amx_tile"))
    return any(ask is not None and ask() for ask in asked)
