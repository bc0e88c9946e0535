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
    RestorerOptions,
    SegmenterOptions,
    configured,
    execution,
    revision_suffix,
)
from rass_bench.models.rass.config import FIXED, LABELS, RAM, RassConfig
from rass_bench.models.registry import MODELS, Kind, ModelEntry, Runtime
from rass_bench.weights import REVISION_DIGITS

if TYPE_CHECKING:
    import torch

    from rass_bench.models.rass.prompt import Tokenizer
    from rass_bench.models.rass.restorer import ScrRestorer
    from rass_bench.models.rass.segmenter import RassSegmenter
    from rass_bench.models.rass.taggers import Tagger
    from rass_bench.models.rass.weights import RassWeights

PACKAGES = ("torch", "diffusers", "transformers", "timm", "safetensors")

PAPER = "https://arxiv.org/abs/2602.14042"
LICENCE = "CreativeML-OpenRAIL-M"
"""Stable Diffusion 2.1's, which the weights derive from; the official repository states none for
its own part of them."""


def load_rass(runtime: Runtime) -> RassSegmenter:
    """RASS with the weights and choices that a user names.

    Raises:
        UserError: no weights, missing or unreadable files, unknown options.
    """
    from rass_bench.models.rass.lora import merge_lora
    from rass_bench.models.rass.network import RassNetwork
    from rass_bench.models.rass.networks import build_empty
    from rass_bench.models.rass.official import load_strictly
    from rass_bench.models.rass.segmenter import SIZE_RULE, RassSegmenter

    loaded = _load("rass", SegmenterOptions, runtime)
    config, weights = loaded.config, loaded.weights
    network = build_empty(RassNetwork, config)
    load_strictly(network, merge_lora(weights.rass, config.lora.scaling), str(runtime.weights))
    spec = _spec("rass", f"RASS ({config.size})", loaded)
    spec = dataclasses.replace(
        spec,
        label_space=config.label_space,
        size_rule=SIZE_RULE,
        told_classes=config.tagger == LABELS,
    )
    return RassSegmenter(
        config,
        network,
        loaded.tokenizer,
        loaded.tagger,
        spec,
        device=loaded.device,
        execution=execution(loaded.options),
        seed=runtime.seed,
    )


def load_scr(runtime: Runtime) -> ScrRestorer:
    """SCR with the weights and choices that a user names.

    Raises:
        UserError: no weights, missing or unreadable files, unknown options.
    """
    from rass_bench.models.rass.networks import build_empty
    from rass_bench.models.rass.official import load_strictly
    from rass_bench.models.rass.restorer import SIZE_RULE, ScrRestorer
    from rass_bench.models.rass.scr import ScrNetwork

    loaded = _load("scr", RestorerOptions, runtime)
    if loaded.config.tagger == LABELS:
        raise UserError(
            "a restorer is not told the classes", "--option tagger=labels", "Use fixed:PROMPT."
        )
    network = build_empty(ScrNetwork, loaded.config)
    load_strictly(network, loaded.weights.scr, str(runtime.weights))
    spec = dataclasses.replace(
        _spec("scr", f"SCR ({loaded.config.size})", loaded), size_rule=SIZE_RULE
    )
    return ScrRestorer(
        loaded.config,
        network,
        loaded.tokenizer,
        loaded.tagger,
        spec,
        device=loaded.device,
        execution=execution(loaded.options),
        seed=runtime.seed,
    )


@dataclass(frozen=True)
class _Loaded:
    """What both models need, opened."""

    config: RassConfig
    weights: RassWeights
    options: SegmenterOptions | RestorerOptions
    tokenizer: Tokenizer
    tagger: Tagger
    device: torch.device


def _load(
    name: str, kind: type[SegmenterOptions] | type[RestorerOptions], runtime: Runtime
) -> _Loaded:
    for package in PACKAGES:
        require_package(package, "models")
    from rass_bench.models.devices import prepare
    from rass_bench.models.rass.loading import Part, open_weights

    device = prepare(runtime)
    options: SegmenterOptions | RestorerOptions = read_options(kind, runtime.options, name)
    if runtime.weights is None:
        raise UserError(
            f"{name} needs weights",
            f"--model {name}",
            "Give --weights official:DIR (the official files), or a file that `rass-bench weights "
            "convert` wrote; for a --restorer it is --restorer-weights.",
        )
    tags = None if options.tags is None else Path(options.tags)
    weights = open_weights(runtime.weights, Part(name), tagger=options.tagger, tags=tags)
    try:
        config = configured(weights.config, options)
    except ValueError as error:
        raise UserError(
            str(error), f"--option of {name}", "`rass-bench list models --detail` lists them."
        ) from None
    return _Loaded(
        config,
        weights,
        options,
        _build_tokenizer(config, weights),
        _build_tagger(config, weights, device),
        device,
    )


def _spec(name: str, title: str, loaded: _Loaded) -> ModelSpec:
    digest = loaded.weights.sha256
    suffix = revision_suffix(loaded.options)
    return ModelSpec(
        name=name,
        revision=f"{loaded.config.size}-{digest[:REVISION_DIGITS]}{suffix}",
        title=title,
        licence=LICENCE,
        weights_sha256=digest,
        paper=PAPER,
        extra="models",
    )


def _build_tokenizer(config: RassConfig, weights: RassWeights) -> Tokenizer:
    from rass_bench.models.rass.prompt import WordTokenizer, load_clip_tokenizer

    if config.text.words_of is None:
        return load_clip_tokenizer(weights.tokenizer)
    return WordTokenizer(load_label_space(config.text.words_of).names, config.text.length)


def _build_tagger(config: RassConfig, weights: RassWeights, device: torch.device) -> Tagger:
    from rass_bench.models.rass.ram import RamTagger
    from rass_bench.models.rass.ram_weights import build_ram
    from rass_bench.models.rass.taggers import FixedTagger

    if config.tagger == RAM and config.ram is not None and weights.tags is not None:
        return RamTagger(build_ram(weights.ram, config.ram).to(device), weights.tags)
    prompt = config.tagger.removeprefix(FIXED) if config.tagger.startswith(FIXED) else ""
    return FixedTagger(tuple(tag.strip() for tag in prompt.split(",") if tag.strip()))


def _sizes() -> tuple[str, ...]:
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
        title="RASS: restoration-adapted diffusion features, Mask2Former head (IJCV 2026)",
        licence=LICENCE,
        load=load_rass,
        extra="models",
        paper=PAPER,
        takes_weights="official:DIR, or a file that `rass-bench weights convert` wrote",
        options=SegmenterOptions,
        sizes=_sizes,
    ),
    ModelEntry(
        name="scr",
        kind=Kind.RESTORER,
        title="SCR: Stable Diffusion adapted to restore in one step (IJCV 2026)",
        licence=LICENCE,
        load=load_scr,
        extra="models",
        paper=PAPER,
        takes_weights="official:DIR, or a file that `rass-bench weights convert` wrote",
        options=RestorerOptions,
    ),
):
    MODELS.add(_entry.name, _entry)
