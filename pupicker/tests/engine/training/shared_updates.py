"""Updates of a small fitting, by one process or by those of torchrun, which the tests compare.

``python -m torch.distributed.run ... shared_updates.py CASE OUT.pt``: the leading process writes.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import distributed

from pupicker.core.regions.patches import patch_grid
from pupicker.engine.runtime.device import set_precision
from pupicker.engine.runtime.processes import ALONE, Processes, run_together
from pupicker.engine.training.minibatches import make_sampler
from pupicker.engine.training.optimisation import Fitting, FittingOptions, help_fitting, lead_fitting
from pupicker.tests.engine.blobs import training_set

UPDATES = 3
PRIOR = 0.03
CPU = torch.device("cpu")

FITTING = FittingOptions(network="conv31", network_settings={"width": 4}, batch_size=160, positives=9, seed=2,
                         autoencoder=0.0)
CASES: dict[str, FittingOptions] = {
    **{name: replace(FITTING, objective=name) for name in (
        "ge-binomial", "ge-kl-forward", "nnpu", "pn", "ge-gaussian", "ge-squared", "ge-kl")},
    "autoencoder": replace(FITTING, autoencoder=0.1),
    "dropout": replace(FITTING, network_settings={"width": 4, "dropout": 0.3}),
    "group": replace(FITTING, network_settings={"width": 4, "norm": "group"}),
    "resnet31": replace(FITTING, network="resnet31"),
}


def results(case: str, processes: Processes = ALONE) -> dict[str, Any]:
    """Of one case: the gradients of the first minibatch, its loss, and the state after some updates."""
    data = training_set(5, 5)
    none = [torch.zeros(5, dtype=torch.bool)] * 2
    fitting = Fitting(CASES[case], CPU, None, processes)
    grid = patch_grid(fitting.network.receptive_field_px, fitting.network.total_stride)
    negatives = (16.0, 18.0) if case in ("nnpu", "ge-binomial") else None
    sampler = make_sampler(data.micrographs, none, 2.4, grid, CPU, negatives)
    first = fitting.update_many(sampler, PRIOR, 1, lambda: False)
    gradients = [parameter.grad.clone() for parameter in fitting._optimizer.parameters if parameter.grad is not None]
    rest = fitting.update_many(sampler, PRIOR, UPDATES - 1, lambda: False)
    return {"losses": [first, rest], "gradients": gradients, "state": fitting.state()}


def _lead(processes: Processes) -> int:
    """Every case asked for, one after the other."""
    set_precision("float32")
    lead_fitting(processes, CPU, 1)
    torch.save({case: results(case, processes) for case in sys.argv[2:]}, Path(sys.argv[1]))
    return 0


def _help(processes: Processes) -> int:
    help_fitting(processes)
    return 0


if __name__ == "__main__":
    code = run_together(_lead, _help)
    sys.exit("a connection is left" if distributed.is_initialized() else code)
