from __future__ import annotations

import bz2
import gzip
import os
import struct
from pathlib import Path

import imagecodecs
import mrcfile
import numpy as np
import pytest
import tifffile

from pupicker.core.image.histograms import histogram
from pupicker.engine.files.micrographs import Header, read_header, read_image, resolve_pixel_size, write_mrc
from pupicker.engine.preparation.working_micrograph import resample
from pupicker.engine.runtime.errors import InputError, UsageError
from pupicker.tests.shared_data import shared

MRC_DTYPES = ("int8", "int16", "float32", "uint16", "float16")
TIFF_DTYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float16", "float32", "float64")
SIZES = ((1, 2), (7, 5), (16, 33))  # height, width


def make_pixels(dtype: str, height: int, width: int) -> np.ndarray:
    """Different values at each place, so that a swapped axis or byte shows."""
    values = np.arange(height * width).reshape(height, width) % 100
    return (values + (0.5 if np.dtype(dtype).kind == "f" else 0)).astype(dtype)


def write_raw_mrc(
    path: Path, pixels: np.ndarray, byte_order: str = "<", extended: bytes = b"", **fields: object,
) -> Path:
    """An MRC file made field by field, so that each field can be wrong."""
    mode = {"int8": 0, "int16": 1, "float32": 2, "uint16": 6, "float16": 12}[pixels.dtype.name]
    height, width = pixels.shape
    header = np.zeros((), mrcfile.dtypes.HEADER_DTYPE.newbyteorder(byte_order))
    standard = {
        "nx": width, "ny": height, "nz": 1, "mode": mode, "mx": width, "my": height, "mz": 1, "nsymbt": len(extended),
        "cella": (1.5 * width, 1.5 * height, 1.5), "map": b"MAP ",
        "machst": (0x44, 0x44, 0, 0) if byte_order == "<" else (0x11, 0x11, 0, 0),
    }
    for field, value in {**standard, **fields}.items():
        header[field] = value
    path.write_bytes(header.tobytes() + extended + pixels.astype(pixels.dtype.newbyteorder(byte_order)).tobytes())
    return path


# ---- MRC: what must be read


def test_unsigned_bytes_of_imod(tmp_path):
    """Mode 0 is signed by the format; IMOD says in its own flags when it is not."""
    pixels = np.arange(256, dtype=np.uint8).reshape(8, 32)
    path = write_raw_mrc(tmp_path / "a.mrc", pixels.view(np.int8))
    assert read_image(path).pixels.min() == -128
    for flags, lowest in ((0, 0), (1, -128), (4, 0)):
        content = bytearray(path.read_bytes())
        content[152:160] = struct.pack("<ii", 1146047817, flags)
        path.write_bytes(content)
        assert read_image(path).pixels.min() == lowest
        assert read_header(path).dtype == ("int8" if lowest else "uint8")
    path = write_raw_mrc(tmp_path / "old.mrc", pixels.view(np.int8), dmin=0, dmax=255)
    np.testing.assert_array_equal(read_image(path).pixels, pixels)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress])
def test_compressed_files_are_read(tmp_path, pack):
    plain = write_raw_mrc(tmp_path / "a.mrc", make_pixels("float32", 16, 33))
    path = tmp_path / "b.mrc.packed"
    path = path.with_suffix(".gz" if pack is gzip.compress else ".bz2")
    path.write_bytes(pack(plain.read_bytes()))
    np.testing.assert_array_equal(read_image(path).pixels, read_image(plain).pixels)
    assert read_header(path).pixel_size_ang == 1.5
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(InputError, match=r"b\.mrc\."):
        read_image(path)


def test_png_is_read_and_has_no_pixel_size(tmp_path):
    pixels = make_pixels("uint16", 16, 33)
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(pixels))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png").pixels, pixels)
    with pytest.raises(InputError, match="no pixel size"):
        resolve_pixel_size(read_header(tmp_path / "a.png"), None)
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(np.zeros((4, 4, 3), np.uint8)))
    with pytest.raises(InputError, match="3 colour channels"):
        read_image(tmp_path / "a.png")


