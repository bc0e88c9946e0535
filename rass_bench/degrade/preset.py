"""Presets: named, versioned distributions that recipes are drawn from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from rass_bench.degrade.kernels import KernelKind
from rass_bench.registry import Registry


class ResizeMode(StrEnum):
    """How pixels are interpolated, as in ``torch.nn.functional.interpolate``."""

    AREA = "area"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"


@dataclass(frozen=True)
class Range:
    """A uniform distribution over [low, high]; low = high fixes the value."""

    low: float
    high: float

    def __str__(self) -> str:
        if self.low == self.high:
            return f"{self.low:.4g}"
        return f"{self.low:.4g} to {self.high:.4g}"


@dataclass(frozen=True)
class BlurStage:
    """A blur with a random kernel.

    Attributes:
        probability: how often the image is blurred at all.
        sizes: kernel sides, equally likely.
        sinc_probability: how often the kernel is a sinc kernel.
        kinds: the other kernel kinds with their probabilities.
        sigma: both standard deviations, in pixels.
        rotation: of anisotropic kernels, in radians.
        beta_generalized: shape of generalized kernels; below and above 1 equally often.
        beta_plateau: shape of plateau kernels; below and above 1 equally often.
        cutoff_small: cutoff of sinc kernels smaller than 13, in radians a pixel.
        cutoff_large: cutoff of the others.
    """

    probability: float
    sizes: tuple[int, ...]
    sinc_probability: float
    kinds: tuple[tuple[KernelKind, float], ...]
    sigma: Range
    rotation: Range = Range(-math.pi, math.pi)
    beta_generalized: Range = Range(0.5, 4)
    beta_plateau: Range = Range(1, 2)
    cutoff_small: Range = Range(math.pi / 3, math.pi)
    cutoff_large: Range = Range(math.pi / 5, math.pi)


@dataclass(frozen=True)
class ResizeStage:
    """A resize by a random factor.

    Attributes:
        up_probability: how often the image grows.
        down_probability: how often it shrinks; the rest keeps its size.
        up: factor when it grows.
        down: factor when it shrinks.
        of_original: whether the factor refers to the clean photo's size rather than to the
            current one.
        modes: interpolations, equally likely.
    """

    up_probability: float
    down_probability: float
    up: Range
    down: Range
    of_original: bool
    modes: tuple[ResizeMode, ...]


@dataclass(frozen=True)
class NoiseStage:
    """Gaussian or Poisson noise.

    Attributes:
        gaussian_probability: how often the noise is Gaussian; otherwise it is Poisson noise.
        gaussian_sigma: standard deviation in grey levels of 255.
        poisson_scale: factor on the noise of a sensor that counts photons.
        grey_probability: how often all three channels share one draw.
    """

    gaussian_probability: float
    gaussian_sigma: Range
    poisson_scale: Range
    grey_probability: float


@dataclass(frozen=True)
class JpegStage:
    """JPEG compression with a random quality, rounded to a whole number."""

    quality: Range


@dataclass(frozen=True)
class ResizeBackStage:
    """A resize to the clean photo's size with a random interpolation of ``modes``."""

    modes: tuple[ResizeMode, ...]


@dataclass(frozen=True)
class LastStage:
    """Resize back, sinc filter and JPEG compression, in one of two orders.

    Attributes:
        resize_back: the resize, always followed by the sinc filter.
        sinc_probability: how often the sinc filter is applied.
        sinc_sizes: its sides, equally likely.
        sinc_cutoff: its cutoff, in radians a pixel.
        jpeg: the compression.
        jpeg_last_probability: how often the compression is the last of the three; otherwise it
            is the first.
    """

    resize_back: ResizeBackStage
    sinc_probability: float
    sinc_sizes: tuple[int, ...]
    sinc_cutoff: Range
    jpeg: JpegStage
    jpeg_last_probability: float


Stage: TypeAlias = BlurStage | ResizeStage | NoiseStage | JpegStage | ResizeBackStage | LastStage


