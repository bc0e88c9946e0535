"""From a model reference, as a user types it, to a loaded model.

A reference is one of

- a registered name: ``bicubic``;
- ``adapter:argument``: ``transformers:nvidia/segformer-b0-finetuned-ade-512-512``,
  ``onnx:/path/net.onnx``, ``spandrel:/path/net.safetensors``;
- ``path/to/file.py:Name``: a class in that file, called with a :class:`Runtime`, or a
  :class:`ModelEntry`. The file's hash becomes part of the revision.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from rass_bench.errors import UserError
from rass_bench.files import sha256_file
from rass_bench.labels import load_label_space

# Each of these registers itself; none imports anything heavy before a model is loaded.
from rass_bench.models import (
    classical,
    onnx_segmenter,
    shipped,
    spandrel_restorer,
    transformers_segmenter,
)
from rass_bench.models.protocols import ModelSpec, Restorer, Segmenter
from rass_bench.models.rass import entries as rass
from rass_bench.models.registry import ADAPTERS, MODELS, Adapter, Kind, ModelEntry, Runtime
from rass_bench.registry import load_from_file
from rass_bench.weights import REVISION_DIGITS

BUILT_IN = (classical, onnx_segmenter, rass, shipped, spandrel_restorer, transformers_segmenter)
"""The modules that register the package's own models and adapters."""


HERE = Runtime()
"""On one thread of this machine's CPU, with the model's own weights."""


def model_entries() -> list[ModelEntry]:
    """Every registered model, sorted by name, without loading any.

    Raises:
        UserError: an installed package registers something else than a :class:`ModelEntry`.
    """
    return [_checked_entry(name, entry) for name, entry in MODELS]


def model_adapters() -> list[Adapter]:
    """Every adapter, sorted by prefix."""
    return [adapter for _, adapter in ADAPTERS]


def load_segmenter(reference: str, runtime: Runtime = HERE) -> Segmenter:
    """Load the segmenter that a reference names.

    Args:
        reference: see the module's docstring.
        runtime: where it computes, its weights and options.

    Raises:
        UserError: unknown or unreadable model, missing package, or a restorer.
    """
    model = _load(reference, Kind.SEGMENTER, runtime)
    if not isinstance(model, Segmenter):
        raise _wrong_kind(reference, Kind.SEGMENTER, model)
    if model.spec.label_space is None:
        raise UserError(
            "a segmenter must state its label space", reference, "Set label_space in its ModelSpec."
        )
    load_label_space(model.spec.label_space)
    return model


def load_restorer(reference: str, runtime: Runtime = HERE) -> Restorer:
    """Load the restorer that a reference names.

    Args:
        reference: see the module's docstring.
        runtime: where it computes, its weights and options.

    Raises:
        UserError: unknown or unreadable model, missing package, or a segmenter.
    """
    model = _load(reference, Kind.RESTORER, runtime)
    if not isinstance(model, Restorer):
        raise _wrong_kind(reference, Kind.RESTORER, model)
    return model


def _load(reference: str, wanted: Kind, runtime: Runtime) -> Any:
    file, colon, _ = reference.rpartition(":")
    is_plugin = bool(colon) and file.endswith(".py")
    if is_plugin:
        model = _load_plugin(reference, runtime)
    elif ":" in reference:
        prefix, _, argument = reference.partition(":")
        adapter = ADAPTERS.get(prefix)
        _check_kind(reference, adapter.kind, wanted)
        _check_choices(reference, runtime, weights=False, options=False)
        return adapter.load(argument, runtime)
    else:
        model = _load_entry(reference, wanted, runtime)
    if not isinstance(getattr(model, "spec", None), ModelSpec):
        raise UserError(
            f"the model, a {type(model).__name__}, has no `spec`, a ModelSpec",
            reference,
            "See rass_bench.models.protocols for what a model must offer.",
        )
    if is_plugin:
        # An author edits the file and forgets the revision; a resumed run or a cache of restored
        # photos would then mix two models. A frozen dataclass has to take it too.
        digest = sha256_file(Path(file))[:REVISION_DIGITS]
        revision = f"{model.spec.revision}+{digest}"
        object.__setattr__(model, "spec", dataclasses.replace(model.spec, revision=revision))
    return model


def _load_entry(name: str, wanted: Kind, runtime: Runtime) -> Any:
    if name not in MODELS.names() and ("/" in name or "." in name):
        raise UserError(
            f"unknown model {name!r}",
            "models",
            f"Looks like a path or a Hub id: write {_hint(name)}.",
        )
    entry = _checked_entry(name, MODELS.get(name))
    _check_kind(name, entry.kind, wanted)
    _check_entry_choices(name, entry, runtime)
    return entry.load(runtime)


def _load_plugin(reference: str, runtime: Runtime) -> Any:
    loaded = load_from_file(reference)
    if isinstance(loaded, ModelEntry):
        _check_entry_choices(reference, loaded, runtime)
        return loaded.load(runtime)
    if not callable(loaded):
        raise UserError(
            f"a model class or a ModelEntry was expected, not a {type(loaded).__name__}",
            reference,
            "Name a class that is called with a Runtime (device, threads).",
        )
    return loaded(runtime)


def _hint(name: str) -> str:
    if name.endswith(".onnx"):
        return f"onnx:{name}"
    if name.endswith((".pth", ".safetensors")):
        return f"spandrel:{name}"
    if name.endswith(".py"):
        return f"{name}:ClassName"
    return f"transformers:{name}"


def _checked_entry(name: str, entry: object) -> ModelEntry:
    if not isinstance(entry, ModelEntry):
        raise UserError(
            f"the installed plug-in {name!r} is a {type(entry).__name__}, not a ModelEntry",
            "entry points rass_bench.models",
            "Correct or uninstall the package that brings it.",
        )
    return entry


def _check_kind(reference: str, kind: Kind, wanted: Kind) -> None:
    if kind is not wanted:
        raise UserError(
            f"a {wanted} is needed here, this is a {kind}",
            reference,
            "`rass-bench list models` says which models are of which kind.",
        )


def _check_entry_choices(reference: str, entry: ModelEntry, runtime: Runtime) -> None:
    _check_choices(
        reference,
        runtime,
        weights=entry.takes_weights is not None,
        options=entry.options is not None,
    )


def _check_choices(reference: str, runtime: Runtime, *, weights: bool, options: bool) -> None:
    """Refuse what the model would not look at."""
    if runtime.weights is not None and not weights:
        raise UserError(
            "the model's weights cannot be chosen apart from it",
            f"{reference}, weights {runtime.weights}",
            "Leave the weights out.",
        )
    if runtime.options and not options:
        raise UserError(
            "the model has no options",
            f"{reference}, option {runtime.options[0]}",
            "`rass-bench list models --detail` says which models have.",
        )


def _wrong_kind(reference: str, wanted: Kind, model: object) -> UserError:
    method = "predict" if wanted is Kind.SEGMENTER else "restore"
    missing = [name for name in ("spec", "parameters", method) if not hasattr(model, name)]
    return UserError(
        f"a {wanted} is needed here; the {type(model).__name__} lacks {', '.join(missing)}",
        reference,
        "See rass_bench.models.protocols for what a model must offer.",
    )
