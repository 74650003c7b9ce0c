"""Maps of the downstream comparison: a density on its symmetry axes, correlation and FSC against it."""

from __future__ import annotations

import math
from pathlib import Path

import mrcfile
import numpy as np
import numpy.typing as npt
from scipy.ndimage import affine_transform, binary_dilation, distance_transform_edt, gaussian_filter

from pupicker.simulation.density import load_density

Map = npt.NDArray[np.float32]
_FOUND = 0.9  # a map turned by its own symmetry correlates at least so well with itself


def turn(values: Map, rotation: npt.NDArray[np.float64]) -> Map:
    """Turn a map around voxel n // 2; `rotation` is a matrix for (z, y, x)."""
    centre = np.full(3, values.shape[0] // 2, dtype=float)
    return affine_transform(values, rotation.T, centre - rotation.T @ centre, order=1).astype(np.float32)


def axis_rotation(axis_zyx: npt.ArrayLike, angle_rad: float) -> npt.NDArray[np.float64]:
    """Matrix of the rotation around an axis, for (z, y, x)."""
    u = np.asarray(axis_zyx, dtype=float) / np.linalg.norm(axis_zyx)
    cross = np.array([[0, -u[2], u[1]], [u[2], 0, -u[0]], [-u[1], u[0], 0]])
    return np.eye(3) + math.sin(angle_rad) * cross + (1 - math.cos(angle_rad)) * cross @ cross


def correlation(first: Map, second: Map, mask: npt.NDArray[np.bool_] | None = None) -> float:
    """Pearson's correlation of two maps, within `mask` if one is given."""
    a, b = (values[mask] if mask is not None else values.ravel() for values in (first, second))
    return float(np.corrcoef(a, b)[0, 1])


def fourier_shell_correlation(first: Map, second: Map) -> npt.NDArray[np.float64]:
    """FSC of two cubes for the shells 0 to n // 2."""
    n = first.shape[0]
    a, b = np.fft.fftn(first), np.fft.fftn(second)
    frequency = np.fft.fftfreq(n, 1 / n)
    radius = np.sqrt(sum(axis**2 for axis in np.meshgrid(frequency, frequency, frequency, indexing="ij")))
    shell = np.rint(radius).astype(int).ravel()

    def total(values: npt.NDArray) -> npt.NDArray[np.float64]:
        return np.bincount(shell, values.ravel(), minlength=n)[: n // 2 + 1].astype(np.float64)

    power = np.sqrt(total(np.abs(a) ** 2) * total(np.abs(b) ** 2))
    return total((a * b.conj()).real) / np.maximum(power, 1e-20)


def resolution_ang(fsc: npt.NDArray[np.float64], n: int, pixel_size_ang: float, level: float) -> float:
    """Resolution at which the FSC first falls below `level`, interpolated; two pixels if it never does."""
    below = np.nonzero(fsc < level)[0]
    below = below[below > 0]
    if not len(below):
        return 2 * pixel_size_ang
    k = int(below[0])
    part = (fsc[k - 1] - level) / max(fsc[k - 1] - fsc[k], 1e-12)
    return n * pixel_size_ang / max(k - 1 + part, 1e-6)


def soft_mask(values: Map, level: float = 0.1, grow: int = 2, edge: int = 5) -> Map:
    """1 where there is density (blurred, above `level` of its maximum, grown), falling to 0 as a cosine over `edge`."""
    blurred = gaussian_filter(values, 1.5)
    distance = distance_transform_edt(~binary_dilation(blurred > level * blurred.max(), iterations=grow))
    return (0.5 + 0.5 * np.cos(np.pi * np.clip(distance / edge, 0, 1))).astype(np.float32)


def fit_box(values: Map, box_px: int) -> Map:
    """Pad with zeros or cut a cube to `box_px`³; voxel n // 2 becomes voxel box_px // 2."""
    result = np.zeros((box_px,) * 3, dtype=np.float32)
    n = values.shape[0]
    begin, end = max(0, n // 2 - box_px // 2), min(n, n // 2 - box_px // 2 + box_px)
    to = box_px // 2 - n // 2 + begin
    result[(slice(to, to + end - begin),) * 3] = values[(slice(begin, end),) * 3]
    return result


def on_symmetry_axes(values: Map, symmetry: str) -> Map:
    """Turn a map of symmetry C1, Cn or Dn so that its n-fold axis is z and a two-fold one of Dn is x, as RELION has it.

    Raises
    ------
    SystemExit
        The map has no such symmetry.
    """
    kind, order = symmetry[0].upper(), int(symmetry[1:])
    if order == 1:
        return values
    body = np.clip(values, 0, None)
    grid = np.indices(values.shape).reshape(3, -1) - values.shape[0] // 2
    _, axes = np.linalg.eigh(np.cov(grid, aweights=body.ravel()))
    fold = 2 * math.pi / order
    scores = [correlation(values, turn(values, axis_rotation(axes[:, k], fold))) for k in range(3)]
    main = axes[:, int(np.argmax(scores))]
    target = np.array([1.0, 0.0, 0.0])  # z
    across = np.cross(main, target)
    if np.linalg.norm(across) > 1e-6:
        values = turn(values, axis_rotation(across, math.acos(float(np.clip(main @ target, -1, 1)))))
    if kind == "D":
        half_turn = axis_rotation((0, 0, 1), math.pi)  # about x

        def two_fold(angle: float) -> float:
            turned = turn(values, axis_rotation(target, angle))
            return correlation(turned, turn(turned, half_turn))

        best = max(np.linspace(0, math.pi / order, 25, endpoint=False), key=two_fold)
        step = math.pi / order / 25
        values = turn(values, axis_rotation(target, max(np.linspace(best - step, best + step, 11), key=two_fold)))
    generators = [axis_rotation(target, fold)] + ([axis_rotation((0, 0, 1), math.pi)] if kind == "D" else [])
    found = min(correlation(values, turn(values, generator)) for generator in generators)
    if found < _FOUND:
        raise SystemExit(f"the density has no symmetry {symmetry}: turned by it, it correlates with itself only by "
                         f"{found:.2f}; give another --symmetry, or C1")
    return values


def write_map(path: Path, values: Map, voxel_size_ang: float) -> None:
    """Write a map with its voxel size."""
    with mrcfile.new(path, overwrite=True) as file:
        file.set_data(values.astype(np.float32))
        file.set_volume()
        file.voxel_size = voxel_size_ang


def read_map(path: Path) -> Map:
    """Values of a map."""
    with mrcfile.open(path, permissive=True) as file:
        return np.array(file.data, dtype=np.float32)


def prepare_density(source: str, symmetry: str, pixel_size_ang: float, path: Path) -> float:
    """Write the density `source` (a file or a made-up shape) on its symmetry axes; return its diameter in Å."""
    fine = load_density(source, min(pixel_size_ang, 3.0))
    write_map(path, on_symmetry_axes(fine.values, symmetry), fine.voxel_size_ang)
    return load_density(path, pixel_size_ang).diameter_ang
