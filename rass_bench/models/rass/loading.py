"""From what a user names to weights: a folder of official files, or the package's own file."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, TypeVar

import torch
from huggingface_hub.errors import StrictDataclassError
from torch import Tensor

from rass_bench.errors import UserError
from rass_bench.files import canonical_json, read_json, sha256_bytes, sha256_file
from rass_bench.models.rass.checkpoint_file import official_state, read_scr
from rass_bench.models.rass.config import FIXED, RAM, RamConfig, RassConfig
from rass_bench.models.rass.lora import adapted_names, check_rank, merge_lora, merge_scr
from rass_bench.models.rass.network import RassNetwork
from rass_bench.models.rass.networks import build_empty
from rass_bench.models.rass.official import check_tensors, sort_official
from rass_bench.models.rass.official_files import OfficialFiles, Piece, find_official, sd_weights
from rass_bench.models.rass.ram import Ram, read_tags
from rass_bench.models.rass.ram_weights import build_ram, convert_weights
from rass_bench.models.rass.scr import ScrNetwork
from rass_bench.models.rass.weights import (
    WEIGHTS_SUFFIX,
    RassWeights,
    load_weights,
    save_weights,
)
from rass_bench.structure import build
from rass_bench.weights import check_weights_file

OFFICIAL = "official:"
CONFIG_FILE = "rass_config.json"
"""In a folder of official files of another size than the paper's: its :class:`RassConfig`."""

_SD_PARTS = ("unet", "vae", "text_encoder")
_UNET = "unet."

_ALIGNMENT = 64
"""Bytes: PyTorch's allocator on a CPU (c10/core/alignment.h)."""

N = TypeVar("N")


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

    Returns:
        That part alone, and RAM where it is the tagger.

    Raises:
        UserError: files that are missing, unreadable or of another size; weights without the part
            that is wanted.
    """
    weights = _opened(reference, part, tagger, tags)
    ram = (tagger or weights.config.tagger) == RAM
    return dataclasses.replace(
        weights,
        rass=_aligned(weights.rass) if part is Part.RASS else {},
        scr=_aligned(weights.scr) if part is Part.SCR else {},
        ram=_aligned(weights.ram) if ram else {},
    )


def open_prior(reference: str) -> RassWeights:
    """Open what SCR's training begins with: networks that nothing has been adapted in yet.

    RAM, where it is the configured tagger, comes along for the weights that the training writes.

    Args:
        reference: ``official:DIR`` takes Stable Diffusion and RAM; a file of the package's own
            takes its part for SCR, adapted or not.

    Raises:
        UserError: missing or unreadable files.
    """
    if not reference.startswith(OFFICIAL):
        weights = _opened(reference, Part.SCR, FIXED, None)
        return dataclasses.replace(weights, rass={}, scr=_aligned(weights.scr))
    folder = _folder(reference.removeprefix(OFFICIAL))
    config = official_config(folder)
    ram = config.ram if config.tagger == RAM else None
    files = find_official(folder, {Piece.SD} if ram is None else {Piece.SD, Piece.RAM, Piece.TAGS})
    read = [sd_weights(files.sd, part) for part in _SD_PARTS]
    if ram is not None:
        read.append(files.ram)
    sources = {path.relative_to(folder).as_posix(): sha256_file(path) for path in read}
    return RassWeights(
        config=config,
        rass={},
        scr=_load_sd(files),
        ram={} if ram is None else _convert_ram(official_state(files.ram), ram, str(files.ram)),
        tags=None if ram is None else read_tags(folder, ram.tags),
        tokenizer=_tokenizer_folder(files),
        sources=sources,
        sha256=sha256_bytes(canonical_json(sources)),
    )


def _opened(reference: str, part: Part, tagger: str | None, tags: Path | None) -> RassWeights:
    if reference.startswith(OFFICIAL):
        folder = _folder(reference.removeprefix(OFFICIAL))
        config = official_config(folder)
        ram = (tagger or config.tagger) == RAM
        if ram and config.ram is None:
            raise _no_tagger(reference)
        return load_official(folder, (part,), ram=ram, tags=tags)
    if Path(reference).is_dir():
        raise UserError(
            "a folder, not a weights file",
            f"weights {reference}",
            f"If it holds the official files, write {OFFICIAL}{reference}.",
        )
    weights = load_weights(Path(reference))
    if not getattr(weights, part):
        raise UserError(
            f"the weights hold no {part.upper()}",
            reference,
            f"Convert a folder that has {Piece[part.name]}: rass-bench weights convert DIR OUT.",
        )
    if (tagger or weights.config.tagger) == RAM:
        if not (weights.ram and weights.tags and weights.config.ram):
            raise _no_tagger(reference)
        if tags is not None:
            listed = read_tags(tags, weights.config.ram.tags)
            weights = dataclasses.replace(weights, tags=listed)
    return weights


def _folder(text: str) -> Path:
    """A folder; shells leave the ``~`` of ``official:~/DIR`` alone."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)  # no such user: a folder that is not found, either


