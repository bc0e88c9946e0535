"""RASS's loss: Mask2Former's, over the head's answer after every layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rass_bench.labels import IGNORE
from rass_bench.models.rass.config import HeadConfig
from rass_bench.models.rass.network import QueryScores
from rass_bench.models.rass.networks import build_loss

WEIGHTS = {"loss_cross_entropy": 2.0, "loss_mask": 5.0, "loss_dice": 5.0}
"""Mask2Former's weights (configs/ade20k/semantic-segmentation/maskformer2_R50_bs16_160k.yaml), the
same for every layer."""


@dataclass(frozen=True)
class MaskTargets:
    """What a photo's queries are matched with: one binary mask for each class in it.

    Attributes:
        classes: int64 (M,), ascending.
        masks: float32 (M, H, W), 0 or 1.
    """

    classes: Tensor
    masks: Tensor


def mask_targets(labels: Tensor) -> MaskTargets:
    """Targets from a label map.

    Args:
        labels: integer (H, W), ignore pixels 255; they belong to no mask.
    """
    classes = torch.unique(labels)
    classes = classes[classes != IGNORE]
    return MaskTargets(classes.long(), (labels[None] == classes[:, None, None]).float())


class RassLoss(nn.Module):
    """Matching, then cross entropy over classes, and binary cross entropy and dice over masks.

    transformers' ``Mask2FormerLoss`` (Cheng et al. 2022, arXiv 2112.01527, section 3.3), with
    torch's global generator drawing the points at which masks are compared.

    Args:
        config: the head's.
    """

    def __init__(self, config: HeadConfig) -> None:
        super().__init__()
        self._loss = build_loss(config)

    def terms(
        self, layers: Sequence[QueryScores], targets: Sequence[MaskTargets]
    ) -> dict[str, Tensor]:
        """The weighted terms, whose sum is the loss.

        Args:
            layers: the head's answers, the final one last.
            targets: one a photo.

        Returns:
            By name; ``_0``, ``_1`` ... mark the layers before the final one.
        """
        final = layers[-1]
        earlier = [
            {"masks_queries_logits": one.masks, "class_queries_logits": one.classes}
            for one in layers[:-1]
        ]
        losses: dict[str, Tensor] = self._loss(
            final.masks,
            final.classes,
            [one.masks for one in targets],
            [one.classes for one in targets],
            earlier,
        )
        return {name: value * WEIGHTS[_kind(name)] for name, value in losses.items()}


def _kind(name: str) -> str:
    return next(kind for kind in WEIGHTS if name.startswith(kind))
