"""Where the prompt comes from: a tagger says what is in a photo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor


class Tagger(Protocol):
    """Names what is in photos."""

    @property
    def parameters(self) -> int:
        """Parameters of its network; 0 without one."""
        ...

    def tag(self, photos: Tensor) -> list[tuple[str, ...]]:
        """Name what is in each photo.

        Args:
            photos: float32 (N, 3, H, W) in [0, 1].
        """
        ...


@dataclass(frozen=True)
class FixedTagger:
    """Says the same of every photo.

    Attributes:
        tags: what it says.
        parameters: none.
    """

    tags: tuple[str, ...]
    parameters: int = 0

    def tag(self, photos: Tensor) -> list[tuple[str, ...]]:
        """See :class:`Tagger`."""
        return [self.tags] * len(photos)