def test_damaged_digital_micrograph_is_one_line(tmp_path):
    for content in (b"\0\0\0\4" + b"\xff" * 100, b"\0\0\0\3" + bytes(200)):
        (tmp_path / "a.dm4").write_bytes(content)
        with pytest.raises(InputError, match=r"a\.dm4: (cannot be read as a file of|reading \.dm3)") as caught:
            read_image(tmp_path / "a.dm4")
        assert "\n" not in str(caught.value)
        # The destructor of one that is mapped fails now and then, and Python prints its traceback.
        assert "a.dm4" not in Path("/proc/self/maps").read_text()


def test_what_is_called_like_another_format_is_named(tmp_path):
    write_mrc(tmp_path / "a.mrc", make_pixels("float32", 6, 5), 2.0)
    tifffile.imwrite(tmp_path / "a.tif", make_pixels("float32", 40, 50))
    for source, target, kind in (("a.tif", "b.mrc", "a TIFF image"), ("a.mrc", "b.tif", "an MRC image")):
        (tmp_path / target).write_bytes((tmp_path / source).read_bytes())
        assert_refused(tmp_path / target, f"it is {kind}; give it its own extension")
    (tmp_path / "c.mrc").write_text("<html>\n" * 1000)
    assert_refused(tmp_path / "c.mrc", "not an MRC file: it is text")


def test_pixels_that_are_not_square_are_no_pixel_size(tmp_path):
    path = tmp_path / "a.mrc"
    write_mrc(path, make_pixels("float32", 6, 5), 2.0)
    for height, square in ((2.01, True), (1.0, False)):
        with mrcfile.open(path, "r+") as file:
            file.voxel_size = (2.0, height, 1.0)
        if square:
            assert resolve_pixel_size(read_header(path), None) == 2.0
        else:
            with pytest.raises(InputError, match="pixels of 2 x 1 Å, which are not square; give") as caught:
                resolve_pixel_size(read_header(path), None)
            assert caught.value.parameters == ("pixel_size",)
        assert resolve_pixel_size(read_header(path), 3.0) == 3.0


@pytest.mark.parametrize(("pack", "suffix"), [(gzip.compress, ".gz"), (bz2.compress, ".bz2")])
def test_damaged_compressed_micrographs_say_what_to_do(tmp_path, pack, suffix):
    write_mrc(tmp_path / "a.mrc", np.random.default_rng(0).normal(size=(64, 64)).astype(np.float32), 2.0)
    packed = pack((tmp_path / "a.mrc").read_bytes())
    path = tmp_path / f"a.mrc{suffix}"
    for content in (packed[:-2000], packed[:3000] + bytes(50) + packed[3050:]):
        path.write_bytes(content)
        assert_refused(path, "it cannot be unpacked", "copy it again")


@pytest.mark.parametrize("byte_order", "<>")
@pytest.mark.parametrize("dtype", MRC_DTYPES)
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_mrc_of_each_type_size_and_byte_order(tmp_path, dtype, byte_order, height, width):
    pixels = make_pixels(dtype, height, width)
    path = write_raw_mrc(tmp_path / "a.mrc", pixels, byte_order)
    assert read_header(path) == Header(path, width, height, dtype, 1.5)
    image = read_image(path)
    np.testing.assert_array_equal(image.pixels, pixels.astype(np.float32))
    assert image.pixels.dtype == np.dtype(np.float32) and image.pixels.dtype.isnative
    assert image.pixels.flags.c_contiguous
    assert image.invalid is None and image.n_invalid == 0


@pytest.mark.parametrize("dtype", MRC_DTYPES)
def test_written_mrc_reads_back_here_and_elsewhere(tmp_path, dtype):
    pixels = make_pixels(dtype, 9, 14)
    path = tmp_path / "new" / "a.mrc"
    write_mrc(path, pixels, 1.77)
    assert read_header(path) == Header(path, 14, 9, dtype, 1.77)
    np.testing.assert_array_equal(read_image(path).pixels, pixels.astype(np.float32))
    if dtype != "float16":  # for which the validator's own statistics overflow
        with open(os.devnull, "w") as nowhere:
            assert mrcfile.validate(path, print_file=nowhere)
    with mrcfile.open(path) as file:
        assert (file.header.mx, file.header.my, file.header.mz) == (14, 9, 1)
        assert file.voxel_size.y == pytest.approx(1.77)
        assert (file.header.dmin, file.header.dmax) == (pixels.min(), pixels.max())
        assert file.header.dmean == pytest.approx(pixels.mean(dtype=float))
        assert file.header.rms == pytest.approx(pixels.std(dtype=float))
    assert [entry.name for entry in path.parent.iterdir()] == ["a.mrc"]


