"""A metric against degradation: bins of equally many images, the metric of each bin's own."""

import numpy as np
import pytest

from rass_bench.degrade.preset import PRESETS
from rass_bench.degrade.recipe import sample
from rass_bench.degrade.strength import strength
from rass_bench.metrics.catalog import get_metric
from rass_bench.metrics.registry import ClassCounts
from rass_bench.report.strength import factors

IDS = tuple(f"p{number:02}" for number in range(42))
DEGRADED = ("photos-rass", "2.0-preset1.0-seed7")
MIOU, PSNR = get_metric("miou/gt-present"), get_metric("psnr/rgb")
STRENGTHS = [strength(sample(PRESETS.get("rass"), 7, one)) for one in IDS]


def counts(correct):
    """Two classes of 100 pixels an image, of which so many are right in each image."""
    correct = np.stack([correct, correct], axis=1).astype(np.int64)
    whole = np.full_like(correct, 100)
    return ClassCounts(whole, whole, correct)


def test_four_factors_in_four_bins_hold_every_image_once():
    found = factors(DEGRADED, PSNR, IDS, {"b0l0": (np.arange(42.0), 0)})
    assert [one.name for one in found] == ["blur", "resolution", "noise", "jpeg"]
    assert [one.harder_when_lower for one in found] == [False, True, False, True]
    for factor in found:
        assert sum(one.images for one in factor.bins) == 42
        assert {one.images for one in factor.bins} == {10, 11}
        values = [getattr(one, factor.name) for one in STRENGTHS]
        assert (factor.bins[0].low, factor.bins[-1].high) == (min(values), max(values))
        edges = [edge for one in factor.bins for edge in (one.low, one.middle, one.high)]
        assert edges == sorted(edges)


def test_a_bins_number_is_of_the_images_in_it():
    """Errors grow with noise alone: by hand, IoU = correct / (200 - correct)."""
    noise = np.array([one.noise for one in STRENGTHS])
    correct = np.rint(90 - noise).clip(10)
    (factor,) = [
        one
        for one in factors(DEGRADED, MIOU, IDS, {"b0l0": (counts(correct), 0)})
        if one.name == "noise"
    ]
    (curve,) = factor.curves
    for place, value, interval in zip(factor.bins, curve.values, curve.ci95, strict=True):
        mine = (noise >= place.low) & (noise <= place.high)
        total = correct[mine].sum()
        assert value == pytest.approx(total / (200 * mine.sum() - total))
        assert interval[0] <= value <= interval[1]
    assert list(curve.values) == sorted(curve.values, reverse=True)


def test_an_image_metric_is_averaged_within_a_bin():
    jpeg = np.array([one.jpeg for one in STRENGTHS])
    *_, factor = factors(DEGRADED, PSNR, IDS, {"b0l0": (jpeg.copy(), 0)})
    for place, value in zip(factor.bins, factor.curves[0].values, strict=True):
        assert place.low <= value <= place.high


def test_every_line_has_its_curve_in_the_same_bins():
    lines = {"b0l0": (np.arange(42.0), 0), "b0l5": (np.arange(42.0) + 1, 0)}
    for factor in factors(DEGRADED, PSNR, IDS, lines):
        first, second = factor.curves
        assert (first.line, second.line) == ("b0l0", "b0l5")
        assert second.values == pytest.approx([value + 1 for value in first.values])


@pytest.mark.parametrize(
    "dataset",
    [
        ("photos", "2.0"),
        ("photos-rass", "2.0"),
        ("photos-rass", "2.0-preset0.9-seed7"),
        ("photos-unheard", "2.0-preset1.0-seed7"),
    ],
)
def test_photos_that_no_known_preset_made_have_no_strength(dataset):
    assert factors(dataset, PSNR, IDS, {"b0l0": (np.arange(42.0), 0)}) == ()


def test_a_single_severity_is_nothing_to_plot_against():
    dataset = ("photos-noise-3", "2.0-preset1.0-seed7")
    assert factors(dataset, PSNR, IDS, {"b0l0": (np.arange(42.0), 0)}) == ()


def test_few_images_make_no_curve():
    assert factors(DEGRADED, PSNR, IDS[:19], {"b0l0": (np.arange(19.0), 0)}) == ()
