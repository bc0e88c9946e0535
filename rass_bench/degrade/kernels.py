"""Blur kernels of the Real-ESRGAN degradation: Gaussian, generalized, plateau and sinc."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

MAX_SIZE = 21
"""Side of the largest kernel, and the side that BasicSR pads every kernel to."""


class KernelKind(StrEnum):
    """The families of blur kernels, named as in the Real-ESRGAN presets."""

    ISO = "iso"
    ANISO = "aniso"
    GENERALIZED_ISO = "generalized_iso"
    GENERALIZED_ANISO = "generalized_aniso"
    PLATEAU_ISO = "plateau_iso"
    PLATEAU_ANISO = "plateau_aniso"
    SINC = "sinc"

    @property
    def is_anisotropic(self) -> bool:
        """Whether the kernel has a second width and a rotation."""
        return self.value.endswith("aniso")

    @property
    def has_shape(self) -> bool:
        """Whether the kernel has a shape parameter beta."""
        return self.value.startswith(("generalized", "plateau"))


@dataclass(frozen=True)
class Kernel:
    """Everything that determines one blur kernel. Parameters that a kind lacks are None.

    Attributes:
        kind: the family.
        size: side in pixels, odd, 1..21.
        sigma_x: standard deviation along the first axis, in pixels; the only one of an isotropic
            kernel.
        sigma_y: standard deviation along the second axis, in pixels.
        theta: rotation of the axes in radians, -pi..pi.
        beta: shape parameter; 1 makes a generalized kernel Gaussian.
        cutoff: cutoff frequency of a sinc kernel in radians a pixel, 0..pi.

    Raises:
        ValueError: a parameter is absent, superfluous or out of its range.
    """

    kind: KernelKind
    size: int
    sigma_x: float | None = None
    sigma_y: float | None = None
    theta: float | None = None
    beta: float | None = None
    cutoff: float | None = None

    def __post_init__(self) -> None:
        if self.size % 2 == 0 or not 1 <= self.size <= MAX_SIZE:
            raise ValueError(f"kernel size {self.size} is not odd and in 1..{MAX_SIZE}")
        is_sinc = self.kind is KernelKind.SINC
        ranges = (
            ("sigma_x", self.sigma_x, not is_sinc, 0.05, 100.0),
            ("sigma_y", self.sigma_y, self.kind.is_anisotropic, 0.05, 100.0),
            ("theta", self.theta, self.kind.is_anisotropic, -np.pi, np.pi),
            ("beta", self.beta, self.kind.has_shape, 0.05, 100.0),
            ("cutoff", self.cutoff, is_sinc, 0.05, np.pi),
        )
        for name, value, needed, low, high in ranges:
            if needed != (value is not None):
                raise ValueError(f"a {self.kind} kernel {'needs' if needed else 'has no'} {name}")
            if value is not None and not low <= value <= high:
                raise ValueError(f"{name} {value} of a {self.kind} kernel is outside {low}..{high}")


def blur_kernel(kernel: Kernel) -> NDArray[np.float64]:
    """The kernel's weights, float64 (size, size), of sum 1 and symmetric about the centre.

    Formulas: BasicSR, ``basicsr/data/degradations.py`` at 8d56e3a. With q the squared
    Mahalanobis distance from the centre: Gaussian exp(-q/2), generalized exp(-q**beta/2),
    plateau 1/(1 + q**beta). Sinc: see :func:`sinc_kernel`.
    """
    if kernel.kind is KernelKind.SINC:
        return sinc_kernel(kernel.size, _given(kernel.cutoff))
    distance = _squared_distance(kernel)
    if kernel.kind in (KernelKind.ISO, KernelKind.ANISO):
        weights = np.exp(-0.5 * distance)
    elif kernel.kind in (KernelKind.GENERALIZED_ISO, KernelKind.GENERALIZED_ANISO):
        weights = np.exp(-0.5 * distance ** _given(kernel.beta))
    else:
        weights = 1.0 / (1.0 + distance ** _given(kernel.beta))
    return np.asarray(weights / weights.sum())


def sinc_kernel(size: int, cutoff: float) -> NDArray[np.float64]:
    """The circular low-pass kernel, float64 (size, size), of sum 1.

    The impulse response of an ideal low-pass filter with a circular pass band of radius
    ``cutoff`` (radians a pixel): cutoff * J1(cutoff * r) / (2 pi r), and cutoff**2 / (4 pi) at
    the centre, cut off at the kernel's border (Real-ESRGAN paper, section 3.3).
    """
    axis = np.arange(size) - (size - 1) / 2
    squared = np.add.outer(axis**2, axis**2).astype(np.int64)
    # Radii repeat: 66 different ones in a kernel of 21 x 21.
    distinct, place = np.unique(squared, return_inverse=True)
    radius = np.sqrt(np.maximum(distinct, 1))
    response = cutoff * bessel_j1(cutoff * radius) / (2 * np.pi * radius)
    response[distinct == 0] = cutoff**2 / (4 * np.pi)
    weights = response[place].reshape(size, size)
    return np.asarray(weights / weights.sum())


def bessel_j1(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bessel function of the first kind and order 1 for 0 <= x < 100.

    Bessel's integral, J1(x) = mean over t in [0, 2 pi) of cos(t - x sin t), by the trapezoidal
    rule, which for a periodic integrand errs only by Bessel functions of order 255 and above:
    less than the rounding of float64 at these x (Abramowitz and Stegun, 9.1.21).
    """
    t = np.arange(256) * (2 * np.pi / 256)
    return np.asarray(np.cos(t - x[..., None] * np.sin(t)).mean(axis=-1))


def _squared_distance(kernel: Kernel) -> NDArray[np.float64]:
    """Squared Mahalanobis distance of each cell from the centre, float64 (size, size)."""
    axis = np.arange(kernel.size) - (kernel.size - 1) / 2
    across, down = np.meshgrid(axis, axis)
    sigma_x = _given(kernel.sigma_x)
    if not kernel.kind.is_anisotropic:
        return np.asarray((across**2 + down**2) / sigma_x**2)
    cosine, sine = np.cos(_given(kernel.theta)), np.sin(_given(kernel.theta))
    along_x = (cosine * across + sine * down) / sigma_x
    along_y = (cosine * down - sine * across) / _given(kernel.sigma_y)
    return np.asarray(along_x**2 + along_y**2)


def _given(value: float | None) -> float:
    if value is None:
        raise ValueError("the kernel lacks a parameter of its kind")
    return value
