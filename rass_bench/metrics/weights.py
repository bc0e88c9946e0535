"""Weights of learned metrics: found on this machine, never fetched behind the user's back."""

from __future__ import annotations

import os
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rass_bench.errors import UserError
from rass_bench.weights import check_weights_file

if TYPE_CHECKING:
    import torch

WEIGHTS_VARIABLE = "RASS_BENCH_WEIGHTS"
"""Environment variable: a folder that holds weights files under their published names."""


@dataclass(frozen=True)
class WeightsFile:
    """A published weights file.

    Attributes:
        name: its file name, as published.
        url: where it comes from.
        cache: the folder below torch hub's directory where its library keeps it.
    """

    name: str
    url: str
    cache: str


def find_weights(files: Sequence[WeightsFile], metric: str) -> list[Path]:
    """Find files in the folder ``RASS_BENCH_WEIGHTS`` or in the caches of the libraries.

    Raises:
        UserError: a file is absent, with the commands that fetch what is missing, or is no
            weights file.
    """
    found = {file: path for file in files for path in _places(file) if path.is_file()}
    missing = [file for file in files if file not in found]
    if missing:
        fetch = " && ".join(
            f"curl -L --create-dirs -o '{_places(file)[-1]}' '{file.url}'" for file in missing
        )
        raise UserError(
            f"weights not found: {', '.join(file.name for file in missing)}",
            metric,
            f"Nothing is downloaded during a run. Fetch with: {fetch} - or set {WEIGHTS_VARIABLE} "
            "to a folder that holds the files under these names.",
        )
    paths = [found[file] for file in files]
    for path in paths:
        check_weights_file(path)
    return paths


def read_state(path: Path) -> dict[str, torch.Tensor]:
    """Read a PyTorch state dict as data: no code in the file is run.

    The prefix ``module.``, left by parallel training, is removed from names.

    Raises:
        UserError: not a PyTorch file, truncated, or with anything but tensors in containers.
    """
    import torch

    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"no readable state dict: {reason}", str(path), "Download the file again."
        ) from None
    if not isinstance(state, dict):
        raise UserError(
            f"the file holds a {type(state).__name__}, not a state dict",
            str(path),
            "Download the file again.",
        )
    return {str(name).removeprefix("module."): tensor for name, tensor in state.items()}


def fill(
    network: torch.nn.Module,
    state: dict[str, torch.Tensor],
    path: Path,
    elsewhere: tuple[str, ...] = (),
) -> None:
    """Load ``state`` into ``network`` and insist that it fits.

    Args:
        network: the network, changed in place.
        state: its tensors by name.
        path: the file they came from, for messages.
        elsewhere: prefixes of tensors that the file need not hold because they are already set.
            The file may then hold more than the network takes, as pyiqa allows for these metrics.

    Raises:
        UserError: tensors are missing, unknown or of another shape.
    """
    try:
        result = network.load_state_dict(state, strict=False)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise _does_not_fit(path, reason) from None
    missing = [name for name in result.missing_keys if not name.startswith(elsewhere)]
    if missing:
        raise _does_not_fit(path, f"{len(missing)} tensors are missing, {missing[0]} first")
    if result.unexpected_keys and not elsewhere:
        unknown = result.unexpected_keys
        raise _does_not_fit(path, f"{len(unknown)} tensors are unknown, {unknown[0]} first")


def _places(file: WeightsFile) -> list[Path]:
    """Where a file may lie, the user's own folder last: the last one found is taken."""
    import torch

    places = [Path(torch.hub.get_dir()) / file.cache / file.name]
    folder = os.environ.get(WEIGHTS_VARIABLE)
    return [*places, Path(folder) / file.name] if folder else places


def _does_not_fit(path: Path, reason: str) -> UserError:
    return UserError(
        f"the weights do not fit the network: {reason}",
        str(path),
        "Check that the file is the one that the metric names, and its SHA-256.",
    )
