"""Recipe and clean photo to degraded photo."""

from __future__ import annotations

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from rass_bench.degrade.filtering import blur
from rass_bench.degrade.kernels import blur_kernel
from rass_bench.degrade.noise import add_gaussian_noise, add_poisson_noise
from rass_bench.degrade.recipe import Blur, GaussianNoise, Jpeg, PoissonNoise, Recipe, Resize, Step
from rass_bench.degrade.resampling import resize
from rass_bench.errors import UserError
from rass_bench.images import MAX_PIXELS


def apply(recipe: Recipe, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Degrade one photo. Recipe and photo alone determine the result, to the last bit.

    Args:
        recipe: what to do.
        image: RGB uint8 (H, W, 3).

    Returns:
        RGB uint8 (H, W, 3) of the same size.

    Raises:
        UserError: the recipe enlarges beyond ``MAX_PIXELS``, or ends at another size.
    """
    original = (image.shape[0], image.shape[1])
    current = np.ascontiguousarray(image, dtype=np.float32)
    for number, step in enumerate(recipe.steps):
        current = apply_step(step, current, original, recipe, number)
    if current.shape[:2] != original:
        raise UserError(
            "the recipe does not end at the size that it started with",
            recipe.sample_id,
            "Its last resize must be by 1 of the original size.",
        )
    return to_uint8(current)


def apply_step(
    step: Step,
    image: NDArray[np.float32],
    original: tuple[int, int],
    recipe: Recipe,
    number: int,
) -> NDArray[np.float32]:
    """Apply one step.

    Args:
        step: step ``number`` of ``recipe``.
        image: float32 (h, w, 3), 0..255; a sinc filter or a bicubic resize may overshoot.
        original: height and width of the clean photo.
        recipe: the source of the noise.
        number: counted from 0.

    Returns:
        float32 (h', w', 3), 0..255 with the same exception.
    """
    match step:
        case Blur(kernel=kernel):
            return blur(image, blur_kernel(kernel))
        case Resize(scale=scale, of_original=of_original, mode=mode):
            sides = original if of_original else image.shape[:2]
            height, width = (max(1, int(side * scale)) for side in sides)
            _check_size(height, width, recipe)
            return resize(image, height, width, mode, None if of_original else scale)
        case GaussianNoise(sigma=sigma, grey=grey):
            return add_gaussian_noise(image, sigma, grey, recipe.noise_generator(number))
        case PoissonNoise(scale=scale, grey=grey):
            return add_poisson_noise(image, scale, grey, recipe.noise_generator(number))
        case Jpeg(quality=quality):
            return through_jpeg(to_uint8(image), quality).astype(np.float32)


def _check_size(height: int, width: int, recipe: Recipe) -> None:
    """Refuse a recipe, which may come from a stranger, that multiplies a photo without end."""
    if height * width > MAX_PIXELS:
        raise UserError(
            f"the recipe enlarges the photo to {width} x {height} pixels",
            recipe.sample_id,
            f"At most {MAX_PIXELS:,} pixels are made.",
        )


def through_jpeg(image: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """Compress and decompress with libjpeg-turbo, chroma halved in both directions (4:2:0).

    Args:
        image: RGB uint8 (H, W, 3).
        quality: 1..100.

    Returns:
        RGB uint8 (H, W, 3).
    """
    encoded = simplejpeg.encode_jpeg(
        image, quality=quality, colorspace="RGB", colorsubsampling="420"
    )
    # Interpolated chroma is what decoders give by default; fastupsample would repeat pixels.
    return np.asarray(simplejpeg.decode_jpeg(encoded, colorspace="RGB", fastupsample=False))


def to_uint8(image: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Clip to 0..255 and round half to even, float32 (H, W, 3) to uint8 (H, W, 3)."""
    # OpenCV rounds as numpy's rint does and saturates, in one pass.
    return np.asarray(cv2.convertScaleAbs(np.maximum(image, 0)))
