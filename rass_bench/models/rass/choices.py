"""What a user may choose when RASS or SCR is loaded: ``--option NAME=VALUE``."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from rass_bench.files import sha256_bytes
from rass_bench.models.rass.config import (
    FIXED,
    LABELS,
    CleanLatent,
    ColourFix,
    Latent,
    RassConfig,
)


class Precision(StrEnum):
    """In which numbers the networks compute."""

    FP32 = "fp32"
    BF16 = "bf16"
    """bfloat16 where PyTorch's autocast deems it safe; figures differ from fp32's."""


@dataclass(frozen=True)
class Execution:
    """How the networks compute; by default in float32, one window after the other.

    Attributes:
        precision: of matrix products and convolutions.
        channels_last: lay the convolutions' memory out channels last; a tenth faster on a CPU, but
            PyTorch's group norm there takes a variance as E[x^2] - E[x]^2, which loses up to five
            digits where a photo is dark or flat (aten/src/ATen/native/cpu/group_norm_kernel.cpp,
            GroupNormKernelImplChannelsLastInternal).
        compile: let torch.compile fuse each block; slow at the first photo of each size.
        batch: windows of a photo that go through VAE and UNet at once.
    """

    precision: Precision = Precision.FP32
    channels_last: bool = False
    compile: bool = False
    batch: int = 1

    def __post_init__(self) -> None:
        # A plain word means the choice that it spells.
        object.__setattr__(self, "precision", Precision(self.precision))
        if self.batch < 1:
            raise ValueError(f"batch is {self.batch}, not a whole number from 1")


@dataclass(frozen=True)
class SegmenterOptions:
    """Options of RASS; None keeps what the weights' configuration says.

    Attributes:
        tagger: ``ram``, ``fixed:PROMPT`` or ``labels`` (the classes of the ground truth: an upper
            bound).
        tags: file with RAM's tags, its thresholds beside it; for weights that come without.
        latent: ``mode`` or ``sample``.
        timestep: that the UNet is told.
        slide: false takes a photo whole instead of in windows of its short side.
        precision: see :class:`Execution`.
        channels_last: see :class:`Execution`.
        compile: see :class:`Execution`.
        batch: see :class:`Execution`.
    """

    tagger: str | None = None
    tags: str | None = None
    latent: Latent | None = None
    timestep: int | None = None
    slide: bool | None = None
    precision: Precision = Precision.FP32
    channels_last: bool = False
    compile: bool = False
    batch: int = 1


@dataclass(frozen=True)
class RestorerOptions:
    """Options of SCR; None keeps what the weights' configuration says.

    Attributes:
        tagger: ``ram`` or ``fixed:PROMPT``.
        tags: file with RAM's tags, its thresholds beside it; for weights that come without.
        latent: ``mode`` or ``sample``.
        timestep: that the UNet is told.
        clean_latent: ``scheduler`` or ``residual``.
        colour_fix: ``adain``, ``wavelet`` or ``none``.
        precision: see :class:`Execution`.
        channels_last: see :class:`Execution`.
        compile: see :class:`Execution`.
    """

    tagger: str | None = None
    tags: str | None = None
    latent: Latent | None = None
    timestep: int | None = None
    clean_latent: CleanLatent | None = None
    colour_fix: ColourFix | None = None
    precision: Precision = Precision.FP32
    channels_last: bool = False
    compile: bool = False


PROMPT_DIGITS = 8
"""Hexadecimal digits of a fixed prompt's hash in a revision."""


def configured(config: RassConfig, options: SegmenterOptions | RestorerOptions) -> RassConfig:
    """The configuration with the user's choices in it.

    Raises:
        ValueError: a choice that the configuration refuses.
    """
    known = {field.name for field in dataclasses.fields(RassConfig)}
    chosen = {
        name: value for name, value in vars(options).items() if name in known and value is not None
    }
    return dataclasses.replace(config, **chosen)


def execution(options: SegmenterOptions | RestorerOptions) -> Execution:
    """How to compute, from the user's choices.

    Raises:
        ValueError: a choice out of its range.
    """
    known = {field.name for field in dataclasses.fields(Execution)}
    chosen: dict[str, Any] = {name: value for name, value in vars(options).items() if name in known}
    return Execution(**chosen)


def revision_suffix(
    weights: RassConfig, chosen: RassConfig, execution: Execution, seed: int
) -> str:
    """What a user's choices add to a revision: ``+latent=sample+seed=0``.

    Choices that can change figures, down to their lowest bits, and none else. That the model is
    told the ground truth's classes is said also where the weights' configuration says so.

    Args:
        weights: the configuration that came with the weights.
        chosen: it with the user's choices in it.
        execution: how it will be computed.
        seed: of the latent's noise.
    """
    changed = {
        name: value for name, value in vars(chosen).items() if value != getattr(weights, name)
    }
    if chosen.tagger == LABELS:
        changed["tagger"] = LABELS
    if chosen.tagger.startswith(FIXED) and "tagger" in changed:
        # A prompt may be longer than a file's name can be.
        prompt = chosen.tagger.removeprefix(FIXED)
        changed["tagger"] = FIXED + sha256_bytes(prompt.encode())[:PROMPT_DIGITS]
    default = Execution()
    changed |= {
        name: value for name, value in vars(execution).items() if value != getattr(default, name)
    }
    if chosen.latent is Latent.SAMPLE:
        changed["seed"] = seed
    return "".join(f"+{name}={value}" for name, value in changed.items())
