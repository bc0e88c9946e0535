"""What a model must offer to be measured: two small protocols and a frozen description.

A plug-in implements :class:`Segmenter` or :class:`Restorer` in one file. It never resizes, pads
or crops: the size rule of its :class:`ModelSpec` is applied around it (``models/sizing.py``), so
that two models that state the same rule really see the same pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Image: TypeAlias = NDArray[np.uint8]
"""RGB uint8 (H, W, 3)."""

LabelMap: TypeAlias = NDArray[np.uint8]
"""Contiguous class ids, uint8 (H, W)."""

Logits: TypeAlias = NDArray[np.float32]
"""Class scores, float32 (K, h, w), covering the same field of view as the image at any stride."""


@dataclass(frozen=True)
class ScoreWindow:
    """What a network says about one window of a photo, before it is spread over pixels.

    Networks that slide a window, or answer with queries (a mask and a class distribution each),
    hand over windows; the caller brings ``values`` bilinearly to the window's size, turns masks
    into class scores, averages windows where they overlap and reduces to labels
    (``models/queries.py``), a few rows at a time.

    Attributes:
        top: first row of the window in the photo that was given to ``predict``.
        left: first column.
        height: rows of the window.
        width: columns of the window.
        values: float32 (C, h, w) at any stride: class scores (C = K) without ``classes``, else
            mask logits (C = number of queries).
        classes: float32 (C, K), each query's class probabilities, or None.
    """

    top: int
    left: int
    height: int
    width: int
    values: NDArray[np.float32]
    classes: NDArray[np.float32] | None = None


Prediction: TypeAlias = LabelMap | Logits | tuple[ScoreWindow, ...]
"""What a segmenter may answer for one photo."""


@dataclass(frozen=True)
class SizeRule:
    """How a photo is brought to the size that a model is tested at.

    The steps, in order; a None or 1 leaves a step out:

    Attributes:
        short_side: scale, keeping the ratio, so that the short side has this many pixels.
        max_long_side: but never so that the long side exceeds this.
        letterbox: scale, keeping the ratio, so that the long side has this many pixels, and pad
            to a square of it. Excludes ``short_side`` and ``square``.
        square: stretch to a square of this side, changing the ratio.
        multiple_of: pad right and bottom to a multiple of this.
        pad_value: grey level 0..255, or RGB, that padding is filled with; None mirrors the photo
            about its last row and column instead.
    """

    short_side: int | None = None
    max_long_side: int | None = None
    letterbox: int | None = None
    square: int | None = None
    multiple_of: int = 1
    pad_value: int | tuple[int, int, int] | None = 0

    def __post_init__(self) -> None:
        chosen = [self.short_side, self.letterbox, self.square]
        if sum(value is not None for value in chosen) > 1:
            raise ValueError("short_side, letterbox and square exclude each other")
        for value in (*chosen, self.max_long_side, self.multiple_of):
            if value is not None and value < 1:
                raise ValueError(f"a size rule counts pixels from 1, not {value}")


@dataclass(frozen=True)
class ModelSpec:
    """What must be known about a model to compare it with another.

    Attributes:
        name: the name in tables.
        revision: changes whenever the numbers could: a weights hash, a Hub commit, a version.
        title: one line for people.
        licence: licence of the weights (or of the method), as SPDX id where there is one.
        label_space: name of the label space that a segmenter predicts; None for a restorer.
        size_rule: how photos are brought to the model's size.
        scale: output side over input side of a restorer; 1 for a segmenter.
        weights_url: where the weights come from, or None without weights.
        weights_sha256: hash of the weights file, or None without weights.
        paper: the paper to cite, or None.
        extra: the extra of this package that the model needs, or None.
        told_classes: whether it must be told the classes in each photo: a :class:`ToldSegmenter`.
    """

    name: str
    revision: str
    title: str
    licence: str
    label_space: str | None = None
    size_rule: SizeRule = SizeRule()
    scale: int = 1
    weights_url: str | None = None
    weights_sha256: str | None = None
    paper: str | None = None
    extra: str | None = None
    told_classes: bool = False

    @property
    def key(self) -> str:
        """``name@revision``."""
        return f"{self.name}@{self.revision}"


@dataclass(frozen=True)
class ParameterCount:
    """Parameters of a network: all of them, and those that training would change."""

    total: int
    trainable: int | None


@runtime_checkable
class Segmenter(Protocol):
    """Names the class of each pixel."""

    spec: ModelSpec
    parameters: ParameterCount | None

    def predict(self, images: Sequence[Image]) -> Sequence[Prediction]:
        """Segment photos that obey ``spec.size_rule`` already.

        Args:
            images: RGB uint8 (H, W, 3), not necessarily of one size.

        Returns:
            For each photo either its label map, uint8 of the photo's own (H, W); or class scores,
            float32 (K, h, w) over the photo's whole field of view, which the caller interpolates
            bilinearly (align_corners=False) and reduces to labels; or windows that together cover
            the photo (see :class:`ScoreWindow`).
        """
        ...


@runtime_checkable
class ToldSegmenter(Protocol):
    """A segmenter that can be told which classes a photo holds, before it segments it.

    Told from the ground truth, as its ``spec.told_classes`` asks, it shows an upper bound, not a
    result; the spec's revision says so in every table.
    """

    spec: ModelSpec
    parameters: ParameterCount | None

    def predict_told(
        self, images: Sequence[Image], classes: Sequence[tuple[str, ...]]
    ) -> Sequence[Prediction]:
        """Segment photos as :meth:`Segmenter.predict` does.

        Args:
            images: RGB uint8 (H, W, 3), not necessarily of one size.
            classes: for each photo the names of the classes in it, the largest first.
        """
        ...


@runtime_checkable
class Restorer(Protocol):
    """Turns a low-quality photo into a better one."""

    spec: ModelSpec
    parameters: ParameterCount | None

    def restore(self, images: Sequence[Image]) -> Sequence[Image]:
        """Restore photos that obey ``spec.size_rule`` already.

        Args:
            images: RGB uint8 (H, W, 3), not necessarily of one size.

        Returns:
            For each photo RGB uint8 (H * scale, W * scale, 3).
        """
        ...