def test_other_types_are_written_as_float32(tmp_path):
    write_mrc(tmp_path / "a.mrc", make_pixels("float64", 4, 5), 2.0)
    assert read_header(tmp_path / "a.mrc").dtype == "float32"


def test_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.mrc"
    write_mrc(path, make_pixels("int16", 4, 5), 2.0)
    with pytest.raises(ValueError, match="one image"):
        write_mrc(path, np.zeros((2, 4, 5), np.float32), 2.0)
    with pytest.raises(ValueError, match="two"):
        write_mrc(path, make_pixels("int16", 6, 7), "two")
    assert read_header(path).width == 5
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.mrc"]


def test_extended_header_is_skipped(tmp_path):
    pixels = make_pixels("float32", 6, 5)
    path = write_raw_mrc(tmp_path / "a.mrc", pixels, extended=b"\x7f" * 1536, exttyp=b"FEI1")
    np.testing.assert_array_equal(read_image(path).pixels, pixels)


@pytest.mark.parametrize("wrong", [
    {"machst": (0, 0, 0, 0)}, {"map": b"\0\0\0\0"}, {"ispg": 401, "mz": 0}, {"nsymbt": 123456}, {"nlabl": 99},
    {"mapc": 0, "nversion": -1}, {"machst": (0x11, 0x11, 0, 0)},
], ids=str)
@pytest.mark.parametrize("dtype", ["int8", "float32"])
def test_header_junk_is_forgiven(tmp_path, wrong, dtype):
    pixels = make_pixels(dtype, 6, 5)
    path = write_raw_mrc(tmp_path / "a.mrc", pixels, **wrong)
    np.testing.assert_array_equal(read_image(path).pixels, pixels.astype(np.float32))


def test_big_endian_without_stamp(tmp_path):
    pixels = make_pixels("int8", 6, 5)
    path = write_raw_mrc(tmp_path / "a.mrc", pixels, ">", machst=(0, 0, 0, 0))
    np.testing.assert_array_equal(read_image(path).pixels, pixels)


def test_mode_0_is_signed(tmp_path):
    path = write_raw_mrc(tmp_path / "a.mrc", np.array([[-128, 127], [-1, 0]], np.int8))
    assert read_image(path).pixels.tolist() == [[-128, 127], [-1, 0]]


def test_bytes_behind_the_pixels_and_case_of_the_suffix(tmp_path):
    pixels = make_pixels("int16", 6, 5)
    path = write_raw_mrc(tmp_path / "a.MRCS", pixels)
    path.write_bytes(path.read_bytes() + b"\0" * 100)
    np.testing.assert_array_equal(read_image(path).pixels, pixels)


# ---- MRC: what must be refused, in a line that names the file


