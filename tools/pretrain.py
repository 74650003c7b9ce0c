"""Make the weights that a training starts from: pupicker/weights/NETWORK.safetensors.

    python tools/pretrain.py [--network conv47] [--scenes 2400] [--updates 12000] [--patches 32] [--threads 2]
        [--device cpu] [--precision auto] [--examples FILE] [--start FILE] [--output FILE]

The network learns to tell centres of particles from everything else (pupicker/engine/pretraining) on simulated
micrographs of thousands of made-up particles (pupicker/simulation/random_scene.py), in which the truth is known.  No
real micrograph and no known structure is used, so that a model that starts from these weights can be judged on any of
them.  Contamination is left out of the scenes as training leaves it out of micrographs
(pupicker/core/detection/contamination.py).  A last layer for cells is fitted to what the network sees in some of the
scenes (pupicker/core/networks/cell_head.py).  The average precision on scenes that training has not seen is printed and
goes into the file's header.

--threads are for the simulation; on a processor one thread trains, so that the file does not depend on their number.
The same processor makes the same file; another one adds in another order, and has bfloat16 or not (--precision).
Simulating takes longer than training on a GPU: --examples keeps the scenes for the next network.  --start goes on from
the weights of a file; with --updates 0 only its layer for cells is fitted anew.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

import pupicker
from pupicker.core.detection.picking_network import picking_network
from pupicker.core.image.histograms import histogram, stack_histograms
from pupicker.core.image.normalization import JointFit, fit
from pupicker.core.networks import DEFAULT_NETWORK, build
from pupicker.core.networks.cell_head import CellNetwork
from pupicker.engine.models.stored_weights import CELL_HEAD, with_cell_head
from pupicker.engine.pretraining.batches import Batches
from pupicker.engine.pretraining.examples import Example, example_of, load_examples, save_examples
from pupicker.engine.pretraining.loop import average_precision, pretrain
from pupicker.engine.runtime.device import on_device, precision_name, set_precision
from pupicker.engine.runtime.errors import InputError
from pupicker.shared.atomic import atomic_path
from pupicker.shared.options import PRECISION
from pupicker.simulation.random_scene import DIAMETER_PX, random_scene

WEIGHTS = Path(pupicker.__file__).parent / "weights"
HELD_OUT = 60
ORIENTATIONS = 2
HEADER = "pupicker_weights"


def simulated(seed: int, index: int) -> tuple[Tensor, JointFit, Tensor]:
    """A scene ``(h, w)``, the fit that normalises it, and its centres ``(n, 2)``."""
    torch.set_num_threads(1)
    scene = random_scene(seed, index)
    image = torch.from_numpy(scene.image)
    return image, fit(stack_histograms([histogram(image)])), torch.from_numpy(scene.xy)


def example(seed: int, index: int) -> Example:
    """The whole of it on the processor."""
    return example_of(*simulated(seed, index), DIAMETER_PX, torch.device("cpu"))


def make_examples(seed: int, scenes: int, threads: int, device: torch.device) -> list[Example]:
    """Simulate in processes of their own; what convolves is done by a GPU if there is one."""
    with ProcessPoolExecutor(threads, get_context("spawn")) as pool:
        if device.type == "cpu":
            return list(pool.map(partial(example, seed), range(scenes), chunksize=8))
        made = pool.map(partial(simulated, seed), range(scenes), chunksize=8)
        return [example_of(*one, DIAMETER_PX, device) for one in made]


def kept_examples(args: argparse.Namespace) -> list[Example]:
    """Those of the file, which is made if it does not exist."""
    if args.examples is not None and args.examples.is_file():
        return load_examples(args.examples, args.seed, args.scenes)
    examples = make_examples(args.seed, args.scenes, args.threads, args.device)
    if args.examples is not None:
        save_examples(args.examples, examples, args.seed)
    return examples


def made_of(path: Path) -> dict[str, object]:
    """How the weights of a file were made, as it says."""
    with safe_open(str(path), framework="pt") as stored:
        return dict(json.loads(stored.metadata()[HEADER]))


def arguments() -> argparse.Namespace:
    """Of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default=DEFAULT_NETWORK)
    parser.add_argument("--scenes", type=int, default=2400)
    parser.add_argument("--updates", type=int, default=12000)
    parser.add_argument("--patches", type=int, default=32, help="in a minibatch")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"))
    parser.add_argument("--precision", default=PRECISION.default, choices=PRECISION.choices)
    parser.add_argument("--examples", type=Path, help="file to keep the scenes in, or to take them from")
    parser.add_argument("--start", type=Path, metavar="FILE", help="weights to go on from (default: random ones)")
    parser.add_argument("--output", type=Path, help="default: the package's own file for the network")
    args = parser.parse_args()
    if args.scenes <= HELD_OUT:
        parser.error(f"--scenes {args.scenes}: {HELD_OUT} of them are held out, give more")
    return args


def main() -> None:
    """Simulate, train, write."""
    args = arguments()
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(message)s")
    output = args.output or WEIGHTS / f"{args.network}.safetensors"
    try:
        examples = kept_examples(args)
    except InputError as error:
        raise SystemExit(f"{error}: {', '.join(f'--{name}' for name in error.parameters)}") from error
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    torch.backends.cudnn.benchmark = True  # all minibatches have one size
    set_precision(args.precision)
    network = on_device(build(args.network), args.device).channels_last()
    if args.start is not None:
        network.load_state_dict(with_cell_head(network, load_file(args.start))[0])
    batches = Batches(examples[HELD_OUT:], DIAMETER_PX, network, args.patches, args.seed, args.device)
    weights = pretrain(network.train(), batches, args.updates)
    network.cpu().load_state_dict(weights)
    seen = [image.float() for image, _ in examples[HELD_OUT : 2 * HELD_OUT]]
    picking = picking_network(network.eval(), seen, ORIENTATIONS, args.seed, sum(image.numel() for image in seen))
    precision = average_precision(picking, examples[:HELD_OUT], DIAMETER_PX)
    header = {
        "network": args.network, "made_by": "tools/pretrain.py", "scenes": args.scenes, "updates": args.updates,
        "patches": args.patches, "seed": args.seed, "particles": int(sum(len(xy) for _, xy in examples)),
        "precision": precision_name(args.device), "average_precision_on_unseen_scenes": round(precision, 4),
        "software": {"pupicker": pupicker.__version__, "torch": torch.__version__, "numpy": np.__version__},
    }
    if args.start is not None:
        header["start"] = made_of(args.start)
    if isinstance(picking, CellNetwork):
        weights |= {CELL_HEAD + name: t for name, t in picking.head.state_dict().items()}
    output.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(output) as temporary:
        save_file({name: t.contiguous() for name, t in weights.items()}, str(temporary),
                  metadata={HEADER: json.dumps(header)})
    sys.stdout.write(json.dumps(header, indent=1) + "\n")


if __name__ == "__main__":
    main()
