r"""One training by several processes, which torchrun starts: the first leads, the others help it with its minibatches.

**Who does what.**  The leading process (rank 0) is the whole program: it reads, decides, steps, validates, calibrates
and writes, as it would alone.  The helping ones read no file and take no decision.  For every update they get the
weights, draw the very minibatch of the leading process from the same random numbers, and take their share of its rows.

**The formula.**  The loss :math:`J(z, e)` is that of the whole minibatch.  It is no mean over regions: the objectives
look at all logits :math:`z` together, only the error of the autoencoder :math:`e=\sum_r e_r` is a sum over processes.
Each process r computes its own :math:`z_r, e_r` from the weights :math:`\theta`; all logits are put together
(:meth:`Processes.whole`), every process computes the same J from them, and differentiates it with respect to its own
part.  The chain rule is a sum over processes,

.. math:: \frac{\mathrm dJ}{\mathrm d\theta}
          = \sum_r \left(\frac{\partial J}{\partial z_r}\frac{\partial z_r}{\partial\theta}
          + \frac{\partial J}{\partial e_r}\frac{\partial e_r}{\partial\theta}\right),

which the leading process gets (:meth:`Processes.sum_gradients`).  The backward pass of what is put together is
therefore a cut, and no sum: J is one number, not one a process.  That the statistics of batch normalisation are those
of the whole minibatch, forward and backward, is the matter of :mod:`pupicker.core.networks.statistics`.

Limits: a single process does what it did without all this, bit for bit.  With several, sums are added in another order.

**The end.**  Whoever fails says why, in one line; the others, whose connection breaks, then say nothing.  If nobody has
said anything (a process was killed), the first one to notice does.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor, distributed

from pupicker.engine.runtime.errors import PuPickerError, UsageError
from pupicker.engine.runtime.interruption import ends_anyway
from pupicker.engine.runtime.torchrun import number_here, processes_here
from pupicker.shared.choices import EXIT_DONE, EXIT_QUARANTINED

PATIENCE = timedelta(days=1)
"""Helping processes wait so long for the next update: reading and validating take their time.  An end they see at
once."""

END = "end"
_TOLD, _CPU = "pupicker_told", torch.device("cpu")


class Lost(PuPickerError):
    """Another process of the training is no longer there."""


class Processes:
    """Those of a training; by itself: a single one.

    Attributes
    ----------
    rank
        Number of this process; 0 leads.
    count
        How many there are.
    """

    def __init__(self, rank: int = 0, count: int = 1, store: distributed.Store | None = None) -> None:
        self.rank, self.count, self._store = rank, count, store

    def __bool__(self) -> bool:
        """Whether there are several."""
        return self.count > 1

    # ------------------------------------------------------------------ shares of a minibatch
    def rows(self, number: int) -> slice:
        """Those of `number` rows that this process computes; shares differ by one at most."""
        return slice(number * self.rank // self.count, number * (self.rank + 1) // self.count)

    def whole(self, own: Tensor, number: int) -> Tensor:
        """All `number` rows of which this process has its own, in order; the gradient is that of its own."""
        return own if not self else _Whole.apply(own, self.rows(number), number, self.total)

    def averaged(self, mean: Tensor, own: int, number: int) -> Tensor:
        """Mean over `number` regions of which this process has `own`; scalar, as what it has of them."""
        return mean if not self else _Whole.apply((mean * (own / number))[None], self.rows(self.count), self.count,
                                              self.total).sum()

    def total(self, sums: Tensor) -> Tensor:
        """Sum over all processes, in place and without a gradient."""
        with _all_there():
            distributed.all_reduce(sums)
        return sums

    def sum_gradients(self, parameters: Sequence[Tensor]) -> None:
        """Give the leading process the sum of everybody's gradients; those of the others are worth nothing then."""
        if not self:
            return
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        with _all_there():
            distributed.reduce(flat, 0)
        _unflatten(flat, gradients)

    # ------------------------------------------------------------------ from the leading process to the others
    def tell(self, word: str, **content: Any) -> None:
        """Say a word to the helping processes; nothing if there are none."""
        if self:
            with _all_there():
                distributed.broadcast_object_list([(word, content)], 0, device=_CPU)

    def hear(self) -> tuple[str, dict[str, Any]]:
        """The next word of the leading process."""
        heard: list[Any] = [None]
        with _all_there():
            distributed.broadcast_object_list(heard, 0, device=_CPU)
        word, content = heard[0]
        return str(word), dict(content)

    def spread(self, tensors: Sequence[Tensor]) -> None:
        """Give tensors, of the same shapes everywhere, the values that they have in the leading process."""
        if not self:
            return
        flat = torch.cat([tensor.detach().reshape(-1) for tensor in tensors]) if len(tensors) > 1 else tensors[0]
        with _all_there():
            distributed.broadcast(flat, 0)
        if self.rank and len(tensors) > 1:
            _unflatten(flat, tensors)

    # ------------------------------------------------------------------ where, and how it ends
    def device(self, kind: str) -> torch.device:
        """That of this process, ``cpu`` or ``cuda``: each has a GPU of its own.

        Raises
        ------
        UsageError
            There are too few.
        """
        if not self or kind == "cpu":
            return torch.device(kind)
        number, here = number_here(), processes_here()
        found = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if found < here:
            raise UsageError(f"{here} processes on {os.uname().nodename} need as many GPUs, and this torch finds"
                             f" {found}: start one process a GPU, or give cpu", "device")
        torch.cuda.set_device(number)
        return torch.device("cuda", number)

    def first_to_tell(self) -> bool:
        """Whether no other process has said yet why the training ends; asking counts as saying."""
        if self._store is None:
            return True
        try:
            return int(self._store.add(_TOLD, 1)) == 1
        except RuntimeError:  # whoever kept the store is gone, too
            return True


