"""Colour fix: a restored photo takes over the colours of the low-quality one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rass_bench.models.rass.config import ColourFix

if TYPE_CHECKING:
    import torch

EPSILON = 1e-5
"""Added to a channel's variance, so that a flat channel does not divide by zero."""

LEVELS = 5
"""Levels of the wavelet decomposition; the last one blurs over 2**4 pixels to each side."""


def fix_colour(fix: ColourFix, restored: torch.Tensor, source: torch.Tensor) -> torch.Tensor:
    """Give a restored photo the colours of the photo that it was restored from.

    Args:
        fix: how.
        restored: float32 RGB (N, 3, H, W) in 0..1.
        source: the low-quality photo, likewise, of the same size.

    Returns:
        float32 RGB (N, 3, H, W), which may leave 0..1 a little: clip before rounding.

    Raises:
        ValueError: the sizes differ.
    """
    if restored.shape != source.shape:
        raise ValueError(f"colours of {tuple(source.shape)} for {tuple(restored.shape)}")
    match fix:
        case ColourFix.ADAIN:
            return adain(restored, source)
        case ColourFix.WAVELET:
            return wavelet(restored, source)
        case ColourFix.NONE:
            return restored


def adain(restored: torch.Tensor, source: torch.Tensor) -> torch.Tensor:
    """Adaptive instance normalisation: each channel gets the source's mean and deviation.

    Arguments and result as in :func:`fix_colour`. Formula: Huang and Belongie, arXiv 1703.06868,
    equation 8, on pixels; variance unbiased, plus ``EPSILON``, as in StableSR at 4b2ac15,
    scripts/wavelet_color_fix.py, which OSEDiff uses too.
    """
    mean, deviation = _statistics(restored)
    source_mean, source_deviation = _statistics(source)
    return (restored - mean) / deviation * source_deviation + source_mean


def _statistics(photo: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    mean = photo.mean(dim=(2, 3), keepdim=True)
    variance = photo.var(dim=(2, 3), keepdim=True, unbiased=True)
    return mean, (variance + EPSILON).sqrt()


def wavelet(restored: torch.Tensor, source: torch.Tensor) -> torch.Tensor:
    """High frequencies of the restored photo on the low ones of the source.

    Arguments and result as in :func:`fix_colour`. ``restored - low(restored) + low(source)`` as in
    StableSR at 4b2ac15, scripts/wavelet_color_fix.py; the blur is linear, so that one of the
    difference does for both.
    """
    return restored + low_frequencies(source - restored)


def low_frequencies(photo: torch.Tensor) -> torch.Tensor:
    """What remains after ``LEVELS`` levels of the à-trous wavelet transform.

    Each level blurs by 1/4, 1/2, 1/4 along rows and columns with taps 2**level pixels apart;
    pixels of the border go on for ever.

    Args:
        photo: float (N, C, H, W) of any size.

    Returns:
        Likewise; the high frequencies are ``photo`` less it.
    """
    for level in range(LEVELS):
        photo = _blur(_blur(photo, 2, 2**level), 3, 2**level)
    return photo


def _blur(photo: torch.Tensor, dim: int, step: int) -> torch.Tensor:
    from torch.nn.functional import pad

    size = photo.shape[dim]
    border = (0, 0, step, step) if dim == 2 else (step, step, 0, 0)
    padded = pad(photo, border, mode="replicate")
    ends = padded.narrow(dim, 0, size) + padded.narrow(dim, 2 * step, size)
    return ends / 4 + photo / 2
