"""RASS and SCR as the command line knows them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rass_bench.errors import UserError, require_package
from rass_bench.labels import load_label_space
from rass_bench.models.options import read_options
from rass_bench.models.protocols import ModelSpec
from rass_bench.models.rass.choices import (
    Execution,
    RestorerOptions,
    SegmenterOptions,
    configured,
    execution,
    revision_suffix,
)
from rass_bench.models.rass.config import FIXED, LABELS, RAM, RassConfig
from rass_bench.models.registry import MODELS, Kind, ModelEntry, Runtime
from rass_bench.models.shipped import reference_weights
from rass_bench.weights import REVISION_DIGITS

if TYPE_CHECKING:
    import torch

    from rass_bench.models.rass.prompt import Tokenizer
    from rass_bench.models.rass.restorer import ScrRestorer
    from rass_bench.models.rass.segmenter import RassSegmenter
    from rass_bench.models.rass.taggers import Tagger
    from rass_bench.models.rass.weights import RassWeights

_PACKAGES = ("torch", "diffusers", "transformers", "timm", "safetensors")

RASS_TITLE = "RASS: restoration-adapted diffusion features, Mask2Former head (IJCV 2026)"
SCR_TITLE = "SCR: Stable Diffusion adapted to restore in one step (IJCV 2026)"
PAPER = "https://arxiv.org/abs/2602.14042"
LICENCE = "CreativeML-OpenRAIL-M"
"""Stable Diffusion 2.1's, which the official weights derive from; the official repository states
none for its own part of them."""

SHIPPED_LICENCE = "Apache-2.0"
"""Of the mini weights that travel in the package, trained from random ones on rendered scenes."""

WEIGHTS = (
    "official:DIR, or a file that `rass-bench weights convert` or `train` wrote; "
    "without any, the mini size that travels in the package"
)
"""What ``--weights`` may be."""


def require_packages() -> None:
    """Check that what RASS and SCR are built on is installed, without importing it.

    Raises:
        UserError: the first package that is not.
    """
    for package in _PACKAGES:
        require_package(package, "models")


def load_rass(runtime: Runtime) -> RassSegmenter:
    """RASS with the weights and choices that a user names, without weights the shipped mini.

    Raises:
        UserError: missing or unreadable files, unknown options.
    """
    require_packages()
    from rass_bench.models.rass.loading import build_configured, merged_rass
    from rass_bench.models.rass.network import RassNetwork
    from rass_bench.models.rass.official import load_strictly
    from rass_bench.models.rass.segmenter import RassSegmenter, size_rule

    loaded = _load("rass", SegmenterOptions, runtime)
    config, where = loaded.config, loaded.where
    classes = load_label_space(config.label_space).size
    if config.head.classes != classes:
        raise UserError(
            f"a head of {config.head.classes} classes; {config.label_space} has {classes}",
            where,
            "Correct the configuration.",
        )
    network = build_configured(RassNetwork, config, where)
    load_strictly(network, merged_rass(loaded.weights, where), where)
    spec = _spec("rass", RASS_TITLE, loaded)
    spec = dataclasses.replace(
        spec,
        label_space=config.label_space,
        size_rule=size_rule(config),
        told_classes=config.tagger == LABELS,
    )
    return RassSegmenter(
        config,
        network,
        loaded.tokenizer,
        loaded.tagger,
        spec,
        device=loaded.device,
        execution=loaded.execution,
        seed=runtime.seed,
    )


def load_scr(runtime: Runtime) -> ScrRestorer:
    """SCR with the weights and choices that a user names, without weights the shipped mini.

    Raises:
        UserError: missing or unreadable files, unknown options.
    """
    require_packages()
    from rass_bench.models.rass.loading import build_configured
    from rass_bench.models.rass.official import load_strictly
    from rass_bench.models.rass.restorer import SIZE_RULE, ScrRestorer
    from rass_bench.models.rass.scr import ScrNetwork

    loaded = _load("scr", RestorerOptions, runtime)
    if loaded.config.tagger == LABELS:
        raise UserError(
            "a restorer is not told the classes", "--option tagger=labels", "Use fixed:PROMPT."
        )
    network = build_configured(ScrNetwork, loaded.config, loaded.where)
    load_strictly(network, loaded.weights.scr, loaded.where)
    spec = dataclasses.replace(_spec("scr", SCR_TITLE, loaded), size_rule=SIZE_RULE)
    return ScrRestorer(
        loaded.config,
        network,
        loaded.tokenizer,
        loaded.tagger,
        spec,
        device=loaded.device,
        execution=loaded.execution,
        seed=runtime.seed,
    )


@dataclass(frozen=True)
class _Loaded:
    """What both models need, opened."""

    config: RassConfig
    weights: RassWeights
    where: str
    licence: str
    execution: Execution
    tokenizer: Tokenizer
    tagger: Tagger
    device: torch.device
    revision: str


def _load(
    name: str, kind: type[SegmenterOptions] | type[RestorerOptions], runtime: Runtime
) -> _Loaded:
    from rass_bench.models.devices import prepare
    from rass_bench.models.rass.loading import Part, open_weights

    device = prepare(runtime)
    options: SegmenterOptions | RestorerOptions = read_options(kind, runtime.options, name)
    where = str(reference_weights()) if runtime.weights is None else runtime.weights
    tags = None if options.tags is None else Path(options.tags)
    try:
        # Before the weights, which take their time: a wrong choice is told at once.
        computed = execution(options)
        configured(RassConfig.sd21(), options)
    except ValueError as error:
        raise UserError(
            str(error), f"--option of {name}", "`rass-bench list models --detail` lists them."
        ) from None
    weights = open_weights(where, Part(name), tagger=options.tagger, tags=tags)
    config = configured(weights.config, options)
    if tags is not None and config.tagger != RAM:
        raise UserError(
            f"tags of RAM for the tagger {config.tagger}", f"--option tags={tags}", "Leave it out."
        )
    suffix = revision_suffix(weights.config, config, computed, runtime.seed)
    return _Loaded(
        config,
        weights,
        where,
        _licence(runtime, config),
        computed,
        build_tokenizer(config, weights, where),
        build_tagger(config, weights, device, where),
        device,
        f"{config.size}-{weights.fingerprint[:REVISION_DIGITS]}{suffix}",
    )


def _licence(runtime: Runtime, config: RassConfig) -> str:
    """Of the weights; what users train from nothing is for them to state."""
    if runtime.weights is None:
        return SHIPPED_LICENCE
    # With a vocabulary of its own, a network does not derive from Stable Diffusion.
    return LICENCE if config.text.words_of is None else "not stated"


def _spec(name: str, title: str, loaded: _Loaded) -> ModelSpec:
    return ModelSpec(
        name=name,
        revision=loaded.revision,
        title=title,
        licence=loaded.licence,
        weights_sha256=loaded.weights.sha256,
        paper=PAPER,
        extra="models",
    )


def build_tokenizer(config: RassConfig, weights: RassWeights, where: str) -> Tokenizer:
    """The tokenizer of the text encoder's vocabulary.

    Raises:
        UserError: the text encoder is too small for it.
    """
    from rass_bench.models.rass.prompt import (
        CLIP_END,
        CLIP_LENGTH,
        WordTokenizer,
        load_clip_tokenizer,
    )

    text = config.text
    if text.words_of is None:
        needed = CLIP_END + 1, CLIP_LENGTH
    else:
        words = WordTokenizer(load_label_space(text.words_of).names, max(2, text.length))
        needed = words.size, words.length
    if text.vocabulary < needed[0] or text.length < needed[1]:
        raise UserError(
            f"a text encoder of {text.vocabulary} tokens, {text.length} a prompt; its tokenizer "
            f"has {needed[0]}, {needed[1]} a prompt",
            where,
            "Correct the configuration.",
        )
    return load_clip_tokenizer(weights.tokenizer) if text.words_of is None else words


def build_tagger(
    config: RassConfig, weights: RassWeights, device: torch.device, where: str
) -> Tagger:
    """What names the things in a photo: RAM, or a prompt that is always the same.

    Raises:
        UserError: RAM's weights do not fit its sizes.
    """
    from rass_bench.models.rass.loading import load_ram
    from rass_bench.models.rass.ram import RamTagger
    from rass_bench.models.rass.taggers import FixedTagger

    if config.tagger == RAM and config.ram is not None and weights.tags is not None:
        return RamTagger(load_ram(weights.ram, config.ram, where).to(device), weights.tags)
    prompt = config.tagger.removeprefix(FIXED) if config.tagger.startswith(FIXED) else ""
    return FixedTagger(tuple(tag.strip() for tag in prompt.split(",") if tag.strip()))


def _sizes() -> tuple[str, ...]:
    try:
        require_packages()
    except UserError as error:
        return (f"sizes are not known here: {error}",)
    from rass_bench.models.rass.sizes import count_parameters_as_published

    return tuple(
        f"{config.size}: {count.total / 1e6:.4f} M parameters as the paper counts them, "
        f"{(count.trainable or 0) / 1e6:.4f} M trainable"
        for config in (RassConfig.sd21(), RassConfig.mini())
        for count in (count_parameters_as_published(config),)
    )


for _entry in (
    ModelEntry(
        name="rass",
        kind=Kind.SEGMENTER,
        title=RASS_TITLE,
        licence=LICENCE,
        load=load_rass,
        extra="models",
        paper=PAPER,
        takes_weights=WEIGHTS,
        options=SegmenterOptions,
        sizes=_sizes,
    ),
    ModelEntry(
        name="scr",
        kind=Kind.RESTORER,
        title=SCR_TITLE,
        licence=LICENCE,
        load=load_scr,
        extra="models",
        paper=PAPER,
        takes_weights=WEIGHTS,
        options=RestorerOptions,
    ),
):
    MODELS.add(_entry.name, _entry)
