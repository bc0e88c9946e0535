"""What distinguishes one RASS from another: sizes of its networks and choices at test time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from rass_bench.labels import load_label_space


class Latent(StrEnum):
    """Which latent the VAE's posterior gives."""

    MODE = "mode"
    """Its mean: the same photo gives the same labels."""

    SAMPLE = "sample"
    """A draw from it, as the official code takes; seeded here through the run's seed."""


class CleanLatent(StrEnum):
    """How the UNet's answer becomes the restored latent, x0."""

    SCHEDULER = "scheduler"
    """The diffusion's own: x0 = (z - sigma * eps) / alpha at the timestep (DDPM, equation 15)."""

    RESIDUAL = "residual"
    """x0 = z - eps, as PiSA-SR defines it (arXiv 2412.03017)."""


class ColourFix(StrEnum):
    """How a restored photo gets the low-quality photo's colours back."""

    ADAIN = "adain"
    """Each channel's mean and standard deviation, as StableSR and OSEDiff do."""

    WAVELET = "wavelet"
    """The low frequencies, as StableSR's alternative does."""

    NONE = "none"


MAX_LAYERS, MAX_LEVELS, MAX_RANK, MAX_SIZE = 256, 8, 1024, 2**20
"""Far above what any network here has: layers of a part, levels of a network, rank of adapters, any
other size."""


@dataclass(frozen=True)
class UNetConfig:
    """A Stable Diffusion UNet of four levels, cross attention in all but the deepest.

    Attributes:
        block_out_channels: channels of the four levels.
        heads: attention heads of the four levels; diffusers calls them ``attention_head_dim``.
        cross_attention_dim: width of the text embedding.
        layers_per_block: residual layers of a level.
        norm_groups: groups of every GroupNorm.
    """

    block_out_channels: tuple[int, ...]
    heads: tuple[int, ...]
    cross_attention_dim: int
    layers_per_block: int = 2
    norm_groups: int = 32

    def __post_init__(self) -> None:
        _check_sizes(self)
        _check_groups(self.norm_groups)


@dataclass(frozen=True)
class VaeConfig:
    """A Stable Diffusion VAE: stride 8, posterior over ``latent_channels``.

    Attributes:
        block_out_channels: channels of the four levels.
        layers_per_block: residual layers of a level.
        norm_groups: groups of every GroupNorm.
        latent_channels: channels of the latent.
        scaling: factor between the posterior's mean and what the UNet takes.
    """

    block_out_channels: tuple[int, ...]
    layers_per_block: int = 2
    norm_groups: int = 32
    latent_channels: int = 4
    scaling: float = 0.18215

    def __post_init__(self) -> None:
        _check_sizes(self)
        if not 0 < self.scaling < math.inf:
            raise ValueError(f"scaling is {self.scaling}, not a positive number")
        _check_groups(self.norm_groups)


def _check_sizes(config: object) -> None:
    """Refuse sizes that no network has, before time and memory are spent on building one."""
    for name, value in vars(config).items():
        numbers = value if isinstance(value, tuple) else (value,)
        limit = MAX_LAYERS if "layers" in name or name == "depths" else MAX_SIZE
        if len(numbers) > MAX_LEVELS:
            raise ValueError(f"{name} has {len(numbers)} numbers, more than {MAX_LEVELS}")
        for number in numbers:
            if isinstance(number, int) and abs(number) > limit:
                raise ValueError(f"{name} is {number}, not within {limit}")


def _check_groups(groups: int) -> None:
    # PyTorch builds such a network, and fails at the first photo.
    if groups < 1:
        raise ValueError(f"norm_groups is {groups}, not a whole number from 1")


@dataclass(frozen=True)
class TextConfig:
    """A CLIP text encoder and its tokenizer.

    Attributes:
        vocabulary: number of token ids.
        width: channels of the embedding.
        feed_forward: hidden width of each layer's feed-forward part.
        layers: transformer layers.
        heads: attention heads.
        length: tokens of a prompt, begin and end marks and padding included.
        activation: of the feed-forward part, as transformers names it.
        words_of: label space whose class names are the vocabulary; None takes CLIP's byte pairs.
    """

    vocabulary: int
    width: int
    feed_forward: int
    layers: int
    heads: int
    length: int = 77
    activation: str = "gelu"
    words_of: str | None = None

    def __post_init__(self) -> None:
        _check_sizes(self)


