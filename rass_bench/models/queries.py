"""From windows and queries to labels, a few rows at a time.

The straightforward way holds K class scores for each pixel of the photo: 210 MB at 512 x 683 and
K = 150. The order of operations here is that of the reference implementations, so the labels are
theirs; only the rows are taken in chunks.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rass_bench.errors import UserError
from rass_bench.models.protocols import LabelMap, ScoreWindow

if TYPE_CHECKING:
    from torch import Tensor

ROWS = 16
"""Rows of the label map that are computed at once."""


def argmax_windows(
    windows: tuple[ScoreWindow, ...], valid: tuple[int, int], height: int, width: int
) -> LabelMap:
    """Spread windows over the photo, interpolate to (height, width), take each pixel's best class.

    For each window its values are interpolated bilinearly to the window's size; masks become
    class scores, sum over queries of P(class | query) * sigmoid(mask) [Cheng, Schwing, Kirillov
    2021, section 3.4; semantic_inference in Mask2Former's mask2former/maskformer_model.py];
    windows are averaged where they overlap [revert_window_logits_semantic in EoMT's
    training/lightning_module.py; slide_inference in mmsegmentation's
    segmentors/encoder_decoder.py]; padding is cropped; the scores are interpolated bilinearly
    (align_corners=False) to the photo's size. Of equal scores the lowest class wins.

    Args:
        windows: windows that together cover the photo at the model's size.
        valid: rows and columns of that size, from the top left corner, that the photo covers.
        height: rows of the label map.
        width: columns of the label map.

    Returns:
        Class ids, uint8 (height, width).

    Raises:
        UserError: scores that are NaN or infinite.
    """
    import torch

    labels = np.empty((height, width), dtype=np.uint8)
    for start, scores in _chunks(windows, valid, height, width):
        if not bool(torch.isfinite(scores.sum())):
            raise UserError(
                "the model returned NaN or infinite scores",
                "class scores",
                "Run it in float32, and check its weights and its input range.",
            )
        best = scores.argmax(dim=0).to(torch.uint8).numpy()
        labels[start : start + len(best)] = best
    return labels


def class_scores(
    windows: tuple[ScoreWindow, ...], valid: tuple[int, int], height: int, width: int
) -> NDArray[np.float32]:
    """The class scores that :func:`argmax_windows` takes the best of, all at once.

    Returns:
        float32 (K, height, width).
    """
    rows = [scores.numpy() for _, scores in _chunks(windows, valid, height, width)]
    return np.concatenate(rows, axis=1)


def _chunks(
    windows: tuple[ScoreWindow, ...], valid: tuple[int, int], height: int, width: int
) -> Iterator[tuple[int, Tensor]]:
    """Class scores (K, rows, width) of a few rows of the photo at a time, and the first row."""
    import torch

    for start in range(0, height, ROWS):
        stop = min(start + ROWS, height)
        with torch.no_grad():
            first, last = _source_rows(valid[0], height, start, stop)
            scores = _photo_scores(windows, first, last, valid[1])
            scores = _interpolate_rows(scores, first, valid[0], (height, width), (start, stop))
        yield start, scores


def _photo_scores(windows: tuple[ScoreWindow, ...], first: int, last: int, columns: int) -> Tensor:
    """Class scores of rows [first, last) at the model's size, float32 (K, rows, columns)."""
    import torch

    total: Tensor | None = None
    count = torch.zeros((last - first, columns))
    for window in windows:
        begin, end = max(first, window.top), min(last, window.top + window.height)
        right = min(window.left + window.width, columns)
        if begin >= end or right <= window.left:
            continue
        scores = _window_scores(window, begin - window.top, end - window.top)
        scores = scores[:, :, : right - window.left]
        if total is None:
            total = torch.zeros((len(scores), last - first, columns))
        total[:, begin - first : end - first, window.left : right] += scores
        count[begin - first : end - first, window.left : right] += 1
    if total is None:
        raise ValueError(f"no window covers rows {first} to {last}")
    return total / count


def _window_scores(window: ScoreWindow, start: int, stop: int) -> Tensor:
    """Class scores of a window's own rows [start, stop), float32 (K, rows, window width)."""
    import torch

    rows = window.values.shape[1]
    first, last = _source_rows(rows, window.height, start, stop)
    values = torch.from_numpy(np.ascontiguousarray(window.values[:, first:last]))
    size = window.height, window.width
    values = _interpolate_rows(values, first, rows, size, (start, stop))
    if window.classes is None:
        return values
    queries, height, width = values.shape
    classes = torch.from_numpy(np.ascontiguousarray(window.classes.T))
    scores = classes @ values.sigmoid().reshape(queries, height * width)
    return scores.reshape(len(classes), height, width)


def _source_rows(rows: int, height: int, start: int, stop: int) -> tuple[int, int]:
    """Which of ``rows`` source rows the output rows [start, stop) of ``height`` are made from."""
    lower, _ = _positions(rows, height, start, stop)
    return int(lower[0]), min(int(lower[-1]) + 2, rows)


def _positions(rows: int, height: int, start: int, stop: int) -> tuple[Tensor, Tensor]:
    """Lower neighbour and the upper one's weight of output rows, as torch computes them.

    align_corners=False in float32: aten/src/ATen/native/UpSample.h, torch v2.
    """
    import torch

    ratio = torch.tensor(rows, dtype=torch.float32) / height
    position = (ratio * (torch.arange(start, stop, dtype=torch.float32) + 0.5) - 0.5).clamp(min=0)
    lower = position.to(torch.int64).clamp(max=rows - 1)
    return lower, position - lower


def _interpolate_rows(
    source: Tensor, first: int, rows: int, size: tuple[int, int], wanted: tuple[int, int]
) -> Tensor:
    """Some rows of the output of a bilinear interpolation (align_corners=False).

    Args:
        source: float32 (C, n, w), rows [first, first + n) of an array of ``rows`` rows.
        first: see ``source``.
        rows: see ``source``.
        size: rows and columns of the whole output.
        wanted: first output row wanted, and the row after the last one.

    Returns:
        float32 (C, number of rows wanted, size[1]).
    """
    from torch.nn.functional import interpolate

    start, stop = wanted

    if rows == size[0]:
        mixed = source[:, start - first : stop - first]
    else:
        lower, weight = _positions(rows, size[0], start, stop)
        upper = (lower + 1).clamp(max=rows - 1)
        weight = weight[:, None]
        mixed = source[:, lower - first] * (1 - weight) + source[:, upper - first] * weight
    if mixed.shape[2] == size[1]:
        return mixed
    wide = interpolate(mixed[None], (stop - start, size[1]), mode="bilinear", align_corners=False)
    return wide[0]
