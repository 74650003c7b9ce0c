import numpy as np
import pytest

from pupicker.simulation.density import Density, make_density
from pupicker.simulation.projection import Projector, random_rotations

IDENTITY = np.eye(3)[None]
#: Image x and y along these axes of the density.
ALONG_X = np.array([[[0, 0, 1], [1, 0, 0], [0, 1, 0]]], dtype=float)  # x = density y, y = density z
ALONG_Y = np.array([[[0, 1, 0], [0, 0, 1], [1, 0, 0]]], dtype=float)  # x = density z, y = density x


def blob(centre_ang, sigma_ang=8.0, voxel_ang=2.0, n=64):
    """A Gaussian at centre_ang (x, y, z) relative to the middle."""
    axis = (np.arange(n) - n // 2) * voxel_ang
    x, y, z = (np.exp(-0.5 * ((axis - c) / sigma_ang) ** 2) for c in centre_ang)
    values = np.einsum("k,j,i->kji", z, y, x).astype(np.float32)
    return Density(values, voxel_ang, 80.0, "blob")


def relative_rms(image, expected):
    return np.sqrt(((image - expected) ** 2).mean() / (expected**2).mean())


@pytest.mark.parametrize("shape", ["globular", "barrel", "trimer"])
@pytest.mark.parametrize(
    ("rotation", "axes"), [(IDENTITY, "yx"), (ALONG_X, "zy"), (ALONG_Y, "xz")], ids=["along-z", "along-x", "along-y"]
)
def test_views_along_the_axes_equal_sums_of_the_density(shape, rotation, axes):
    density = make_density(shape, 120.0, 4.0)
    view = Projector(density, 4.0).project(rotation)[0]
    expected = 4.0 * np.einsum(f"zyx->{axes}", density.values)
    assert view.shape == expected.shape
    assert relative_rms(view, expected) < 0.06
    assert np.corrcoef(view.ravel(), expected.ravel())[0, 1] > 0.999


@pytest.mark.parametrize("pixel_size_ang", [2.0, 3.3, 5.0])
def test_views_of_a_gaussian_lie_where_the_rotation_takes_it(pixel_size_ang):
    centre = np.array([20.0, -12.0, 7.0])
    projector = Projector(blob(centre), pixel_size_ang)
    rotations = random_rotations(np.random.default_rng(3), 20)
    offsets = np.random.default_rng(4).uniform(-0.5, 0.5, size=(20, 2))
    axis = np.arange(projector.box_px) - projector.box_px // 2
    for view, rotation, offset in zip(projector.project(rotations, offsets), rotations, offsets, strict=True):
        x, y = (centre @ rotation)[:2] / pixel_size_ang + offset
        sigma = 8.0 / pixel_size_ang
        expected = np.exp(-0.5 * ((axis[None] - x) ** 2 + (axis[:, None] - y) ** 2) / sigma**2)
        expected *= 8.0 * np.sqrt(2 * np.pi)  # the integral along the beam
        assert relative_rms(view, expected) < 0.02


def test_views_of_a_sphere_are_all_alike():
    views = Projector(blob((0, 0, 0)), 3.0).project(random_rotations(np.random.default_rng(0), 16))
    assert np.abs(views - views[0]).max() < 5e-3 * views[0].max()


@pytest.mark.parametrize("pixel_size_ang", [1.7, 4.0, 7.1])
def test_mass_is_kept_at_any_pixel_size(pixel_size_ang):
    density = make_density("globular", 150.0, 4.0)
    views = Projector(density, pixel_size_ang).project(random_rotations(np.random.default_rng(1), 8))
    mass = views.sum(axis=(1, 2), dtype=np.float64) * pixel_size_ang**2
    # The zero frequency is exact but for the correction of the interpolation, 1 on average over a centred body.
    np.testing.assert_allclose(mass, mass[0], rtol=1e-4)
    assert mass[0] == pytest.approx(density.values.sum(dtype=np.float64) * 4.0**3, rel=0.08)


def test_offsets_of_whole_pixels_move_the_view():
    projector = Projector(make_density("trimer", 120.0, 4.0), 4.0)
    rotation = random_rotations(np.random.default_rng(5), 1)
    still, moved = (projector.project(rotation, np.array([offset]))[0] for offset in ((0.0, 0.0), (3.0, -2.0)))
    np.testing.assert_allclose(moved, np.roll(still, (-2, 3), (0, 1)), atol=2e-4 * still.max())


def test_views_do_not_depend_on_the_batch():
    projector = Projector(make_density("barrel", 100.0, 5.0), 5.0)
    rotations = random_rotations(np.random.default_rng(6), 70)
    together = projector.project(rotations)
    assert together.dtype == np.float32
    for index in (0, 63, 64, 69):
        np.testing.assert_allclose(projector.project(rotations[[index]])[0], together[index], atol=1e-4)
    assert projector.project(rotations[:0]).shape == (0, projector.box_px, projector.box_px)


def test_random_rotations_are_uniform():
    rotations = random_rotations(np.random.default_rng(7), 20000)
    np.testing.assert_allclose(rotations @ rotations.transpose(0, 2, 1), np.eye(3)[None].repeat(20000, 0), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(rotations), 1.0)
    np.testing.assert_allclose(rotations.mean(axis=0), 0, atol=0.02)
    # Every entry of a uniform rotation is uniform on (-1, 1): mean square 1/3, mean fourth power 1/5.
    np.testing.assert_allclose((rotations**2).mean(axis=0), 1 / 3, atol=0.01)
    np.testing.assert_allclose((rotations**4).mean(axis=0), 1 / 5, atol=0.01)


def test_preferred_orientation_stays_near_the_axis():
    rotations = random_rotations(np.random.default_rng(8), 5000, tilt_sd_deg=10.0)
    tilt = np.degrees(np.arccos(rotations[:, 2, 2]))
    assert np.sqrt((tilt**2).mean()) == pytest.approx(10.0, rel=0.05)
    in_plane = np.arctan2(rotations[:, 1, 0], rotations[:, 0, 0])
    assert abs(np.exp(1j * in_plane).mean()) < 0.05