ALONE = Processes()


def run_together(lead: Callable[[Processes], int], helped: Callable[[Processes], int]) -> int:
    """Do `lead` in the leading process and `helped` in the others, and return the exit code of this one.

    Both say themselves why they fail, if they are :meth:`Processes.first_to_tell`.  A failure ends the others by the
    broken connection; any other end is told.
    """
    processes = _joined()
    try:
        return _share(processes, lead, helped)
    finally:  # threads of a connection that is left to the end of the interpreter abort it now and then
        distributed.destroy_process_group()


def _share(processes: Processes, lead: Callable[[Processes], int], helped: Callable[[Processes], int]) -> int:
    """What :func:`run_together` does, from when all are there."""
    if processes.rank:
        for number in (signal.SIGTERM, signal.SIGINT):  # all get it; the leading process keeps what it has, then tells
            signal.signal(number, signal.SIG_IGN)
        return helped(processes)
    try:
        code = lead(processes)
    except BaseException:  # argparse or a traceback says why
        processes.first_to_tell()
        raise
    if code in (EXIT_DONE, EXIT_QUARANTINED):
        with suppress(Lost):  # the work is done without them
            processes.tell(END)
    return code


def _joined() -> Processes:
    """Wait until all are there."""
    store, rank, count = next(distributed.rendezvous("env://", timeout=PATIENCE))
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() and distributed.is_nccl_available() else "gloo"
    distributed.init_process_group(backend, timeout=PATIENCE, store=store, rank=rank, world_size=count)
    return Processes(rank, count, store)


@contextmanager
def _all_there() -> Iterator[None]:
    """What torch raises when a connection breaks becomes :class:`Lost`."""
    try:
        yield
    except RuntimeError as error:
        ends_anyway()  # torchrun now sends SIGTERM to those that are left
        reason = " ".join(str(error).split())[:120]
        raise Lost("another process of this training has ended without a word; look whether it was killed, for its"
                   f" memory or by the queue ({reason}); the same training, resumed, goes on from its last epoch",
                   "resume") from error


def _unflatten(flat: Tensor, tensors: Sequence[Tensor]) -> None:
    """Copy what is one vector into tensors of any strides."""
    parts = flat.split([tensor.numel() for tensor in tensors])
    for tensor, part in zip(tensors, parts, strict=True):
        tensor.detach().copy_(part.view(tensor.shape))


class _Whole(torch.autograd.Function):
    """Rows of all processes put together; backward, each takes its own."""

    @staticmethod
    def forward(
        ctx: Any, own: Tensor, rows: slice, number: int, total: Callable[[Tensor], Tensor]
    ) -> Tensor:
        """Zeros for the rows of others, and the sum."""
        ctx.rows = rows
        whole = own.new_zeros((number, *own.shape[1:]))
        whole[rows] = own
        return total(whole)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Of what this process has."""
        return gradients[0][ctx.rows], None, None, None
