"""Many simulated micrographs in a folder, with their truth table and a record of all parameters."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

import pupicker
from pupicker.engine.files.coordinates import CoordinateTable, write_coordinates
from pupicker.engine.files.micrographs import MICROGRAPH_SUFFIXES, write_mrc
from pupicker.engine.runtime.errors import InputError, UsageError
from pupicker.shared.atomic import atomic_path
from pupicker.shared.json_files import write_json
from pupicker.simulation.config import SimulationConfig
from pupicker.simulation.density import Density
from pupicker.simulation.micrograph import make_projector, simulate_micrograph
from pupicker.simulation.projection import Projector

FORMATS = ("mrc", "tif")
TRUTH_STAR, TRUTH_TSV, RECORD_JSON = "truth.star", "truth.tsv", "simulation.json"


@dataclass(frozen=True)
class SimulatedFile:
    """One micrograph that was written.

    Attributes
    ----------
    name
        File name.
    x, y
        (m,) float64 centres of the particles in pixels.
    defocus_um
        Mean underfocus in µm.
    intensity_scale
        Factor that was applied to the intensity.
    """

    name: str
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    defocus_um: float
    intensity_scale: float


def simulate_dataset(
    config: SimulationConfig,
    folder: Path,
    micrographs: int,
    image_format: str = "mrc",
    prefix: str = "mic_",
    threads: int = 1,
    on_written: Callable[[SimulatedFile], object] | None = None,
) -> dict[str, Any]:
    """Write `micrographs` micrographs, ``truth.star``, ``truth.tsv`` and ``simulation.json`` to `folder`.

    The last three come at the end: a set that was interrupted has none of them, also where an earlier one had.

    Parameters
    ----------
    config
        What is simulated.
    folder
        Made if missing.
    micrographs
        How many, 1 or more.
    image_format
        One of :data:`FORMATS`.
    prefix
        Of the file names, which go on with a number of four digits or more: ``mic_0001.mrc``.
    threads
        Micrographs made at the same time; the result does not depend on it.
    on_written
        Called in this thread after each file.

    Returns
    -------
    dict
        The content of ``simulation.json``: version, config, density, micrographs.

    Raises
    ------
    UsageError
        The settings do not go together.
    InputError
        The density cannot be used, or the folder holds micrographs of an earlier, larger set.
    """
    _check_request(config, micrographs, image_format, prefix)
    digits = max(4, len(str(micrographs)))
    names = [f"{prefix}{index + 1:0{digits}d}.{image_format}" for index in range(micrographs)]
    _refuse_leftovers(folder, prefix, set(names))
    projector = make_projector(config)
    files: dict[str, SimulatedFile] = {}
    for file in _write_all(config, folder, names, projector, threads):
        files[file.name] = file
        if on_written is not None:
            on_written(file)
    ordered = [files[name] for name in names]
    truth = _truth_table(ordered)
    write_coordinates(folder / TRUTH_STAR, truth)
    write_coordinates(folder / TRUTH_TSV, truth)
    record = _record(config, projector.density, ordered)
    write_json(folder / RECORD_JSON, record)
    return record


def _check_request(config: SimulationConfig, micrographs: int, image_format: str, prefix: str) -> None:
    if micrographs < 1:
        raise UsageError(f"micrographs is {micrographs}: must be 1 or more")
    if image_format not in FORMATS:
        raise UsageError(f"format is {image_format}: must be one of {', '.join(FORMATS)}")
    if image_format == "mrc" and config.dtype == "uint8":
        raise UsageError("dtype uint8 does not exist in MRC files: take int8, or the format tif")
    if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*|", prefix):
        raise UsageError(f"prefix is {prefix!r}: must consist of letters, digits, '_', '-' and '.', no '.' first")


def _refuse_leftovers(folder: Path, prefix: str, names: set[str]) -> None:
    """Micrographs of an earlier set would be taken for a part of this one, without truth."""
    for path in sorted(folder.glob("*")):
        if path.name.startswith(prefix) and path.suffix.lower() in MICROGRAPH_SUFFIXES and path.name not in names:
            raise InputError(f"{path}: left from an earlier set; choose another folder or delete the old micrographs")


def _write_all(
    config: SimulationConfig, folder: Path, names: list[str], projector: Projector, threads: int
) -> Iterator[SimulatedFile]:
    """Make and write the micrographs, at most `threads` in memory, in order of completion."""
    def make(index: int) -> SimulatedFile:
        made = simulate_micrograph(config, index, projector)
        for name in (TRUTH_STAR, TRUTH_TSV, RECORD_JSON):  # of an earlier set: from now on they are not true
            (folder / name).unlink(missing_ok=True)
        _write_image(folder / names[index], made.image, config.pixel_size_ang)
        return SimulatedFile(names[index], made.x, made.y, made.defocus_um, made.intensity_scale)

    with ThreadPoolExecutor(max_workers=threads) as pool:
        running: set[Future[SimulatedFile]] = set()
        try:
            for index in range(len(names)):
                if len(running) >= threads:
                    done, running = wait(running, return_when=FIRST_COMPLETED)
                    for future in done:
                        yield future.result()
                running.add(pool.submit(make, index))
            for future in running:
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _write_image(path: Path, image: NDArray, pixel_size_ang: float) -> None:
    if path.suffix == ".mrc":
        write_mrc(path, image, pixel_size_ang)
        return
    pixels_per_cm = 1e8 / pixel_size_ang
    with atomic_path(path) as temporary:
        tifffile.imwrite(temporary, image, photometric="minisblack", resolution=(pixels_per_cm, pixels_per_cm),
                         resolutionunit="CENTIMETER")


def _truth_table(files: list[SimulatedFile]) -> CoordinateTable:
    return CoordinateTable(
        micrograph=np.repeat([file.name for file in files], [len(file.x) for file in files]),
        x=np.concatenate([file.x for file in files]),
        y=np.concatenate([file.y for file in files]),
    )


def _record(config: SimulationConfig, density: Density, files: list[SimulatedFile]) -> dict[str, Any]:
    return {
        "version": pupicker.__version__,
        "config": asdict(config),
        "density": {
            "name": density.name,
            "diameter_ang": round(density.diameter_ang, 3),
            "voxel_size_ang": round(density.voxel_size_ang, 6),
        },
        "micrographs": [
            {
                "name": file.name,
                "particles": len(file.x),
                "defocus_um": round(file.defocus_um, 6),
                "intensity_scale": round(file.intensity_scale, 6),
            }
            for file in files
        ],
    }
