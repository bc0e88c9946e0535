"""SCR: adapters on the prior's UNet learn to restore in one step, and to look where classes are.

    L = MSE + 2 LPIPS + VSD (or CSD) + weight * L_SCL

OSEDiff's losses (arXiv 2406.08177, equation 10) with the frozen VAE and the timestep of the paper,
and its semantic-constrained loss. The official repository trains no SCR; the weights of the terms
are OSEDiff's, that of L_SCL this project's.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from rass_bench.labels import LabelSpace
from rass_bench.models.rass.config import LoraConfig
from rass_bench.models.rass.lora import add_lora
from rass_bench.models.rass.network import encode, run_unet
from rass_bench.models.rass.prompt import PromptEncoder, Tokenizer
from rass_bench.models.rass.scr import ScrNetwork, clean_latent
from rass_bench.pictures import PictureRow, photo_panel
from rass_bench.train.attention import AttentionTaps
from rass_bench.train.attention_pictures import largest_class_panels
from rass_bench.train.crops import Batch
from rass_bench.train.distillation import Distillation, build_distillation
from rass_bench.train.perceptual import Perceptual, build_perceptual
from rass_bench.train.pixels import to_pixels
from rass_bench.train.scl import (
    SclConfig,
    prompt_targets,
    scl_weight,
    semantic_constrained_loss,
)
from rass_bench.train.stage import ParameterGroup, constant_after_warm_up


@dataclass(frozen=True)
class ScrSettings:
    """The losses and the optimiser of SCR.

    Attributes:
        lora: rank and scaling of the adapters.
        learning_rate: of adapters and ``conv_in``.
        warm_up: steps in which the learning rate rises.
        perceptual: which features photos are compared by.
        distillation: which distribution loss.
        scl: the semantic-constrained loss, or None for the ablation without it.
        scl_weight: its weight.
        scl_warm_up: steps in which that weight rises.
        mse_weight: of the squared error, photos in [-1, 1].
        perceptual_weight: of the perceptual loss.
        distillation_weight: of the distribution loss.
    """

    lora: LoraConfig = field(default_factory=LoraConfig)
    learning_rate: float = 5e-5
    warm_up: int = 500
    perceptual: Perceptual = Perceptual.VAE
    distillation: Distillation = Distillation.VSD
    scl: SclConfig | None = field(default_factory=SclConfig)
    scl_weight: float = 1e-2
    scl_warm_up: int = 1000
    mse_weight: float = 1.0
    perceptual_weight: float = 2.0
    distillation_weight: float = 1.0


WEIGHT_DECAY = 1e-2
"""OSEDiff's (train_osediff.py)."""


class ScrStage(nn.Module):
    """The first stage of the paper.

    Args:
        network: the prior; adapters are added, and they and ``conv_in`` learn.
        tokenizer: of the text encoder.
        space: the classes, whose names are the prompts.
        settings: losses and optimiser.
    """

    name = "scr"
    clip_norm = 1.0

    def __init__(
        self, network: ScrNetwork, tokenizer: Tokenizer, space: LabelSpace, settings: ScrSettings
    ) -> None:
        super().__init__()
        network.requires_grad_(False)
        # The prior's own UNet: SCR changes conv_in, so that adapters alone cannot be taken out.
        prior = copy.deepcopy(network.unet)
        add_lora(network.unet, settings.lora, suffix="")
        self.network = network
        self.perceptual = build_perceptual(settings.perceptual, network.vae)
        self.distillation = build_distillation(settings.distillation, prior, settings.lora)
        self.settings = settings
        self._tokenizer = tokenizer
        self._prompts = PromptEncoder(network.text_encoder, tokenizer)
        self._space = space
        self._scl_weight = 0.0

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """The weighted terms; which there are depends on the settings."""
        told = self.settings
        clean = batch.clean * 2 - 1
        targets = prompt_targets(batch.labels, self._space.names, self._tokenizer)
        context = self._prompts.encode(targets.prompts)
        places = told.scl.places if told.scl is not None else ()
        with AttentionTaps(self.network.unet, places) as maps:
            latent, restored = self._restore(batch.low_quality, context)
        terms = {"mse": told.mse_weight * mse_loss(restored, clean)}
        if self.perceptual is not None:
            terms["perceptual"] = told.perceptual_weight * self.perceptual(restored, clean)
        if self.distillation is not None:
            null_context = self._prompts.encode([""])
            for name, value in self.distillation(latent, context, null_context).items():
                # The critic's is its own loss, on its own parameters.
                weight = 1.0 if name == "critic" else told.distillation_weight
                terms[name] = weight * value
        if told.scl is not None:
            terms["scl"] = self._scl_weight * semantic_constrained_loss(maps, targets, told.scl)
        return terms

    def groups(self) -> Sequence[ParameterGroup]:
        """Adapters and ``conv_in``, those of the critic as well."""
        learning = tuple(one for one in self.parameters() if one.requires_grad)
        return [ParameterGroup(learning, self.settings.learning_rate, WEIGHT_DECAY)]

    def rate(self, step: int) -> float:
        """See :class:`rass_bench.train.stage.Stage`."""
        return constant_after_warm_up(step, self.settings.warm_up)

    def start_step(self, step: int) -> None:
        """Phase the semantic-constrained loss in."""
        self._scl_weight = scl_weight(step, self.settings.scl_weight, self.settings.scl_warm_up)

    def pictures(self, batch: Batch) -> Sequence[PictureRow]:
        """Degraded crop, restored, clean; the attention of the largest class beside its mask."""
        config = self.settings.scl or SclConfig()
        targets = prompt_targets(batch.labels, self._space.names, self._tokenizer)
        context = self._prompts.encode(targets.prompts)
        with AttentionTaps(self.network.unet, config.places) as maps:
            _, restored = self._restore(batch.low_quality, context)
        degraded = to_pixels(batch.low_quality)
        attention = largest_class_panels(
            degraded, batch.labels, maps, targets, config=config, space=self._space
        )
        return [
            PictureRow(
                (
                    photo_panel("low quality", photo),
                    photo_panel("restored", again),
                    photo_panel("clean", clean),
                    *panels,
                )
            )
            for photo, again, clean, panels in zip(
                degraded,
                to_pixels(restored / 2 + 0.5),
                to_pixels(batch.clean),
                attention,
                strict=True,
            )
        ]

    def facts(self) -> Mapping[str, Any]:
        """The settings, and which features and weights the perceptual loss took."""
        source = None if self.perceptual is None else asdict(self.perceptual.source())
        return {**asdict(self.settings), "perceptual_source": source}

    def _restore(self, low_quality: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """The restored latents, scaled, and the restored photos in [-1, 1], not clamped."""
        config = self.network.config
        with torch.no_grad():
            degraded = encode(self.network.vae, low_quality * 2 - 1).mean * config.vae.scaling
        answer = run_unet(self.network.unet, degraded, config.timestep, context)
        latent = clean_latent(degraded, answer, config.timestep, config.clean_latent)
        restored = self.network.vae.decode(latent / config.vae.scaling, return_dict=False)[0]
        return latent, restored
