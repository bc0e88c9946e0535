"""Every metric entry is complete, and knowing them costs no heavy import."""

import re
import subprocess
import sys

import numpy as np
import pytest

from rass_bench.errors import UserError
from rass_bench.metrics.catalog import all_metrics, get_metric
from rass_bench.metrics.registry import ClassCounts, Family, ImageMetric, SegmentationMetric

EXPECTED = {
    *("miou/gt-present", "miou/union", "macc", "aacc", "fwiou"),
    *("psnr/y601", "psnr/rgb", "ssim/y601-rounded", "ssim/rgb"),
    *("lpips/alex", "dists", "niqe", "musiq/koniq", "maniqa/pipal", "maniqa/koniq", "clipiqa"),
    "piqe",
}
LOWER_IS_BETTER = {"lpips/alex", "dists", "niqe", "piqe"}


def test_the_metrics_are_those_that_the_documentation_names():
    assert {metric.info.id for metric in all_metrics()} == EXPECTED


@pytest.mark.parametrize("metric", all_metrics(), ids=lambda metric: metric.info.id)
def test_entry_is_complete(metric):
    info = metric.info
    assert get_metric(info.id) is metric
    assert info.version
    assert re.search(r"\d\.\.\d|dB|0 = equal|from 0", info.title), "state the range or the unit"
    assert len(info.source) > 10
    assert info.higher_is_better is (info.id not in LOWER_IS_BETTER)
    assert isinstance(metric, SegmentationMetric) is (info.family is Family.SEGMENTATION)


@pytest.mark.parametrize(
    "metric",
    [metric for metric in all_metrics() if metric.info.extra is None],
    ids=lambda metric: metric.info.id,
)
def test_a_better_result_scores_higher_without_any_extra(metric):
    if isinstance(metric, ImageMetric):
        loaded = metric.load()
        assert loaded.provenance == {}
        rng = np.random.default_rng(0)
        clean = rng.integers(60, 200, size=(16, 16, 3)).astype(np.uint8)
        better, worse = (
            loaded.function(
                (clean + rng.integers(spread, size=clean.shape)).astype(np.uint8), clean
            )
            for spread in (5, 50)
        )
    else:
        ten = np.array([10, 10])
        better, worse = (
            float(metric.function(ClassCounts(ten, ten, np.array([right, right]))))
            for right in (9, 5)
        )
    assert better > worse


def test_an_unknown_metric_is_answered_with_near_names():
    with pytest.raises(UserError, match=r"Did you mean .*miou/union"):
        get_metric("miou/unoin")


def test_listing_metrics_loads_no_heavy_library():
    code = (
        "import sys; from rass_bench.metrics.catalog import all_metrics; all_metrics(); "
        "heavy = {'torch', 'pyiqa', 'numba', 'cv2', 'scipy', 'pandas'} & set(sys.modules); "
        "sys.exit(', '.join(sorted(heavy)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
