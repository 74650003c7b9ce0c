import bz2
import gzip

import mrcfile
import numpy as np
import pytest

from pupicker.engine.runtime.errors import InputError, UsageError
from pupicker.simulation.density import load_density, make_density, measure_diameter
from pupicker.simulation.projection import Projector, random_rotations
from pupicker.simulation.shapes import SHAPES
from pupicker.tests.shared_data import shared


def centre_of_mass(values):
    body = np.where(values > 0.1 * values.max(), values, 0).astype(np.float64)
    return [np.average(np.arange(n), weights=body.sum(axis=tuple({0, 1, 2} - {k}))) for k, n in enumerate(body.shape)]


def write_map(path, values, voxel_ang, axes=(1, 2, 3)):
    with mrcfile.new(path) as file:
        file.set_data(values.astype(np.float32))
        file.voxel_size = voxel_ang
        file.header.mapc, file.header.mapr, file.header.maps = axes
    return path


def write_atoms(path, positions, element="C"):
    lines = [
        f"ATOM  {i:5d}  {element:<3s} GLY A{i:4d}    {x:8.3f}{y:8.3f}{z:8.3f}  1.00 20.00          {element:>2s}"
        for i, (x, y, z) in enumerate(positions, 1)
    ]
    path.write_text("\n".join([*lines, "END", ""]))
    return path


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("diameter_ang", "pixel_size_ang"), [(160.0, 4.0), (320.0, 2.1), (90.0, 6.0)])
def test_shapes_are_centred_and_as_large_as_stated(shape, diameter_ang, pixel_size_ang):
    density = make_density(shape, diameter_ang, pixel_size_ang)
    n = density.values.shape[0]
    assert density.values.shape == (n, n, n) and density.values.dtype == np.float32 and n % 2 == 0
    assert pixel_size_ang <= density.voxel_size_ang <= max(pixel_size_ang, 0.01 * diameter_ang)
    assert measure_diameter(density.values, density.voxel_size_ang) == pytest.approx(diameter_ang, rel=0.1)
    assert centre_of_mass(density.values) == pytest.approx([n // 2] * 3, abs=0.5)
    edge = max(np.abs(np.take(density.values, [0, -1], axis=axis)).max() for axis in range(3))
    assert edge < 0.01 * density.values.max()


def test_map_is_centred_resampled_and_freed_from_its_solvent(tmp_path):
    original = make_density("globular", 150.0, 2.5)
    n = original.values.shape[0]
    values = np.full((n + 10, n + 25, n + 14), 3.0)
    values[4 : 4 + n, 20 : 20 + n, 1 : 1 + n] += original.values
    loaded = load_density(write_map(tmp_path / "off_centre.mrc", values, 2.5), 4.0)
    assert loaded.diameter_ang == pytest.approx(150.0, rel=0.12)
    assert 2.5 < loaded.voxel_size_ang <= 4.0
    m = loaded.values.shape[0]
    assert m * loaded.voxel_size_ang >= 1.4 * 150.0
    assert centre_of_mass(loaded.values) == pytest.approx([m // 2] * 3, abs=0.05)
    assert loaded.values.max() == pytest.approx(original.values.max(), rel=0.05)


def test_map_and_its_resampled_copy_give_the_same_views(tmp_path):
    original = make_density("barrel", 150.0, 2.5)
    loaded = load_density(write_map(tmp_path / "fine.mrc", original.values, 2.5), 4.0)
    rotations = random_rotations(np.random.default_rng(0), 5)
    both = (Projector(density, 4.0).project(rotations) for density in (original, loaded))
    for a, b in zip(*both, strict=True):
        low = min(len(a), len(b)) // 2 - 2
        a, b = (v[len(v) // 2 - low : len(v) // 2 + low, len(v) // 2 - low : len(v) // 2 + low] for v in (a, b))
        assert np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.99


@pytest.mark.parametrize(("name", "pack", "ending"), [
    ("a.map", gzip.compress, ".gz"), ("a.map", bz2.compress, ".bz2"), ("a.pdb", gzip.compress, ".gz")])
def test_a_compressed_file_is_that_file(tmp_path, name, pack, ending):
    if name.endswith(".pdb"):
        path = write_atoms(tmp_path / name, [(0, 0, 0), (0, 30, 60), (20, 0, 0)])
    else:
        path = write_map(tmp_path / name, make_density("globular", 150.0, 4.0).values, 4.0)
    packed = tmp_path / (name + ending)
    packed.write_bytes(pack(path.read_bytes()))
    plain, own = load_density(path, 4.0), load_density(packed, 4.0)
    assert np.array_equal(plain.values, own.values) and plain.diameter_ang == own.diameter_ang


def test_axes_of_the_header_are_respected(tmp_path):
    values = make_density("trimer", 120.0, 4.0).values
    plain = load_density(write_map(tmp_path / "plain.mrc", values, 4.0), 4.0)
    turned = load_density(write_map(tmp_path / "turned.mrc", values.transpose(1, 2, 0), 4.0, axes=(3, 1, 2)), 4.0)
    np.testing.assert_allclose(turned.values, plain.values, atol=1e-4)


def test_atoms_become_density_where_they_are(tmp_path):
    """Three atoms on a line along z, twice as many at one end: the centre of mass is nearer to it."""
    path = write_atoms(tmp_path / "few.pdb", [(10, 10, 0), (10, 10, 60), (10, 10, 60.5)])
    density = load_density(path, 3.0)
    n, voxel = density.values.shape[0], density.voxel_size_ang
    assert density.diameter_ang == pytest.approx(2 * 40.2 + 3, abs=0.5)
    along_z = density.values.sum(axis=(1, 2))
    assert np.average(np.arange(n), weights=along_z) == pytest.approx(n // 2, abs=0.05)
    low, high = n // 2 - 40.17 / voxel, n // 2 + 20.08 / voxel
    assert np.argmax(along_z) == pytest.approx(high, abs=1)
    assert along_z[: n // 2].argmax() == pytest.approx(low, abs=1)
    assert along_z[n // 2 :].sum() == pytest.approx(2 * along_z[: n // 2].sum(), rel=0.02)


def test_heavy_atoms_weigh_more(tmp_path):
    line = [(0, 0, 5 * k) for k in range(8)]
    carbon, iron = (load_density(write_atoms(tmp_path / f"{e}.pdb", line, e), 3.0) for e in ("C", "FE"))
    assert iron.values.sum() > 2 * carbon.values.sum()


def test_fine_pixels_do_not_explode_memory():
    density = make_density("globular", 400.0, 0.5)
    assert density.voxel_size_ang == pytest.approx(4.0)


@pytest.mark.parametrize(
    ("name", "low_ang", "high_ang"),
    [("3j9i.pdb", 170, 200), ("4v1w.cif", 120, 145), ("1rvx_HA_trimer.pdb", 130, 165), ("4v7r.5A.mrc", 260, 340),
     ("5mrc.10A.mrc", 260, 380)],
)
def test_real_structures(name, low_ang, high_ang):
    density = load_density(shared("data/models_maps") / name, 5.0)
    assert low_ang < density.diameter_ang < high_ang
    n = density.values.shape[0]
    assert centre_of_mass(density.values) == pytest.approx([n // 2] * 3, abs=0.5)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("missing.mrc", None, "no such density file"),
        ("text.mrc", b"no map at all", "not an MRC file"),
        ("empty.pdb", b"END\n", "no atoms"),
        ("broken.cif", b"data_x\nloop_\n_a.b\n'unclosed", "cannot be read as an atomic model"),
    ],
)
def test_unusable_file_is_named(tmp_path, name, content, words):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=words) as error:
        load_density(tmp_path / name, 4.0)
    assert name in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("values", "voxel_ang", "words"),
    [(np.zeros((16, 16, 16)), 4.0, "empty"), (np.ones((16, 16, 16)), 0.0, "voxel size"),
     (np.ones((16, 16)), 4.0, "dimensions"), (np.ones((16, 16, 16)), (4.0, 4.0, 6.0), "cubic")],
)
def test_unusable_map_is_named(tmp_path, values, voxel_ang, words):
    path = write_map(tmp_path / "bad.mrc", values, voxel_ang)
    with pytest.raises(InputError, match=words):
        load_density(path, 4.0)


def test_unknown_name_lists_the_known():
    with pytest.raises(UsageError, match="globular, ring"):
        load_density("banana", 4.0)


def test_diameter_belongs_to_shapes_only(tmp_path):
    path = write_atoms(tmp_path / "few.pdb", [(0, 0, 0), (0, 0, 60)])
    with pytest.raises(UsageError, match="leave the diameter out"):
        load_density(path, 4.0, diameter_ang=100.0)
