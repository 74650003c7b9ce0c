import pytest
import torch
import torch.nn.functional as F

from pupicker.core.regions.crops import gather, margin_for, random_transforms, stack_micrographs

SIZE = 9
SHAPES = [(20, 31), (15, 15), (40, 12), (1, 7)]


@pytest.fixture
def images():
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(shape, generator=generator) for shape in SHAPES]


@pytest.fixture
def stack(images):
    return stack_micrographs(images, margin_for(SIZE))


def every_pixel(shapes):
    return torch.tensor([(k, i, j) for k, (h, w) in enumerate(shapes) for i in range(h) for j in range(w)])


def slices(images, where):
    """What :func:`gather` should read, by slicing zero-padded copies."""
    half = SIZE // 2
    padded = [F.pad(image, (half,) * 4) for image in images]
    return torch.stack([padded[k][None, i : i + SIZE, j : j + SIZE] for k, i, j in where.tolist()])


def rotation(degrees, mirror=1):
    angle = torch.tensor(degrees * torch.pi / 180)
    matrix = torch.stack([torch.stack([angle.cos(), -angle.sin()]), torch.stack([angle.sin(), angle.cos()])])
    matrix[:, 1] *= mirror
    return matrix[None]


def test_crops_equal_slices_of_micrographs_of_different_sizes_with_zeros_beyond_their_borders(images, stack):
    where = every_pixel(SHAPES)
    assert torch.equal(gather(stack, where, SIZE), slices(images, where))
    assert stack.shapes == tuple(SHAPES)


def test_identity_transform_reads_the_same(images, stack):
    where = every_pixel(SHAPES)
    identity = torch.eye(2).expand(len(where), 2, 2)
    assert torch.equal(gather(stack, where, SIZE, identity), slices(images, where))


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
@pytest.mark.parametrize("mirror", [1, -1])
def test_the_eight_symmetries_equal_those_of_torch(images, stack, quarters, mirror):
    where = every_pixel(SHAPES)
    matrix = rotation(90 * quarters, mirror).round()
    turned = gather(stack, where, SIZE, matrix.expand(len(where), 2, 2))
    # The matrix [[0, -1], [1, 0]] reads (dy, dx) = (0, 1) at (-1, 0): the upper neighbour moves right, clockwise.
    expected = torch.rot90(slices(images, where), -quarters, (2, 3))
    if mirror < 0:
        expected = expected.flip(3)
    assert torch.equal(turned, expected)


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_bilinear_rotation_by_quarters_equals_the_exact_one(stack, quarters):
    where = every_pixel(SHAPES)
    unrounded = rotation(90 * quarters).expand(len(where), 2, 2)
    exact = rotation(90 * quarters).round().expand(len(where), 2, 2)
    assert not torch.equal(unrounded, exact)
    torch.testing.assert_close(
        gather(stack, where, SIZE, unrounded), gather(stack, where, SIZE, exact), rtol=0, atol=1e-5
    )


@pytest.mark.parametrize("degrees", [17.0, 45.0, 133.0, 290.5])
def test_bilinear_rotation_of_a_linear_image_is_exact(degrees):
    y, x = torch.meshgrid(torch.arange(41.0), torch.arange(41.0), indexing="ij")
    stack = stack_micrographs([0.3 * y - 0.7 * x + 2], margin_for(SIZE))
    matrix = rotation(degrees)
    crop = gather(stack, torch.tensor([[0, 20, 22]]), SIZE, matrix)[0, 0]
    reach = torch.arange(SIZE) - SIZE // 2
    dy, dx = torch.meshgrid(reach.float(), reach.float(), indexing="ij")
    row = 20 + matrix[0, 0, 0] * dy + matrix[0, 0, 1] * dx
    column = 22 + matrix[0, 1, 0] * dy + matrix[0, 1, 1] * dx
    torch.testing.assert_close(crop, 0.3 * row - 0.7 * column + 2, rtol=0, atol=1e-4)


def test_no_rotation_leaves_the_buffer_or_reads_another_micrograph():
    shapes = [(3, 5), (4, 4), (1, 1)]
    ones = [torch.full(shape, float(k + 1)) for k, shape in enumerate(shapes)]
    stack = stack_micrographs(ones, margin_for(SIZE))
    where = every_pixel(shapes)
    for degrees in range(0, 360, 15):
        crops = gather(stack, where, SIZE, rotation(float(degrees)).expand(len(where), 2, 2))
        for (k, _, _), crop in zip(where.tolist(), crops, strict=True):
            assert crop.min() >= 0 and crop.max() <= k + 1 + 1e-4
            # The centre is the pixel itself; a neighbour's value would be a mixture with another micrograph's.
            assert float(crop[0, SIZE // 2, SIZE // 2]) == k + 1


@pytest.mark.parametrize("size", [1, 3, 31, 63, 127])
def test_a_large_crop_of_a_single_pixel_shows_nothing_else(size):
    """Of three micrographs of one pixel each the margins are all that keeps them apart."""
    stack = stack_micrographs([torch.full((1, 1), 10.0**k) for k in range(3)], margin_for(size))
    angles = torch.cat([rotation(degrees, mirror) for degrees in range(0, 360, 9) for mirror in (1, -1)])
    for k in range(3):
        where = torch.tensor([[k, 0, 0]]).expand(len(angles), 3)
        crops = gather(stack, where, size, angles)[:, 0]
        around = max(0, size // 2 - 1)
        assert crops[:, size // 2, size // 2].tolist() == pytest.approx([10.0**k] * len(angles))
        crops[:, around : size - around, around : size - around] = 0  # the pixel and what it is interpolated to
        assert not crops.any()


def test_transforms_are_rotations_and_mirrors_half_of_them_exact():
    transforms = random_transforms(4000, torch.Generator().manual_seed(3))
    assert transforms.shape == (4000, 2, 2)
    torch.testing.assert_close(transforms @ transforms.mT, torch.eye(2).expand(4000, 2, 2), rtol=0, atol=1e-5)
    exact = (transforms == transforms.round()).all((1, 2))
    assert 0.46 < float(exact.float().mean()) < 0.54
    counts = transforms[exact].round().long().unique(dim=0, return_counts=True)[1]
    assert len(counts) == 8 and int(counts.min()) > 180
    mirrored = torch.linalg.det(transforms) < 0
    assert 0.46 < float(mirrored.float().mean()) < 0.54
    angle = torch.atan2(transforms[~exact, 1, 0], transforms[~exact, 0, 0])
    assert torch.histc(angle, 8, -torch.pi, torch.pi).min() > 180


def test_the_same_seed_gives_the_same_crops(stack):
    def crops(seed):
        generator = torch.Generator().manual_seed(seed)
        where = torch.stack([torch.zeros(32, dtype=torch.long), torch.randint(20, (32,), generator=generator),
                             torch.randint(31, (32,), generator=generator)], 1)
        return gather(stack, where, SIZE, random_transforms(32, generator))

    assert torch.equal(crops(5), crops(5))
    assert not torch.equal(crops(5), crops(6))


def test_a_stack_on_the_same_device_is_equal(stack):
    moved = stack.to(torch.device("cpu"))
    assert torch.equal(moved.buffer, stack.buffer)
    assert (moved.shapes, moved.margin_px) == (stack.shapes, stack.margin_px)
