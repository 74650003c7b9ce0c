"""The particle in 3D: from a map, from atoms, or made up."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from pupicker.engine.files.mrc import read_stack
from pupicker.engine.runtime.errors import InputError, UsageError
from pupicker.shared.names import micrograph_suffix
from pupicker.simulation.shapes import SHAPES

DEFAULT_DIAMETER_ANG = 160.0
MAP_SUFFIXES = (".mrc", ".map", ".ccp4")
MODEL_SUFFIXES = (".pdb", ".ent", ".cif", ".mmcif")
_BOX_PER_DIAMETER = 1.5  # the box around the particle: room for what resampling spreads
_BODY = 0.1  # of the level of solid density: more is particle, less is solvent and noise
_FINEST_VOXEL = 0.01  # of the diameter: finer detail never matters to a picker and costs memory


@dataclass(frozen=True)
class Density:
    """A particle whose centre of mass lies at voxel ``(n // 2, n // 2, n // 2)``.

    Attributes
    ----------
    values
        (n, n, n) float32 with axes z, y, x; arbitrary units, solvent 0.
    voxel_size_ang
        Edge of a voxel in Å.
    diameter_ang
        Longest extent through the centre of mass in Å.
    name
        File name or name of the made-up shape.
    """

    values: NDArray[np.float32]
    voxel_size_ang: float
    diameter_ang: float
    name: str


def load_density(source: str | os.PathLike[str], pixel_size_ang: float, diameter_ang: float | None = None) -> Density:
    """Load or make the density of a particle, sampled as micrographs of `pixel_size_ang` need it.

    Parameters
    ----------
    source
        Path of a map or of an atomic model (first model of the file; hydrogens and waters are left out), also
        compressed (.gz, maps .bz2 too), or one of :data:`SHAPES`.
    pixel_size_ang
        Pixel size of the micrographs in Å.  The voxels are at most that large unless a map is coarser, and at least a
        hundredth of the diameter.
    diameter_ang
        Diameter of a made-up shape in Å, default :data:`DEFAULT_DIAMETER_ANG`.

    Raises
    ------
    InputError
        The file is missing or cannot be used.
    UsageError
        The name is unknown, or a diameter was given for a file.
    """
    name = os.fspath(source)
    if name in SHAPES:
        return make_density(name, diameter_ang or DEFAULT_DIAMETER_ANG, pixel_size_ang)
    path = Path(name)
    suffix = micrograph_suffix(path)  # the EMDB and the PDB hand out .map.gz and .cif.gz
    if suffix not in MAP_SUFFIXES + MODEL_SUFFIXES:
        raise UsageError(
            f"density {name}: neither a file ({' '.join(MAP_SUFFIXES + MODEL_SUFFIXES)}) nor one of {', '.join(SHAPES)}"
        )
    if diameter_ang is not None:
        raise UsageError(f"density {name}: its diameter follows from the file, leave the diameter out")
    if not path.is_file():
        raise InputError(f"{path}: no such density file")
    return _read_map(path, pixel_size_ang) if suffix in MAP_SUFFIXES else _read_model(path, pixel_size_ang)


def make_density(shape: str, diameter_ang: float, pixel_size_ang: float) -> Density:
    """Draw one of :data:`SHAPES` with the given diameter: a sum of Gaussians, at least 0.8 pixels wide each."""
    make_points, blob = SHAPES[shape]
    points = make_points()
    points -= points.mean(axis=0)
    # To 1.5 standard deviations from its centre a blob belongs to the particle: there it falls to a third.
    points *= (1.0 - 1.5 * blob) / np.linalg.norm(points, axis=1).max()
    return draw_blobs(points, np.ones(len(points)), blob, diameter_ang, pixel_size_ang, shape)


def draw_blobs(
    points: NDArray[np.float64], weights: NDArray[np.float64], blob: float, diameter_ang: float, pixel_size_ang: float,
    name: str,
) -> Density:
    """A density of Gaussian blobs at points ``(m, 3)`` in the unit ball, `blob` radii wide, but at least 0.8 pixels."""
    voxel_ang = max(pixel_size_ang, _FINEST_VOXEL * diameter_ang)
    n = _box_size(diameter_ang, voxel_ang)
    sigma = max(0.5 * diameter_ang * blob / voxel_ang, 0.8)
    centres = 0.5 * diameter_ang / voxel_ang * points + n // 2
    offset = np.arange(n)[None, None, :] - centres.T[:, :, None]  # (3, points, n)
    x, y, z = np.exp(-0.5 * (offset / sigma) ** 2).astype(np.float32)
    planes = (z[:, :, None] * y[:, None, :]).reshape(len(points), n * n) * weights[:, None].astype(np.float32)
    return Density((planes.T @ x).reshape(n, n, n), voxel_ang, diameter_ang, name)


def measure_diameter(
    values: NDArray[np.floating], voxel_size_ang: float, centre: Sequence[float] | None = None
) -> float:
    """Twice the greatest distance from the centre at which there is solid density, in Å.

    Parameters
    ----------
    values
        3D density, solvent 0.
    voxel_size_ang
        Edge of a voxel in Å.
    centre
        Centre in voxels along z, y, x; default ``size // 2``.

    Notes
    -----
    Solid is what exceeds a tenth of the level of the body.  The outermost 0.5 % of that volume is left out, because
    single stray voxels are no particle.
    """
    if centre is None:
        centre = [size // 2 for size in values.shape]
    index = np.nonzero(values > _BODY * _solid_level(values))
    squares = sum((axis - c) ** 2 for axis, c in zip(index, centre, strict=True))
    return 2.0 * voxel_size_ang * math.sqrt(float(np.quantile(squares, 0.995)))


def _solid_level(values: NDArray[np.floating]) -> float:
    """Level of the body: the 99th percentile of what is above a twentieth of the maximum."""
    return float(np.quantile(values[values > 0.05 * values.max()], 0.99))


def _box_size(diameter_ang: float, voxel_ang: float) -> int:
    return 2 * math.ceil(0.5 * _BOX_PER_DIAMETER * diameter_ang / voxel_ang) + 4


def _read_model(path: Path, pixel_size_ang: float) -> Density:
    """Electrostatic potential of the atoms of a file, low-passed to what the pixels can hold."""
    try:
        import gemmi
    except ImportError:
        raise InputError(f"{path}: reading atoms needs the Python package gemmi; install it or give a map") from None
    try:
        structure = gemmi.read_structure(str(path))
    except (RuntimeError, ValueError, OSError) as error:
        raise InputError(f"{path}: cannot be read as an atomic model ({str(error).splitlines()[0]})") from error
    structure.remove_hydrogens()
    structure.remove_waters()
    if len(structure) == 0 or structure[0].count_atom_sites() == 0:
        raise InputError(f"{path}: holds no atoms")
    model = structure[0]
    positions = np.array([site.atom.pos.tolist() for site in model.all()])
    centre = np.array(model.calculate_center_of_mass().tolist())
    diameter_ang = 2.0 * float(np.linalg.norm(positions - centre, axis=1).max()) + 3.0  # 1.5 A: radius of an atom
    voxel_ang = max(pixel_size_ang, _FINEST_VOXEL * diameter_ang)
    n = _box_size(diameter_ang, voxel_ang)
    shift = n // 2 * voxel_ang - centre
    model.transform_pos_and_adp(gemmi.Transform(gemmi.Mat33(), gemmi.Vec3(*shift)))
    for site in model.all():
        site.atom.b_iso = 0.0
        site.atom.aniso = gemmi.SMat33f(0, 0, 0, 0, 0, 0)
    calculator = gemmi.DensityCalculatorE()
    calculator.d_min, calculator.rate = 2.0 * voxel_ang, 1.0
    # Without this blur atoms are sharper than a voxel and their weight would depend on where they fall.
    calculator.blur = 8.0 * math.pi**2 * (0.7 * voxel_ang) ** 2
    calculator.grid.set_size(n, n, n)
    edge_ang = n * voxel_ang
    calculator.grid.set_unit_cell(gemmi.UnitCell(edge_ang, edge_ang, edge_ang, 90, 90, 90))
    calculator.grid.spacegroup = gemmi.SpaceGroup("P1")
    calculator.add_model_density_to_grid(model)
    values = np.array(calculator.grid, copy=True).transpose(2, 1, 0)
    return Density(np.ascontiguousarray(values, dtype=np.float32), voxel_ang, diameter_ang, path.name)


def _read_map(path: Path, pixel_size_ang: float) -> Density:
    """A map: solvent taken to 0, centred on its mass, Fourier-cropped to voxels of about the pixel size."""
    stack = read_stack(path)
    if not stack.volume:
        raise InputError(f"{path}: has 2 dimensions, a map must have 3")
    values, axes, voxels = stack.images.astype(np.float32), stack.axes, stack.pixel_size_ang
    voxel_ang = voxels[0]
    if not 0.1 <= voxel_ang <= 100 or max(voxels) - min(voxels) > 0.01 * voxel_ang:
        found = " x ".join(f"{voxel:g}" for voxel in voxels)
        raise InputError(f"{path}: voxel size is {found} A: the header must state cubic voxels")
    if sorted(axes) != [1, 2, 3]:  # unset in some programs' files, which then use the usual order
        axes = (1, 2, 3)
    sections_rows_columns = axes[::-1]
    values = values.transpose([sections_rows_columns.index(axis) for axis in (3, 2, 1)])
    return _centred_map(np.nan_to_num(values), voxel_ang, pixel_size_ang, path)


def _centred_map(values: NDArray[np.float32], voxel_ang: float, pixel_size_ang: float, path: Path) -> Density:
    """Solvent to 0, cube around the centre of mass, voxels of about the pixel size."""
    faces = [np.take(values, [0, -1], axis=axis).ravel() for axis in range(3)]
    values = values - np.median(np.concatenate(faces))
    if values.max() <= 0:
        raise InputError(f"{path}: the map is empty (nothing is denser than its border)")
    body = np.where(values > _BODY * _solid_level(values), values, 0)
    centre = [
        float(np.average(np.arange(size), weights=body.sum(axis=tuple({0, 1, 2} - {axis}), dtype=np.float64)))
        for axis, size in enumerate(body.shape)
    ]
    diameter_ang = measure_diameter(values, voxel_ang, centre)
    n = _box_size(diameter_ang, voxel_ang)
    wanted_ang = max(pixel_size_ang, _FINEST_VOXEL * diameter_ang)
    m = min(n, 2 * math.ceil(0.5 * n * voxel_ang / wanted_ang))
    whole = [round(c) for c in centre]
    cube = _resample(_cut_cube(values, whole, n), m, [w - c for w, c in zip(whole, centre, strict=True)])
    return Density(cube, voxel_ang * n / m, diameter_ang, path.name)


def _cut_cube(values: NDArray[np.float32], centre: Sequence[int], n: int) -> NDArray[np.float32]:
    """(n, n, n) around `centre`, which comes to index n // 2; zeros where `values` ends."""
    cube = np.zeros((n, n, n), dtype=np.float32)
    begin = [c - n // 2 for c in centre]
    source = tuple(slice(max(0, b), max(0, b + n)) for b in begin)
    part = values[source]
    cube[tuple(slice(max(0, -b), max(0, -b) + size) for b, size in zip(begin, part.shape, strict=True))] = part
    return cube


def _resample(cube: NDArray[np.float32], m: int, shift: Sequence[float]) -> NDArray[np.float32]:
    """Shift a cube by parts of a voxel along z, y, x and crop its Fourier transform to m³ voxels, m even."""
    n = cube.shape[0]
    spectrum = torch.fft.rfftn(torch.fft.ifftshift(torch.from_numpy(cube)))
    for axis, by in enumerate(shift):
        frequency = torch.fft.rfftfreq(n) if axis == 2 else torch.fft.fftfreq(n)
        ramp = torch.exp(-2j * math.pi * by * frequency)
        spectrum *= ramp.reshape([-1 if k == axis else 1 for k in range(3)])
    kept = torch.cat([torch.arange(m // 2), torch.arange(n - m // 2, n)])
    spectrum = spectrum[kept][:, kept][:, :, : m // 2 + 1]
    smaller = torch.fft.irfftn(spectrum, s=(m, m, m)) * (m / n) ** 3
    return torch.fft.fftshift(smaller).contiguous().numpy()
