"""Photos that are in a set twice: the same pixels, or the same picture saved differently."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rass_bench.files import sha256_bytes

MAX_DISTANCE = 14
"""Differing bits, of 64, up to which two photos are compared closely."""

MIN_LIKENESS = 0.8
"""Correlation of the thumbnails from which two photos are one picture.

Measured on 87 real photos (RealSRSet, 47 further low-quality ones, ADE20K), of which every two
differ in 16 bits or more and correlate by 0.71 at most. Each saved as JPEG of quality 10, scaled by
1/4, blurred (sigma 3), with noise (sigma 25), brightened, or cut by 2 % at two sides stays within
12 bits and above 0.83. Cut by 5 %, most are out of reach.
"""

_BLOCK = 512
"""Photos whose hashes are compared with all earlier ones at once."""


@dataclass(frozen=True)
class Fingerprint:
    """What is kept of a photo to find its duplicates.

    Attributes:
        sample: the photo's id.
        sha256: hash of its size and decoded pixels.
        bits: perceptual hash of 64 bits, see :func:`fingerprint`.
        thumbnail: float32 (32, 32), luma with mean 0 and norm 1; all 0 for a photo of one grey.
    """

    sample: str
    sha256: str
    bits: int
    thumbnail: NDArray[np.float32]


@dataclass(frozen=True)
class Duplicate:
    """A photo that repeats an earlier one.

    Attributes:
        sample: the photo.
        original: the earlier photo, the most alike of them.
        exact: whether every pixel is equal.
        likeness: correlation of the thumbnails, at most 1.
    """

    sample: str
    original: str
    exact: bool
    likeness: float


def fingerprint(sample: str, photo: NDArray[np.uint8]) -> Fingerprint:
    """Reduce a photo to what finds its duplicates.

    The perceptual hash is that of the lowest 8 x 8 frequencies of a 32 x 32 thumbnail's cosine
    transform, a bit each for whether they exceed their median (Zauner, "Implementation and
    Benchmarking of Perceptual Image Hash Functions", 2010, section 3.2.1).

    Args:
        sample: the photo's id.
        photo: RGB uint8 (H, W, 3).
    """
    import cv2

    header = f"{photo.shape[0]} {photo.shape[1]} ".encode()
    luma = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(luma, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32)
    # The first row and column hold the mean and gradients, which lighting changes.
    frequencies = cv2.dct(small)[1:9, 1:9]
    bits = np.packbits(frequencies > np.median(frequencies)).tobytes()
    small -= small.mean()
    return Fingerprint(
        sample=sample,
        sha256=sha256_bytes(header + photo.tobytes()),
        bits=int.from_bytes(bits, "big"),
        thumbnail=small / max(1.0, float(np.linalg.norm(small))),
    )


def find_duplicates(prints: Sequence[Fingerprint]) -> tuple[Duplicate, ...]:
    """The photos that repeat an earlier one of the list, each with the one it is most alike.

    Every hash is compared with every earlier one; those at most ``MAX_DISTANCE`` bits apart are
    duplicates where their thumbnails correlate by ``MIN_LIKENESS``. Photos of a single grey are
    duplicates of equal pixels alone, having no picture to compare.
    """
    originals: dict[str, str] = {}
    exact, distinct = [], []
    for one in prints:
        if one.sha256 in originals:
            exact.append(Duplicate(one.sample, originals[one.sha256], exact=True, likeness=1.0))
        else:
            originals[one.sha256] = one.sample
            distinct.append(one)
    near = _find_near([one for one in distinct if one.thumbnail.any()])
    order = {one.sample: index for index, one in enumerate(prints)}
    return tuple(sorted(exact + near, key=lambda found: order[found.sample]))


def _find_near(prints: Sequence[Fingerprint]) -> list[Duplicate]:
    """Near-duplicates among photos that all differ in their pixels."""
    bits = np.array([one.bits for one in prints], dtype=np.uint64)
    found = []
    for start in range(0, len(prints), _BLOCK):
        stop = min(start + _BLOCK, len(prints))
        apart = np.bitwise_count(bits[start:stop, None] ^ bits[None, :stop])
        rows, columns = np.nonzero(apart <= MAX_DISTANCE)
        earlier = columns < rows + start
        best: dict[int, tuple[float, int]] = {}
        for later, original in zip(rows[earlier] + start, columns[earlier], strict=True):
            likeness = float(np.vdot(prints[later].thumbnail, prints[original].thumbnail))
            if likeness > best.get(int(later), (MIN_LIKENESS, 0))[0]:
                best[int(later)] = likeness, int(original)
        for later, (likeness, original) in best.items():
            pair = prints[later].sample, prints[original].sample
            found.append(Duplicate(*pair, exact=False, likeness=min(1.0, likeness)))
    return found
