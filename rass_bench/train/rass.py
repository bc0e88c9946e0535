"""RASS: adapters on SCR's UNet, projections and head learn to segment degraded photos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from rass_bench.labels import LabelSpace
from rass_bench.models.queries import argmax_windows
from rass_bench.models.rass.config import LABELS, Latent
from rass_bench.models.rass.network import RassNetwork
from rass_bench.models.rass.prompt import PromptEncoder, prompt_of
from rass_bench.models.rass.segmenter import score_window
from rass_bench.models.rass.taggers import Tagger
from rass_bench.models.rass.windows import Window
from rass_bench.pictures import PictureRow, segmentation_row
from rass_bench.train.crops import Batch
from rass_bench.train.pixels import to_pixels
from rass_bench.train.prompts import prompts_of
from rass_bench.train.rass_loss import RassLoss, mask_targets
from rass_bench.train.rass_optimizer import (
    CLIP_NORM,
    Rates,
    parameter_groups,
    polynomial,
)
from rass_bench.train.stage import ParameterGroup


class RassStage(nn.Module):
    """The second stage of the paper.

    Args:
        network: with SCR's weights merged, adapters added and a first head; what learns requires
            gradients.
        prompts: the text encoder with its tokenizer; it stays frozen.
        tagger: names what is in the clean crops, as the official training does; not asked where
            the configuration says that the labels tell.
        space: the classes.
        rates: learning rates.
        steps: of the training.
    """

    name = "rass"
    clip_norm = CLIP_NORM

    def __init__(
        self,
        network: RassNetwork,
        prompts: PromptEncoder,
        tagger: Tagger,
        *,
        space: LabelSpace,
        rates: Rates,
        steps: int,
    ) -> None:
        super().__init__()
        self.network = network
        self._loss = RassLoss(network.config.head)
        self._prompts = prompts
        self._tagger = tagger
        self._space = space
        self._rates = rates
        self._steps = steps

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Mask2Former's loss of degraded crops, taken whole."""
        pixels = batch.low_quality * 2 - 1
        whole = Window(0, 0, *pixels.shape[2:])
        features = self.network.features(pixels, self._context(batch), self._noise(pixels))
        layers = self.network.head(self.network.levels([features], [whole], whole))
        terms = self._loss.terms(layers, [mask_targets(one) for one in batch.labels])
        return summed_by_kind(terms)

    def groups(self) -> Sequence[ParameterGroup]:
        """See :class:`rass_bench.train.stage.Stage`."""
        return parameter_groups(self.network, self._rates)

    def rate(self, step: int) -> float:
        """See :class:`rass_bench.train.stage.Stage`."""
        return polynomial(step, self._steps)

    def start_step(self, step: int) -> None:
        """Nothing is phased in."""

    def pictures(self, batch: Batch) -> Sequence[PictureRow]:
        """Degraded crops, predictions, truth."""
        context = self._context(batch)
        rows = []
        for photo, one, truth in zip(
            to_pixels(batch.low_quality), context, batch.labels, strict=True
        ):
            pixels = torch.from_numpy(photo).to(one.device).permute(2, 0, 1)[None].float() / 255
            scores = self.network(pixels * 2 - 1, one[None])
            window = score_window(scores, photo.shape[0], photo.shape[1])
            size = (photo.shape[0], photo.shape[1])
            predicted = argmax_windows((window,), size, *size)
            rows.append(
                segmentation_row(
                    photo, None, predicted, truth.cpu().numpy().astype(np.uint8), self._space
                )
            )
        return rows

    def facts(self) -> Mapping[str, Any]:
        """See :class:`rass_bench.train.stage.Stage`."""
        return {
            "learning_rate_head": self._rates.head,
            "learning_rate_backbone": self._rates.backbone,
            "lora_rank": self.network.config.lora.rank,
            "tagger": self.network.config.tagger,
            "latent": str(self.network.config.latent),
        }

    def _context(self, batch: Batch) -> Tensor:
        if self.network.config.tagger == LABELS:
            prompts = prompts_of(batch.labels, self._space.names)
        else:
            prompts = [prompt_of(tags) for tags in self._tagger.tag(batch.clean)]
        return self._prompts.encode(prompts)

    def _noise(self, pixels: Tensor) -> Tensor | None:
        """The posterior is drawn from, where the configuration samples latents."""
        config = self.network.config
        if config.latent is Latent.MODE:
            return None
        shape = (len(pixels), config.vae.latent_channels, *(side // 8 for side in pixels.shape[2:]))
        return torch.randn(shape, device=pixels.device)


def summed_by_kind(terms: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The loss's terms, those of all layers added up: ``loss_mask``, ``loss_mask_0`` and so on."""
    kinds = sorted({name.rstrip("0123456789").rstrip("_") for name in terms})
    return {
        kind.removeprefix("loss_"): torch.stack(
            [value for name, value in terms.items() if name.startswith(kind)]
        ).sum()
        for kind in kinds
    }
