"""Reading photos: RGB uint8, orientation applied once, and broken files named."""

import io
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from rass_bench.errors import UserError
from rass_bench.images import image_png, label_png, oriented_size, read_image


@pytest.fixture
def photo():
    return np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)


def test_a_png_is_read_as_it_is(tmp_path, photo):
    Image.fromarray(photo).save(tmp_path / "a.png")
    assert np.array_equal(read_image(tmp_path / "a.png"), photo)


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_once(tmp_path, photo, orientation, suffix):
    # EXIF 2.3, tag 0x0112: how the stored rows and columns must be turned to be seen upright.
    upright = {
        1: photo,
        2: photo[:, ::-1],
        3: photo[::-1, ::-1],
        4: photo[::-1],
        5: photo.transpose(1, 0, 2),
        6: np.rot90(photo, -1),
        7: np.rot90(photo.transpose(1, 0, 2), 2),
        8: np.rot90(photo, 1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"turned.{suffix}"
    Image.fromarray(photo).save(path, exif=exif)
    assert np.array_equal(read_image(path), upright)
    assert oriented_size(path) == (upright.shape[1], upright.shape[0])


def test_a_damaged_exif_entry_beside_the_orientation_does_no_harm(tmp_path, photo):
    # Big-endian TIFF header, two entries: orientation 6, and a resolution that is text.
    entries = struct.pack(">HHIHH", 0x0112, 3, 1, 6, 0) + struct.pack(
        ">HHI4s", 0x011A, 2, 4, b"abcd"
    )
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x02" + entries + bytes(4)
    path = tmp_path / "turned.jpg"
    Image.fromarray(photo).save(path, exif=exif)
    assert read_image(path).shape == (7, 5, 3)
    assert oriented_size(path) == (5, 7)


def test_a_grey_photo_becomes_three_equal_channels(tmp_path, photo):
    Image.fromarray(photo[:, :, 0]).save(tmp_path / "grey.png")
    read = read_image(tmp_path / "grey.png")
    assert all(np.array_equal(read[:, :, channel], photo[:, :, 0]) for channel in range(3))


def test_sixteen_bits_are_scaled_to_eight(tmp_path):
    wide = np.array([[0, 128, 129, 257, 32768, 65535]], dtype=np.uint16)
    Image.fromarray(wide).save(tmp_path / "wide.png")
    assert read_image(tmp_path / "wide.png")[0, :, 0].tolist() == [0, 0, 1, 1, 128, 255]


def test_a_cmyk_photo_becomes_rgb(tmp_path):
    Image.new("CMYK", (8, 8), (255, 0, 0, 0)).save(tmp_path / "cmyk.jpg", quality=95)
    red, green, blue = read_image(tmp_path / "cmyk.jpg")[4, 4]
    assert red < 10
    assert green > 200
    assert blue > 200


def test_a_truncated_photo_is_named_not_filled_with_grey(tmp_path, photo):
    stream = io.BytesIO()
    Image.fromarray(np.kron(photo, np.ones((20, 20, 1), np.uint8))).save(stream, "JPEG")
    path = tmp_path / "cut.jpg"
    path.write_bytes(stream.getvalue()[: len(stream.getvalue()) // 2])
    with pytest.raises(UserError, match=r"cannot be decoded.*cut\.jpg"):
        read_image(path)


def test_a_file_that_is_no_image_is_named(tmp_path):
    (tmp_path / "page.jpg").write_text("<!doctype html>")
    with pytest.raises(UserError, match=r"unknown format.*page\.jpg"):
        read_image(tmp_path / "page.jpg")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"image not found.*gone\.jpg"):
        read_image(tmp_path / "gone.jpg")


@pytest.mark.parametrize("kind", ["folder", "loop"])
@pytest.mark.parametrize("read", [read_image, oriented_size])
def test_what_the_system_cannot_open_is_named(tmp_path, kind, read):
    path = tmp_path / "odd.jpg"
    path.mkdir() if kind == "folder" else path.symlink_to(path.name)
    with pytest.raises(UserError, match=r"odd\.jpg"):
        read(path)


def test_a_decompression_bomb_is_refused_before_it_is_decoded(tmp_path):
    import zlib

    def chunk(kind, content):
        return (
            struct.pack(">I", len(content))
            + kind
            + content
            + struct.pack(">I", zlib.crc32(kind + content))
        )

    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    path = tmp_path / "bomb.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(1000)))
        + chunk(b"IEND", b"")
    )
    with pytest.raises(UserError, match=r"30000 x 30000|pixels"):
        read_image(path)


@settings(max_examples=25, deadline=None)
@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3))))
def test_a_written_photo_is_read_back_to_the_bit(image):
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(image_png(image)))), image)


@settings(max_examples=25, deadline=None)
@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_a_label_png_is_eight_bit_grey_and_exact(labels):
    image = Image.open(io.BytesIO(label_png(labels)))
    assert image.mode == "L"
    assert np.array_equal(np.asarray(image), labels)
