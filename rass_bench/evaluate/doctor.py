"""What a machine has and lacks for running the suite."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import rass_bench
from rass_bench.data.dataset import ROOT_VARIABLE
from rass_bench.data.spec import definitions_dir, spec_names
from rass_bench.files import cache_dir

EXTRAS = {
    "models": (
        "torch",
        "torchvision",
        "transformers",
        "safetensors",
        "diffusers",
        "peft",
        "timm",
        "spandrel",
        "onnxruntime",
    ),
    "iqa": ("pyiqa",),
    "annotate": ("httpx", "psutil", "uv", "pycocotools"),
    "hub": ("datasets", "huggingface-hub", "mlcroissant"),
    "report": ("plotly", "matplotlib"),
}
"""The packages of each extra, as ``pyproject.toml`` has them."""


@dataclass(frozen=True)
class Finding:
    """One line of the examination: ``bad`` stops the suite, ``note`` limits it."""

    state: Literal["ok", "note", "bad"]
    what: str
    found: str


def examine() -> list[Finding]:
    """Examine this machine; nothing is changed and nothing is downloaded."""
    return [
        Finding("ok", "rass-bench", rass_bench.__version__),
        Finding(
            "ok" if sys.version_info >= (3, 11) else "bad", "Python", platform.python_version()
        ),
        *(_extra(name, packages) for name, packages in EXTRAS.items()),
        _device(),
        _definitions(),
        _cache(),
        _data_root(),
    ]


def _extra(name: str, packages: tuple[str, ...]) -> Finding:
    missing, present = [], []
    for package in packages:
        try:
            present.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            missing.append(package)
    if missing:
        found = f"lacks {', '.join(missing)}: pip install 'rass-bench[{name}]'"
        return Finding("note", f"extra {name}", found)
    return Finding("ok", f"extra {name}", ", ".join(present))


def _device() -> Finding:
    cores = f"{os.cpu_count()} CPU cores"
    try:
        importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        return Finding("note", "device", f"{cores}; no torch to look for a GPU with")
    import torch

    if torch.cuda.is_available():
        return Finding("ok", "device", f"{torch.cuda.get_device_name()}, {cores}")
    return Finding("note", "device", f"{cores}, no GPU: networks run on the CPU")


def _definitions() -> Finding:
    names = spec_names()
    if not names:
        return Finding("bad", "data-set definitions", f"none in {definitions_dir()}: reinstall")
    return Finding("ok", "data-set definitions", ", ".join(names))


def _cache() -> Finding:
    folder = cache_dir()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            free = shutil.disk_usage(folder).free / 2**30
    except OSError as error:
        found = f"{folder} cannot be written ({error.strerror}): set RASS_BENCH_CACHE"
        return Finding("bad", "cache folder", found)
    return Finding("ok", "cache folder", f"{folder}, {free:.1f} GiB free")


def _data_root() -> Finding:
    value = os.environ.get(ROOT_VARIABLE)
    if value is None:
        found = f"{ROOT_VARIABLE} is not set: give --data-root (scenes needs none)"
        return Finding("note", "data root", found)
    held = [name for name in spec_names() if (Path(value) / name).is_dir()]
    if not held:
        return Finding("note", "data root", f"{value} holds no folder named like a data set")
    return Finding("ok", "data root", f"{value}: {', '.join(held)}")