@dataclass(frozen=True)
class HeadConfig:
    """Feature projections and a Mask2Former head.

    Attributes:
        classes: classes, "no object" not counted.
        projection: channels that every backbone feature is projected to.
        bottleneck: channels in the middle of a projection.
        width: channels of the pixel decoder.
        mask_width: channels of the mask features.
        hidden: channels of the queries.
        heads: attention heads, of both decoders.
        pixel_decoder_layers: deformable-attention layers.
        pixel_decoder_feed_forward: hidden width of their feed-forward part.
        decoder_layers: layers over the queries (detectron2's DEC_LAYERS counts one more).
        decoder_feed_forward: hidden width of their feed-forward part.
        queries: number of queries.
        points: points at which the loss compares masks.
    """

    classes: int
    projection: int = 512
    bottleneck: int = 128
    width: int = 256
    mask_width: int = 256
    hidden: int = 256
    heads: int = 8
    pixel_decoder_layers: int = 6
    pixel_decoder_feed_forward: int = 1024
    decoder_layers: int = 9
    decoder_feed_forward: int = 2048
    queries: int = 100
    points: int = 12544

    def __post_init__(self) -> None:
        _check_sizes(self)
        if self.queries < 1:
            raise ValueError(f"queries is {self.queries}, not a whole number from 1")


@dataclass(frozen=True)
class LoraConfig:
    """Low-rank adaptation of the UNet: W + (alpha / rank) B A.

    Attributes:
        rank: rows of A.
        alpha: peft's default is 8, whatever the rank.
    """

    rank: int = 4
    alpha: int = 8

    def __post_init__(self) -> None:
        _check_sizes(self)
        if not 1 <= self.rank <= MAX_RANK:
            raise ValueError(f"rank is {self.rank}, not within 1 and {MAX_RANK}")

    @property
    def scaling(self) -> float:
        """Factor of B A."""
        return self.alpha / self.rank


@dataclass(frozen=True)
class RamConfig:
    """Sizes of a RAM.

    Attributes:
        image_side: rows and columns of the photo that it takes.
        patch: side of a patch, in pixels.
        embed_dim: channels of the Swin's first stage; each further stage doubles them.
        depths: blocks of the Swin's stages.
        heads: attention heads of the Swin's stages.
        window: side of an attention window, in patches.
        embedding: channels of image and label embeddings.
        hidden: channels of the tagging head.
        feed_forward: hidden width of its layers' feed-forward part.
        tagging_heads: its attention heads.
        tagging_layers: its layers.
        tags: number of tags.
    """

    image_side: int = 384
    patch: int = 4
    embed_dim: int = 192
    depths: tuple[int, ...] = (2, 2, 18, 2)
    heads: tuple[int, ...] = (6, 12, 24, 48)
    window: int = 12
    embedding: int = 512
    hidden: int = 768
    feed_forward: int = 3072
    tagging_heads: int = 4
    tagging_layers: int = 2
    tags: int = 4585

    def __post_init__(self) -> None:
        _check_sizes(self)
        if self.tagging_heads < 1 or self.hidden % self.tagging_heads:
            raise ValueError(f"{self.tagging_heads} heads do not share {self.hidden} channels")

    @classmethod
    def swin_large(cls) -> RamConfig:
        """The published ``ram_swin_large_14m.pth``.

        Sizes: ram/configs/swin/config_swinL_384.json and ram/configs/q2l_config.json of
        xinyu1205/recognize-anything.
        """
        return cls()


LABELS, RAM, FIXED = "labels", "ram", "fixed:"
"""Taggers: told the ground truth's classes, RAM, a prompt that follows the colon."""


def is_tagger(name: str) -> bool:
    """Whether a tagger can be named so."""
    return name in (LABELS, RAM) or name.startswith(FIXED)


