"""From what a user names to weights: a folder of official files, or the package's own file."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from torch import Tensor

from rass_bench.errors import UserError
from rass_bench.files import canonical_json, read_json, sha256_bytes, sha256_file
from rass_bench.models.rass.checkpoint_file import official_state, read_scr, read_tensors
from rass_bench.models.rass.config import RAM, RassConfig
from rass_bench.models.rass.lora import merge_lora, merge_scr
from rass_bench.models.rass.network import RassNetwork
from rass_bench.models.rass.networks import build_empty
from rass_bench.models.rass.official import check_tensors, sort_official
from rass_bench.models.rass.official_files import OfficialFiles, Piece, find_official, sd_weights
from rass_bench.models.rass.ram import TagList, read_tags
from rass_bench.models.rass.ram_weights import convert_weights
from rass_bench.models.rass.scr import ScrNetwork
from rass_bench.models.rass.weights import (
    WEIGHTS_SUFFIX,
    RassWeights,
    load_weights,
    save_weights,
)
from rass_bench.structure import build

OFFICIAL = "official:"
CONFIG_FILE = "rass_config.json"
"""In a folder of official files of another size than the paper's: its :class:`RassConfig`."""

_SD_PARTS = ("unet", "vae", "text_encoder")


class Part(StrEnum):
    """What is wanted of the weights."""

    RASS = "rass"
    SCR = "scr"


def open_weights(
    reference: str, part: Part, *, tagger: str | None, tags: Path | None
) -> RassWeights:
    """Open the weights that a user names.

    Args:
        reference: ``official:DIR``, or the package's own ``.safetensors`` file.
        part: what is wanted of them.
        tagger: the tagger chosen, or None for their configuration's.
        tags: a list of RAM's tags other than the one beside the weights, or None.

    Raises:
        UserError: files that are missing, unreadable or of another size; weights without the part
            that is wanted.
    """
    if reference.startswith(OFFICIAL):
        folder = Path(reference.removeprefix(OFFICIAL))
        ram = (tagger or official_config(folder).tagger) == RAM
        return load_official(folder, (part,), ram=ram, tags=tags)
    weights = load_weights(Path(reference))
    if not getattr(weights, part):
        raise UserError(
            f"the weights hold no {part.upper()}",
            reference,
            f"Convert a folder that has {Piece[part.name]}: rass-bench weights convert DIR OUT.",
        )
    if (tagger or weights.config.tagger) == RAM:
        _check_tagger(weights, reference)
        if tags is not None and weights.config.ram is not None:
            listed = read_tags(tags, weights.config.ram.tags)
            weights = dataclasses.replace(weights, tags=listed)
    return weights


def official_config(folder: Path) -> RassConfig:
    """The size of a folder of official files: the paper's, unless it says otherwise.

    Raises:
        UserError: an unreadable ``rass_config.json``.
    """
    path = folder / CONFIG_FILE
    if not path.is_file():
        return RassConfig.sd21()
    try:
        return build(RassConfig, read_json(path), CONFIG_FILE)
    except ValueError as error:
        raise UserError(
            f"no configuration: {error}", str(path), "Leave the file out for the paper's size."
        ) from None


def load_official(
    folder: Path, parts: tuple[Part, ...], *, ram: bool, tags: Path | None
) -> RassWeights:
    """Read official files.

    Args:
        folder: where they lie; see :func:`rass_bench.models.rass.official_files.find_official`.
        parts: what is wanted.
        ram: whether RAM and its tags are wanted, too.
        tags: RAM's list of tags elsewhere, or None.

    Raises:
        UserError: every missing file, with where it comes from; unreadable ones.
    """
    pieces = {Piece.RASS} if Part.RASS in parts else set()
    if Part.SCR in parts:
        pieces |= {Piece.SCR, Piece.SD}
    if ram and Part.RASS not in parts:
        pieces.add(Piece.RAM)
    if ram and tags is None:
        pieces.add(Piece.TAGS)
    files = find_official(folder, pieces)
    config = official_config(folder)

    rass: dict[str, Tensor] = {}
    tagger: dict[str, Tensor] = {}
    read = []
    if Part.RASS in parts:
        official = sort_official(official_state(files.rass))
        rass, tagger = official.network, official.ram
        read.append(files.rass)
        if not any(name.startswith("vae.") for name in rass):
            # A checkpoint of what was trained alone: the frozen rest comes from its sources.
            files = find_official(folder, {*pieces, Piece.SD, Piece.SCR})
            rass = {**_without_unused(_load_scr(files)), **rass}
            read += _scr_files(files)
    scr = _load_scr(files) if Part.SCR in parts else {}
    read += _scr_files(files) if Part.SCR in parts and files.scr not in read else []
    if ram and not tagger:
        files = find_official(folder, {*pieces, Piece.RAM})
        content = read_tensors(files.ram)
        tagger = content.get("model", content)
        read.append(files.ram)
    tag_list = None
    if ram and config.ram is not None:
        where = str(files.ram if files.ram in read else files.rass)
        tagger = convert_weights(tagger, config.ram, where)
        tag_list = read_tags(tags or folder, config.ram.tags)
    sources = {path.relative_to(folder).as_posix(): sha256_file(path) for path in read}
    return RassWeights(
        config=config,
        rass=rass,
        scr=scr,
        ram=tagger if ram else {},
        tags=tag_list,
        tokenizer=_tokenizer_folder(files),
        sources=sources,
        sha256=_digest(sources, tag_list),
    )


