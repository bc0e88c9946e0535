"""Around a model: bring a photo to its size, and its answer back to the photo's size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from PIL import Image as PillowImage

from rass_bench.errors import UserError
from rass_bench.images import MAX_PIXELS
from rass_bench.models.contract import check_count, checked_output, checked_prediction
from rass_bench.models.protocols import (
    Image,
    LabelMap,
    Logits,
    Prediction,
    Restorer,
    Segmenter,
    SizeRule,
    ToldSegmenter,
)


@dataclass(frozen=True)
class Fitted:
    """A photo at a model's size.

    Attributes:
        pixels: what the model sees, RGB uint8 (h, w, 3).
        valid: rows and columns of ``pixels``, from the top left corner, that the photo covers;
            the rest is padding.
        original: rows and columns of the photo before.
    """

    pixels: Image
    valid: tuple[int, int]
    original: tuple[int, int]

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of ``pixels``."""
        return self.pixels.shape[0], self.pixels.shape[1]


def fit(image: Image, rule: SizeRule) -> Fitted:
    """Apply a size rule: scale, then pad right and bottom.

    Scaling is Pillow's antialiased bilinear, which detectron2's ResizeTransform uses
    (detectron2/data/transforms/transform.py); mmsegmentation's cv2 bilinear does not antialias.

    Args:
        image: RGB uint8 (H, W, 3).
        rule: the model's rule.

    Raises:
        UserError: the result would have more than ``MAX_PIXELS`` pixels.
    """
    original = image.shape[0], image.shape[1]
    height, width = scaled_size(original, rule)
    side = rule.letterbox
    rows = side or _round_up(height, rule.multiple_of)
    columns = side or _round_up(width, rule.multiple_of)
    if rows * columns > MAX_PIXELS:
        raise UserError(
            f"a photo of {original[1]} x {original[0]} pixels would become {columns} x {rows}",
            "the model's size rule",
            f"At most {MAX_PIXELS:,} pixels are made; limit max_long_side, or leave the photo out.",
        )
    if (height, width) != original:
        resized = PillowImage.fromarray(image).resize(
            (width, height), PillowImage.Resampling.BILINEAR
        )
        image = np.asarray(resized)
    return Fitted(_pad(image, rows, columns, rule), (height, width), original)


def scaled_size(original: tuple[int, int], rule: SizeRule) -> tuple[int, int]:
    """Rows and columns of a photo after scaling, before padding.

    The arithmetic of detectron2's ResizeShortestEdge.get_output_shape
    (detectron2/data/transforms/augmentation_impl.py): in floating point, the long side's limit
    applied to unrounded sizes, and both sides rounded half up at the very end.
    """
    height, width = original
    if rule.square is not None:
        return rule.square, rule.square
    if rule.letterbox is not None:
        return _scale_to(height, width, rule.letterbox / max(height, width))
    scaled = (float(height), float(width))
    if rule.short_side is not None:
        factor = rule.short_side / min(height, width)
        # The short side is set, not multiplied: h * (s / h) may miss s by a rounding.
        short, long = float(rule.short_side), factor * max(height, width)
        scaled = (short, long) if height < width else (long, short)
    if rule.max_long_side is not None and max(scaled) > rule.max_long_side:
        factor = rule.max_long_side / max(scaled)
        scaled = (scaled[0] * factor, scaled[1] * factor)
    return _scale_to(*scaled, 1.0)


def segment(
    segmenter: Segmenter,
    images: Sequence[Image],
    classes: Sequence[tuple[str, ...]] | None = None,
) -> list[LabelMap]:
    """Segment photos of any size.

    Args:
        segmenter: the model.
        images: RGB uint8 (H, W, 3), not necessarily of one size.
        classes: what to tell a :class:`ToldSegmenter`, for each photo.

    Returns:
        For each photo its label map, uint8 (H, W), ids 0..K-1 of the model's label space.

    Raises:
        UserError: the model's answer breaks the contract; the message names the model.
    """
    fitted = [fit(image, segmenter.spec.size_rule) for image in images]
    pixels = [one.pixels for one in fitted]
    if classes is None:
        predictions = segmenter.predict(pixels)
    else:
        predictions = cast(ToldSegmenter, segmenter).predict_told(pixels, classes)
    check_count(segmenter.spec, predictions, images)
    return [
        labels_at_original(checked_prediction(segmenter.spec, prediction, one.size), one)
        for prediction, one in zip(predictions, fitted, strict=True)
    ]


def restore(restorer: Restorer, images: Sequence[Image]) -> list[Image]:
    """Restore photos of any size.

    Args:
        restorer: the model.
        images: RGB uint8 (H, W, 3), not necessarily of one size.

    Returns:
        For each photo RGB uint8 (H * scale, W * scale, 3).

    Raises:
        UserError: the model's answer breaks the contract; the message names the model.
    """
    spec = restorer.spec
    if (spec.size_rule.short_side, spec.size_rule.letterbox, spec.size_rule.square) != (None,) * 3:
        raise UserError(
            "a restorer's size rule may pad but not scale: scaling would lose what it restores",
            spec.key,
            "State multiple_of alone in its ModelSpec.",
        )
    fitted = [fit(image, spec.size_rule) for image in images]
    outputs = restorer.restore([one.pixels for one in fitted])
    check_count(spec, outputs, images)
    return [
        _crop(checked_output(spec, output, one.size), one.valid, spec.scale)
        for output, one in zip(outputs, fitted, strict=True)
    ]


def labels_at_original(prediction: Prediction, fitted: Fitted) -> LabelMap:
    """A prediction at the model's size as labels at the photo's size.

    A label map loses its padding and is resized nearest, pixel centre to pixel centre. Scores
    lose their padding and are interpolated bilinearly (align_corners=False) before each pixel
    takes its best class, without a class-by-pixel array at full size.

    Args:
        prediction: uint8 (h, w), float32 (K, h', w') or windows; see ``models/protocols.py``.
        fitted: the photo that it was predicted from.

    Returns:
        uint8 (H, W).
    """
    height, width = fitted.original
    rows, columns = fitted.valid
    if isinstance(prediction, tuple):
        from rass_bench.models.queries import argmax_windows

        return argmax_windows(prediction, fitted.valid, height, width)
    if prediction.ndim == 3:
        from rass_bench.models.upsample import argmax_upsampled

        valid = rows / fitted.size[0], columns / fitted.size[1]
        return argmax_upsampled(cast(Logits, prediction), height, width, valid=valid)
    labels = np.ascontiguousarray(cast(LabelMap, prediction)[:rows, :columns])
    if (rows, columns) == fitted.original:
        return labels
    resized = PillowImage.fromarray(labels).resize((width, height), PillowImage.Resampling.NEAREST)
    return np.asarray(resized)


def _crop(output: Image, valid: tuple[int, int], scale: int) -> Image:
    return np.ascontiguousarray(output[: valid[0] * scale, : valid[1] * scale])


def _scale_to(height: float, width: float, factor: float) -> tuple[int, int]:
    return max(1, int(height * factor + 0.5)), max(1, int(width * factor + 0.5))


def _round_up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple


def _pad(image: Image, rows: int, columns: int, rule: SizeRule) -> Image:
    height, width = image.shape[:2]
    if (height, width) == (rows, columns):
        return image
    if rule.pad_value is None:
        return np.pad(image, ((0, rows - height), (0, columns - width), (0, 0)), mode="reflect")
    canvas = np.empty((rows, columns, 3), dtype=np.uint8)
    canvas[:] = rule.pad_value
    canvas[:height, :width] = image
    return canvas
