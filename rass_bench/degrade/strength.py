"""How strongly a recipe degrades a photo, one number a kind of damage."""

from __future__ import annotations

import math
from dataclasses import dataclass

from rass_bench.degrade.recipe import Blur, GaussianNoise, Jpeg, PoissonNoise, Recipe, Resize

_WHITE = 256
"""Photons of white in a photo with more than 128 grey levels; see ``add_poisson_noise``."""

_POISSON_AT_MID_GREY = 255 * math.sqrt(0.5 / _WHITE)
"""Standard deviation of Poisson noise of scale 1 at mid grey, in grey levels of 255."""


@dataclass(frozen=True)
class Strength:
    """What a recipe does to a photo, in sum.

    Attributes:
        blur: width of the Gaussian, generalized and plateau kernels together, in pixels of the
            clean photo: the root of the summed products sigma_x * sigma_y (one after another,
            variances add), each over the squared scale at which it is applied. The sinc filters,
            which ring rather than blur, are left out.
        resolution: the smallest size that the photo passes through, as a share of its side; 1
            where it is never shrunk.
        noise: root of the summed variances of what is added at mid grey, in grey levels of 255.
        jpeg: the lowest quality it is compressed with; 100 where it is not.
    """

    blur: float
    resolution: float
    noise: float
    jpeg: float


def strength(recipe: Recipe) -> Strength:
    """Sum up a recipe."""
    scale, smallest, blur, noise, quality = 1.0, 1.0, 0.0, 0.0, 100
    for step in recipe.steps:
        match step:
            case Blur(kernel=kernel):
                if kernel.sigma_x is not None:
                    blur += kernel.sigma_x * (kernel.sigma_y or kernel.sigma_x) / scale**2
            case Resize(scale=factor, of_original=of_original):
                scale = factor if of_original else scale * factor
                smallest = min(smallest, scale)
            case GaussianNoise(sigma=sigma):
                noise += sigma**2
            case PoissonNoise(scale=factor):
                noise += (factor * _POISSON_AT_MID_GREY) ** 2
            case Jpeg(quality=chosen):
                quality = min(quality, chosen)
    return Strength(math.sqrt(blur), smallest, math.sqrt(noise), float(quality))