@dataclass(frozen=True)
class Preset:
    """A named distribution of degradations.

    Attributes:
        name: the name on the command line.
        version: changes whenever a drawn recipe or a degraded pixel could.
        title: one line for people.
        stages: what is done to a photo, in order.
        citation: what to cite who uses it, or None.
    """

    name: str
    version: str
    title: str
    stages: tuple[Stage, ...]
    citation: str | None = None

    @property
    def key(self) -> str:
        """``name@version``."""
        return f"{self.name}@{self.version}"

    def table(self) -> list[tuple[str, str, str]]:
        """The parameter table: rows of (stage, parameter, value), for people."""
        return [
            (f"{number}. {title}", parameter, value)
            for number, stage in enumerate(self.stages, start=1)
            for title, rows in [_stage_rows(stage)]
            for parameter, value in rows
        ]


def _stage_rows(stage: Stage) -> tuple[str, list[tuple[str, str]]]:
    match stage:
        case BlurStage():
            return "blur", _blur_rows(stage)
        case ResizeStage():
            keep = 1 - stage.up_probability - stage.down_probability
            return "resize", [
                (
                    "grow, keep, shrink",
                    percents(stage.up_probability, keep, stage.down_probability),
                ),
                ("factor up", str(stage.up)),
                ("factor down", str(stage.down)),
                ("relative to", "clean photo" if stage.of_original else "current size"),
                ("interpolation", ", ".join(stage.modes)),
            ]
        case NoiseStage():
            poisson = 1 - stage.gaussian_probability
            return "noise", [
                ("Gaussian, Poisson", percents(stage.gaussian_probability, poisson)),
                ("Gaussian sigma (of 255)", str(stage.gaussian_sigma)),
                ("Poisson scale", str(stage.poisson_scale)),
                ("grey", percents(stage.grey_probability)),
            ]
        case JpegStage():
            return "jpeg", [("quality", str(stage.quality))]
        case ResizeBackStage():
            return "resize back", [("interpolation", ", ".join(stage.modes))]
        case LastStage():
            return "last steps", [
                ("resize back", ", ".join(stage.resize_back.modes)),
                ("sinc filter", percents(stage.sinc_probability)),
                ("sinc sizes", ", ".join(map(str, stage.sinc_sizes))),
                ("sinc cutoff (rad/px)", str(stage.sinc_cutoff)),
                ("JPEG quality", str(stage.jpeg.quality)),
                ("JPEG last rather than first", percents(stage.jpeg_last_probability)),
            ]


def _blur_rows(stage: BlurStage) -> list[tuple[str, str]]:
    rows = [
        ("probability", percents(stage.probability)),
        ("sizes", ", ".join(map(str, stage.sizes))),
        ("sigma (px)", str(stage.sigma)),
    ]
    rows += [(kind.value, percents(probability)) for kind, probability in stage.kinds]
    if stage.sinc_probability > 0:
        rows += [
            ("sinc instead of these", percents(stage.sinc_probability)),
            ("sinc cutoff (rad/px), size < 13", str(stage.cutoff_small)),
            ("sinc cutoff (rad/px), size >= 13", str(stage.cutoff_large)),
        ]
    if any(kind.is_anisotropic for kind, _ in stage.kinds):
        rows.append(("rotation (rad)", str(stage.rotation)))
    if any(kind.has_shape for kind, _ in stage.kinds):
        rows.append(("beta generalized", str(stage.beta_generalized)))
        rows.append(("beta plateau", str(stage.beta_plateau)))
    return rows


def percents(*probabilities: float) -> str:
    """Probabilities as per cent, separated by commas."""
    return ", ".join(f"{100 * value:.3g} %" for value in probabilities)