def assert_refused(path: Path, *parts: str) -> None:
    """Header or pixels raise one line with the path and all `parts`; reading pixels always does."""
    with pytest.raises(InputError) as caught:
        read_image(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and "\n" not in message
    for part in parts:
        assert part in message
    assert caught.value.exit_code == 1


@pytest.mark.parametrize(("mode", "kind"), [(3, "complex"), (4, "complex"), (101, "4-bit")])
def test_modes_that_are_no_real_image(tmp_path, mode, kind):
    path = write_raw_mrc(tmp_path / "a.mrc", make_pixels("float32", 6, 5), mode=mode)
    assert_refused(path, f"mode {mode}", kind)
    with pytest.raises(InputError, match="mode"):
        read_header(path)


def test_unknown_mode(tmp_path):
    path = write_raw_mrc(tmp_path / "a.mrc", make_pixels("float32", 6, 5), mode=77)
    assert_refused(path, "not an MRC file", "mode 77")


@pytest.mark.parametrize("size", [0, 4], ids=["nx=0", "nx<0"])
def test_impossible_size(tmp_path, size):
    assert_refused(write_raw_mrc(tmp_path / "a.mrc", make_pixels("float32", 6, 5), nx=-size), "not an MRC file")


def test_stack(tmp_path):
    with mrcfile.new(tmp_path / "a.mrcs") as file:
        file.set_data(np.zeros((3, 4, 5), np.float32))
    assert_refused(tmp_path / "a.mrcs", "stack of 3 images")


@pytest.mark.parametrize("byte_order", "<>")
@pytest.mark.parametrize("left", [1024, 1025, 1024 + 119])
def test_truncated_mrc(tmp_path, byte_order, left):
    path = write_raw_mrc(tmp_path / "a.mrc", make_pixels("float32", 6, 5), byte_order)
    path.write_bytes(path.read_bytes()[:left])
    assert_refused(path, "truncated", "need 120 bytes", f"found {left - 1024}")
    with pytest.raises(InputError, match="truncated"):
        read_header(path)


def test_file_that_ends_within_the_extended_header(tmp_path):
    path = write_raw_mrc(tmp_path / "a.mrc", make_pixels("float32", 6, 5), nsymbt=2**31 - 1)
    path.write_bytes(path.read_bytes()[:1100])
    assert_refused(path, "truncated", "found 0")


@pytest.mark.parametrize("content", [b"", b"x" * 500, b"this is text\n" * 100, b"\0" * 3000, b"\xff" * 3000])
def test_not_an_mrc_file(tmp_path, content):
    (tmp_path / "a.mrc").write_bytes(content)
    assert_refused(tmp_path / "a.mrc", "not an MRC file")


def test_compressed_mrc_without_the_extension_is_not_mistaken(tmp_path):
    pixels = np.random.default_rng(0).normal(size=(60, 50)).astype(np.float32)
    path = write_raw_mrc(tmp_path / "a.mrc", pixels)
    path.write_bytes(gzip.compress(path.read_bytes()))
    np.testing.assert_array_equal(read_image(path).pixels, pixels)
    path.write_bytes(gzip.compress(b"something else"))
    assert_refused(path, "not an MRC file")


def test_missing_folder_and_foreign_files(tmp_path):
    assert_refused(tmp_path / "missing.mrc", "No such file")
    (tmp_path / "folder.mrc").mkdir()
    assert_refused(tmp_path / "folder.mrc")
    (tmp_path / "a.jpg").write_bytes(b"")
    assert_refused(tmp_path / "a.jpg", "not a micrograph", ".mrc", ".tiff")


# ---- values


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_invalid_pixels_are_masked_and_counted(tmp_path, bad):
    pixels = make_pixels("float32", 20, 30)
    invalid = np.zeros(pixels.shape, bool)
    invalid[3:8, 4:10] = True
    invalid[19, 29] = True
    path = write_raw_mrc(tmp_path / "a.mrc", np.where(invalid, np.float32(bad), pixels))
    image = read_image(path)
    assert image.n_invalid == 31
    np.testing.assert_array_equal(image.invalid, invalid)
    np.testing.assert_array_equal(image.pixels[~invalid], pixels[~invalid])
    assert np.all(image.pixels[invalid] == np.median(pixels[~invalid]))
    assert image.pixels.dtype == np.float32


@pytest.mark.parametrize(("values", "said"), [
    (np.full((4, 5), 7.0), "same value 7"),
    (np.full((4, 5), np.nan), "all pixels are NaN, infinite or beyond 1e+30"),
    (np.where(np.eye(4, 5) > 0, -1e38, 3e38), "all pixels are NaN, infinite or beyond 1e+30"),
    (np.where(np.eye(4, 5) > 0, np.nan, 3.0), "same value 3"),
])
@pytest.mark.parametrize("suffix", [".mrc", ".tif"])
def test_images_without_content(tmp_path, values, said, suffix):
    path = tmp_path / f"a{suffix}"
    if suffix == ".mrc":
        write_raw_mrc(path, values.astype(np.float32))
    else:
        tifffile.imwrite(path, values.astype(np.float32))
    assert_refused(path, said)
    assert read_header(path).width == 5


@pytest.mark.parametrize("value", [1e38, -1e38, 1.01e30])
def test_values_whose_sums_overflow_are_invalid(tmp_path, value):
    pixels = make_pixels("float32", 40, 50)
    pixels[1, 2] = value
    image = read_image(write_raw_mrc(tmp_path / "a.mrc", pixels))
    assert image.n_invalid == 1 and image.invalid[1, 2]
    assert image.pixels[1, 2] == np.median(np.delete(pixels.reshape(-1), 52))
    resampled = resample(tmp_path / "a.mrc", 1.0, 2.0)
    assert bool(resampled.pixels.isfinite().all()) and resampled.n_invalid == 1


def test_the_largest_values_can_be_resampled(tmp_path):
    pixels = np.random.default_rng(0).uniform(-1e30, 1e30, (400, 500)).astype(np.float32)
    assert read_image(write_raw_mrc(tmp_path / "a.mrc", pixels)).n_invalid == 0
    resampled = resample(tmp_path / "a.mrc", 1.0, 2.0)
    assert bool(resampled.pixels.isfinite().all())
    assert int(histogram(resampled.pixels).count.sum()) > 0.99 * resampled.pixels.numel()


def test_values_beyond_32_bits_are_invalid(tmp_path):
    pixels = make_pixels("float64", 4, 5)
    pixels[1, 2] = 1e300
    tifffile.imwrite(tmp_path / "a.tif", pixels)
    assert read_image(tmp_path / "a.tif").n_invalid == 1


# ---- TIFF


@pytest.mark.parametrize("byteorder", "<>")
@pytest.mark.parametrize("compression", [None, "lzw", "deflate", "zstd"])
@pytest.mark.parametrize("dtype", TIFF_DTYPES)
def test_tiff(tmp_path, dtype, compression, byteorder):
    pixels = make_pixels(dtype, 33, 21)
    path = tmp_path / "a.TIF"
    tifffile.imwrite(path, pixels, compression=compression, byteorder=byteorder, rowsperstrip=8)
    assert read_header(path) == Header(path, 21, 33, dtype, None)
    image = read_image(path)
    np.testing.assert_array_equal(image.pixels, pixels.astype(np.float32))
    assert image.pixels.flags.c_contiguous and image.pixels.dtype.isnative


def test_tiff_with_predictor_and_tiles(tmp_path):
    pixels = make_pixels("uint16", 70, 45)
    tifffile.imwrite(tmp_path / "a.tiff", pixels, compression="lzw", predictor=True, tile=(16, 32))
    np.testing.assert_array_equal(read_image(tmp_path / "a.tiff").pixels, pixels)


@pytest.mark.parametrize(("tag", "kind", "count"), [(282, 5, 2), (282, 2, 8), (296, 3, 2)])
def test_a_tiff_whose_resolution_is_damaged_states_none(tmp_path, tag, kind, count):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.ones((8, 8), np.float32), resolution=(1e7, 1e7), resolutionunit="CENTIMETER")
    whole = path.read_bytes()
    known = whole.index(struct.pack("<H", tag) + struct.pack("<H", 3 if tag == 296 else 5) + struct.pack("<I", 1))
    path.write_bytes(whole[:known] + struct.pack("<HHI", tag, kind, count) + whole[known + 8 :])
    assert read_header(path).pixel_size_ang is None


