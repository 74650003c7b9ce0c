import math

import pytest

from pupicker.core.geometry import Geometry, Overrides, describe, geometry, match_radius_ang, max_particles
from pupicker.core.networks import NETWORKS


def test_every_length_follows_from_the_diameter():
    lengths = geometry(diameter_ang=180.0, pixel_size_ang=1.0, particle_px=22)
    assert lengths.working_pixel_size_ang == pytest.approx(180 / 22)
    assert lengths.training_radius_px == pytest.approx(0.11 * 22)
    assert lengths.min_distance_ang == pytest.approx(81)
    assert lengths.box_size_ang == pytest.approx(270)
    assert match_radius_ang(180.0) == pytest.approx(90)
    assert lengths.background_ang == pytest.approx(180)
    assert lengths.background_px == pytest.approx(22)


def test_working_pixel_size_is_never_finer_than_the_micrographs():
    lengths = geometry(diameter_ang=100.0, pixel_size_ang=7.0, particle_px=22)
    assert lengths.working_pixel_size_ang == 7.0
    assert lengths.training_radius_px == pytest.approx(0.11 * 100 / 7)


def test_training_radius_has_a_smallest_value():
    assert geometry(40.0, 8.0, 22).training_radius_px == 1.5


def test_what_is_given_is_kept():
    lengths = geometry(200.0, 1.0, 22, Overrides(6.0, 3.0, 150.0, 320.0))
    assert lengths.working_pixel_size_ang == 6.0
    assert lengths.training_radius_px == 3.0
    assert lengths.min_distance_ang == 150.0
    assert lengths.box_size_ang == 320.0
    assert Geometry(**lengths.to_dict()) == lengths


def test_training_radius_follows_a_given_working_pixel_size():
    lengths = geometry(200.0, 1.0, 22, Overrides(working_pixel_size_ang=4.0))
    assert lengths.training_radius_px == pytest.approx(0.11 * 50)


@pytest.mark.parametrize("pixel_size_ang", [0.66, 1.0, 1.77, 7.08, 1000.0])
def test_box_is_even_and_nearest(pixel_size_ang):
    lengths = geometry(180.0, 0.5, 22)
    box = lengths.box_size_px(pixel_size_ang)
    assert box % 2 == 0 and box >= 2
    assert abs(box - 270 / pixel_size_ang) <= 1 or box == 2


def test_match_radius_in_pixels():
    assert geometry(180.0, 1.5, 22).match_radius_px(1.5) == pytest.approx(60)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("diameter", {"diameter_ang": 0.0}), ("diameter", {"diameter_ang": float("nan")}),
     ("pixel size", {"pixel_size_ang": -1.0}), ("working pixel size", {"given": Overrides(working_pixel_size_ang=0.0)}),
     ("training radius", {"given": Overrides(training_radius_px=-2.0)}),
     ("minimum distance", {"given": Overrides(min_distance_ang=0.0)}),
     ("box size", {"given": Overrides(box_size_ang=0.0)})],
)
def test_lengths_that_are_not_positive_are_errors_that_name_them(name, arguments):
    with pytest.raises(ValueError, match=f"the {name} must be positive"):
        geometry(**{"diameter_ang": 180.0, "pixel_size_ang": 1.0, "particle_px": 22, **arguments})


def test_a_diameter_in_pixels_or_nanometres_is_noticed():
    with pytest.raises(ValueError, match="check both, the diameter is in Å"):
        geometry(diameter_ang=18.0, pixel_size_ang=5.0, particle_px=22)


def test_description_states_values_and_reasons():
    rows = {name: (value, reason) for name, value, reason in describe(geometry(180.0, 1.5, 22), 1.5, 31)}
    assert rows["working pixel size"] == ("8.18 Å", "the particle is 22 px, the receptive field 31 px")
    assert rows["training radius"][0] == "2.42 px = 19.8 Å"
    assert rows["minimum distance"][0] == "81 Å"
    assert rows["background"][0] == "180 Å"
    assert rows["box size"][0] == "270 Å = 180 px of 1.5 Å"
    coarse = describe(geometry(100.0, 7.0, 22), 7.0, 31)
    assert "nothing finer exists" in coarse[0][2]


def test_most_particles_is_the_hexagonal_packing():
    lengths = geometry(100.0, 1.0, 22)  # 45 A apart
    rows, columns = 200, 200
    # A hexagonal lattice of this many rows and columns fills rows * columns cells of d * d * sqrt(3) / 2.
    area = columns * 45 * rows * 45 * math.sqrt(3) / 2
    assert max_particles(lengths, area) == pytest.approx(rows * columns)


@pytest.mark.parametrize(("name", "diameter_px"), [("conv31", 22), ("conv47", 22), ("resnet31", 22),
                                                   ("conv63", 31.5), ("conv127", 63.5)])
def test_particle_fills_its_part_of_each_network(name, diameter_px):
    network = NETWORKS[name]
    lengths = geometry(190.0, 0.5, network.particle_px())
    assert 190.0 / lengths.working_pixel_size_ang == pytest.approx(diameter_px)


@pytest.mark.parametrize("diameter", [60.0, 200.0])
def test_no_neighbour_is_a_positive_within_a_ring(diameter):
    """A pixel of the outer rim is farther than the training radius from a particle at the minimum distance."""
    lengths = geometry(diameter, 1.0, 22)
    inner, outer = lengths.ring_px
    assert inner == pytest.approx(22 / 4) and inner > lengths.training_radius_px
    distance_px = lengths.min_distance_ang / lengths.working_pixel_size_ang
    assert distance_px - outer == pytest.approx(lengths.training_radius_px)


def test_no_room_for_a_ring():
    lengths = geometry(200.0, 1.0, 22, Overrides(min_distance_ang=60.0))
    with pytest.raises(ValueError, match=r"no room .* begin at 5\.5 and end at 4\.2 working pixels"):
        _ = lengths.ring_px
