"""The networks that travel inside the package."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from rass_bench.models.protocols import Segmenter
from rass_bench.models.registry import MODELS, Kind, ModelEntry, Runtime

BASELINE = "segformer-mini-scenes"


def _load_baseline(runtime: Runtime) -> Segmenter:
    from rass_bench.models.transformers_segmenter import load_folder

    folder = resources.files("rass_bench.models") / "weights" / BASELINE
    return load_folder(Path(str(folder)), runtime)


MODELS.add(
    BASELINE,
    ModelEntry(
        name=BASELINE,
        kind=Kind.SEGMENTER,
        title=f"Segformer ({BASELINE})",
        licence="apache-2.0",
        load=_load_baseline,
        extra="models",
    ),
)
