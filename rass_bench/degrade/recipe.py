"""Recipes: everything that is done to one photo, drawn once, saved, and told in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias, TypeVar

import numpy as np

from rass_bench.degrade.kernels import Kernel, KernelKind
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
)
from rass_bench.errors import UserError
from rass_bench.randomness import generator
from rass_bench.structure import build

T = TypeVar("T")

RECIPE_SCHEMA = 1

MAX_STEPS = 100
"""Steps of the longest recipe; the preset ``rass`` takes ten at most."""


@dataclass(frozen=True)
class Blur:
    """Convolution with a kernel."""

    kernel: Kernel


@dataclass(frozen=True)
class Resize:
    """Resize by a factor of the current size, or of the clean photo's size.

    ``scale=1, of_original=True`` brings the image back to the clean photo's size.
    """

    scale: float
    of_original: bool
    mode: ResizeMode

    def __post_init__(self) -> None:
        _check_range("scale", self.scale, 0.01, 16)


@dataclass(frozen=True)
class GaussianNoise:
    """White Gaussian noise of ``sigma`` grey levels of 255; grey = one draw for all channels."""

    sigma: float
    grey: bool

    def __post_init__(self) -> None:
        _check_range("sigma", self.sigma, 0, 255)


@dataclass(frozen=True)
class PoissonNoise:
    """Photon noise times ``scale``; grey = one draw for all channels."""

    scale: float
    grey: bool

    def __post_init__(self) -> None:
        _check_range("scale", self.scale, 0, 100)


@dataclass(frozen=True)
class Jpeg:
    """JPEG compression (4:2:0, libjpeg's tables) of a quality 1..100."""

    quality: int

    def __post_init__(self) -> None:
        _check_range("quality", self.quality, 1, 100)


Step: TypeAlias = Blur | Resize | GaussianNoise | PoissonNoise | Jpeg

_STEP_NAMES: dict[str, type[Step]] = {
    "blur": Blur,
    "resize": Resize,
    "gaussian-noise": GaussianNoise,
    "poisson-noise": PoissonNoise,
    "jpeg": Jpeg,
}


@dataclass(frozen=True)
class Recipe:
    """What is done to one photo, in order. With the clean photo it determines every pixel.

    Attributes:
        preset: name of the preset it was drawn from.
        preset_version: that preset's version.
        seed: with ``sample_id`` the key of the draw and of the noise.
        sample_id: the photo's id in its data set.
        steps: the steps, first one first.
    """

    preset: str
    preset_version: str
    seed: int
    sample_id: str
    steps: tuple[Step, ...]

    def __post_init__(self) -> None:
        _check_range("the number of steps", len(self.steps), 0, MAX_STEPS)

    def noise_generator(self, step: int) -> np.random.Generator:
        """The random numbers of step number ``step``, counted from 0."""
        return generator(self.seed, self.sample_id, f"noise-{step}")


def sample(preset: Preset, seed: int, sample_id: str) -> Recipe:
    """Draw the recipe of one photo.

    Args:
        preset: the distribution.
        seed: the data set's seed, any integer.
        sample_id: the photo's id. Equal arguments give equal recipes, whatever else was drawn.
    """
    rng = generator(seed, sample_id, "recipe")
    steps = tuple(step for stage in preset.stages for step in _draw(stage, rng))
    return Recipe(preset.name, preset.version, seed, sample_id, steps)


def _draw(stage: Stage, rng: np.random.Generator) -> list[Step]:
    steps: list[Step]
    match stage:
        case BlurStage():
            steps = [Blur(_draw_kernel(stage, rng))] if rng.random() < stage.probability else []
        case ResizeStage():
            mode = _choose(stage.modes, rng)
            steps = [Resize(_draw_scale(stage, rng), stage.of_original, mode)]
        case NoiseStage():
            steps = [_draw_noise(stage, rng)]
        case JpegStage():
            steps = [Jpeg(round(_uniform(stage.quality, rng)))]
        case ResizeBackStage():
            steps = [Resize(1.0, True, _choose(stage.modes, rng))]
        case LastStage():
            steps = _draw_last(stage, rng)
    return steps


def _draw_noise(stage: NoiseStage, rng: np.random.Generator) -> GaussianNoise | PoissonNoise:
    grey = bool(rng.random() < stage.grey_probability)
    if rng.random() < stage.gaussian_probability:
        return GaussianNoise(_uniform(stage.gaussian_sigma, rng), grey)
    return PoissonNoise(_uniform(stage.poisson_scale, rng), grey)


def _draw_last(stage: LastStage, rng: np.random.Generator) -> list[Step]:
    filtered = _draw(stage.resize_back, rng)
    if rng.random() < stage.sinc_probability:
        size = _choose(stage.sinc_sizes, rng)
        cutoff = _uniform(stage.sinc_cutoff, rng)
        filtered.append(Blur(Kernel(KernelKind.SINC, size, cutoff=cutoff)))
    compressed = _draw(stage.jpeg, rng)
    if rng.random() < stage.jpeg_last_probability:
        return filtered + compressed
    return compressed + filtered


def _draw_kernel(stage: BlurStage, rng: np.random.Generator) -> Kernel:
    size = _choose(stage.sizes, rng)
    if rng.random() < stage.sinc_probability:
        cutoff = stage.cutoff_small if size < 13 else stage.cutoff_large
        return Kernel(KernelKind.SINC, size, cutoff=_uniform(cutoff, rng))
    kind = _choose_weighted(stage.kinds, rng)
    sigma_x = _uniform(stage.sigma, rng)
    sigma_y = _uniform(stage.sigma, rng) if kind.is_anisotropic else None
    theta = _uniform(stage.rotation, rng) if kind.is_anisotropic else None
    beta = None
    if kind.has_shape:
        is_plateau = kind in (KernelKind.PLATEAU_ISO, KernelKind.PLATEAU_ANISO)
        shape = stage.beta_plateau if is_plateau else stage.beta_generalized
        # Either side of 1 equally often. With the plateau's range from 1 half of them are 1.
        below = rng.random() < 0.5
        beta = _uniform(Range(shape.low, 1) if below else Range(1, shape.high), rng)
    return Kernel(kind, size, sigma_x, sigma_y, theta, beta)


def _draw_scale(stage: ResizeStage, rng: np.random.Generator) -> float:
    draw = rng.random()
    if draw < stage.up_probability:
        return _uniform(stage.up, rng)
    if draw < stage.up_probability + stage.down_probability:
        return _uniform(stage.down, rng)
    return 1.0


def _uniform(over: Range, rng: np.random.Generator) -> float:
    return over.low + (over.high - over.low) * float(rng.random())


def _choose(options: Sequence[T], rng: np.random.Generator) -> T:
    return options[int(rng.random() * len(options))]


def _choose_weighted(options: Sequence[tuple[T, float]], rng: np.random.Generator) -> T:
    draw = rng.random()
    for option, probability in options:
        draw -= probability
        if draw < 0:
            return option
    return options[-1][0]


def to_json(recipe: Recipe) -> dict[str, Any]:
    """The recipe as a plain dict, ready for ``json``; parameters that a kernel lacks stay out."""
    names = {kind: name for name, kind in _STEP_NAMES.items()}
    steps: list[dict[str, Any]] = []
    for step in recipe.steps:
        values = asdict(step)
        if isinstance(step, Blur):
            given = {key: value for key, value in values["kernel"].items() if value is not None}
            values = {"kernel": given}
        steps.append({"step": names[type(step)], **values})
    return {
        "schema_version": RECIPE_SCHEMA,
        "preset": recipe.preset,
        "preset_version": recipe.preset_version,
        "seed": recipe.seed,
        "sample_id": recipe.sample_id,
        "steps": steps,
    }


def from_json(document: Any, where: str) -> Recipe:
    """Read a recipe, checking every key and value: manifests come from strangers.

    Args:
        document: what :func:`to_json` gave.
        where: file and sample, for messages.

    Raises:
        UserError: another schema version, an unknown or missing key, a value out of its range.
    """
    version = document.get("schema_version") if isinstance(document, dict) else None
    if version != RECIPE_SCHEMA:
        raise UserError(
            f"a recipe of schema {version!r}; this program reads {RECIPE_SCHEMA}",
            where,
            "Update rass-bench, or make the data set again.",
        )
    try:
        values = dict(document)
        del values["schema_version"]
        values["steps"] = tuple(_parse_step(step) for step in values["steps"])
        return build(Recipe, values, "the recipe")
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"malformed recipe: {error}", where, "It was edited or damaged; make it again."
        ) from None


