"""Reading official weights files from strangers: tensors come out, no code runs."""

from __future__ import annotations

import pickle
import re
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rass_bench.errors import UserError
from rass_bench.models.rass.array_pickle import GLOBALS, ArrayUnpickler
from rass_bench.weights import check_weights_file

if TYPE_CHECKING:
    import torch

_ZIP = b"PK\x03\x04"
_LEGACY_TORCH = bytes.fromhex("80028a0a6cfc9c46f9206aa850192e")
"""A pickle of the number that opens what torch.save wrote before version 1.6 (serialization.py)."""

UNREADABLE = (
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    struct.error,
    RuntimeError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    EOFError,
    ArithmeticError,
    MemoryError,
    AssertionError,
    NotImplementedError,
)
"""What torch and pickle raise at a stream that is cut, damaged or made to be refused."""


def read_tensors(path: Path) -> dict[str, Any]:
    """Read a weights file into a mapping of tensors, arrays and plain values.

    What torch.save wrote (whatever its suffix) goes through torch's allow-list unpickler, mapped
    from the disk where the format allows; a plain pickle, as detectron2's model zoo has them,
    through one with a shorter list. Numeric NumPy arrays and numbers are on both lists.

    Args:
        path: a ``.safetensors`` file, or one that torch.save or pickle wrote.

    Raises:
        UserError: no weights file (see :func:`rass_bench.weights.check_weights_file`), truncated,
            damaged, naming a global that is on no list, or no mapping with string keys.
    """
    check_weights_file(path)
    try:
        content = _reader_of(path)(path)
    except UNREADABLE as error:
        raise _refusal(error, path) from None
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise UserError(
            f"the file holds a {type(content).__name__}, not tensors by name",
            str(path),
            "Give the checkpoint that training saved.",
        )
    return content


def official_state(path: Path) -> dict[str, torch.Tensor]:
    """The state dict of ``rass.pth``: a detectron2 checkpoint's ``model``, or the bare one.

    Raises:
        UserError: see :func:`read_tensors`; also for a state without tensors, or with anything
            else than tensors in it.
    """
    content = read_tensors(path)
    model = content.get("model")
    return _tensors(model if isinstance(model, dict) else content, path)


@dataclass(frozen=True)
class ScrCheckpoint:
    """``scr.pkl``: the restoration-adapted UNet as LoRA (ras.py, ``load_ckpt_from_state_dict``).

    Attributes:
        rank: of every LoRA pair.
        encoder: names of the UNet's modules under the adapter ``default_encoder``.
        decoder: under ``default_decoder``.
        others: under ``default_others``.
        tensors: by UNet parameter name: LoRA pairs, and what replaces ``conv_in``.
        unused: further keys of the file, which the official code does not read either.
    """

    rank: int
    encoder: tuple[str, ...]
    decoder: tuple[str, ...]
    others: tuple[str, ...]
    tensors: dict[str, torch.Tensor]
    unused: tuple[str, ...]


_SCR_MODULES = (
    "unet_lora_encoder_modules",
    "unet_lora_decoder_modules",
    "unet_lora_others_modules",
)
_SCR_KEYS = ("rank_unet", *_SCR_MODULES, "state_dict_unet")


def read_scr(path: Path) -> ScrCheckpoint:
    """Read ``scr.pkl``, which is a torch.save archive despite its suffix.

    Raises:
        UserError: see :func:`read_tensors`; also for missing keys, a rank that is no positive
            number, modules that are no names or named twice, or anything but tensors in the state.
    """
    content = read_tensors(path)
    missing = [key for key in _SCR_KEYS if key not in content]
    if missing:
        raise _not_scr(f"the keys {', '.join(missing)} are missing", path)
    rank = content["rank_unet"]
    if type(rank) is not int or rank < 1:
        raise _not_scr(f"rank_unet is {rank!r:.40}, not a positive number", path)
    encoder, decoder, others = (_module_names(content[key], key, path) for key in _SCR_MODULES)
    names = (*encoder, *decoder, *others)
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise _not_scr(f"the module {twice} is listed twice", path)
    return ScrCheckpoint(
        rank=rank,
        encoder=encoder,
        decoder=decoder,
        others=others,
        tensors=_tensors(content["state_dict_unet"], path),
        unused=tuple(sorted(content.keys() - set(_SCR_KEYS))),
    )


