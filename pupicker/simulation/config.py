"""Every setting of a simulation in one validated, immutable object."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pupicker.engine.runtime.errors import UsageError
from pupicker.shared.plurals import counted

PIXEL_TYPES = ("float32", "float16", "int16", "uint16", "int8", "uint8")
_MAX_COVERAGE = 0.5  # random placement of non-overlapping discs jams at 0.547 of the area

_RANGES = {
    "pixel_size_ang": (0.1, 100.0), "snr": (1e-6, 1e6), "dose_per_ang2": (1e-3, 1e6), "voltage_kv": (1.0, 1e4),
    "min_distance_ang": (0.01, 1e6), "intensity_scale_sd": (0.0, 5.0),
}  # far beyond any microscope, and numbers that can still be computed with


@dataclass(frozen=True)
class SimulationConfig:
    """What is simulated.  The defaults give a typical 300 kV data set, binned to 4 Å/px.

    Attributes
    ----------
    density
        Path of a map (``.mrc``, ``.map``) or of atoms (``.pdb``, ``.cif``), or one of
        :data:`pupicker.simulation.density.SHAPES`.
    diameter_ang
        Diameter of a made-up shape; None: 160 Å.  A file has its own diameter, so it must be None there.
    width, height
        Size of the micrograph in pixels.
    pixel_size_ang
        Pixel size in Å.
    particles
        Particles whose centre lies inside each micrograph.  Further ones lie just outside and are cut by the border.
    min_distance_ang
        Smallest distance between two centres in Å; None: the diameter.
    tilt_sd_deg
        None: views from all directions alike.  A number: preferred orientation, the density's z axis lies within about
        this many degrees of the beam.
    snr
        Mean squared signal of the particles (behind the CTF, within the disc of their diameter) over the variance of
        all noise, both per pixel.
    structural_fraction
        Share of the noise variance that comes from the ice itself and so passes through the CTF; the rest is shot
        noise, which is white.
    noise
        False leaves both kinds of noise out and keeps the contrast that belongs to `snr`.
    dose_per_ang2
        Electrons per Å²; the mean pixel counts ``dose_per_ang2 * pixel_size_ang**2`` electrons.
    defocus_range_um
        Least and greatest underfocus in µm; each micrograph draws its own.
    astigmatism_um
        Difference of the two principal defoci in µm; its direction is drawn for each micrograph.
    voltage_kv, cs_mm, amplitude_contrast, b_factor_ang2
        Of the microscope: acceleration voltage, spherical aberration, amplitude contrast (0 to 1), envelope.
    thickness_gradient
        Relative difference of the mean intensity between the thin and the thick side of the micrograph.
    intensity_scale_sd
        Standard deviation of the logarithm of the factor that scales each micrograph's intensity.
    carbon
        Whether the edge of the carbon film reaches into each micrograph.
    gold, ice_crystals, aggregates, membranes
        How many beads, crystals, clumps of particles and vesicles lie in each micrograph.  None of them is in the
        truth.
    gold_diameter_ang
        Diameter of the beads in Å.
    dtype
        Pixel type, one of :data:`PIXEL_TYPES`.
    seed
        Seed of everything random, 0 or greater.
    """

    density: str = "globular"
    diameter_ang: float | None = None
    width: int = 1024
    height: int = 1024
    pixel_size_ang: float = 4.0
    particles: int = 60
    min_distance_ang: float | None = None
    tilt_sd_deg: float | None = None
    snr: float = 0.05
    structural_fraction: float = 0.5
    noise: bool = True
    dose_per_ang2: float = 20.0
    defocus_range_um: tuple[float, float] = (1.0, 2.5)
    astigmatism_um: float = 0.02
    voltage_kv: float = 300.0
    cs_mm: float = 2.7
    amplitude_contrast: float = 0.1
    b_factor_ang2: float = 100.0
    thickness_gradient: float = 0.1
    intensity_scale_sd: float = 0.2
    carbon: bool = False
    gold: int = 0
    gold_diameter_ang: float = 100.0
    ice_crystals: int = 0
    aggregates: int = 0
    membranes: int = 0
    dtype: str = "float32"
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("width", "height"):
            _require(name, getattr(self, name), getattr(self, name) >= 32, "32 or more pixels")
        for name in ("gold_diameter_ang", "diameter_ang", "tilt_sd_deg"):
            value = getattr(self, name)
            _require(name, value, value is None or (math.isfinite(value) and value > 0), "a number above 0")
        for name, (least, most) in _RANGES.items():
            value = getattr(self, name)
            _require(name, value, value is None or least <= value <= most, f"from {least:g} to {most:g}")
        for name in (
            "particles", "gold", "ice_crystals", "aggregates", "membranes", "seed", "cs_mm", "b_factor_ang2",
            "astigmatism_um",
        ):
            value = getattr(self, name)
            _require(name, value, math.isfinite(value) and value >= 0, "0 or more")
        for name in ("structural_fraction", "amplitude_contrast", "thickness_gradient"):
            _require(name, getattr(self, name), 0 <= getattr(self, name) < 1, "at least 0 and below 1")
        low, high = self.defocus_range_um
        _require("defocus_range_um", (low, high), 0 <= low <= high <= 20, "LOW HIGH with 0 <= LOW <= HIGH <= 20 µm")
        _require("dtype", self.dtype, self.dtype in PIXEL_TYPES, f"one of {', '.join(PIXEL_TYPES)}")

    @property
    def electrons_per_pixel(self) -> float:
        """Mean number of electrons that one pixel counts in empty ice."""
        return self.dose_per_ang2 * self.pixel_size_ang**2

    @property
    def noise_variance(self) -> float:
        """Variance of all noise relative to the squared mean intensity: shot noise is 1/electrons of it."""
        return 1.0 / self.electrons_per_pixel / (1.0 - self.structural_fraction)

    def min_distance_px(self, diameter_ang: float) -> float:
        """Smallest distance between two centres in pixels for particles of `diameter_ang`.

        Raises
        ------
        UsageError
            So many particles cannot be placed at random in this area, or one does not fit at all.
        """
        if diameter_ang > min(self.width, self.height) * self.pixel_size_ang:
            raise UsageError(
                f"a particle of {diameter_ang:.0f} A does not fit in {self.width} x {self.height} pixels of "
                f"{self.pixel_size_ang:g} A: make the micrograph larger"
            )
        distance_px = (self.min_distance_ang or diameter_ang) / self.pixel_size_ang
        most = int(_MAX_COVERAGE * self.width * self.height / (math.pi / 4 * distance_px**2))
        if self.particles > most:
            raise UsageError(
                f"{counted(self.particles, 'particle')} at least {distance_px * self.pixel_size_ang:.0f} A apart: too "
                f"many for {self.width} x {self.height} pixels of {self.pixel_size_ang:g} A: at most {most}"
            )
        return distance_px


def _require(name: str, value: object, holds: bool, wanted: str) -> None:
    if not holds:
        raise UsageError(f"{name.replace('_', ' ')} is {value}: must be {wanted}")
