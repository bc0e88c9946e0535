"""The stock networks that RASS and SCR are made of, as diffusers and transformers have them."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from typing import Any, TypeVar, cast

from rass_bench.models.rass.config import HeadConfig, RassConfig, TextConfig, UNetConfig, VaeConfig

# Where it is installed, diffusers and transformers import it, and it warns of what it lacks.
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)

N = TypeVar("N")

LEVELS = (4, 8, 16, 32)
"""Strides of the head's inputs, res2 to res5."""

BETA_START, BETA_END, TRAIN_TIMESTEPS = 0.00085, 0.012, 1000
"""Stable Diffusion's noise schedule, "scaled linear" (its scheduler_config.json)."""


def build_unet(config: UNetConfig, latent_channels: int) -> Any:
    """Stable Diffusion's UNet, diffusers' ``UNet2DConditionModel``, with random weights."""
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        in_channels=latent_channels,
        out_channels=latent_channels,
        block_out_channels=config.block_out_channels,
        # diffusers takes the number of heads under this name (its issue 2011).
        attention_head_dim=config.heads,
        layers_per_block=config.layers_per_block,
        cross_attention_dim=config.cross_attention_dim,
        norm_num_groups=config.norm_groups,
        use_linear_projection=True,
    )


def build_vae(config: VaeConfig) -> Any:
    """Stable Diffusion's VAE, diffusers' ``AutoencoderKL``, with random weights."""
    from diffusers import AutoencoderKL

    levels = len(config.block_out_channels)
    return AutoencoderKL(
        block_out_channels=config.block_out_channels,
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        layers_per_block=config.layers_per_block,
        latent_channels=config.latent_channels,
        norm_num_groups=config.norm_groups,
        scaling_factor=config.scaling,
    )


def build_text_encoder(config: TextConfig) -> Any:
    """CLIP's text encoder, transformers' ``CLIPTextModel``, with random weights."""
    from transformers import CLIPTextConfig, CLIPTextModel

    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=config.vocabulary,
            hidden_size=config.width,
            intermediate_size=config.feed_forward,
            num_hidden_layers=config.layers,
            num_attention_heads=config.heads,
            max_position_embeddings=config.length,
            hidden_act=config.activation,
            # They choose the pooled output alone, which RASS does not use.
            bos_token_id=0,
            eos_token_id=2,
            pad_token_id=1,
        )
    )


def build_pixel_decoder(config: HeadConfig) -> Any:
    """Mask2Former's multi-scale deformable pixel decoder, from transformers."""
    from torch.nn.init import normal_
    from transformers.models.mask2former.modeling_mask2former import Mask2FormerPixelDecoder

    with warnings.catch_warnings():
        # It advises widths that the authors' CUDA kernel, which is not used, is faster with.
        warnings.filterwarnings("ignore", message="You'd better set embed_dim")
        decoder = Mask2FormerPixelDecoder(_mask2former(config), [config.projection] * len(LEVELS))
    # Left as memory was found, by transformers, where it is not part of a whole model.
    normal_(decoder.level_embed)
    return decoder


def build_transformer_module(config: HeadConfig) -> Any:
    """Mask2Former's masked-attention decoder with its queries, from transformers."""
    from transformers.models.mask2former.modeling_mask2former import Mask2FormerTransformerModule

    return Mask2FormerTransformerModule(config.width, _mask2former(config))


def build_loss(config: HeadConfig) -> Any:
    """Mask2Former's matcher and losses, from transformers."""
    from transformers.models.mask2former.modeling_mask2former import Mask2FormerLoss

    return Mask2FormerLoss(_mask2former(config), {})


def build_networks(config: RassConfig) -> tuple[Any, Any, Any]:
    """UNet, VAE and text encoder of one size, with random weights."""
    return (
        build_unet(config.unet, config.vae.latent_channels),
        build_vae(config.vae),
        build_text_encoder(config.text),
    )


def build_empty(network: Callable[[RassConfig], N], config: RassConfig) -> N:
    """A network without memory for its parameters, ready to be given them.

    Args:
        network: ``RassNetwork`` or ``ScrNetwork``; it has a ``text_encoder``.
        config: its size.
    """
    import torch

    with torch.device("meta"):
        empty = network(config)
    # The one buffer that no state dict holds.
    positions = torch.arange(config.text.length)[None]
    cast(Any, empty).text_encoder.embeddings.position_ids = positions
    return empty


def _mask2former(config: HeadConfig) -> Any:
    """The values of maskformer2_R50_bs16_160k.yaml that RASS's own file leaves as they are."""
    from transformers import Mask2FormerConfig

    mask2former = Mask2FormerConfig(
        feature_size=config.width,
        mask_feature_size=config.mask_width,
        hidden_dim=config.hidden,
        num_attention_heads=config.heads,
        encoder_layers=config.pixel_decoder_layers,
        encoder_feedforward_dim=config.pixel_decoder_feed_forward,
        # transformers counts as detectron2 does: one more than there are layers.
        decoder_layers=config.decoder_layers + 1,
        dim_feedforward=config.decoder_feed_forward,
        num_queries=config.queries,
        feature_strides=list(LEVELS),
        common_stride=LEVELS[0],
        dropout=0.0,
        pre_norm=False,
        enforce_input_projection=False,
        no_object_weight=0.1,
        class_weight=2.0,
        mask_weight=5.0,
        dice_weight=5.0,
        train_num_points=config.points,
        oversample_ratio=3.0,
        importance_sample_ratio=0.75,
    )
    mask2former.num_labels = config.classes
    return mask2former