@dataclass(frozen=True)
class RassConfig:
    """One size of RASS and SCR, and how it is tested.

    Attributes:
        size: ``sd21``, ``mini`` or another name.
        label_space: the classes that the head names.
        unet: the diffusion UNet.
        vae: the autoencoder.
        text: the text encoder.
        head: projections and segmentation head.
        ram: the tagger's network, or None where there is none.
        lora: rank of RASS's own adapters, on top of the UNet that SCR left.
        timestep: diffusion timestep that the UNet is told; no noise is added.
        latent: the posterior's mean, or a draw from it.
        slide: windows of the photo's short side; False takes the photo whole.
        tagger: where the prompt comes from: ``ram``, ``fixed:PROMPT`` or ``labels``.
        clean_latent: how SCR gets the restored latent.
        colour_fix: how SCR's result gets the photo's colours back.
        short_side: pixels that RASS resizes a photo's short side to.
    """

    size: str
    label_space: str
    unet: UNetConfig
    vae: VaeConfig
    text: TextConfig
    head: HeadConfig
    ram: RamConfig | None = None
    lora: LoraConfig = LoraConfig()
    timestep: int = 1
    latent: Latent = Latent.MODE
    slide: bool = True
    tagger: str = RAM
    clean_latent: CleanLatent = CleanLatent.SCHEDULER
    colour_fix: ColourFix = ColourFix.ADAIN
    short_side: int = 512

    def __post_init__(self) -> None:
        # Plain words mean the choices that they spell.
        object.__setattr__(self, "latent", Latent(self.latent))
        object.__setattr__(self, "clean_latent", CleanLatent(self.clean_latent))
        object.__setattr__(self, "colour_fix", ColourFix(self.colour_fix))
        if not isinstance(self.slide, bool):
            raise ValueError(f"slide is {self.slide!r}, not true or false")
        if not is_tagger(self.tagger):
            raise ValueError(f"tagger is {self.tagger!r}, not {RAM}, {LABELS} or {FIXED}PROMPT")
        if not 1 <= self.short_side <= MAX_SIZE:
            raise ValueError(f"short_side is {self.short_side}, not within {MAX_SIZE}")
        if not 0 <= self.timestep < 1000:
            raise ValueError(f"timestep is {self.timestep}, not a whole number from 0 to 999")

    @classmethod
    def sd21(cls) -> RassConfig:
        """The paper's size, on Stable Diffusion 2.1 base (official maskformer2_RASS.yaml)."""
        return cls(
            size="sd21",
            label_space="ade20k-150",
            unet=UNetConfig((320, 640, 1280, 1280), (5, 10, 20, 20), cross_attention_dim=1024),
            vae=VaeConfig((128, 256, 512, 512)),
            text=TextConfig(vocabulary=49408, width=1024, feed_forward=4096, layers=23, heads=16),
            head=HeadConfig(classes=150),
            ram=RamConfig.swin_large(),
        )

    @classmethod
    def mini(cls, label_space: str = "ade20k-150") -> RassConfig:
        """Seven million parameters, for the embedded scenes and for CPUs.

        What differs from Stable Diffusion but in size serves a training of minutes: more channels
        in the latent, adapters of a higher rank, SCR's residual form, and colours that come back
        with the photo's low frequencies.

        Args:
            label_space: the classes of the head, whose names are the prompts' vocabulary.
        """
        classes = load_label_space(label_space)
        return cls(
            size="mini",
            label_space=label_space,
            unet=UNetConfig(
                (48, 64, 96, 96),
                (3, 4, 6, 6),
                cross_attention_dim=64,
                layers_per_block=1,
                norm_groups=16,
            ),
            vae=VaeConfig((16, 40, 64, 80), layers_per_block=1, norm_groups=8, latent_channels=16),
            text=TextConfig(
                vocabulary=153,
                width=64,
                feed_forward=128,
                layers=2,
                heads=2,
                words_of=label_space,
            ),
            head=HeadConfig(
                classes=classes.size,
                projection=128,
                bottleneck=64,
                width=96,
                mask_width=96,
                hidden=96,
                heads=4,
                pixel_decoder_layers=3,
                pixel_decoder_feed_forward=192,
                decoder_layers=3,
                decoder_feed_forward=384,
                queries=40,
                points=2048,
            ),
            tagger=FIXED,
            lora=LoraConfig(rank=8, alpha=16),
            clean_latent=CleanLatent.RESIDUAL,
            colour_fix=ColourFix.WAVELET,
            short_side=256,
        )
