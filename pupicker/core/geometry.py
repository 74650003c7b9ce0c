"""Every length that follows from the particle's diameter, in Å, so that nobody types pixels.

With the diameter D and a network in which the particle should be P pixels wide (22, or more for the largest fields):

======================  =====================  ==============================================================
working pixel size      D / P                  what the network learnt and reads best
training radius         max(1.5 px, 0.11 D)    positive regions stay well inside the particle (2.4 px at 22 px)
minimum distance        0.45 D                 neighbours may overlap by half, one particle gives one pick
matching radius         0.5 D                  for evaluation
background              1.0 D                  grey level that varies on a larger scale is removed
ring of negatives       0.25 D to 0.39 D       if wanted: too far to be the particle's centre, too near to be within the
                                               training radius of a neighbour at the minimum distance
border margin           0.5 D                  beside a border without an image, which is cut off, particles are cut too
box size                1.5 D, even            room for the CTF's delocalisation
======================  =====================  ==============================================================

Limit: the working pixel size is never finer than the micrographs: there is nothing to gain beyond their own sampling.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from pupicker.shared.lengths import BOX_SIZE, MIN_DISTANCE, even_box_size_px, packed_discs

TRAINING_RADIUS = 0.11
SMALLEST_TRAINING_RADIUS_PX = 1.5
MATCH_RADIUS = 0.5
BACKGROUND = 1.0
BORDER_MARGIN = 0.5
RING_INNER = 0.25


@dataclass(frozen=True)
class Geometry:
    """Lengths of a picking task; see the module's docstring.

    Attributes
    ----------
    diameter_ang
        Longest extent of the particle.
    working_pixel_size_ang
        Pixel size at which the network works.
    training_radius_px
        Radius of positive regions in working pixels.
    min_distance_ang
        Smallest distance between two picks.
    box_size_ang
        Box for extraction.
    background_ang
        Standard deviation of the Gaussian whose local mean is removed (:mod:`pupicker.core.image.background`).
    """

    diameter_ang: float
    working_pixel_size_ang: float
    training_radius_px: float
    min_distance_ang: float
    box_size_ang: float
    background_ang: float

    @property
    def background_px(self) -> float:
        """`background_ang` in working pixels."""
        return self.background_ang / self.working_pixel_size_ang

    @property
    def border_margin_px(self) -> float:
        """Least distance of a pick from a border that was cut off, in working pixels."""
        return BORDER_MARGIN * self.diameter_ang / self.working_pixel_size_ang

    @property
    def ring_px(self) -> tuple[float, float]:
        """Inner and outer radius of rings of negatives around labelled particles, in working pixels.

        Raises
        ------
        ValueError
            If nothing lies between them.
        """
        working = self.working_pixel_size_ang
        inner = RING_INNER * self.diameter_ang / working
        outer = self.min_distance_ang / working - self.training_radius_px
        if outer < inner + 1:
            raise ValueError(
                f"there is no room for negatives around a particle: they would begin at {inner:.1f} and end at"
                f" {outer:.1f} working pixels (the minimum distance less the training radius)"
            )
        return inner, outer

    def to_dict(self) -> dict[str, float]:
        """As JSON-able dictionary."""
        return asdict(self)

    def box_size_px(self, pixel_size_ang: float) -> int:
        """Even box size in pixels of a micrograph."""
        return even_box_size_px(self.box_size_ang, pixel_size_ang)

    def match_radius_px(self, pixel_size_ang: float) -> float:
        """Radius within which a pick is a hit, in pixels of a micrograph."""
        return match_radius_ang(self.diameter_ang) / pixel_size_ang


def match_radius_ang(diameter_ang: float) -> float:
    """Half the diameter: a pick further from the centre lies on the particle's rim or on its neighbour."""
    return MATCH_RADIUS * diameter_ang


@dataclass(frozen=True)
class Overrides:
    """Lengths that are given and do not follow from the diameter; None: they do."""

    working_pixel_size_ang: float | None = None
    training_radius_px: float | None = None
    min_distance_ang: float | None = None
    box_size_ang: float | None = None


def geometry(
    diameter_ang: float, pixel_size_ang: float, particle_px: float, given: Overrides | None = None
) -> Geometry:
    """Lengths from the diameter; whatever is given is kept.

    Parameters
    ----------
    diameter_ang
        Longest extent of the particle.
    pixel_size_ang
        Of the (finest) training micrographs.
    particle_px
        Working pixels that the diameter should have: the network's.
    given
        Lengths that are kept.

    Raises
    ------
    ValueError
        If a length is not positive, or the particle is smaller than four pixels of the micrographs.
    """
    given = given or Overrides()
    for name, value in (
        ("diameter", diameter_ang), ("pixel size", pixel_size_ang),
        ("working pixel size", given.working_pixel_size_ang), ("training radius", given.training_radius_px),
        ("minimum distance", given.min_distance_ang), ("box size", given.box_size_ang),
    ):
        if value is not None and not value > 0:
            raise ValueError(f"the {name} must be positive, got {value}")
    if diameter_ang < 4 * pixel_size_ang:
        raise ValueError(
            f"a particle of {diameter_ang:g} Å is {diameter_ang / pixel_size_ang:.1f} pixels of {pixel_size_ang:g} Å:"
            " check both, the diameter is in Å"
        )
    working = given.working_pixel_size_ang or max(pixel_size_ang, diameter_ang / particle_px)
    radius = given.training_radius_px or max(SMALLEST_TRAINING_RADIUS_PX, TRAINING_RADIUS * diameter_ang / working)
    return Geometry(
        diameter_ang, working, radius, given.min_distance_ang or MIN_DISTANCE * diameter_ang,
        given.box_size_ang or BOX_SIZE * diameter_ang, BACKGROUND * diameter_ang,
    )


def describe(
    geometry: Geometry, pixel_size_ang: float | None, receptive_field_px: int
) -> list[tuple[str, str, str]]:
    """Rows (name, value, reason) for people; the pixel size is that of the micrographs, None: not known."""
    working, diameter = geometry.working_pixel_size_ang, geometry.diameter_ang
    fill = diameter / working
    is_own = pixel_size_ang is not None and abs(working - pixel_size_ang) < 1e-6
    own = " (that of the micrographs, nothing finer exists)" if is_own else ""
    pixels_ang = pixel_size_ang or working
    return [
        ("working pixel size", f"{working:.3g} Å",
         f"the particle is {fill:.0f} px, the receptive field {receptive_field_px} px{own}"),
        ("training radius", f"{geometry.training_radius_px:.3g} px = {geometry.training_radius_px * working:.3g} Å",
         f"{geometry.training_radius_px * working / diameter:.2f} of the diameter: positive centres"),
        ("minimum distance", f"{geometry.min_distance_ang:.4g} Å",
         f"{geometry.min_distance_ang / diameter:.2f} of the diameter between two picks"),
        ("background", f"{geometry.background_ang:.4g} Å", "grey level that varies on a larger scale is removed"),
        ("box size",
         f"{geometry.box_size_ang:.4g} Å = {geometry.box_size_px(pixels_ang)} px of {pixels_ang:.4g} Å",
         f"{geometry.box_size_ang / diameter:.2f} diameters, even"),
    ]


def max_particles(geometry: Geometry, area_ang2: float) -> float:
    """Number of particles that fit an area at the densest packing of discs the minimum distance apart."""
    return packed_discs(area_ang2, geometry.min_distance_ang)


def particles_side_by_side(geometry: Geometry, area_ang2: float) -> float:
    """Number of particles that fit an area at the densest packing of discs that do not overlap."""
    return packed_discs(area_ang2, geometry.diameter_ang)
