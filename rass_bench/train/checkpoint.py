"""Where a training was when it stopped: what learns, the optimizer, the step."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from rass_bench.errors import UserError, from_os_error
from rass_bench.files import canonical_json, parse_json, sha256_bytes, write_bytes
from rass_bench.models.rass.checkpoint_file import UNREADABLE

_HEAD = b"rass-bench training 1 "
"""A checkpoint's first bytes; the SHA-256 of the rest and a line's end follow."""


@dataclass(frozen=True)
class Progress:
    """How far a training has come.

    Attributes:
        step: the next step, which is the number of steps done.
        seconds: wall time of the steps done.
    """

    step: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Learning:
    """What a checkpoint keeps.

    Attributes:
        network: its learning parameters and its buffers; what is frozen comes from where it came
            from.
        optimizer: its state.
        scaler: of the loss in fp16, or None.
    """

    network: nn.Module
    optimizer: Any
    scaler: Any


def save_checkpoint(
    path: Path, learning: Learning, described: Mapping[str, Any], progress: Progress
) -> None:
    """Write a checkpoint, whole or not at all.

    Args:
        path: the file.
        learning: what is kept.
        described: what the run depends on, to be compared when it is resumed.
        progress: how far it has come.

    Raises:
        UserError: the file cannot be written.
    """
    scaler = learning.scaler
    content = {
        "described": canonical_json(described).decode(),
        "network": _changing(learning.network),
        "optimizer": learning.optimizer.state_dict(),
        "scaler": None if scaler is None else scaler.state_dict(),
        "progress": asdict(progress),
    }
    stream = io.BytesIO()
    torch.save(content, stream)
    written = stream.getvalue()
    try:
        write_bytes(path, _head(written) + written)
    except OSError as error:
        raise from_os_error(error, str(path)) from error


def load_checkpoint(
    path: Path, learning: Learning, described: Mapping[str, Any], *, resume: bool
) -> Progress:
    """Put everything where it was; a fresh start where there is no file.

    Args:
        path: the file.
        learning: changed in place.
        described: what this run depends on.
        resume: False refuses a file that is there.

    Raises:
        UserError: another run's file, an unreadable one, or one that is not to be resumed.
    """
    if not path.is_file():
        return Progress()
    if not resume:
        raise UserError(
            "a training has been here before", str(path.parent), "Add --resume, or choose another."
        )
    try:
        content = torch.load(_whole(path), map_location="cpu", weights_only=True)
        kept, told = content["network"], parse_json(content["described"])
        progress = Progress(**content["progress"])
    except (*UNREADABLE, OSError):
        raise UserError(
            "no checkpoint of a training, or a damaged one",
            str(path),
            "Restore it, or train into another --out.",
        ) from None
    wanted = parse_json(canonical_json(described))
    if told != wanted:
        raise UserError(
            f"the checkpoint is of another run: {_first_difference(told, wanted)}",
            str(path),
            "Give the same options as before, or another --out.",
        )
    _restore(learning.network, kept)
    learning.optimizer.load_state_dict(content["optimizer"])
    if learning.scaler is not None and content["scaler"] is not None:
        learning.scaler.load_state_dict(content["scaler"])
    return progress


def _head(content: bytes) -> bytes:
    return _HEAD + sha256_bytes(content).encode() + b"\n"


def _whole(path: Path) -> io.BytesIO:
    """The content behind the head, whose hash must be right: PyTorch reads damaged tensors.

    Raises:
        ValueError: it is not.
    """
    written = path.read_bytes()
    head, _, content = written.partition(b"\n")
    if head + b"\n" != _head(content):
        raise ValueError("the hash is wrong")
    return io.BytesIO(content)


def _changing(network: nn.Module) -> dict[str, Tensor]:
    """What training changes: parameters with gradients, and buffers such as running means."""
    learning = {name: one.detach() for name, one in network.named_parameters() if one.requires_grad}
    return learning | {name: one.detach() for name, one in network.named_buffers()}


def _restore(network: nn.Module, kept: Mapping[str, Tensor]) -> None:
    with torch.no_grad():
        for name, tensor in _changing(network).items():
            tensor.copy_(kept[name])


def _first_difference(told: Any, wanted: Any, name: str = "") -> str:
    if isinstance(told, dict) and isinstance(wanted, dict):
        for key in sorted({*told, *wanted}):
            if told.get(key) != wanted.get(key):
                return _first_difference(told.get(key), wanted.get(key), f"{name} {key}".strip())
    return f"{name} is {wanted!r}, there it was {told!r}"
