"""Weights of RASS and SCR in memory, and the package's own file for them.

The file is one safetensors file with a JSON file of the same name beside it. Its tensors:

- ``NAME``: RASS's, as :class:`rass_bench.models.rass.network.RassNetwork` has them, the UNet's
  under peft's names with the adapters unmerged, so that training can go on from them;
- ``scr.NAME``: those of :class:`rass_bench.models.rass.scr.ScrNetwork` that are not equal to
  RASS's of the same name (``conv_in``, the UNet's last convolution, the VAE's decoder);
- ``ram.NAME``: RAM's, adapters merged.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rass_bench.errors import UserError
from rass_bench.files import canonical_json, read_json, sha256_bytes, sha256_file, write_json
from rass_bench.models.rass.checkpoint_file import read_tensors
from rass_bench.models.rass.config import RassConfig
from rass_bench.models.rass.ram import TagList
from rass_bench.structure import build
from rass_bench.weights import check_weights_file

FORMAT = 1
WEIGHTS_SUFFIX = ".safetensors"
_SCR, _RAM = "scr.", "ram."


@dataclass(frozen=True)
class RassWeights:
    """Weights and what belongs to them.

    Attributes:
        config: the sizes.
        rass: RASS's tensors, the UNet's under peft's names; empty without RASS.
        scr: SCR's tensors under plain names; empty without SCR.
        ram: RAM's tensors; empty without RAM.
        tags: RAM's tags, or None.
        tokenizer: folder with the text encoder's vocabulary, or None for the packaged one.
        sources: SHA-256 of every official file that they come from, by name.
        sha256: of the package's own file, or over ``sources``.
    """

    config: RassConfig
    rass: Mapping[str, Tensor]
    scr: Mapping[str, Tensor]
    ram: Mapping[str, Tensor]
    tags: TagList | None
    tokenizer: Path | None
    sources: Mapping[str, str]
    sha256: str

    @property
    def fingerprint(self) -> str:
        """One hash over all that decides figures: tensors, configuration and tags."""
        described = {
            "weights": self.sha256,
            "config": dataclasses.asdict(self.config),
            "tags": None if self.tags is None else dataclasses.asdict(self.tags),
        }
        return sha256_bytes(canonical_json(described))


@dataclass(frozen=True)
class _Sidecar:
    """The JSON file."""

    format: int
    config: RassConfig
    sha256: str
    tags: TagList | None = None
    sources: dict[str, str] = field(default_factory=dict)


def save_weights(weights: RassWeights, path: Path) -> Path:
    """Write the package's own file and the JSON file beside it.

    Args:
        weights: what to write.
        path: of the safetensors file.

    Returns:
        The JSON file's path.

    Raises:
        UserError: the file cannot be written.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    plain = {name.replace(".base_layer", ""): tensor for name, tensor in weights.rass.items()}
    tensors = dict(weights.rass)
    tensors |= {
        _SCR + name: tensor
        for name, tensor in weights.scr.items()
        if name not in plain or not torch.equal(plain[name], tensor)
    }
    tensors |= {_RAM + name: tensor for name, tensor in weights.ram.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    try:
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, partial)
        partial.replace(path)
    except SafetensorError as error:
        # It stands for the operating system's own error, of which it keeps the text alone.
        raise UserError(
            f"the weights cannot be written: {error}", str(path), "Free space, or choose a place."
        ) from None
    finally:
        partial.unlink(missing_ok=True)
    sidecar = _Sidecar(
        FORMAT, weights.config, sha256_file(path), weights.tags, dict(weights.sources)
    )
    beside = path.with_suffix(".json")
    write_json(beside, dataclasses.asdict(sidecar))
    # safetensors writes for the owner alone; the two files belong together.
    path.chmod(beside.stat().st_mode)
    return beside


def load_weights(path: Path) -> RassWeights:
    """Read the package's own file.

    Args:
        path: the safetensors file; its JSON file lies beside it.

    Raises:
        UserError: a missing or unreadable file, or two that do not belong together.
    """
    if path.suffix != WEIGHTS_SUFFIX:
        raise UserError(
            f"no {WEIGHTS_SUFFIX} file",
            f"weights {path}",
            "Give official:DIR, the folder of official files, or a file that `rass-bench weights "
            "convert` wrote.",
        )
    check_weights_file(path)
    beside = path.with_suffix(".json")
    sidecar = _read_sidecar(beside)
    digest = sha256_file(path)
    if digest != sidecar.sha256:
        raise UserError(
            "the weights are not those that the JSON file beside them describes",
            f"{path} and {beside.name}",
            "Copy both files again.",
        )
    tensors = read_tensors(path)
    scr = _part(tensors, _SCR)
    ram = _part(tensors, _RAM)
    rass = {name: one for name, one in tensors.items() if not name.startswith((_SCR, _RAM))}
    if scr:
        scr = {**_shared(rass), **scr}
    return RassWeights(sidecar.config, rass, scr, ram, sidecar.tags, None, sidecar.sources, digest)


def _shared(rass: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What SCR has in common with RASS, under plain names."""
    return {
        name.replace(".base_layer", ""): tensor
        for name, tensor in rass.items()
        if name.startswith(("unet.", "vae.", "text_encoder.")) and ".lora_" not in name
    }


def _part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }


def _read_sidecar(path: Path) -> _Sidecar:
    document: Any = read_json(path)
    try:
        sidecar = build(_Sidecar, document, path.name)
    except ValueError as error:
        raise UserError(
            f"no description of weights: {error}",
            str(path),
            "Convert the official files again: rass-bench weights convert DIR OUT.",
        ) from None
    if sidecar.format != FORMAT:
        raise UserError(
            f"weights of format {sidecar.format}, this version reads {FORMAT}",
            str(path),
            "Convert the official files again, or install the version that wrote them.",
        )
    return sidecar
