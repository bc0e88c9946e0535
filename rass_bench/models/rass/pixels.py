"""Between photos as the suite has them and tensors as the networks take them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rass_bench.files import sha256_bytes
from rass_bench.models.protocols import Image
from rass_bench.randomness import generator


def to_tensor(photo: Image, device: torch.device) -> Tensor:
    """RGB uint8 (H, W, 3) as float32 (1, 3, H, W) in [0, 1]."""
    # A copy: arrays that Pillow hands out are read-only, which PyTorch does not support.
    pixels = torch.from_numpy(np.array(photo)).to(device).permute(2, 0, 1)[None]
    return pixels.float() / 255


def latent_noise(
    photo: NDArray[Any], seed: int, shape: tuple[int, ...], device: torch.device
) -> Tensor:
    """Standard normal noise that follows from the seed and the photo's pixels alone.

    Whatever the order, the batch or the device, the same photo gets the same draw.

    Args:
        photo: its pixels, of any type.
        seed: the run's.
        shape: of the noise.
        device: where it goes.

    Returns:
        float32 of that shape.
    """
    key = sha256_bytes(repr(photo.shape).encode() + photo.tobytes())
    draws = generator(seed, key, "latent").standard_normal(shape, dtype=np.float32)
    return torch.from_numpy(draws).to(device)
