"""What every thing that stands on the ground offers."""

from __future__ import annotations

from typing import Protocol

from rass_bench.data.scenes.canvas import Canvas
from rass_bench.data.scenes.ground import Shadow
from rass_bench.data.scenes.light import Lamp, Light


class Thing(Protocol):
    """A tree, a house, a person: placed in the world, drawn nearest first."""

    @property
    def x(self) -> float:
        """World X of its foot, metres."""
        ...

    @property
    def z(self) -> float:
        """World Z of its foot, metres."""
        ...

    def shadows(self, light: Light) -> list[Shadow]:
        """Its shade on the ground."""
        ...

    def lamps(self) -> list[Lamp]:
        """The lights that it carries at night."""
        ...

    def draw(self, canvas: Canvas) -> None:
        """Put it on the film."""
        ...
