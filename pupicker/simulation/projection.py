"""Views of a density from any direction by the Fourier slice theorem."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray

from pupicker.simulation.density import Density

_PADDING = 2  # of the cube before its transform: linear interpolation needs finely sampled frequencies
_BATCH = 64  # views at a time, which bounds the memory


def random_rotations(
    rng: np.random.Generator, count: int, tilt_sd_deg: float | None = None
) -> NDArray[np.float64]:
    """Draw rotation matrices, uniform over SO(3) or tilted little against the density's z axis.

    Parameters
    ----------
    rng
        Source of randomness.
    count
        How many.
    tilt_sd_deg
        None for all directions alike, else the standard deviation of the tilt in degrees; the other two Euler angles
        stay uniform.

    Returns
    -------
    numpy.ndarray
        (count, 3, 3), acting on column vectors (x, y, z) of the image frame: the third column is the beam direction
        in the density's frame.
    """
    first, last = rng.uniform(0, 2 * math.pi, size=(2, count))
    if tilt_sd_deg is None:
        tilt = np.arccos(rng.uniform(-1, 1, size=count))
    else:
        tilt = np.radians(rng.normal(0, tilt_sd_deg, size=count))
    return _about_z(first) @ _about_y(tilt) @ _about_z(last)


def _about_z(angle: NDArray[np.float64]) -> NDArray[np.float64]:
    cos, sin, zero, one = np.cos(angle), np.sin(angle), np.zeros_like(angle), np.ones_like(angle)
    return np.stack([cos, -sin, zero, sin, cos, zero, zero, zero, one], axis=-1).reshape(-1, 3, 3)


def _about_y(angle: NDArray[np.float64]) -> NDArray[np.float64]:
    cos, sin, zero, one = np.cos(angle), np.sin(angle), np.zeros_like(angle), np.ones_like(angle)
    return np.stack([cos, zero, sin, zero, one, zero, -sin, zero, cos], axis=-1).reshape(-1, 3, 3)


class Projector:
    """Projects one density at the pixel size of the micrographs, which may be any.

    The Fourier transform of a projection is a central slice of the density's 3D transform.  The cube, which is 1.5
    diameters wide, is zero-padded to twice that; slices are interpolated linearly.  Linear interpolation multiplies the
    density by the square of a sinc, so the cube is divided by it beforehand.

    Parameters
    ----------
    density
        The particle.
    pixel_size_ang
        Pixel size of the projections in Å.

    Attributes
    ----------
    box_px
        Edge length of the projections in pixels, even; the particle's centre is at index ``box_px // 2``.
    """

    def __init__(self, density: Density, pixel_size_ang: float) -> None:
        self.density = density
        self.pixel_size_ang = pixel_size_ang
        n = density.values.shape[0]
        self.box_px = 2 * math.ceil(0.5 * n * density.voxel_size_ang / pixel_size_ang)
        self._padded = _PADDING * n
        position = (torch.arange(n) - n // 2) / self._padded
        flat = 1.0 / torch.sinc(position) ** 2
        cube = torch.from_numpy(density.values) * flat[:, None, None] * flat[None, :, None] * flat[None, None, :]
        before = self._padded // 2 - n // 2
        padded = torch.zeros([self._padded] * 3)
        padded[before : before + n, before : before + n, before : before + n] = cube
        spectrum = torch.fft.rfftn(torch.fft.ifftshift(padded))
        # (1, 2, z, y, x): real and imaginary part as channels, zero frequency in the middle of z and y, first of x.
        self._volume = torch.view_as_real(torch.fft.fftshift(spectrum, dim=(0, 1))).permute(3, 0, 1, 2)[None]

    def project(
        self, rotations: NDArray[np.float64], offsets_px: NDArray[np.float64] | None = None
    ) -> NDArray[np.float32]:
        """Integrals of the density along the beam.

        Parameters
        ----------
        rotations
            (m, 3, 3) from :func:`random_rotations`; the identity looks along z with x and y as in the density.
        offsets_px
            (m, 2) shifts (x, y) of the centres in pixels, exact also for parts of a pixel; None for no shift.

        Returns
        -------
        numpy.ndarray
            (m, box_px, box_px) float32, density times Å.
        """
        if offsets_px is None:
            offsets_px = np.zeros((len(rotations), 2))
        views = [
            self._project(rotations[start : start + _BATCH], offsets_px[start : start + _BATCH])
            for start in range(0, len(rotations), _BATCH)
        ]
        return np.concatenate(views) if views else np.zeros((0, self.box_px, self.box_px), np.float32)

    def _project(self, rotations: NDArray[np.float64], offsets_px: NDArray[np.float64]) -> NDArray[np.float32]:
        box = self.box_px
        fy = torch.fft.fftfreq(box)[:, None].expand(box, box // 2 + 1)  # cycles per pixel
        fx = torch.fft.rfftfreq(box)[None, :].expand(box, box // 2 + 1)
        inside = fx**2 + fy**2 < 0.25
        plane = torch.stack([fx[inside], fy[inside]])  # (2, k)
        turns = torch.from_numpy(rotations).float()
        slices = self._sample(turns[:, :, :2] @ plane / self.pixel_size_ang)
        shift = torch.from_numpy(offsets_px).float() @ plane  # (m, k)
        spectrum = torch.zeros((len(rotations), box, box // 2 + 1), dtype=torch.complex64)
        spectrum[:, inside] = slices * torch.polar(torch.ones_like(shift), -2 * math.pi * shift)
        views = torch.fft.irfft2(spectrum, s=(box, box))
        scale = self.density.voxel_size_ang**3 / self.pixel_size_ang**2
        return (torch.fft.fftshift(views, dim=(1, 2)) * scale).numpy()

    def _sample(self, frequency: torch.Tensor) -> torch.Tensor:
        """3D transform at `frequency` (m, 3, k) in 1/Å as (x, y, z); 0 beyond the voxels' own Nyquist frequency."""
        voxel = frequency * self.density.voxel_size_ang  # cycles per voxel
        beyond = (voxel**2).sum(dim=1) >= 0.25
        mirror = voxel[:, 0] < 0  # only half of the transform is stored: F(-k) is the conjugate of F(k)
        voxel = torch.where(mirror[:, None], -voxel, voxel)
        half = self._padded // 2
        index = voxel * self._padded + torch.tensor([0.0, half, half])[:, None]
        last = torch.tensor([half, self._padded - 1, self._padded - 1])[:, None]
        grid = (2 * index / last - 1).permute(0, 2, 1)[None, :, :, None, :]  # (1, m, k, 1, 3)
        real, imaginary = torch.nn.functional.grid_sample(
            self._volume, grid, mode="bilinear", padding_mode="zeros", align_corners=True
        )[0, :, :, :, 0]
        return torch.complex(real, torch.where(mirror, -imaginary, imaginary)).masked_fill(beyond, 0)
