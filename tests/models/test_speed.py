"""Speed is the median after warm-up."""

import time

import pytest

from rass_bench.errors import UserError
from rass_bench.models.classical import Identity
from rass_bench.models.protocols import SizeRule
from rass_bench.models.speed import measure_speed


class SlowStart(Identity):
    """Its first two calls take long, as loading kernels does."""

    def __init__(self):
        self.calls = 0

    def restore(self, images):
        self.calls += 1
        time.sleep(0.2 if self.calls <= 2 else 0.005)
        return images


def test_warm_up_is_not_timed(noise_photo):
    model = SlowStart()
    speed = measure_speed(model, [noise_photo(8, 8)] * 3, warm_up=2, repeats=2)
    assert model.calls == 2 + 6
    assert (speed.calls, speed.warm_up) == (6, 2)
    assert 0.005 <= speed.median_seconds < 0.1
    assert speed.fps == pytest.approx(1 / speed.median_seconds)


def test_a_segmenter_is_timed_from_photo_to_labels(Thresholder, noise_photo):
    model = Thresholder(SizeRule(short_side=32))
    measure_speed(model, [noise_photo(16, 16)], warm_up=1, repeats=3)
    assert model.seen == [(32, 32, 3)] * 4


def test_no_photos():
    with pytest.raises(UserError, match="no photos"):
        measure_speed(Identity(), [])
