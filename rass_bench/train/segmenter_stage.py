"""A segmenter in training: class scores against labels, or queries matched with masks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, interpolate

from rass_bench.errors import UserError
from rass_bench.labels import IGNORE, LabelSpace
from rass_bench.models.protocols import ScoreWindow
from rass_bench.models.queries import argmax_windows
from rass_bench.models.transformers_segmenter import class_scores
from rass_bench.models.upsample import argmax_upsampled
from rass_bench.pictures import PictureRow, segmentation_row
from rass_bench.train.crops import Batch
from rass_bench.train.pixels import to_pixels
from rass_bench.train.segmenter_start import Start
from rass_bench.train.stage import ParameterGroup

WARM_UP = 0.05
"""Share of the steps in which the learning rate rises."""

WEIGHT_DECAY = 0.01


class SegmenterStage(nn.Module):
    """Fine-tunes a transformers segmenter on the degraded crops of each batch.

    Args:
        start: the network, which is changed in place.
        space: the classes.
        steps: of the training.
        learning_rate: at its highest.
        gradient_checkpointing: compute activations again instead of keeping them.

    Raises:
        UserError: gradient checkpointing of a network that has none.
    """

    name = "segmenter"
    # AdamW divides the gradients' usual length out; the limit keeps one batch from ruling its
    # moments.
    clip_norm = 1.0

    def __init__(
        self,
        start: Start,
        space: LabelSpace,
        steps: int,
        learning_rate: float,
        *,
        gradient_checkpointing: bool = False,
    ) -> None:
        super().__init__()
        self.network = start.network
        self.network.requires_grad_(True)
        self._start = start
        self._space = space
        self._steps = steps
        self._learning_rate = learning_rate
        self.register_buffer("_mean", torch.tensor(start.mean)[:, None, None], persistent=False)
        self.register_buffer("_std", torch.tensor(start.std)[:, None, None], persistent=False)
        if gradient_checkpointing:
            self._enable_gradient_checkpointing()

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Cross entropy, or for queries the sum of the family's own losses with its own weights."""
        pixels = self._normalised(batch.low_quality)
        if not self._start.test.queries:
            return {"cross_entropy": pixel_loss(class_scores(self.network, pixels), batch.labels)}
        classes, masks = class_masks(batch.labels)
        answer = self.network(pixels, class_labels=classes, mask_labels=masks)
        return {"set_prediction": answer.loss.sum()}

    def groups(self) -> Sequence[ParameterGroup]:
        """The whole network."""
        return [ParameterGroup(tuple(self.network.parameters()), self._learning_rate, WEIGHT_DECAY)]

    def rate(self, step: int) -> float:
        """See :class:`rass_bench.train.stage.Stage`."""
        return poly(step, self._steps)

    def start_step(self, step: int) -> None:
        """Nothing is phased in."""

    def pictures(self, batch: Batch) -> Sequence[PictureRow]:
        """Degraded crop, prediction, truth."""
        predictions = [self._predict(one) for one in self._normalised(batch.low_quality)]
        truth = batch.labels.to(torch.uint8).cpu().numpy()
        return [
            segmentation_row(photo, None, prediction, labels, self._space)
            for photo, prediction, labels in zip(
                to_pixels(batch.low_quality), predictions, truth, strict=True
            )
        ]

    def facts(self) -> Mapping[str, Any]:
        """See :class:`rass_bench.train.stage.Stage`."""
        return {
            "start": self._start.origin,
            "last_layer": "redrawn" if self._start.redrawn else "kept",
            "loss": "set prediction" if self._start.test.queries else "cross entropy",
            "learning_rate": self._learning_rate,
            "weight_decay": WEIGHT_DECAY,
        }

    def _normalised(self, photos: Tensor) -> Tensor:
        mean, std = self.get_buffer("_mean"), self.get_buffer("_std")
        return (photos - mean) / std

    def _predict(self, pixels: Tensor) -> NDArray[np.uint8]:
        """Labels uint8 (H, W) of one photo, float32 (3, H, W), normalised."""
        height, width = pixels.shape[1:]
        if not self._start.test.queries:
            scores = class_scores(self.network, pixels[None])[0].float().cpu().numpy()
            return argmax_upsampled(scores, height, width)
        answer = self.network(pixels[None])
        masks = answer.masks_queries_logits[0].float().cpu().numpy()
        # The last class is "no object".
        classes = answer.class_queries_logits[0].float().softmax(dim=-1)[:, :-1].cpu().numpy()
        window = ScoreWindow(0, 0, height, width, masks, np.ascontiguousarray(classes))
        return argmax_windows((window,), (height, width), height, width)

    def _enable_gradient_checkpointing(self) -> None:
        if not self.network.supports_gradient_checkpointing:
            raise UserError(
                f"{type(self.network).__name__} has no gradient checkpointing in transformers",
                "--gradient-checkpointing",
                "Leave it out, and use smaller crops or batches.",
            )
        self.network.gradient_checkpointing_enable()


def pixel_loss(scores: Tensor, labels: Tensor) -> Tensor:
    """Mean cross entropy of class scores (N, K, h, w) against labels (N, H, W), 255 = ignore.

    A score is compared with the label in the middle of its cell: interpolating 150 classes to
    (H, W) and back would cost three times what the small network does. Zero where all is ignored.
    """
    # float32 holds class ids exactly, and nearest-exact takes a cell's middle.
    small = interpolate(labels[:, None].float(), scores.shape[2:], mode="nearest-exact")
    targets = small[:, 0].long()
    total = cross_entropy(scores.float(), targets, ignore_index=IGNORE, reduction="sum")
    return total / (targets != IGNORE).sum().clamp(min=1)


def class_masks(labels: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """Labels (N, H, W) as each photo's classes, int64 (C,), and masks, float32 (C, H, W).

    Ignored pixels lie in no mask, as in the official Mask2Former
    (mask2former/data/dataset_mappers/mask_former_semantic_dataset_mapper.py).
    """
    classes = [one.unique() for one in labels]
    classes = [one[one != IGNORE] for one in classes]
    masks = [
        (photo == present[:, None, None]).float()
        for photo, present in zip(labels, classes, strict=True)
    ]
    return classes, masks


def poly(step: int, steps: int) -> float:
    """Linear warm-up, then (1 - progress) ** 0.9: the schedule of DeepLab and SegFormer."""
    rising = max(1, round(WARM_UP * steps))
    if step < rising:
        return (step + 1) / rising
    return float((1.0 - (step - rising) / max(1, steps - rising)) ** 0.9)