_SIZES = tuple(range(7, 22, 2))
_MODES = tuple(ResizeMode)
_KINDS = (
    (KernelKind.ISO, 0.45),
    (KernelKind.ANISO, 0.25),
    (KernelKind.GENERALIZED_ISO, 0.12),
    (KernelKind.GENERALIZED_ANISO, 0.03),
    (KernelKind.PLATEAU_ISO, 0.12),
    (KernelKind.PLATEAU_ANISO, 0.03),
)

PRESETS: Registry[Preset] = Registry("preset", "rass_bench.presets")

# Ranges: Ka1Guan/RASS at 3ee2847, preset/train_realesrnet_x1_get_degration.yml; order of the
# steps: xinntao/Real-ESRGAN, realesrgan/models/realesrnet_model.py at a4abfb2, without the
# sharpening and with scale 1. The JPEG is libjpeg's, not BasicSR's differentiable stand-in.
PRESETS.add(
    "rass",
    Preset(
        name="rass",
        version="1.0",
        title="two-order Real-ESRGAN degradation at scale 1, with the ranges of RASS",
        stages=(
            BlurStage(1.0, _SIZES, 0.1, _KINDS, sigma=Range(0.2, 3)),
            ResizeStage(0.2, 0.7, Range(1, 1.5), Range(0.15, 1), False, _MODES),
            NoiseStage(0.5, Range(1, 30), Range(0.05, 3), 0.4),
            JpegStage(Range(30, 95)),
            BlurStage(0.8, _SIZES, 0.1, _KINDS, sigma=Range(0.2, 1.5)),
            ResizeStage(0.3, 0.4, Range(1, 1.2), Range(0.3, 1), True, _MODES),
            NoiseStage(0.5, Range(1, 25), Range(0.05, 2.5), 0.4),
            LastStage(
                ResizeBackStage(_MODES),
                sinc_probability=0.8,
                sinc_sizes=_SIZES,
                sinc_cutoff=Range(math.pi / 3, math.pi),
                jpeg=JpegStage(Range(30, 95)),
                jpeg_last_probability=0.5,
            ),
        ),
        citation=(
            "Wang et al., Real-ESRGAN: Training Real-World Blind Super-Resolution with Pure "
            "Synthetic Data, ICCVW 2021, arXiv:2107.10833; with the ranges of Guan et al., "
            "Restoration Adaptation for Semantic Segmentation on Low Quality Images, IJCV 2026, "
            "arXiv:2602.14042"
        ),
    ),
)


def _add_severities(factor: str, title: str, stages: tuple[tuple[Stage, ...], ...]) -> None:
    """Register ``factor-1`` (mildest) to ``factor-5`` (the end of the range in ``rass``)."""
    for severity, steps in enumerate(stages, start=1):
        name = f"{factor}-{severity}"
        PRESETS.add(name, Preset(name, "1.0", f"{title}, severity {severity} of 5", steps))


_add_severities(
    "blur",
    "isotropic Gaussian blur alone",
    tuple(
        (BlurStage(1.0, (21,), 0.0, ((KernelKind.ISO, 1.0),), sigma=Range(sigma, sigma)),)
        for sigma in (0.6, 1.2, 1.8, 2.4, 3.0)
    ),
)
_add_severities(
    "noise",
    "Gaussian colour noise alone",
    tuple(
        (NoiseStage(1.0, Range(sigma, sigma), Range(1, 1), grey_probability=0.0),)
        for sigma in (6.0, 12.0, 18.0, 24.0, 30.0)
    ),
)
_add_severities(
    "jpeg",
    "JPEG compression alone",
    tuple((JpegStage(Range(quality, quality)),) for quality in (90, 75, 60, 45, 30)),
)
_add_severities(
    "resize",
    "loss of resolution alone: area down, bicubic back up",
    tuple(
        (
            ResizeStage(0.0, 1.0, Range(1, 1), Range(factor, factor), True, (ResizeMode.AREA,)),
            ResizeBackStage((ResizeMode.BICUBIC,)),
        )
        for factor in (0.75, 0.5, 0.35, 0.25, 0.15)
    ),
)
