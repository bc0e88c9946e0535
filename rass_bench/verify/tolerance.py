"""How far a prediction that is made again may be from the stored one.

On the same kind of device, with the same packages and threads, a network computes the same bits,
and nothing less is accepted. Elsewhere sums are taken in another order or in another number
format, and the tolerance follows from that:

1. A format of unit roundoff u rounds a number by 0.42 u in the root mean square (errors uniform
   in half a step either way, significands as Benford's law has them), and a product of two rounded
   factors by ROUNDING = 0.6 u. Independent errors of a layer's terms keep that ratio to the sum's
   own spread, and those of L layers add like a random walk. Where the sums are accumulated in the
   format itself (float32), n terms give another sqrt(n) (Higham and Mary, A New Approach to
   Probabilistic Rounding Error Analysis, SIAM J. Sci. Comput. 41(5), 2019); TF32 and bfloat16 round
   the factors and accumulate in float32. The largest score is PEAK times the spread of all, and
   three standard deviations are granted: scores are off by up to

       e = 3 ROUNDING u sqrt(L n) / PEAK, relative to the largest, with n = 1 for TF32 and bfloat16.

2. A pixel's label changes only where its two highest scores are nearer to each other than 2 e. At
   most DENSITY of an image's pixels lie in each unit of that distance, so that at least
   1 - 2 e DENSITY of the labels stay; one pixel is granted to the smallest image.
3. A restored pixel is off by g = 255 e grey levels before it is rounded to a whole one. Rounding
   turns an error g < 1 into a whole level in a share g of the pixels, so that the mean squared
   error is at most g + g^2, and PSNR at least 10 log10(255^2 / (g + g^2)).

What that gives, and the worst that was measured on scenes (on a CPU: its vector units switched
off; TF32 by rounding the factors of every convolution and matrix product):

| format | e | labels asked | measured | PSNR asked | measured |
|---|---:|---:|---:|---:|---:|
| float32 | 6.8e-6 | 99.9932 % | 100 % (SegFormer, RASS-mini) | 75.7 dB | 94.1 dB (SCR-mini) |
| TF32 | 1.8e-3 | 98.24 % | 99.974 % (SegFormer) | 50.0 dB | |
| bfloat16 | 1.4e-2 | 85.94 % | 99.77 % (RASS-mini) | 36.0 dB | 54.2 dB (SCR-mini) |
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from enum import StrEnum

from rass_bench.record import Environment

LAYERS = 100
"""L: layers whose errors add."""

TERMS = 1000
"""n: terms of one sum."""

ROUNDING = 0.6
"""Root mean square error of a product of two rounded factors, in units of u."""

PEAK = 5.0
"""Largest score over the standard deviation of all: 5.0 to 6.8 for the shipped SegFormer."""

DENSITY = 5.0
"""Share of an image's pixels for each unit of the distance between its two highest scores, that
distance being relative to the largest score. Measured with the shipped SegFormer below distances
of 0.001 to 0.1: 2.4 in the mean of eight scenes, 2.9 with noise on them, 4.4 in one at most."""


class Arithmetic(StrEnum):
    """The number format that products are rounded to."""

    FLOAT32 = "float32"
    TF32 = "TF32"
    """What PyTorch lets a GPU's convolutions do with float32."""

    BFLOAT16 = "bfloat16"


_ROUNDOFF = {
    Arithmetic.FLOAT32: 2.0**-24,
    Arithmetic.TF32: 2.0**-11,
    Arithmetic.BFLOAT16: 2.0**-8,
}
"""u, by the bits of the significand: 24, 11 and 8 (IEEE 754-2019; NVIDIA A100 white paper)."""


@dataclass(frozen=True)
class Tolerance:
    """What is asked of a prediction that is made again.

    Attributes:
        is_exact: every pixel must be equal.
        labels: share of an image's pixels, 0..1, whose labels must be equal.
        psnr: of a restored image against the stored one, over RGB, in dB.
        why: what it follows from, in words.
    """

    is_exact: bool
    labels: float
    psnr: float
    why: str


def tolerance(then: Environment, now: Environment, options: tuple[str, ...]) -> Tolerance:
    """The tolerance between two environments.

    Args:
        then: where the stored predictions were made.
        now: where they are made again.
        options: of the models, ``NAME=VALUE``.
    """
    kinds = device_kind(then.device), device_kind(now.device)
    same = (
        kinds[0] == kinds[1]
        and then.platform == now.platform
        and then.packages == now.packages
        and then.threads == now.threads
    )
    if same:
        return Tolerance(True, 1.0, math.inf, f"the same {kinds[0]}, packages and threads")
    arithmetic = _arithmetic(then, now, options)
    error = relative_error(arithmetic)
    levels = 255 * error
    return Tolerance(
        is_exact=False,
        labels=1 - min(1.0, 2 * error * DENSITY),
        psnr=10 * math.log10(255**2 / (levels + levels**2)),
        why=f"{arithmetic} on another device, other packages or threads",
    )


def device_kind(device: str) -> str:
    """What a record calls a device, without the GPU's number and the count of cores.

    Processors of two names may sum in two orders: their vectors differ in length.
    """
    kind = re.sub(r"^cuda(:\d+)?", "cuda", device)
    return re.sub(r", \d+ cores\)$", ")", kind)


def relative_error(arithmetic: Arithmetic) -> float:
    """How far a network's scores may be off, relative to the largest: e of the module's text."""
    terms = TERMS if arithmetic is Arithmetic.FLOAT32 else 1
    return 3 * ROUNDING * _ROUNDOFF[arithmetic] * math.sqrt(LAYERS * terms) / PEAK


def _arithmetic(then: Environment, now: Environment, options: tuple[str, ...]) -> Arithmetic:
    """The coarsest format that either side computes in."""
    if "precision=bf16" in options:
        return Arithmetic.BFLOAT16
    if any(one.device.startswith("cuda") for one in (then, now)):
        return Arithmetic.TF32
    return Arithmetic.FLOAT32
