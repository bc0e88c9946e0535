"""How each family of segmentation networks is tested in its own publication.

The image processors that come with checkpoints on the Hub squeeze photos into squares; the
published figures were measured otherwise (mmsegmentation issue 1965: 35 instead of 42 mIoU).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from rass_bench.models.protocols import SizeRule


class Windows(StrEnum):
    """How a network covers a photo."""

    WHOLE = "whole"
    """The photo at once."""

    SPREAD = "spread"
    """As few squares as cover the long side, evenly spread."""

    STRIDE = "stride"
    """Squares at a stride of two thirds of their side, the last one shifted inwards."""


@dataclass(frozen=True)
class PublishedTest:
    """A family's test protocol on ADE20K.

    Attributes:
        network: name of the class in transformers.
        short_side: pixels of the short side, where the checkpoint does not say.
        long_over_short: limit of the long side over the short side's pixels, or None.
        multiple_of: padding right and bottom.
        windows: how the network covers the photo.
        queries: whether it answers with masks and class distributions.
        source: where this protocol is written down.
    """

    network: str
    short_side: int
    long_over_short: int | None
    multiple_of: int
    windows: Windows
    queries: bool
    source: str


PUBLISHED = {
    "segformer": PublishedTest(
        network="SegformerForSemanticSegmentation",
        short_side=512,
        long_over_short=4,
        multiple_of=1,
        windows=Windows.WHOLE,
        queries=False,
        source="mmsegmentation configs/segformer: (2048, 512), B5 (2560, 640), keep ratio, whole",
    ),
    "upernet": PublishedTest(
        network="UperNetForSemanticSegmentation",
        short_side=512,
        long_over_short=4,
        multiple_of=1,
        windows=Windows.WHOLE,
        queries=False,
        source="mmsegmentation configs/swin, configs/convnext: (2048, 512), keep ratio, whole",
    ),
    "beit": PublishedTest(
        network="BeitForSemanticSegmentation",
        short_side=640,
        long_over_short=None,
        multiple_of=1,
        windows=Windows.STRIDE,
        queries=False,
        source="mmsegmentation configs/beit: short side 640, slide, crop 640, stride 426",
    ),
    "dpt": PublishedTest(
        network="DPTForSemanticSegmentation",
        short_side=480,
        long_over_short=4,
        multiple_of=32,
        windows=Windows.WHOLE,
        queries=False,
        source="isl-org/DPT run_segmentation.py: 480, keep ratio, multiples of 32 (there by "
        "stretching, here by padding)",
    ),
    "mask2former": PublishedTest(
        network="Mask2FormerForUniversalSegmentation",
        short_side=512,
        long_over_short=4,
        multiple_of=32,
        windows=Windows.WHOLE,
        queries=True,
        source="facebookresearch/Mask2Former configs/ade20k/semantic-segmentation: MIN_SIZE_TEST "
        "512, Swin-B and Swin-L 640; MAX_SIZE_TEST 4 x; SIZE_DIVISIBILITY 32",
    ),
    "oneformer": PublishedTest(
        network="OneFormerForUniversalSegmentation",
        short_side=512,
        long_over_short=4,
        multiple_of=32,
        windows=Windows.WHOLE,
        queries=True,
        source="SHI-Labs/OneFormer configs/ade20k: MIN_SIZE_TEST 512, large 640; MAX_SIZE_TEST 4 x",
    ),
    "eomt": PublishedTest(
        network="EomtForUniversalSegmentation",
        short_side=512,
        long_over_short=None,
        multiple_of=1,
        windows=Windows.SPREAD,
        queries=True,
        source="tue-mps/eomt training/lightning_module.py, window_imgs_semantic",
    ),
}
"""By ``model_type`` of the checkpoint's config.json."""

MASKED_RES640_WIDTH = 128
"""Swin-B's and Swin-L's first width: from there on Mask2Former and OneFormer test at 640."""


def short_side(model_type: str, config: dict[str, Any], processor: dict[str, Any]) -> int:
    """The short side at which a checkpoint is tested.

    Args:
        model_type: a key of ``PUBLISHED``.
        config: the checkpoint's config.json.
        processor: its preprocessor_config.json, or an empty mapping.
    """
    default = PUBLISHED[model_type].short_side
    if model_type in ("beit", "eomt"):
        # Their position embeddings fix the window's side.
        return int(config.get("image_size", default))
    size = processor.get("size")
    if model_type == "mask2former":
        # Its processors say 384 x 384, which no published figure was measured at.
        backbone = config.get("backbone_config") or {}
        return 640 if backbone.get("embed_dim", 0) >= MASKED_RES640_WIDTH else default
    if isinstance(size, int):
        return size
    if isinstance(size, dict):
        return int(size.get("shortest_edge") or size.get("height") or default)
    return default


def size_rule(model_type: str, side: int, mean: tuple[float, float, float]) -> SizeRule:
    """The size rule of a family at a short side.

    Args:
        model_type: a key of ``PUBLISHED``.
        side: see :func:`short_side`.
        mean: the network's mean colour, 0..1. Networks that pad do so with zeros after
            normalisation, which is this colour before it.
    """
    test = PUBLISHED[model_type]
    red, green, blue = (round(255 * value) for value in mean)
    return SizeRule(
        short_side=side,
        max_long_side=test.long_over_short * side if test.long_over_short else None,
        multiple_of=test.multiple_of,
        pad_value=(red, green, blue) if test.multiple_of > 1 else 0,
    )


def window_starts(windows: Windows, length: int, side: int) -> list[int]:
    """First pixels of the windows along a side of a photo.

    Args:
        windows: STRIDE as in mmsegmentation's slide_inference (segmentors/encoder_decoder.py),
            SPREAD as in EoMT's window_imgs_semantic (training/lightning_module.py).
        length: the photo's side, at least ``side`` unless WHOLE.
        side: the window's side.
    """
    if windows is Windows.WHOLE:
        return [0]
    if windows is Windows.SPREAD:
        count = -(-length // side)
        # In whole numbers: in floating point the last window may start a pixel early, as it does
        # for length 449 and side 9, and leave the photo's last pixel uncovered.
        return [index * (length - side) // max(count - 1, 1) for index in range(count)]
    stride = side * 2 // 3
    count = max(length - side + stride - 1, 0) // stride + 1
    return [max(min(index * stride, length - side), 0) for index in range(count)]
