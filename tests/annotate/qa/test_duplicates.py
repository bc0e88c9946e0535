"""Duplicates of photos: copies and re-savings of real photos are found, other photos are not."""

import time

import cv2
import numpy as np
import pytest

from rass_bench.annotate.qa.duplicates import Fingerprint, find_duplicates, fingerprint
from rass_bench.images import IMAGE_SUFFIXES, read_image


def as_jpeg(photo):
    _, encoded = cv2.imencode(".jpg", photo, [cv2.IMWRITE_JPEG_QUALITY, 10])
    return cv2.imdecode(encoded, cv2.IMREAD_COLOR)


def with_noise(photo):
    noise = np.random.default_rng(0).normal(scale=25, size=photo.shape)
    return np.clip(photo + noise, 0, 255).astype(np.uint8)


RESAVINGS = {
    "jpeg": as_jpeg,
    "half": lambda photo: cv2.resize(photo, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_CUBIC),
    "stretched": lambda photo: cv2.resize(photo, (390, 310), interpolation=cv2.INTER_AREA),
    "blurred": lambda photo: cv2.GaussianBlur(photo, (0, 0), 2),
    "noisy": with_noise,
    "brighter": lambda photo: np.clip(photo * 1.15 + 10, 0, 255).astype(np.uint8),
}


@pytest.fixture(scope="module")
def photos(shared_data):
    """25 real photos, all different."""
    found = []
    for folder in ("lq_realsrset", "ade20k150/images/validation"):
        files = sorted(shared_data(folder).rglob("*"))
        found += [path for path in files if path.suffix.lower() in IMAGE_SUFFIXES][:16]
    return [read_image(path) for path in found[:25]]


@pytest.fixture(scope="module")
def prints(photos):
    return [fingerprint(f"p{index}", photo) for index, photo in enumerate(photos)]


def scene(seed, size=(64, 64)):
    coarse = np.random.default_rng(seed).integers(256, size=(8, 8, 3)).astype(np.uint8)
    return cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC)


def test_different_real_photos_are_no_duplicates(prints):
    assert len(prints) == 25
    assert find_duplicates(prints) == ()


@pytest.mark.parametrize("how", RESAVINGS)
def test_a_photo_saved_again_is_a_near_duplicate_of_its_own_original(photos, prints, how):
    again = [fingerprint(f"q{index}", RESAVINGS[how](photo)) for index, photo in enumerate(photos)]
    found = find_duplicates(prints + again)
    assert [(one.sample, one.original, one.exact) for one in found] == [
        (f"q{index}", f"p{index}", False) for index in range(len(photos))
    ]


def test_a_copy_of_every_pixel_is_an_exact_duplicate():
    first, other = scene(0), scene(1)
    samples = [("a", first), ("b", other), ("c", first.copy()), ("d", first.copy())]
    found = find_duplicates([fingerprint(*sample) for sample in samples])
    assert [(one.sample, one.original, one.exact) for one in found] == [
        ("c", "a", True),
        ("d", "a", True),
    ]


def test_equal_bytes_in_another_shape_are_no_exact_duplicate():
    photo = scene(0, size=(64, 32))
    turned = photo.reshape(64, 32, 3)
    prints = [fingerprint("a", photo), fingerprint("b", turned)]
    assert prints[0].sha256 != prints[1].sha256


def test_photos_of_one_grey_are_not_each_other_s_near_duplicates():
    flat = [np.full((20, 20, 3), level, dtype=np.uint8) for level in (0, 128, 255)]
    assert find_duplicates([fingerprint(str(i), photo) for i, photo in enumerate(flat)]) == ()


def test_equal_hashes_of_different_pictures_are_told_apart():
    one, other = fingerprint("a", scene(0)), fingerprint("b", scene(1))
    forged = Fingerprint("b", other.sha256, one.bits, other.thumbnail)
    assert find_duplicates([one, forged]) == ()


def test_the_nearest_of_several_originals_is_named():
    photo = scene(0)
    samples = [("blurred", cv2.GaussianBlur(photo, (0, 0), 8)), ("sharp", photo)]
    copy = ("copy", as_jpeg(photo))
    found = find_duplicates([fingerprint(*sample) for sample in (*samples, copy)])
    assert {one.sample: one.original for one in found}["copy"] == "sharp"


def test_ten_thousand_photos_are_compared_in_seconds():
    rng = np.random.default_rng(0)
    thumbnails = rng.normal(size=(10_000, 32, 32)).astype(np.float32)
    thumbnails /= np.linalg.norm(thumbnails, axis=(1, 2), keepdims=True)
    bits = rng.integers(2**64, size=10_000, dtype=np.uint64)
    many = [
        Fingerprint(str(i), str(i), int(bits[i]), thumbnail)
        for i, thumbnail in enumerate(thumbnails)
    ]
    many[7_000] = Fingerprint("copy", "copy", int(bits[3]), thumbnails[3])
    start = time.thread_time()
    found = find_duplicates(many)
    seconds = time.thread_time() - start
    print(f"\n10,000 photos compared: {seconds:.1f} s of CPU")
    assert [(one.sample, one.original) for one in found] == [("copy", "3")]
    assert seconds < 10
