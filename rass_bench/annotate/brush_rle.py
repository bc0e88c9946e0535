"""Label Studio's run-length encoding of brush masks: RGBA bytes in a packed stream of bits.

The stream (``@thi.ng/rle-pack``, which the labelling page uses; restated at the head of
``label_studio_sdk/converter/brush.py``, SDK 2.1.2) is, most significant bit first:

- 32 bits: the number of values, 4 (red, green, blue, alpha) for each pixel, in row order;
- 5 bits: the bits in a value, less 1 (always 8 bits here);
- 4 times 4 bits: four sizes of counters, in bits, less 1;
- blocks: 1 bit, 1 = repeat, 0 = literal; 2 bits that choose a counter; the counter, the number of
  values less 1; then the one repeated value or the literal ones;
- zero bits up to a whole byte, and up to one whole byte more from the SDK.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from rass_bench.images import MAX_PIXELS

HEADER_BITS = 32 + 5 + 4 * 4
"""Bits before the first block."""

BITS_A_VALUE = 8
COUNTER_BITS = (3, 4, 8, 16)
"""The sizes of counters that the page and the SDK write; other sizes are read too."""

_COMPLETE, _TRUNCATED, _TOO_LONG = 0, 1, 2
"""How decoding ended."""


def encode_brush(alpha: NDArray[np.uint8]) -> list[int]:
    """Encode a mask as Label Studio's brush stream.

    The bytes are those of ``label_studio_sdk.converter.brush.mask2rle`` (SDK 2.1.2).

    Args:
        alpha: opacity, uint8 (H, W), 0..255; a mask is 0 and 255. Red, green and blue are set to
            the same value, as the page does.

    Returns:
        The bytes of the stream, 0..255 each.

    Raises:
        ValueError: no uint8 (H, W) array of 1 to ``MAX_PIXELS`` pixels.
    """
    if alpha.dtype != np.uint8 or alpha.ndim != 2 or not 1 <= alpha.size <= MAX_PIXELS:
        raise ValueError(f"a mask is uint8 (H, W), not {alpha.dtype} {alpha.shape}")
    pixels = np.ascontiguousarray(alpha).reshape(-1)
    ends = np.append(np.flatnonzero(pixels[1:] != pixels[:-1]) + 1, pixels.size)
    stream = _encode(pixels, ends, np.array(COUNTER_BITS))
    return list(stream.tobytes())


def decode_brush(rle: object, height: int, width: int) -> NDArray[np.uint8]:
    """Decode Label Studio's brush stream; only alpha is kept.

    Strokes are anti-aliased: a pixel belongs to the mask where alpha is at least 128. What the
    stream declares is compared with the size of the photo before anything is allocated.

    Args:
        rle: the bytes of the stream as a list of whole numbers 0..255, as JSON has it.
        height: rows of the photo.
        width: columns of the photo.

    Returns:
        Alpha, uint8 (height, width).

    Raises:
        ValueError: no list of bytes; a stream for another size; values of another number of bits;
            a stream that ends early, goes on after the last pixel or repeats beyond it.
    """
    if min(height, width) < 1 or height * width > MAX_PIXELS:
        raise ValueError(f"a mask of {width} x {height} pixels; at most {MAX_PIXELS:,} are decoded")
    content = _as_bytes(rle)
    header = int.from_bytes(content[:7], "big") >> (7 * 8 - HEADER_BITS)
    values, value_bits = header >> 21, (header >> 16 & 31) + 1
    if values != 4 * height * width:
        raise ValueError(
            f"the stream declares {values} values, not the 4 x {width} x {height} of the photo"
        )
    if value_bits != BITS_A_VALUE:
        raise ValueError(f"values of {value_bits} bits, not {BITS_A_VALUE}")
    counters = np.array([(header >> shift & 15) + 1 for shift in (12, 8, 4, 0)])
    alpha = np.zeros(height * width, dtype=np.uint8)
    # Three bytes beyond the end, so that a counter can be read without asking how many are left.
    padded = np.frombuffer(content + bytes(3), dtype=np.uint8)
    ending, position = _decode(padded, len(content) * 8, values, counters, alpha)
    if ending == _TRUNCATED:
        raise ValueError("the stream ends before the last pixel")
    if ending == _TOO_LONG:
        raise ValueError("a run reaches beyond the last pixel")
    if len(content) * 8 - position > 15:  # up to 7 bits and a byte are padding
        raise ValueError("the stream goes on after the last pixel")
    return alpha.reshape(height, width)


def _as_bytes(rle: object) -> bytes:
    """A list of whole numbers 0..255 as bytes.

    Raises:
        ValueError: anything else.
    """
    if not isinstance(rle, list):
        raise ValueError(f"the stream is {type(rle).__name__}, not a list of bytes")
    try:
        content = bytes(rle)
    except (TypeError, ValueError, OverflowError):
        raise ValueError("the stream holds something else than whole numbers 0..255") from None
    if len(content) * 8 < HEADER_BITS:
        raise ValueError(f"the stream has {len(content)} bytes, fewer than its header")
    return content


@njit(cache=True, nogil=True)
def _decode(data, bits, values, counters, alpha):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Fill ``alpha`` from the blocks; returns how it ended and the position in bits."""
    position, done = HEADER_BITS, 0
    while done < values:
        if position + 3 > bits:
            return _TRUNCATED, position
        kind = _read(data, position, 3)
        counter = counters[kind & 3]
        position += 3
        if position + counter + BITS_A_VALUE > bits:
            return _TRUNCATED, position
        count = _read(data, position, counter) + 1
        position += counter
        if count > values - done:
            return _TOO_LONG, position
        if kind & 4:
            # Alpha is the last value of a pixel: the run holds that of pixels done/4 to end/4.
            alpha[done // 4 : (done + count) // 4] = _read(data, position, BITS_A_VALUE)
            position += BITS_A_VALUE
        else:
            if position + count * BITS_A_VALUE > bits:
                return _TRUNCATED, position
            for index in range(done + 3 - done % 4, done + count, 4):
                offset = (index - done) * BITS_A_VALUE
                alpha[index // 4] = _read(data, position + offset, BITS_A_VALUE)
            position += count * BITS_A_VALUE
        done += count
    return _COMPLETE, position


@njit(cache=True, nogil=True)
def _read(data, position, count):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Up to 16 bits from a position; the 3 bytes that can hold them exist."""
    first = position >> 3
    window = data[first] << 16 | data[first + 1] << 8 | data[first + 2]
    return window >> (24 - (position & 7) - count) & ((1 << count) - 1)


@njit(cache=True, nogil=True)
def _encode(alpha, ends, counters):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """The stream, uint8 (N,), of runs that end before the pixels ``ends``."""
    # No block has more than 27 bits; a run of up to 16,384 pixels is one block.
    blocks = ends.size + alpha.size // 16384
    data = np.zeros(4 * blocks + 16, dtype=np.uint8)
    position = _write(data, 0, 4 * alpha.size >> 16, 16)
    position = _write(data, position, 4 * alpha.size & 0xFFFF, 16)
    position = _write(data, position, BITS_A_VALUE - 1, 5)
    for counter in counters:
        position = _write(data, position, counter - 1, 4)
    start = 0
    for end in ends:
        left = 4 * (end - start)
        # The SDK chooses the counter once a run: what remains of a long one keeps the largest.
        choice = 0
        while choice < 3 and left > 1 << counters[choice]:
            choice += 1
        while left > 0:
            count = min(left, 1 << counters[choice])
            position = _write(data, position, 4 | choice, 3)
            position = _write(data, position, count - 1, counters[choice])
            position = _write(data, position, alpha[start], BITS_A_VALUE)
            left -= count
        start = end
    # The SDK fills up to a byte, and adds a whole byte to a stream that needs none.
    return data[: position // 8 + 1]


@njit(cache=True, nogil=True)
def _write(data, position, value, count):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Write up to 16 bits to zeroed bytes; returns the position after them."""
    first = position >> 3
    window = np.int64(value) << (24 - (position & 7) - count)
    data[first] |= window >> 16
    data[first + 1] |= window >> 8 & 255
    data[first + 2] |= window & 255
    return position + count