def _aligned(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors in memory as PyTorch allots it, copied where a file was mapped to an odd address.

    Kernels take other paths at odd addresses, and low bits of the answers would depend on the
    file that the same numbers came from.
    """
    return {
        name: tensor.clone() if tensor.data_ptr() % _ALIGNMENT else tensor
        for name, tensor in tensors.items()
    }


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
    scr: dict[str, Tensor] = {}
    tagger: dict[str, Tensor] = {}
    read = []
    if Part.RASS in parts:
        official = sort_official(official_state(files.rass))
        rass, tagger = official.network, official.ram
        read.append(files.rass)
    # A checkpoint of what was trained alone: the frozen rest comes from its sources.
    incomplete = bool(rass) and not any(name.startswith("vae.") for name in rass)
    if incomplete or Part.SCR in parts:
        files = find_official(folder, {*pieces, Piece.SD, Piece.SCR})
        scr = _load_scr(files)
        read += [files.scr, *(sd_weights(files.sd, part) for part in _SD_PARTS)]
    if incomplete:
        rass = _completed(rass, scr)
    if ram and not tagger:
        files = find_official(folder, {*pieces, Piece.RAM})
        tagger = official_state(files.ram)
        read.append(files.ram)
    tag_list = None
    if ram and config.ram is not None:
        where = str(files.ram if files.ram in read else files.rass)
        tagger = _convert_ram(tagger, config.ram, where)
        tag_list = read_tags(tags or folder, config.ram.tags)
    sources = {path.relative_to(folder).as_posix(): sha256_file(path) for path in read}
    return RassWeights(
        config=config,
        rass=rass,
        scr=scr if Part.SCR in parts else {},
        ram=tagger if ram else {},
        tags=tag_list,
        tokenizer=_tokenizer_folder(files),
        sources=sources,
        sha256=sha256_bytes(canonical_json(sources)),
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
    if weights.rass:
        network = build_configured(RassNetwork, weights.config, where)
        check_tensors(network, merged_rass(weights, where), where)
    if weights.scr:
        check_tensors(build_configured(ScrNetwork, weights.config, where), weights.scr, where)


def build_configured(network: Callable[[RassConfig], N], config: RassConfig, where: str) -> N:
    """An empty network of sizes that somebody else wrote down.

    Args:
        network: see :func:`rass_bench.models.rass.networks.build_empty`.
        config: the sizes.
        where: the weights that they came with, for messages.

    Raises:
        UserError: no network can have these sizes.
    """
    try:
        return build_empty(network, config)
    except _NO_NETWORK as error:
        raise _no_network(error, where) from None


def merged_rass(weights: RassWeights, where: str) -> dict[str, Tensor]:
    """RASS's tensors with its adapters merged, under RassNetwork's names.

    Raises:
        UserError: adapters that do not fit their layers, or of another rank than configured.
    """
    lora = weights.config.lora
    try:
        check_rank(weights.rass, lora.rank)
        return merge_lora(weights.rass, lora.scaling)
    except ValueError as error:
        raise UserError(
            f"RASS's adapters do not fit this UNet: {error}",
            where,
            "They must belong to the configured size; download the checkpoint again.",
        ) from None


def load_ram(tensors: Mapping[str, Tensor], config: RamConfig, where: str) -> Ram:
    """A RAM with its weights, in eval mode.

    Raises:
        UserError: tensors that do not fit the sizes.
    """
    try:
        with torch.device("meta"):
            empty = Ram(config)
        check_tensors(empty, tensors, where)
        return build_ram(tensors, config)
    except _NO_NETWORK as error:
        raise _no_network(error, where) from None


_NO_NETWORK = (
    ValueError,
    TypeError,
    RuntimeError,
    LookupError,
    ArithmeticError,
    AssertionError,
    StrictDataclassError,
)
"""What PyTorch, diffusers, transformers and timm raise at sizes that make no network."""


def _no_network(error: Exception, where: str) -> UserError:
    return UserError(
        f"no network has the configured sizes: {_first_line(error)}",
        where,
        f"Correct the configuration ({CONFIG_FILE}, or the JSON file beside the weights).",
    )


def _no_tagger(where: str) -> UserError:
    return UserError(
        "the weights hold no tagger",
        where,
        "Choose another one: --option tagger=fixed:PROMPT (train: --tagger fixed:PROMPT).",
    )


def _convert_ram(
    official: Mapping[str, Tensor], config: RamConfig, where: str
) -> dict[str, Tensor]:
    try:
        return convert_weights(official, config, where)
    except _NO_NETWORK as error:
        raise _no_network(error, where) from None


def _load_scr(files: OfficialFiles) -> dict[str, Tensor]:
    """Stable Diffusion with SCR merged into its UNet, under ScrNetwork's names."""
    sd = _load_sd(files)
    scr = read_scr(files.scr)
    unet = {name.removeprefix(_UNET): one for name, one in sd.items() if name.startswith(_UNET)}
    try:
        merged = merge_scr(unet, scr.tensors, scr.rank)
    except ValueError as error:
        raise UserError(
            f"SCR does not fit this UNet: {error}",
            str(files.scr),
            "It belongs to Stable Diffusion 2.1 base.",
        ) from None
    return sd | {_UNET + name: tensor for name, tensor in merged.items()}


def _load_sd(files: OfficialFiles) -> dict[str, Tensor]:
    """Stable Diffusion, under ScrNetwork's names."""
    return {
        f"{part}.{name}": tensor
        for part in _SD_PARTS
        for name, tensor in _load_sd_part(files.sd, part).items()
    }


def _load_sd_part(sd: Path, part: str) -> dict[str, Tensor]:
    path = sd_weights(sd, part)
    check_weights_file(path)
    try:
        network, report = _classes()[part].from_pretrained(
            sd / part, local_files_only=True, torch_dtype=torch.float32, output_loading_info=True
        )
    except (*_NO_NETWORK, OSError, ImportError, AttributeError, UnpicklingError) as error:
        raise _no_sd_part(part, _first_line(error), path) from None
    # Both libraries fill what is missing with random numbers, and warn.
    missing = [*report["missing_keys"], *(str(one) for one in report["mismatched_keys"])]
    if missing:
        raise _no_sd_part(part, f"{len(missing)} tensors do not fit, {min(missing)} first", path)
    state: dict[str, Tensor] = network.state_dict()
    return state


def _no_sd_part(part: str, why: str, path: Path) -> UserError:
    return UserError(
        f"Stable Diffusion's {part} cannot be loaded: {why}",
        str(path),
        "Download the folder again.",
    )


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__


def _classes() -> dict[str, Any]:
    import diffusers
    import transformers
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextModel

    # Their bars are drawn into logs and pipes too, where they hide what matters.
    diffusers.utils.logging.disable_progress_bar()
    transformers.utils.logging.disable_progress_bar()

    return dict(zip(_SD_PARTS, (UNet2DConditionModel, AutoencoderKL, CLIPTextModel), strict=True))


def _completed(trained: Mapping[str, Tensor], scr: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What training changed, on the rest of SCR's network that RASS has, under peft's names."""
    unused = ("vae.decoder.", "vae.post_quant_conv.", "unet.conv_out.", "unet.conv_norm_out.")
    frozen = {name: tensor for name, tensor in scr.items() if not name.startswith(unused)}
    return {**adapted_names(frozen, trained), **trained}


def _tokenizer_folder(files: OfficialFiles) -> Path | None:
    folder = files.sd / "tokenizer"
    return folder if folder.joinpath("vocab.json").is_file() else None