def _parse_step(document: dict[str, Any]) -> Step:
    values = dict(document)
    return build(_STEP_NAMES[values.pop("step")], values, "a step")


def describe(recipe: Recipe) -> list[str]:
    """The recipe in words, one line a step."""
    return [f"{number}. {_in_words(step)}" for number, step in enumerate(recipe.steps, start=1)]


def _in_words(step: Step) -> str:
    match step:
        case Blur(kernel=kernel):
            return _kernel_in_words(kernel)
        case Resize(scale=1.0, of_original=True, mode=mode):
            return f"resize to the original size, {mode}"
        case Resize(scale=scale, of_original=of_original, mode=mode):
            what = "the original size" if of_original else "its size"
            return f"resize to {100 * scale:.0f} % of {what}, {mode}"
        case GaussianNoise(sigma=sigma, grey=grey):
            return f"{'grey' if grey else 'colour'} Gaussian noise, sigma {sigma:.1f} of 255"
        case PoissonNoise(scale=scale, grey=grey):
            return f"{'grey' if grey else 'colour'} Poisson noise, scale {scale:.2f}"
        case Jpeg(quality=quality):
            return f"JPEG compression, quality {quality}"


def _kernel_in_words(kernel: Kernel) -> str:
    square = f"{kernel.size} x {kernel.size}"
    if kernel.cutoff is not None:
        return f"sinc filter {square}, cutoff {kernel.cutoff / math.pi:.2f} pi"
    family = {"generalized": "generalized Gaussian", "plateau": "plateau"}
    name = family.get(kernel.kind.value.split("_")[0], "Gaussian")
    words = f"{name} blur {square}, sigma {kernel.sigma_x:.2f}"
    if kernel.theta is not None:
        words += f" and {kernel.sigma_y:.2f} px at {math.degrees(kernel.theta):.0f}°"
    else:
        words += " px"
    return words + (f", beta {kernel.beta:.2f}" if kernel.beta is not None else "")


def _check_range(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ValueError(f"{name} {value} is outside {low}..{high}")
