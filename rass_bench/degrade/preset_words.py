"""What a preset does to photos, in sentences; every number is the preset's own."""

from __future__ import annotations

from collections.abc import Sequence

from rass_bench.degrade.kernels import KernelKind
from rass_bench.degrade.preset import (
    BlurStage,
    JpegStage,
    LastStage,
    NoiseStage,
    Preset,
    Range,
    ResizeBackStage,
    ResizeMode,
    ResizeStage,
    Stage,
    percents,
)

_ROUNDING = 1e-9
"""A share below this is none: the rest of shares that add up to 1."""

_KERNELS = {
    KernelKind.ISO: "isotropic Gaussian",
    KernelKind.ANISO: "anisotropic Gaussian",
    KernelKind.GENERALIZED_ISO: "isotropic generalized Gaussian",
    KernelKind.GENERALIZED_ANISO: "anisotropic generalized Gaussian",
    KernelKind.PLATEAU_ISO: "isotropic plateau",
    KernelKind.PLATEAU_ANISO: "anisotropic plateau",
}


def describe_preset(preset: Preset) -> list[list[str]]:
    """The preset in words: a list for each order of the degradation, a sentence a stage.

    A new order begins where a kind of stage comes again (Real-ESRGAN has two).
    """
    orders: list[list[Stage]] = [[]]
    for stage in preset.stages:
        if any(isinstance(stage, type(earlier)) for earlier in orders[-1]):
            orders.append([])
        orders[-1].append(stage)
    return [[_in_words(stage) for stage in order] for order in orders]


def _in_words(stage: Stage) -> str:
    match stage:
        case BlurStage():
            return _blur(stage)
        case ResizeStage():
            return _resize(stage)
        case NoiseStage():
            return _noise(stage)
        case JpegStage():
            return f"JPEG compression of quality {stage.quality}."
        case ResizeBackStage():
            return f"Resize to the clean photo's size, {_interpolation(stage.modes)}."
        case LastStage():
            return _last(stage)


def _blur(stage: BlurStage) -> str:
    kinds = [kind for kind, _ in stage.kinds]
    shares = ", ".join(f"{percents(share)} {_KERNELS[kind]}" for kind, share in stage.kinds)
    photos = "all" if stage.probability == 1 else f"{percents(stage.probability)} of the"
    told = [
        f"Blur of {photos} photos.",
        f"The kernel has {_alternatives(stage.sizes)} px a side.",
    ]
    if stage.sinc_probability > 0:
        told.append(
            f"{percents(stage.sinc_probability)} of the kernels are sinc filters, with a cutoff of "
            f"{stage.cutoff_small} rad/px below 13 px a side and of {stage.cutoff_large} rad/px "
            f"from there on. The others are: {shares}."
        )
    else:
        told.append(f"The kernels are: {shares}.")
    told.append(f"Standard deviation: {stage.sigma} px{_axes(stage, kinds)}.")
    shapes = (("generalized", stage.beta_generalized), ("plateau", stage.beta_plateau))
    for name, beta in shapes:
        if any(kind.value.startswith(name) for kind in kinds):
            sides = _alternatives((Range(beta.low, 1), Range(1, beta.high)))
            told.append(f"Beta of {name} kernels: {sides}, equally often.")
    return " ".join(told)


def _axes(stage: BlurStage, kinds: Sequence[KernelKind]) -> str:
    if not any(kind.is_anisotropic for kind in kinds):
        return ""
    return f", of anisotropic kernels for each axis, which are turned by {stage.rotation} rad"


def _resize(stage: ResizeStage) -> str:
    keep = 1 - stage.up_probability - stage.down_probability
    factors = (
        (stage.up_probability, stage.up),
        (stage.down_probability, stage.down),
        (keep, Range(1, 1)),
    )
    told = [
        f"{factor} times for {percents(share)}" for share, factor in factors if share > _ROUNDING
    ]
    size = "the clean photo's size" if stage.of_original else "the size it has by then"
    return f"Resize to a multiple of {size}: {', '.join(told)}; {_interpolation(stage.modes)}."


def _noise(stage: NoiseStage) -> str:
    gaussian = f"Gaussian with a standard deviation of {stage.gaussian_sigma} of 255 grey levels"
    kinds = (
        (stage.gaussian_probability, gaussian),
        (1 - stage.gaussian_probability, f"Poisson of scale {stage.poisson_scale}"),
    )
    told = [f"{percents(share)} {kind}" for share, kind in kinds if share > _ROUNDING]
    grey = f"For {percents(stage.grey_probability)} it is grey: one draw for all three channels"
    return f"Noise: {', '.join(told)}. {grey}."


def _last(stage: LastStage) -> str:
    back, sizes = _interpolation(stage.resize_back.modes), _alternatives(stage.sinc_sizes)
    return (
        f"Resize to the clean photo's size, {back}; then, for {percents(stage.sinc_probability)} "
        f"of the photos, a sinc filter of {sizes} px a side with a cutoff of {stage.sinc_cutoff} "
        f"rad/px. JPEG compression of quality {stage.jpeg.quality}, after both for "
        f"{percents(stage.jpeg_last_probability)} of the photos and before both for the others."
    )


def _interpolation(modes: Sequence[ResizeMode]) -> str:
    return f"{_alternatives(modes)} interpolation"


def _alternatives(options: Sequence[object]) -> str:
    *others, last = map(str, options)
    return f"{', '.join(others)} or {last}" if others else last
