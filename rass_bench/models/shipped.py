"""The networks that travel inside the package."""

from __future__ import annotations

from functools import partial
from importlib import resources
from pathlib import Path

from rass_bench.models.protocols import Segmenter
from rass_bench.models.registry import MODELS, Kind, ModelEntry, Runtime

BASELINE = "segformer-mini-scenes"
"""Trained on clean scenes."""

FINE_TUNED = "segformer-mini-scenes-ft"
"""The baseline, trained further on degraded scenes."""

REFERENCE = "rass-mini"
"""RASS and SCR of the smallest size, trained on scenes."""


def shipped_folder(name: str) -> Path:
    """Where the weights of that name lie, with their card and checksums."""
    return Path(str(resources.files("rass_bench.models") / "weights" / name))


def reference_weights() -> Path:
    """RASS-mini and SCR-mini: the package's own weights file."""
    return shipped_folder(REFERENCE) / f"{REFERENCE}.safetensors"


def baseline_folder() -> Path:
    """Where the shipped baseline's checkpoint lies."""
    return shipped_folder(BASELINE)


def _load_segmenter(name: str, runtime: Runtime) -> Segmenter:
    from rass_bench.models.transformers_segmenter import load_folder

    return load_folder(shipped_folder(name), runtime)


for _name in (BASELINE, FINE_TUNED):
    MODELS.add(
        _name,
        ModelEntry(
            name=_name,
            kind=Kind.SEGMENTER,
            title=f"Segformer ({_name})",
            licence="apache-2.0",
            load=partial(_load_segmenter, _name),
            extra="models",
        ),
    )