def _module_names(value: Any, key: str, path: Path) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(name, str) for name in value):
        raise _not_scr(f"{key} is no list of module names", path)
    return tuple(value)


def _not_scr(what: str, path: Path) -> UserError:
    return UserError(f"no SCR checkpoint: {what}", str(path), "Give the official scr.pkl.")


def _tensors(state: Any, path: Path) -> dict[str, torch.Tensor]:
    if not isinstance(state, dict) or not state:
        raise UserError("the checkpoint holds no tensors", str(path), "Give another file.")
    return {str(name): _tensor(value, str(name), path) for name, value in state.items()}


def _tensor(value: Any, name: str, path: Path) -> torch.Tensor:
    import torch

    if isinstance(value, np.ndarray):
        # A copy in this machine's byte order, which torch may write to.
        return torch.from_numpy(np.array(value, dtype=value.dtype.newbyteorder("=")))
    plain = (
        isinstance(value, torch.Tensor)
        and value.layout is torch.strided
        and value.device.type == "cpu"  # a meta tensor holds no values
        and not value.is_quantized
    )
    if not plain:
        raise UserError(
            f"{name:.80} is a {type(value).__name__}, not a tensor with values",
            str(path),
            "Give the checkpoint that training saved.",
        )
    tensor: torch.Tensor = value.detach()
    return tensor


def _reader_of(path: Path) -> Callable[[Path], Any]:
    if path.suffix == ".safetensors":
        return _read_safetensors
    with path.open("rb") as stream:
        start = stream.read(len(_LEGACY_TORCH))
    if start.startswith(_ZIP):
        return _read_torch_archive
    return _read_legacy_torch if start == _LEGACY_TORCH else _read_pickle


def _read_safetensors(path: Path) -> Any:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except SafetensorError as error:
        raise ValueError(str(error)) from None


def _read_torch_archive(path: Path) -> Any:
    if not zipfile.is_zipfile(path):
        raise ValueError("the end of its archive is missing; it is truncated")
    with zipfile.ZipFile(path) as archive:
        if any(entry.filename.endswith("/constants.pkl") for entry in archive.infolist()):
            raise ValueError("it holds a TorchScript program, not tensors")
        # torch.save never compresses. A mapped tensor would be the compressed bytes, and a small
        # file could stand for more than memory holds.
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
            raise ValueError("its archive is compressed, which torch.save's never is")
    return _load(path, mapped=True)


def _read_legacy_torch(path: Path) -> Any:
    return _load(path, mapped=False)


def _load(path: Path, *, mapped: bool) -> Any:
    import torch

    with torch.serialization.safe_globals([(made, name) for name, made in GLOBALS.items()]):
        return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)


def _read_pickle(path: Path) -> Any:
    # Files from Python 2 hold array data as text, which Latin-1 maps to bytes one to one.
    with path.open("rb") as stream:
        return ArrayUnpickler(stream, encoding="latin1").load()


def _refusal(error: BaseException, path: Path) -> UserError:
    forbidden = re.search(r"(?<!STACK_)GLOBAL (\S+)", str(error))
    if forbidden:
        return UserError(
            f"the file names {forbidden[1]:.80}, which no tensor needs; nothing of it was run",
            str(path),
            "It is damaged or an attack: download it again and compare its SHA-256.",
        )
    # torch puts advice to load without a check around the reason.
    reason = str(error).partition("WeightsUnpickler error: ")[2] or str(error)
    first_line = reason.strip().partition("\n")[0] or type(error).__name__
    return UserError(
        f"the weights cannot be read: {first_line:.200}",
        str(path),
        "Download the file again and compare its SHA-256.",
    )
