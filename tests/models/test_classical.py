"""Restorers without weights."""

import cv2
import numpy as np
import pytest

from rass_bench.images import read_image
from rass_bench.models.catalog import load_restorer
from rass_bench.models.classical import enlarge
from rass_bench.models.registry import Runtime
from rass_bench.models.sizing import restore


def _psnr_y601(restored, reference):
    """PSNR on unrounded studio-range BT.601 luma, dB."""
    weights = np.array([65.481, 128.553, 24.966]) / 255
    error = (restored.astype(np.float64) - reference.astype(np.float64)) @ weights
    return 10 * np.log10(255**2 / np.mean(error**2))


def test_identity_changes_nothing(noise_photo):
    photo = noise_photo(17, 23)
    assert (restore(load_restorer("identity"), [photo])[0] == photo).all()


def test_bicubic_gives_the_published_figure_on_realsr(shared_data):
    """27.11 dB over the 100 crops; with OpenCV's cubic it would be 27.15."""
    root = shared_data("realsr")
    crops = sorted((root / "test_LR").iterdir())
    bicubic = load_restorer("bicubic")
    values = [
        _psnr_y601(
            restore(bicubic, [read_image(crop)])[0], read_image(root / "test_HR" / crop.name)
        )
        for crop in crops
    ]
    assert len(values) == 100
    assert np.mean(values) == pytest.approx(27.11, abs=0.01)


def test_enlarging_interpolates_with_keys_cubic():
    ramp = np.repeat(np.arange(0, 160, 10, dtype=np.uint8)[None, :, None], 3, axis=2)
    wide = enlarge(ramp.repeat(8, axis=0), 8, 64)[4, :, 0]
    # A cubic kernel reproduces a ramp: at (x + 0.5) / 4 - 0.5 away from the borders.
    expected = ((np.arange(64) + 0.5) / 4 - 0.5) * 10
    assert np.abs(wide[8:-8] - expected[8:-8]).max() <= 0.5


@pytest.fixture(scope="module")
def photo(shared_data):
    return read_image(shared_data("ade20k150/images/validation/ADE_val_00000001.jpg"))[:200, :256]


def test_non_local_means_removes_noise_and_keeps_the_photo(photo):
    noise = np.random.default_rng(0).normal(scale=10, size=photo.shape)
    noisy = np.clip(photo + noise, 0, 255).astype(np.uint8)
    denoised = restore(load_restorer("nlm"), [noisy])[0]
    assert _psnr_y601(denoised, photo) > _psnr_y601(noisy, photo) + 1
    assert denoised.shape == photo.shape


def test_non_local_means_treats_the_channels_as_red_green_blue(photo):
    blue_first = np.ascontiguousarray(photo[:, :, ::-1])
    expected = cv2.fastNlMeansDenoisingColored(blue_first, None, 8, 8, 5, 15)[:, :, ::-1]
    assert (restore(load_restorer("nlm"), [photo])[0] == expected).all()


def test_non_local_means_gives_the_same_bytes_on_any_number_of_threads(photo):
    one = restore(load_restorer("nlm", Runtime(threads=1)), [photo])[0]
    two = restore(load_restorer("nlm", Runtime(threads=2)), [photo])[0]
    load_restorer("nlm", Runtime(threads=1))
    assert (one == two).all()
