"""What a stage of training is: a network with a loss, and how it is optimised."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from rass_bench.pictures import PictureRow
from rass_bench.train.crops import Batch


@dataclass(frozen=True)
class ParameterGroup:
    """Parameters that learn alike.

    Attributes:
        parameters: the tensors.
        learning_rate: at its highest.
        weight_decay: of AdamW.
    """

    parameters: tuple[nn.Parameter, ...]
    learning_rate: float
    weight_decay: float


class Stage(Protocol):
    """A network in training: an ``nn.Module`` that the loop calls with a batch.

    Attributes:
        name: such as ``scr``.
        clip_norm: largest norm of the whole gradient.
    """

    name: str
    clip_norm: float

    def __call__(self, batch: Batch) -> dict[str, Tensor]:
        """The weighted terms of the loss, scalars whose sum is minimised.

        Randomness comes from PyTorch's global generators, which the loop seeds at each step.
        """
        ...

    def groups(self) -> Sequence[ParameterGroup]:
        """Everything that learns."""
        ...

    def rate(self, step: int) -> float:
        """Factor of every group's learning rate at a step."""
        ...

    def start_step(self, step: int) -> None:
        """Told before each step, for terms that are phased in."""
        ...

    def pictures(self, batch: Batch) -> Sequence[PictureRow]:
        """What the stage makes of a batch, for people."""
        ...

    def facts(self) -> Mapping[str, Any]:
        """Plain values that the stage's results depend on, for the record."""
        ...


def build_optimizer(groups: Sequence[ParameterGroup]) -> torch.optim.AdamW:
    """AdamW with PyTorch's betas and epsilon."""
    return torch.optim.AdamW(
        [
            {
                "params": list(group.parameters),
                "lr": group.learning_rate,
                "weight_decay": group.weight_decay,
            }
            for group in groups
        ]
    )


def one_cycle(step: int, steps: int, warm_up: float = 0.05) -> float:
    """Factor of a learning rate: a linear rise, then half a cosine down to nothing.

    Args:
        step: counted from 0.
        steps: of the training.
        warm_up: share of the steps in which it rises.

    Source: Loshchilov and Hutter 2017, arXiv 1608.03983, equation 5, without restarts.
    """
    rising = max(1, round(warm_up * steps))
    if step < rising:
        return (step + 1) / rising
    return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))


def constant_after_warm_up(step: int, warm_up: int) -> float:
    """Factor of a learning rate: a linear rise over the first steps, then one."""
    return min(1.0, (step + 1) / max(1, warm_up))