def test_tiff_pixel_size_from_resolution(tmp_path):
    pixels = make_pixels("uint16", 7, 5)
    per_cm = (50_000_000, 50_000_000)  # of 2 Å
    tifffile.imwrite(tmp_path / "a.tif", pixels, resolution=per_cm, resolutionunit="CENTIMETER")
    assert read_header(tmp_path / "a.tif").pixel_size_ang == 2.0
    tifffile.imwrite(tmp_path / "screen.tif", pixels, resolution=(72, 72), resolutionunit="INCH")
    with pytest.raises(InputError, match=r"screen\.tif: impossible pixel size 3\.52778e\+06"):
        resolve_pixel_size(read_header(tmp_path / "screen.tif"), None)


@pytest.mark.parametrize("options", [{}, {"imagej": True}], ids=["pages", "imagej"])
def test_tiff_stack(tmp_path, options):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((4, 6, 5), np.uint16), photometric="minisblack", **options)
    assert_refused(tmp_path / "a.tif", "stack of 4 images")


def test_tiff_colour_and_types(tmp_path):
    tifffile.imwrite(tmp_path / "rgb.tif", np.zeros((6, 5, 3), np.uint8), photometric="rgb")
    assert_refused(tmp_path / "rgb.tif", "3 colour channels")
    tifffile.imwrite(tmp_path / "c.tif", np.zeros((6, 5), np.complex64))
    assert_refused(tmp_path / "c.tif", "complex64")
    tifffile.imwrite(tmp_path / "b.tif", np.zeros((6, 5), bool))
    assert_refused(tmp_path / "b.tif", "bool")


