"""PSNR and SSIM in the variants that restoration papers report, each under its own name.

The variants differ by more than the methods in a table do: luma and RGB PSNR of one image lie
1.5 dB apart, two definitions of luma 1.3 dB. None crops a border; the mean over images is taken of
per-image values.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from rass_bench.errors import UserError
from rass_bench.metrics.registry import (
    METRICS,
    Family,
    ImageFunction,
    ImageMetric,
    LoadedImageMetric,
    MetricInfo,
)

PSNR_CAP = 100.0
"""Decibels given to identical images, whose PSNR is infinite, and to whatever exceeds it.

A mean over images needs a finite number, and leaving identical images out would punish them. The
cap lies far above restored photos (rounding to whole grey levels alone leaves 59 dB) and is the
same for every image size. pyiqa gives 80 dB instead, torchmetrics infinity.
"""

BT601_WEIGHTS = (65.481, 128.553, 24.966)
"""R, G, B weights of studio-range luma, Y = 16 + weights . RGB / 255 with RGB in 0..255."""

SSIM_WINDOW = 11
SSIM_SIGMA = 1.5


def psnr_y601(restored: NDArray[np.uint8], reference: NDArray[np.uint8]) -> float:
    """PSNR in dB of BT.601 studio-range luma, not rounded, against a peak of 255.

    Follows OSEDiff fcc4f09, test_metrics.py (pyiqa with ``test_y_channel`` and ``ycbcr``), without
    the 1e-8 that pyiqa adds to the mean squared error: 1e-5 dB at 25 dB.

    Args:
        restored: RGB uint8 (H, W, 3).
        reference: RGB uint8 (H, W, 3).
    """
    import cv2

    difference = cv2.subtract(restored, reference, dtype=cv2.CV_32F)
    luma = cv2.transform(difference, np.array([BT601_WEIGHTS], dtype=np.float32) / np.float32(255))
    return _psnr(cv2.norm(luma, cv2.NORM_L2SQR) / luma.size)


def psnr_rgb(restored: NDArray[np.uint8], reference: NDArray[np.uint8]) -> float:
    """PSNR in dB over all three channels, against a peak of 255.

    Args:
        restored: RGB uint8 (H, W, 3).
        reference: RGB uint8 (H, W, 3).
    """
    import cv2

    return _psnr(cv2.norm(restored, reference, cv2.NORM_L2SQR) / restored.size)


def ssim_y601_rounded(restored: NDArray[np.uint8], reference: NDArray[np.uint8]) -> float:
    """SSIM of BT.601 studio-range luma rounded to whole grey levels.

    Follows OSEDiff fcc4f09, test_metrics.py (pyiqa's ``ssim`` with ``test_y_channel``). Its
    published values come out only with the rounding, and with negative products of contrast and
    structure set to 0 (IQA-PyTorch 01ae427, pyiqa/archs/ssim_arch.py), which the paper does not do.

    Args:
        restored: RGB uint8 (H, W, 3).
        reference: RGB uint8 (H, W, 3).
    """
    luminance, contrast_structure = _similarity(
        np.rint(_luma(restored)).astype(np.float32), np.rint(_luma(reference)).astype(np.float32)
    )
    return _mean(luminance * np.maximum(contrast_structure, 0))


def ssim_rgb(restored: NDArray[np.uint8], reference: NDArray[np.uint8]) -> float:
    """SSIM of each RGB channel, then their mean.

    Follows BasicSR 8d56e3a, basicsr/metrics/psnr_ssim.py; scikit-image agrees with Gaussian
    weights, sigma 1.5 and population covariance.

    Args:
        restored: RGB uint8 (H, W, 3).
        reference: RGB uint8 (H, W, 3).
    """
    channels = []
    for channel in range(3):
        luminance, contrast_structure = _similarity(
            restored[:, :, channel].astype(np.float32), reference[:, :, channel].astype(np.float32)
        )
        channels.append(_mean(luminance * contrast_structure))
    return float(np.mean(channels))


def check_pair(
    restored: NDArray[np.uint8], reference: NDArray[np.uint8] | None, metric: str
) -> NDArray[np.uint8]:
    """Return the reference once it is known to fit the restored image.

    Raises:
        ValueError: there is no reference; the caller chose a metric that needs one.
        UserError: the sizes differ.
    """
    if reference is None:
        raise ValueError(f"{metric} compares with a reference image and was given none")
    if restored.shape != reference.shape:
        raise UserError(
            f"the restored image is {size_of(restored)} and its reference {size_of(reference)}",
            metric,
            "Bring both to one size; a restorer's scale must be the data set's.",
        )
    return reference


def check_side(image: NDArray[np.uint8], side: int, metric: str) -> None:
    """Refuse an image that is too small for a metric.

    Raises:
        UserError: a side has fewer than ``side`` pixels.
    """
    if min(image.shape[:2]) < side:
        raise UserError(
            f"the image is {size_of(image)}, the metric needs {side} pixels a side",
            metric,
            "Leave the image out or choose another metric.",
        )


def size_of(image: NDArray[np.uint8]) -> str:
    """``width x height`` for messages."""
    return f"{image.shape[1]} x {image.shape[0]}"


def _luma(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """BT.601 studio-range luma, float64 (H, W) in 16..235."""
    import cv2

    row = np.array([[*(weight / 255 for weight in BT601_WEIGHTS), 16.0]])
    return np.asarray(cv2.transform(image.astype(np.float64), row))


def _psnr(mean_squared_error: float) -> float:
    if mean_squared_error == 0:
        return PSNR_CAP
    return float(min(10 * np.log10(255**2 / mean_squared_error), PSNR_CAP))


def _mean(similarity: NDArray[np.floating]) -> float:
    return float(similarity.mean(dtype=np.float64))


def _similarity(
    first: NDArray[np.float32], second: NDArray[np.float32]
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """The two factors of SSIM: the luminance term, and the product of contrast and structure.

    Wang et al., IEEE TIP 13(4), 2004, equations 6 and 13 to 16: an 11 x 11 Gaussian of sigma 1.5,
    K1 = 0.01, K2 = 0.03, L = 255, population moments, windows that lie wholly inside the image.

    Args:
        first: float32 (H, W), values in 0..255.
        second: float32 (H, W), values in 0..255.

    Returns:
        Two maps, float32 (H - 10, W - 10).
    """
    import cv2

    window = cv2.getGaussianKernel(SSIM_WINDOW, SSIM_SIGMA, cv2.CV_32F)
    margin = SSIM_WINDOW // 2

    def local_mean(image: NDArray[np.float32]) -> NDArray[np.float32]:
        filtered = np.asarray(cv2.sepFilter2D(image, cv2.CV_32F, window, window))
        return filtered[margin:-margin, margin:-margin]

    # Moments about mid-grey: float32 then keeps enough digits when the squared mean is subtracted.
    middle = np.float32(128)
    first, second = first - middle, second - middle
    mean_1, mean_2 = local_mean(first), local_mean(second)
    covariance = local_mean(first * second) - mean_1 * mean_2
    variances = local_mean(first * first + second * second) - (mean_1 * mean_1 + mean_2 * mean_2)
    mean_1, mean_2 = mean_1 + middle, mean_2 + middle
    c1, c2 = np.float32((0.01 * 255) ** 2), np.float32((0.03 * 255) ** 2)
    luminance = (2 * mean_1 * mean_2 + c1) / (mean_1 * mean_1 + mean_2 * mean_2 + c1)
    contrast_structure = (2 * covariance + c2) / (variances + c2)
    return luminance, contrast_structure


def _register(
    metric: str,
    title: str,
    source: str,
    function: Callable[[NDArray[np.uint8], NDArray[np.uint8]], float],
    minimum_side: int = 1,
) -> None:
    def measure(restored: NDArray[np.uint8], reference: NDArray[np.uint8] | None) -> float:
        reference = check_pair(restored, reference, metric)
        check_side(restored, minimum_side, metric)
        return function(restored, reference)

    loaded: ImageFunction = measure
    info = MetricInfo(
        id=metric,
        version="1",
        family=Family.FULL_REFERENCE,
        higher_is_better=True,
        title=title,
        source=source,
    )
    METRICS.add(metric, ImageMetric(info, lambda: LoadedImageMetric(loaded, provenance={})))


_register(
    "psnr/y601",
    "PSNR of BT.601 studio-range luma, peak 255, no crop, dB; identical images count 100 dB",
    "OSEDiff fcc4f09, test_metrics.py",
    psnr_y601,
)
_register(
    "psnr/rgb",
    "PSNR over the RGB channels, peak 255, no crop, dB; identical images count 100 dB",
    "BasicSR 8d56e3a, basicsr/metrics/psnr_ssim.py",
    psnr_rgb,
)
_register(
    "ssim/y601-rounded",
    "SSIM of BT.601 studio-range luma rounded to grey levels, 11 x 11 Gaussian, no crop, 0..1",
    "OSEDiff fcc4f09, test_metrics.py",
    ssim_y601_rounded,
    minimum_side=SSIM_WINDOW,
)
_register(
    "ssim/rgb",
    "SSIM per RGB channel, then their mean, 11 x 11 Gaussian, no crop, -1..1",
    "BasicSR 8d56e3a, basicsr/metrics/psnr_ssim.py",
    ssim_rgb,
    minimum_side=SSIM_WINDOW,
)