def _check_tagger(weights: RassWeights, where: str) -> None:
    if not (weights.ram and weights.tags and weights.config.ram):
        raise UserError(
            "the weights hold no tagger",
            where,
            "Choose another one: --option tagger=fixed:PROMPT.",
        )


def convert(folder: Path, parts: tuple[Part, ...], out: Path) -> Path:
    """Write official files as the package's own.

    Args:
        folder: where they lie.
        parts: what to convert.
        out: the safetensors file to write.

    Returns:
        The path of the JSON file beside it.

    Raises:
        UserError: see :func:`load_official`; also tensors that do not fit the configured size.
    """
    if out.suffix != WEIGHTS_SUFFIX:
        raise UserError(f"the suffix {out.suffix!r}", str(out), f"Name a {WEIGHTS_SUFFIX} file.")
    ram = official_config(folder).ram is not None
    weights = load_official(folder, parts, ram=ram, tags=None)
    check_weights(weights, str(folder))
    return save_weights(weights, out)


def check_weights(weights: RassWeights, where: str) -> None:
    """Check that every tensor that the models need is there, of the right shape, and no other.

    Raises:
        UserError: see :func:`rass_bench.models.rass.official.check_tensors`.
    """
    scaling = weights.config.lora.scaling
    if weights.rass:
        network = build_empty(RassNetwork, weights.config)
        check_tensors(network, merge_lora(weights.rass, scaling), where)
    if weights.scr:
        check_tensors(build_empty(ScrNetwork, weights.config), weights.scr, where)


def _load_scr(files: OfficialFiles) -> dict[str, Tensor]:
    """Stable Diffusion with SCR merged into its UNet, under ScrNetwork's names."""
    sd = {part: _load_sd_part(files.sd, part) for part in _SD_PARTS}
    scr = read_scr(files.scr)
    try:
        sd["unet"] = merge_scr(sd["unet"], scr.tensors, scr.rank)
    except (ValueError, RuntimeError) as error:
        raise UserError(
            f"SCR does not fit this UNet: {str(error).splitlines()[0]}",
            str(files.scr),
            "It belongs to Stable Diffusion 2.1 base.",
        ) from None
    return {
        f"{part}.{name}": tensor for part, state in sd.items() for name, tensor in state.items()
    }


def _load_sd_part(sd: Path, part: str) -> dict[str, Tensor]:
    import torch

    try:
        network = _classes()[part].from_pretrained(
            sd / part, local_files_only=True, torch_dtype=torch.float32
        )
    except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
        raise UserError(
            f"Stable Diffusion's {part} cannot be loaded: {str(error).strip().splitlines()[0]}",
            str(sd / part),
            "Download the folder again.",
        ) from None
    state: dict[str, Tensor] = network.state_dict()
    return state


def _classes() -> dict[str, Any]:
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextModel

    return dict(zip(_SD_PARTS, (UNet2DConditionModel, AutoencoderKL, CLIPTextModel), strict=True))


def _without_unused(scr: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What RASS has of SCR's network."""
    unused = ("vae.decoder.", "vae.post_quant_conv.", "unet.conv_out.", "unet.conv_norm_out.")
    return {name: tensor for name, tensor in scr.items() if not name.startswith(unused)}


def _scr_files(files: OfficialFiles) -> list[Path]:
    return [files.scr, *(sd_weights(files.sd, part) for part in _SD_PARTS)]


def _tokenizer_folder(files: OfficialFiles) -> Path | None:
    folder = files.sd / "tokenizer"
    return folder if folder.joinpath("vocab.json").is_file() else None


def _digest(sources: Mapping[str, str], tags: TagList | None) -> str:
    listed = None if tags is None else [tags.names, tags.thresholds]
    return sha256_bytes(canonical_json({"files": dict(sources), "tags": listed}))
