"""A diffusion prior from nothing, for sizes that nobody has pretrained: the VAE, then the UNet.

Full size needs neither: Stable Diffusion is its prior.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, mse_loss
from torch.nn.init import normal_, orthogonal_, zeros_

from rass_bench.labels import LabelSpace
from rass_bench.models.rass.network import encode, run_unet
from rass_bench.models.rass.prompt import Tokenizer
from rass_bench.models.rass.scr import ScrNetwork
from rass_bench.pictures import PictureRow, photo_panel
from rass_bench.train.attention import AttentionTaps, Place
from rass_bench.train.attention_pictures import largest_class_panels
from rass_bench.train.crops import Batch
from rass_bench.train.distillation import diffusion_loss, predict_noise
from rass_bench.train.pixels import to_pixels
from rass_bench.train.scl import SclConfig, prompt_targets, semantic_constrained_loss
from rass_bench.train.stage import ParameterGroup, one_cycle

SCALES = (1, 4, 16)
"""Sides of the cells, in pixels, whose means are compared: texture, of which no latent can keep
all, would hide errors of colour."""

KL_WEIGHT = 1e-5
"""Of the divergence per number of the latent. Rombach et al. (arXiv 2112.10752, G) weigh a sum over
the latent with 1e-6 against a sum over pixels, of which there are twelve times as many here."""

FIRST_LOG_VARIANCE = -6.0
"""Of the posterior, before anything is learned."""

DROPPED_PROMPTS = 0.1
"""Share of photos whose prompt is left empty, so that guidance has something to start from (Ho and
Salimans 2022, arXiv 2207.12598)."""

GROUNDING = SclConfig(places=(Place.UP_32, Place.UP_16, Place.UP_8))
"""L_SCL on all resolutions of the decoder. Captions by the billion teach Stable Diffusion where in
a photo each word is; a prior that sees a few hundred photos is told."""

LEARNING_RATE = 1e-3


class VaeStage(nn.Module):
    """The autoencoder learns to reconstruct clean crops.

    Args:
        network: SCR's networks; the VAE alone learns.
    """

    name = "vae"
    clip_norm = 1.0

    def __init__(self, network: ScrNetwork, steps: int) -> None:
        super().__init__()
        network.requires_grad_(False)
        network.vae.requires_grad_(True)
        self.network = network
        self._steps = steps

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Squared error at several scales, and the divergence from a standard normal posterior."""
        pixels = batch.clean * 2 - 1
        posterior = encode(self.network.vae, pixels)
        latent = posterior.draw(torch.randn_like(posterior.mean))
        decoded = self.network.vae.decode(latent, return_dict=False)[0]
        variance = posterior.log_variance
        divergence = 0.5 * (posterior.mean.square() + variance.exp() - 1 - variance).mean()
        return {"reconstruction": scaled_error(decoded, pixels), "kl": KL_WEIGHT * divergence}

    def groups(self) -> Sequence[ParameterGroup]:
        """See :class:`rass_bench.train.stage.Stage`."""
        return [ParameterGroup(tuple(self.network.vae.parameters()), LEARNING_RATE, 0.0)]

    def rate(self, step: int) -> float:
        """See :class:`rass_bench.train.stage.Stage`."""
        return one_cycle(step, self._steps)

    def start_step(self, step: int) -> None:
        """Nothing is phased in."""

    def pictures(self, batch: Batch) -> Sequence[PictureRow]:
        """Crops and their reconstructions."""
        pixels = batch.clean * 2 - 1
        decoded = self.network.vae.decode(encode(self.network.vae, pixels).mean, return_dict=False)
        return [
            PictureRow((photo_panel("clean", clean), photo_panel("reconstructed", again)))
            for clean, again in zip(
                to_pixels(batch.clean), to_pixels(decoded[0] / 2 + 0.5), strict=True
            )
        ]

    def facts(self) -> Mapping[str, Any]:
        """See :class:`rass_bench.train.stage.Stage`."""
        return {
            "scales": list(SCALES),
            "kl_weight": KL_WEIGHT,
            "learning_rate": LEARNING_RATE,
        }


