"""Where windows lie in a photo, and how their features become those of the whole photo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Window:
    """A rectangle of the photo, in pixels: rows [top, bottom), columns [left, right)."""

    top: int
    left: int
    bottom: int
    right: int


@dataclass(frozen=True)
class Cells:
    """The cells of a feature map that a window fills: rows [top, bottom), columns [left, right)."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.bottom - self.top, self.right - self.left


def place_windows(height: int, width: int) -> tuple[Window, ...]:
    """Square windows of the photo's short side, side by side, the last one shifted to the border.

    The official FeatureProjection.slide_forward: step 4 of the package's docstring.
    """
    side = min(height, width)
    return tuple(
        Window(top, left, top + side, left + side)
        for top in _starts(height, side)
        for left in _starts(width, side)
    )


def map_size(height: int, width: int, stride: int) -> tuple[int, int]:
    """Rows and columns of the whole photo's feature map; at least one."""
    return max(1, height // stride), max(1, width // stride)


def cells_of(window: Window, height: int, width: int, stride: int) -> Cells:
    """Which cells of the photo's feature map a window fills.

    From the floor of its start to the floor of its end, over the stride. The official code fills
    these cells with a map of ``side // stride`` cells and crashes where the two differ (a
    short side that is no multiple of 32); here the window's map is made as large as its cells
    are many, which changes nothing where the official code runs, and leaves no cell empty:
    neighbours start at or before the cell where the one before ends.
    """
    rows, columns = map_size(height, width, stride)
    top, bottom = _span(window.top, window.bottom, stride, rows)
    left, right = _span(window.left, window.right, stride, columns)
    return Cells(top, left, bottom, right)


def average(maps: Sequence[Tensor], places: Sequence[Cells], size: tuple[int, int]) -> Tensor:
    """Windows' maps averaged where they overlap.

    Args:
        maps: one a window, (N, C, rows, columns) of its cells.
        places: the cells of each window; together they fill the whole map.
        size: rows and columns of the whole map.

    Returns:
        (N, C, *size).
    """
    if len(maps) == 1 and places[0].size == size:
        return maps[0]
    batch, channels = maps[0].shape[:2]
    total = maps[0].new_zeros(batch, channels, *size)
    count = maps[0].new_zeros(1, 1, *size)
    for values, cells in zip(maps, places, strict=True):
        rows, columns = slice(cells.top, cells.bottom), slice(cells.left, cells.right)
        total[:, :, rows, columns] += values
        count[:, :, rows, columns] += 1
    return total / count


def _starts(length: int, side: int) -> list[int]:
    windows = -(-length // side)
    return [min(index * side, length - side) for index in range(windows)]


def _span(start: int, end: int, stride: int, cells: int) -> tuple[int, int]:
    first = min(start // stride, cells - 1)
    return first, min(max(end // stride, first + 1), cells)
