"""Hooks that keep what blocks of a stock network put out."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType
from typing import Any

from torch import Tensor, nn


class Taps:
    """While open, collects the outputs of blocks in a list, in the order of the blocks.

    Args:
        blocks: modules that run in this order, each once, and return a tensor.
    """

    def __init__(self, blocks: Iterable[nn.Module]) -> None:
        self._blocks = list(blocks)
        self._outputs: list[Tensor] = []

    def __enter__(self) -> list[Tensor]:
        self._handles = [block.register_forward_hook(self._keep) for block in self._blocks]
        return self._outputs

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for handle in self._handles:
            handle.remove()

    def _keep(self, module: nn.Module, inputs: Any, output: Tensor) -> None:
        self._outputs.append(output)