class DenoiserStage(nn.Module):
    """UNet and text encoder learn to predict noise, and to look where the classes are.

    DDPM in the latents of clean crops.

    Args:
        network: SCR's networks with a trained VAE, which is frozen.
        tokenizer: of the text encoder.
        space: the classes, of which those in a crop are its prompt.
        steps: of the training.
    """

    name = "unet"
    clip_norm = 1.0

    def __init__(
        self, network: ScrNetwork, tokenizer: Tokenizer, space: LabelSpace, steps: int
    ) -> None:
        super().__init__()
        network.requires_grad_(False)
        network.unet.requires_grad_(True)
        network.text_encoder.requires_grad_(True)
        self.network = network
        self._tokenizer = tokenizer
        self._space = space
        self._steps = steps

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Squared error of the predicted noise (Ho et al. 2020, arXiv 2006.11239, 14), L_SCL."""
        count = len(batch.clean)
        with torch.no_grad():
            posterior = encode(self.network.vae, batch.clean * 2 - 1)
            latent = posterior.draw(torch.randn_like(posterior.mean))
            latent = latent * self.network.config.vae.scaling
        targets = prompt_targets(batch.labels, self._space.names, self._tokenizer)
        kept = torch.rand(count) >= DROPPED_PROMPTS
        prompts = [
            prompt if keep else "" for prompt, keep in zip(targets.prompts, kept, strict=True)
        ]
        context = self._context(prompts, latent.device)
        with AttentionTaps(self.network.unet, GROUNDING.places) as maps:
            noise_loss = diffusion_loss(partial(predict_noise, self.network.unet), latent, context)
        # Nothing attends to a prompt that was left out.
        masks = targets.masks * kept.to(targets.masks.device)[:, None, None, None]
        told = dataclasses.replace(targets, masks=masks)
        return {"noise": noise_loss, "scl": semantic_constrained_loss(maps, told, GROUNDING)}

    def groups(self) -> Sequence[ParameterGroup]:
        """See :class:`rass_bench.train.stage.Stage`."""
        learning = (*self.network.unet.parameters(), *self.network.text_encoder.parameters())
        return [ParameterGroup(learning, LEARNING_RATE, 0.01)]

    def rate(self, step: int) -> float:
        """See :class:`rass_bench.train.stage.Stage`."""
        return one_cycle(step, self._steps)

    def start_step(self, step: int) -> None:
        """Nothing is phased in."""

    def pictures(self, batch: Batch) -> Sequence[PictureRow]:
        """Clean crop; the attention of its largest class beside the mask, without noise."""
        config = self.network.config
        targets = prompt_targets(batch.labels, self._space.names, self._tokenizer)
        latent = encode(self.network.vae, batch.clean * 2 - 1).mean * config.vae.scaling
        context = self._context(targets.prompts, latent.device)
        with AttentionTaps(self.network.unet, GROUNDING.places) as maps:
            run_unet(self.network.unet, latent, config.timestep, context)
        photos = to_pixels(batch.clean)
        attention = largest_class_panels(
            photos, batch.labels, maps, targets, config=GROUNDING, space=self._space
        )
        return [
            PictureRow((photo_panel("clean", photo), *panels))
            for photo, panels in zip(photos, attention, strict=True)
        ]

    def facts(self) -> Mapping[str, Any]:
        """See :class:`rass_bench.train.stage.Stage`."""
        return {
            "dropped_prompts": DROPPED_PROMPTS,
            "learning_rate": LEARNING_RATE,
            "scl": dataclasses.asdict(GROUNDING),
        }

    def _context(self, prompts: Sequence[str], device: torch.device) -> Tensor:
        tokens = self._tokenizer(prompts).to(device)
        context: Tensor = self.network.text_encoder(input_ids=tokens).last_hidden_state
        return context


def draw_vae(vae: Any) -> None:
    """First weights with which a VAE learns in hundreds of steps.

    Every residual branch ends in zeros and every other convolution keeps the variance of its input,
    so that the photo passes through undistorted by branches that have learned nothing, as in
    Fixup (Zhang et al. 2019, arXiv 1901.09321). The posterior begins narrow: as drawn by diffusers
    its deviation is 1, in which the latent drowns.

    Args:
        vae: diffusers' ``AutoencoderKL``, changed in place; draws from PyTorch's global generator.
    """
    from diffusers.models.attention_processor import Attention
    from diffusers.models.downsampling import Downsample2D
    from diffusers.models.resnet import ResnetBlock2D
    from diffusers.models.upsampling import Upsample2D

    with torch.no_grad():
        for half in (vae.encoder, vae.decoder):
            keeping = [half.conv_in, half.conv_out]
            for module in half.modules():
                if isinstance(module, ResnetBlock2D):
                    zeros_(module.conv2.weight)
                    zeros_(module.conv2.bias)
                    if module.conv_shortcut is not None:
                        orthogonal_(module.conv_shortcut.weight.flatten(1))
                elif isinstance(module, Attention):
                    zeros_(module.to_out[0].weight)
                    zeros_(module.to_out[0].bias)
                elif isinstance(module, Downsample2D | Upsample2D):
                    keeping.append(module.conv)
            for convolution in keeping:
                normal_(convolution.weight, std=convolution.weight[0].numel() ** -0.5)
        latent_channels = vae.quant_conv.out_channels // 2
        zeros_(vae.quant_conv.weight[latent_channels:])
        vae.quant_conv.bias[latent_channels:] = FIRST_LOG_VARIANCE


def scaled_error(one: Tensor, other: Tensor) -> Tensor:
    """Mean squared error of photos (N, 3, H, W) and of their means over cells, added up."""
    return torch.stack(
        [mse_loss(avg_pool2d(one, side), avg_pool2d(other, side)) for side in SCALES]
    ).sum()


def latent_scaling(network: ScrNetwork, batches: Sequence[Batch]) -> float:
    """One over the standard deviation of clean latents, which brings them to unit variance.

    As Stable Diffusion's 0.18215 was found (Rombach et al., arXiv 2112.10752, G).
    """
    with torch.no_grad():
        means = [encode(network.vae, batch.clean * 2 - 1).mean for batch in batches]
    return 1.0 / float(torch.cat(means).std())
