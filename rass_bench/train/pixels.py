"""From tensors to photos, for pictures."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor


def to_pixels(photos: Tensor) -> NDArray[np.uint8]:
    """Tensors, float (N, 3, H, W) in [0, 1], as RGB uint8 (N, H, W, 3)."""
    pixels: NDArray[np.uint8] = (
        photos.detach()
        .float()
        .clamp(0, 1)
        .mul(255)
        .round()
        .byte()
        .permute(0, 2, 3, 1)
        .cpu()
        .numpy()
    )
    return pixels
