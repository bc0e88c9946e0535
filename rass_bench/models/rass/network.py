"""RASS's forward pass: photo and prompt to queries, each a class distribution and a mask.

    photo ─ windows ─ VAE encoder ─ latent ─ UNet (told the prompt) ─ projections ─┐
                          └── two maps ────────────┴── four maps ─────────────────┤
                                     averaged over windows: res2 .. res5 ─ Mask2Former head

Step numbers are those of the package's docstring, which maps the paper's figure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from rass_bench.models.rass.config import RassConfig
from rass_bench.models.rass.networks import (
    LEVELS,
    build_networks,
    build_pixel_decoder,
    build_transformer_module,
)
from rass_bench.models.rass.projection import Projection
from rass_bench.models.rass.taps import Taps
from rass_bench.models.rass.windows import Window, average, cells_of, map_size, place_windows

FEATURE_LEVEL = (0, 1, 3, 2, 1, 1)
"""Which of res2..res5 each feature goes to: two of the VAE, four of the UNet. Three features meet
at stride 8 and are added (step 8 of the forward pass)."""


@dataclass(frozen=True)
class Posterior:
    """The VAE's posterior over latents, mean and log variance clamped to [-30, 20].

    Attributes:
        mean: (N, 4, h / 8, w / 8).
        log_variance: of the same shape.
    """

    mean: Tensor
    log_variance: Tensor

    def draw(self, noise: Tensor | None) -> Tensor:
        """The mean, or mean + std * noise."""
        if noise is None:
            return self.mean
        return self.mean + torch.exp(0.5 * self.log_variance) * noise


@dataclass(frozen=True)
class QueryScores:
    """What one layer of the head says.

    Attributes:
        classes: logits (N, queries, classes + 1); the last one is "no object".
        masks: logits (N, queries, H / 4, W / 4).
    """

    classes: Tensor
    masks: Tensor


class RassNetwork(nn.Module):
    """VAE encoder, UNet, text encoder, projections and Mask2Former head.

    Args:
        config: the sizes.
    """

    def __init__(self, config: RassConfig) -> None:
        super().__init__()
        head = config.head
        self.config = config
        self.unet, self.vae, self.text_encoder = build_networks(config)
        drop_unused(self.unet, self.vae)
        unet, vae = config.unet.block_out_channels, config.vae.block_out_channels
        # Outputs of the VAE's second and fourth block, then of the UNet's four up blocks.
        channels = (vae[1], vae[3], unet[3], unet[2], unet[1], unet[0])
        self.projections = nn.ModuleList(
            Projection(one, head.bottleneck, head.projection) for one in channels
        )
        self.pixel_decoder = build_pixel_decoder(head)
        self.transformer_module = build_transformer_module(head)
        self.class_predictor = nn.Linear(head.hidden, head.classes + 1)

    def forward(self, pixels: Tensor, context: Tensor, noise: Tensor | None = None) -> QueryScores:
        """Photos of one size as one window each, as in training.

        Args:
            pixels: float32 (N, 3, H, W) in [-1, 1], H and W multiples of 8.
            context: text embeddings (N, length, C).
            noise: standard normal (N, 4, H / 8, W / 8), or None for the posterior's mean.
        """
        whole = Window(0, 0, *pixels.shape[2:])
        features = self.features(pixels, context, noise)
        return self.head(self.levels([features], [whole], whole))[-1]

    def segment(
        self,
        photo: Tensor,
        context: Tensor,
        noise: Sequence[Tensor] | None = None,
        batch: int = 1,
    ) -> QueryScores:
        """One photo of any size, in windows where the configuration says so.

        Args:
            photo: float32 (1, 3, H, W) in [-1, 1], H and W multiples of 8.
            context: text embedding (1, length, C).
            noise: of each window, standard normal (1, 4, side / 8, side / 8), or None.
            batch: windows that go through VAE and UNet at once.
        """
        height, width = photo.shape[2:]
        windows = self.windows(height, width)
        maps: list[list[Tensor]] = []
        for start in range(0, len(windows), batch):
            some = windows[start : start + batch]
            crops = torch.cat([photo[:, :, w.top : w.bottom, w.left : w.right] for w in some])
            draws = None if noise is None else torch.cat(list(noise[start : start + batch]))
            features = self.features(crops, context.expand(len(some), -1, -1), draws)
            maps += [[one[i : i + 1] for one in features] for i in range(len(some))]
        whole = Window(0, 0, height, width)
        return self.head(self.levels(maps, windows, whole))[-1]

    def windows(self, height: int, width: int) -> tuple[Window, ...]:
        """The windows of a photo, all of one size."""
        if self.config.slide:
            return place_windows(height, width)
        return (Window(0, 0, height, width),)

    def features(self, pixels: Tensor, context: Tensor, noise: Tensor | None) -> list[Tensor]:
        """The six backbone features of windows: two of the VAE encoder, four of the UNet.

        Steps 6 and 7: the latent goes in as it is, without noise of the diffusion.
        """
        with Taps([self.vae.encoder.down_blocks[1], self.vae.encoder.down_blocks[3]]) as vae_maps:
            posterior = encode(self.vae, pixels)
        latent = posterior.draw(noise) * self.config.vae.scaling
        with Taps(self.unet.up_blocks) as unet_maps:
            run_unet(self.unet, latent, self.config.timestep, context)
        return [*vae_maps, *unet_maps]

    def levels(
        self, maps: Sequence[Sequence[Tensor]], windows: Sequence[Window], whole: Window
    ) -> list[Tensor]:
        """res2 to res5 of the whole photo from the six features of each window (step 8)."""
        height, width = whole.bottom, whole.right
        levels: list[Tensor] = []
        for level, stride in enumerate(LEVELS):
            places = [cells_of(window, height, width, stride) for window in windows]
            merged = [
                self._projected(features, level, cells.size)
                for features, cells in zip(maps, places, strict=True)
            ]
            levels.append(average(merged, places, map_size(height, width, stride)))
        return levels

    def head(self, levels: Sequence[Tensor]) -> list[QueryScores]:
        """The head's answer after each layer, that of the untouched queries first (step 9)."""
        decoded = self.pixel_decoder(list(levels), output_hidden_states=False)
        answer = self.transformer_module(decoded.multi_scale_features, decoded.mask_features)
        return [
            QueryScores(self.class_predictor(state.transpose(0, 1)), masks)
            for state, masks in zip(
                answer.intermediate_hidden_states, answer.masks_queries_logits, strict=True
            )
        ]

    def _projected(self, features: Sequence[Tensor], level: int, size: tuple[int, int]) -> Tensor:
        """One window's features of a level, brought to its cells, projected and added up."""
        projected = [
            projection(feature if feature.shape[2:] == size else interpolate(feature, size))
            for feature, projection, own in zip(
                features, self.projections, FEATURE_LEVEL, strict=True
            )
            if own == level
        ]
        total: Tensor = sum(projected[1:], start=projected[0])
        return total


def encode(vae: Any, pixels: Tensor) -> Posterior:
    """The VAE's posterior of photos in [-1, 1]."""
    distribution = vae.encode(pixels).latent_dist
    return Posterior(distribution.mean, distribution.logvar)


def run_unet(unet: Any, latent: Tensor, timestep: int, context: Tensor) -> Tensor:
    """The UNet's answer to a latent (N, 4, h, w), told one timestep and a prompt each."""
    step = torch.full((1,), timestep, dtype=torch.int64, device=latent.device)
    answer: Tensor = unet(latent, step, encoder_hidden_states=context, return_dict=False)[0]
    return answer


def drop_unused(unet: Any, vae: Any) -> None:
    """Take out what segmentation never uses: the UNet's last convolution, the VAE's decoder."""
    unet.conv_norm_out = None
    unet.conv_out = nn.Identity()
    vae.decoder = nn.Identity()
    vae.post_quant_conv = nn.Identity()
