"""PSNR and SSIM against a published log, scikit-image, and plain loops."""

import re
import statistics
import time

import numpy as np
import pytest
from PIL import Image

from rass_bench.errors import UserError
from rass_bench.images import read_image
from rass_bench.metrics.catalog import get_metric
from rass_bench.metrics.image_quality import PSNR_CAP

IDS = ["psnr/y601", "psnr/rgb", "ssim/y601-rounded", "ssim/rgb"]


def measure(metric, restored, reference):
    return get_metric(metric).load().function(restored, reference)


def luma(image):
    red, green, blue = np.moveaxis(image.astype(np.float64), 2, 0)
    return 16 + (65.481 * red + 128.553 * green + 24.966 * blue) / 255


def photo_pair(seed=0, height=40, width=50):
    """A smooth picture and a noisy copy of it."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(256, size=(6, 6, 3)).astype(np.uint8))
    clean = np.asarray(small.resize((width, height), Image.Resampling.BICUBIC))
    noisy = np.clip(clean + rng.normal(0, 12, clean.shape), 0, 255).astype(np.uint8)
    return noisy, clean


def ssim_window_by_window(first, second, clamp):
    """Wang et al. 2004, one window after another, in float64."""
    offset = np.arange(11) - 5
    weight = np.exp(-(offset[:, None] ** 2 + offset[None, :] ** 2) / (2 * 1.5**2))
    weight /= weight.sum()
    c1, c2 = 2.55**2, 7.65**2
    values = []
    for y in range(first.shape[0] - 10):
        for x in range(first.shape[1] - 10):
            a, b = first[y : y + 11, x : x + 11], second[y : y + 11, x : x + 11]
            mean_a, mean_b = (weight * a).sum(), (weight * b).sum()
            variance_a = (weight * (a - mean_a) ** 2).sum()
            variance_b = (weight * (b - mean_b) ** 2).sum()
            covariance = (weight * (a - mean_a) * (b - mean_b)).sum()
            structure = (2 * covariance + c2) / (variance_a + variance_b + c2)
            light = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
            values.append(light * (max(structure, 0) if clamp else structure))
    return np.mean(values)


@pytest.fixture
def published(shared_data):
    """The six published outputs with their references and the logged PSNR and SSIM."""
    folder = shared_data("realsr")
    log = (folder / "results_osediff_METRICS.log").read_text()
    line = re.compile(r"results_osediff/(\S+\.png) \| PSNR: ([\d.]+); SSIM: ([\d.]+)")
    values = {name: (float(psnr), float(ssim)) for name, psnr, ssim in line.findall(log)}
    return [
        (read_image(path), read_image(folder / "test_HR" / path.name), *values[path.name])
        for path in sorted((folder / "results_osediff").glob("*.png"))
    ]


def test_the_six_published_outputs_score_what_their_log_says(published):
    assert len(published) == 6
    for restored, reference, psnr, ssim in published:
        assert measure("psnr/y601", restored, reference) == pytest.approx(psnr, abs=1e-4)
        assert measure("ssim/y601-rounded", restored, reference) == pytest.approx(ssim, abs=1e-5)


def test_bicubic_enlargement_of_the_hundred_crops_scores_the_known_mean(shared_data):
    # The bicubic kernel with a = -0.5 (Pillow, MATLAB); OpenCV's and torch's a = -0.75 gives 27.15.
    folder = shared_data("realsr")
    values = []
    for path in sorted((folder / "test_LR").glob("*.png")):
        low, high = read_image(path), read_image(folder / "test_HR" / path.name)
        size = high.shape[1], high.shape[0]
        enlarged = Image.fromarray(low).resize(size, Image.Resampling.BICUBIC)
        values.append(measure("psnr/y601", np.asarray(enlarged), high))
    assert len(values) == 100
    assert np.mean(values) == pytest.approx(27.11, abs=0.01)


def test_rgb_ssim_equals_scikit_image_on_photos(published):
    metrics = pytest.importorskip("skimage.metrics")
    for restored, reference, _, _ in published[:3]:
        expected = metrics.structural_similarity(
            restored,
            reference,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=255,
            channel_axis=2,
        )
        assert measure("ssim/rgb", restored, reference) == pytest.approx(expected, abs=1e-6)


def test_psnr_equals_its_definition():
    noisy, clean = photo_pair()
    error = np.mean((luma(noisy) - luma(clean)) ** 2)
    assert measure("psnr/y601", noisy, clean) == pytest.approx(10 * np.log10(255**2 / error))
    error = np.mean((noisy.astype(float) - clean) ** 2)
    assert measure("psnr/rgb", noisy, clean) == pytest.approx(10 * np.log10(255**2 / error))


def test_ssim_equals_its_definition_window_by_window():
    noisy, clean = photo_pair()
    inverted = 255 - clean  # negative structure, where the clamp of the luma variant shows
    for restored in (noisy, inverted):
        expected = ssim_window_by_window(luma(restored).round(), luma(clean).round(), clamp=True)
        assert measure("ssim/y601-rounded", restored, clean) == pytest.approx(expected, abs=2e-6)
        channels = [
            ssim_window_by_window(
                restored[:, :, k].astype(float), clean[:, :, k].astype(float), clamp=False
            )
            for k in range(3)
        ]
        assert measure("ssim/rgb", restored, clean) == pytest.approx(np.mean(channels), abs=2e-6)
    assert measure("ssim/rgb", inverted, clean) < 0 <= measure("ssim/y601-rounded", inverted, clean)


@pytest.mark.parametrize("level", [0, 3, 128, 252])
def test_ssim_keeps_its_digits_in_nearly_flat_black_and_white(level):
    rng = np.random.default_rng(level)
    first, second = (rng.integers(level, level + 4, (30, 30, 3)).astype(np.uint8) for _ in "ab")
    expected = np.mean(
        [
            ssim_window_by_window(
                first[:, :, k].astype(float), second[:, :, k].astype(float), False
            )
            for k in range(3)
        ]
    )
    assert measure("ssim/rgb", first, second) == pytest.approx(expected, abs=2e-5)


def test_the_variants_differ_so_their_names_must():
    noisy, clean = photo_pair()
    assert measure("psnr/y601", noisy, clean) > measure("psnr/rgb", noisy, clean) + 1


@pytest.mark.parametrize("metric", IDS)
def test_identical_images_get_the_stated_finite_best(metric):
    _, clean = photo_pair()
    best = PSNR_CAP if metric.startswith("psnr") else 1.0
    assert measure(metric, clean, clean.copy()) == best
    assert best == 1.0 or f"{best:.0f} dB" in get_metric(metric).info.title


def test_no_psnr_exceeds_that_of_identical_images():
    clean = np.full((600, 600, 3), 100, dtype=np.uint8)
    touched = clean.copy()
    touched[0, 0, 0] += 1  # 108.5 dB over the channels, 115 dB on luma
    assert measure("psnr/rgb", touched, clean) == PSNR_CAP
    assert measure("psnr/y601", touched, clean) == PSNR_CAP


@pytest.mark.parametrize("metric", IDS)
def test_more_noise_scores_lower_and_both_orders_alike(metric):
    noisy, clean = photo_pair()
    noisier = np.clip(noisy + np.random.default_rng(1).normal(0, 30, noisy.shape), 0, 255).astype(
        np.uint8
    )
    assert measure(metric, noisier, clean) < measure(metric, noisy, clean)
    assert measure(metric, noisy, clean) == pytest.approx(measure(metric, clean, noisy), abs=1e-9)


@pytest.mark.parametrize("metric", IDS)
def test_images_of_different_sizes_are_refused_with_both_sizes(metric):
    with pytest.raises(UserError, match="40 x 30 and its reference 30 x 40"):
        measure(metric, np.zeros((30, 40, 3), np.uint8), np.zeros((40, 30, 3), np.uint8))


@pytest.mark.parametrize("metric", IDS)
def test_a_missing_reference_is_the_callers_mistake(metric):
    with pytest.raises(ValueError, match=metric):
        measure(metric, np.zeros((30, 40, 3), np.uint8), None)


@pytest.mark.parametrize("metric", ["ssim/y601-rounded", "ssim/rgb"])
def test_ssim_needs_one_whole_window(metric):
    tiny = np.zeros((10, 40, 3), np.uint8)
    with pytest.raises(UserError, match="40 x 10, the metric needs 11 pixels"):
        measure(metric, tiny, tiny)
    assert measure(metric, np.zeros((11, 11, 3), np.uint8), np.zeros((11, 11, 3), np.uint8)) == 1


def test_views_with_strides_are_read_as_their_copies():
    noisy, clean = photo_pair(height=60, width=80)
    for metric in IDS:
        view = measure(metric, noisy[::2, ::-1], clean[::2, ::-1])
        assert view == measure(metric, noisy[::2, ::-1].copy(), clean[::2, ::-1].copy())


def test_time_of_a_512_pixel_image():
    noisy, clean = photo_pair(height=512, width=512)
    for metric, bound in zip(IDS, [20, 20, 60, 150], strict=True):
        function = get_metric(metric).load().function
        seconds = []
        for _ in range(9):
            start = time.perf_counter()
            function(noisy, clean)
            seconds.append(time.perf_counter() - start)
        median = 1e3 * statistics.median(seconds)
        print(f"\n{metric}: {median:.2f} ms")
        assert median < bound  # ten times what an idle core needs
