"""Simulated micrographs and a model trained on some of them, made once for all tests and processes of a run.

Sizes are odd and the working pixel size is no multiple of the micrographs', because that is where coordinates go wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from pupicker.tests.shared_folder import one_at_a_time, shared_folder

DIAMETER_ANG = 160.0
PIXEL_SIZE_ANG = 6.0
WIDTH, HEIGHT = 301, 333
PARTICLES = 14
TRAINING_OPTIONS = ("--batch-size", "64", "--particles-per-micrograph", str(PARTICLES), "--threads", "1", "--seed", "1")


@dataclass(frozen=True)
class Simulated:
    """Five micrographs with 14 particles each.

    Attributes
    ----------
    folder
        Holds nothing but the micrographs.
    micrographs
        All of them; the first three are labelled.
    labels, truth
        Tables: particles of the first three, of all.
    """

    folder: Path
    micrographs: list[Path]
    labels: Path
    truth: Path

    @property
    def labelled(self) -> list[Path]:
        """Those that training sees."""
        return self.micrographs[:3]

    @property
    def unseen(self) -> list[Path]:
        """Those that it does not."""
        return self.micrographs[3:]


@contextmanager
def made_once(factory: pytest.TempPathFactory, name: str) -> Iterator[Path]:
    """Path of what the first process that comes here makes; it may be there already.  The others wait."""
    with one_at_a_time(shared_folder(factory), name) as path:
        yield path


def simulated_in(folder: Path, width: int, height: int) -> Simulated:
    """The data set in `folder`, its tables beside it; made if it is not there."""
    import numpy as np

    from pupicker.engine.files.coordinates import read_coordinates, write_coordinates
    from pupicker.simulation.config import SimulationConfig
    from pupicker.simulation.dataset import simulate_dataset

    truth, labels = folder.with_name("truth.star"), folder.with_name("labels.star")
    if not folder.exists():
        config = SimulationConfig(
            diameter_ang=DIAMETER_ANG, width=width, height=height, pixel_size_ang=PIXEL_SIZE_ANG, particles=PARTICLES,
            snr=0.5, seed=3,
        )
        simulate_dataset(config, folder, 5)
        table = read_coordinates(folder / "truth.star")
        write_coordinates(truth, table)
        write_coordinates(labels, table.select(np.isin(table.micrograph, table.names()[:3])))
        for other in ("truth.star", "truth.tsv", "simulation.json"):
            (folder / other).unlink()
    return Simulated(folder, sorted(folder.iterdir()), labels, truth)


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Simulated:
    """The data set."""
    with made_once(tmp_path_factory, "micrographs") as folder:
        return simulated_in(folder, WIDTH, HEIGHT)


@pytest.fixture(scope="session")
def model_path(simulated: Simulated, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of the quicker network, trained on the 42 labels of the first three micrographs for 200 updates."""
    from pupicker.commands.main import main

    with made_once(tmp_path_factory, "trained.pupicker") as path:
        if not path.exists():
            code = main([
                "train", *map(str, simulated.labelled), "--picks", str(simulated.labels), "--diameter",
                str(DIAMETER_ANG), "--output", str(path), "--updates", "200", "--network", "conv31", *TRAINING_OPTIONS,
            ])
            assert code == 0
    return path
