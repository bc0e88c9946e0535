"""Restoring to a scale: how far a photo may be enlarged."""

import numpy as np
import pytest

from rass_bench.errors import UserError
from rass_bench.evaluate.restored import restore_to_scale
from rass_bench.models.catalog import load_restorer

PHOTO = np.full((2, 3, 3), 90, np.uint8)


def test_a_photo_is_enlarged_to_the_scale_asked_for():
    restored = restore_to_scale(load_restorer("bicubic"), PHOTO, 7)
    assert restored.shape == (14, 21, 3)
    assert (restored == 90).all()


def test_a_scale_beyond_all_memory_is_told_before_it_is_tried():
    with pytest.raises(UserError, match="3 x 2 pixels would become 3000000 x 2000000"):
        restore_to_scale(load_restorer("bicubic"), PHOTO, 10**6)