@pytest.mark.parametrize("compression", [None, "lzw", "deflate", "zstd"])
@pytest.mark.parametrize("kept", [0.5, 0.98])
def test_truncated_tiff(tmp_path, compression, kept):
    path = tmp_path / "a.tif"
    values = np.random.default_rng(0).integers(0, 1000, (64, 50)).astype(np.uint16)
    tifffile.imwrite(path, values, compression=compression, rowsperstrip=8)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    assert_refused(path, "truncated")


def test_damaged_tiff(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, make_pixels("uint16", 64, 50), compression="deflate")
    with tifffile.TiffFile(path) as file:
        offset = file.pages.first.dataoffsets[0]
    content = bytearray(path.read_bytes())
    content[offset:offset + 40] = b"\xff" * 40
    path.write_bytes(content)
    assert_refused(path, "cannot be read as TIFF")


@pytest.mark.parametrize("content", [b"", b"II*\0", b"text\n" * 100, b"II*\0" + struct.pack("<I", 8) + b"\0" * 6])
def test_not_a_tiff_file(tmp_path, content):
    (tmp_path / "a.tif").write_bytes(content)
    assert_refused(tmp_path / "a.tif", "TIFF")


# ---- pixel size


def header(pixel_size_ang: float | None, side: int = 4096) -> Header:
    return Header(Path("m.mrc"), side, 100, "float32", pixel_size_ang)


def test_given_pixel_size_wins():
    assert resolve_pixel_size(header(2.0), 1.06) == 1.06
    assert resolve_pixel_size(header(None), 1.0) == 1.0
    assert resolve_pixel_size(header(float("nan")), 1.06) == 1.06


@pytest.mark.parametrize("given", [0.0, -1.0, float("nan"), float("inf"), 101.0])
def test_absurd_given_pixel_size(given):
    with pytest.raises(UsageError, match="pixel size"):
        resolve_pixel_size(header(1.5), given)


@pytest.mark.parametrize("found", [None, 0.0, -1.5, float("nan"), float("inf"), 100.5, 1.0])
def test_absurd_pixel_size_of_the_header(found):
    with pytest.raises(InputError, match=r"^m\.mrc: .*pixel size.*give "):
        resolve_pixel_size(header(found), None)


@pytest.mark.parametrize(("found", "side"), [(1.5, 4096), (100.0, 4096), (1.0, 512), (1.0001, 4096)])
def test_credible_pixel_size_of_the_header(found, side):
    assert resolve_pixel_size(header(found, side), None) == found


@pytest.mark.parametrize("wrong", [{"mx": 0}, {"mx": -5}, {"cella": (0, 0, 0)}, {"cella": (np.nan, 1, 1)}])
def test_mrc_without_pixel_size(tmp_path, wrong):
    path = write_raw_mrc(tmp_path / "a.mrc", make_pixels("int16", 6, 5), **wrong)
    with pytest.raises(InputError, match="pixel size"):
        resolve_pixel_size(read_header(path), None)


# ---- real files


@pytest.mark.parametrize(("name", "width", "height", "dtype", "pixel_size_ang"), [
    ("empiar10146_apoferritin/mrc/May08_04.33.57.mrc", 1240, 1200, "float32", 1.5),
    ("empiar10017_bgal/mrc_full_int8/Falcon_2012_06_12-14_33_35_0.mrc", 4096, 4096, "int8", 1.77),
    ("empiar10017_bgal/mrc_bin4/Falcon_2012_06_12-14_33_35_0.mrc", 1024, 1024, "float32", 7.08),
])
def test_real_micrographs(name, width, height, dtype, pixel_size_ang):
    path = shared(f"data/{name}")
    found = read_header(path)
    assert found == Header(path, width, height, dtype, pixel_size_ang)
    assert resolve_pixel_size(found, None) == pixel_size_ang
    image = read_image(path)
    assert image.n_invalid == 0
    with mrcfile.open(path) as file:
        np.testing.assert_array_equal(image.pixels, file.data.astype(np.float32))


def test_real_micrograph_with_unset_pixel_size():
    found = read_header(shared("data/robustness/Ucsf_stack_1142_DW.mrc"))
    assert (found.width, found.height) == (959, 927)
    with pytest.raises(InputError, match="never set"):
        resolve_pixel_size(found, None)


def test_real_volume_is_no_micrograph():
    assert_refused(shared("data/models_maps/4v7r.5A.mrc"), "stack of 96 images")
