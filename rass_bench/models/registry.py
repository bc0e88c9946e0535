"""The registered models and adapters: descriptions that list without loading anything heavy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from rass_bench.models.protocols import Restorer, Segmenter
from rass_bench.registry import Registry


class Kind(StrEnum):
    """What a model does."""

    SEGMENTER = "segmenter"
    RESTORER = "restorer"


@dataclass(frozen=True)
class Runtime:
    """How a model is loaded: where it computes, from which weights, with which choices.

    Attributes:
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        threads: threads on a CPU; one gives the same bytes on every machine.
        seed: of whatever the model draws.
        weights: where its weights lie, as the model reads it; None takes the model's own.
        options: ``NAME=VALUE`` choices that its entry offers.
    """

    device: str = "cpu"
    threads: int = 1
    seed: int = 0
    weights: str | None = None
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class ModelEntry:
    """A model that the command line knows by name.

    Attributes:
        name: the reference a user types.
        kind: segmenter or restorer.
        title: one line for people.
        licence: licence of the weights (or of the method), as SPDX id where there is one.
        load: builds the model; everything heavy is imported in here.
        extra: the extra of this package that the model needs, or None.
        paper: the paper to cite, or None.
        takes_weights: what its weights may be, or None when they cannot be chosen.
        options: frozen dataclass of the choices it offers, or None without any.
        sizes: describes its sizes, one line each, for `list models --detail`.
    """

    name: str
    kind: Kind
    title: str
    licence: str
    load: Callable[[Runtime], Segmenter | Restorer]
    extra: str | None = None
    paper: str | None = None
    takes_weights: str | None = None
    options: type | None = None
    sizes: Callable[[], tuple[str, ...]] | None = None


@dataclass(frozen=True)
class Adapter:
    """A family of models reached as ``prefix:argument``.

    Attributes:
        prefix: what stands before the colon.
        kind: segmenter or restorer.
        title: one line for people.
        example: a whole reference, to show what the argument is.
        load: builds the model that the argument names; everything heavy is imported in here.
        extra: the extra of this package that the adapter needs.
    """

    prefix: str
    kind: Kind
    title: str
    example: str
    load: Callable[[str, Runtime], Segmenter | Restorer]
    extra: str


MODELS: Registry[ModelEntry] = Registry("model", "rass_bench.models")
"""Installed packages add a :class:`ModelEntry` through the entry-point group of that name."""

ADAPTERS: Registry[Adapter] = Registry("model adapter")
