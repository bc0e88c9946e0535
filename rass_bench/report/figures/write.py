"""Figures and tables for papers, from what a report shows."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from rass_bench.errors import from_os_error, require_package
from rass_bench.files import write_bytes
from rass_bench.report.content import BoardContent, Content
from rass_bench.report.figures.classes import draw_classes
from rass_bench.report.figures.cost import draw_cost
from rass_bench.report.figures.perception import draw_perception
from rass_bench.report.figures.slopes import draw_slopes
from rass_bench.report.figures.strength import draw_strength
from rass_bench.report.figures.style import DPI, Drawing, paper_style
from rass_bench.report.latex import latex_table
from rass_bench.report.short_names import names_in_plots

_DRAW: dict[str, Callable[[BoardContent, Mapping[str, str]], Drawing | None]] = {
    "fps": lambda board, names: draw_cost(board, "fps", names),
    "parameters": lambda board, names: draw_cost(board, "all_parameters", names),
    "strength": draw_strength,
    "slopes": draw_slopes,
    "perception": draw_perception,
    "classes": draw_classes,
}
"""The figures of a board by what their files' names end in."""

_LONGEST_NAME = 80


def write_figures(content: Content, folder: Path) -> list[Path]:
    """Write every figure that there is data for, and a table of each board.

    A figure is a PNG of 300 dpi, an SVG whose text stays text, and its caption as text, which both
    also hold as their description. A table is LaTeX. The same content gives the same bytes.

    Args:
        content: what to draw.
        folder: where to, made when absent.

    Returns:
        The files, those of a board together.

    Raises:
        UserError: matplotlib is not installed, or the folder cannot be written.
    """
    require_package("matplotlib", "report")
    written = []
    try:
        for name, board in zip(file_names(content), content.boards, strict=True):
            for ending, data in _files(board):
                path = folder / f"{name}{ending}"
                write_bytes(path, data)
                written.append(path)
    except OSError as error:
        raise from_os_error(error, str(folder)) from error
    return written


def file_names(content: Content) -> list[str]:
    """A name for the files of each board: letters, digits and dashes, no two alike."""
    names: list[str] = []
    for board in content.boards:
        name = re.sub(r"[^a-z0-9]+", "-", board.name.lower()).strip("-")[:_LONGEST_NAME] or "board"
        unique, number = name, 1
        while unique in names:
            number += 1
            unique = f"{name}-{number}"
        names.append(unique)
    return names


def _files(board: BoardContent) -> Iterator[tuple[str, bytes]]:
    """What the files' names end in, and their content."""
    names = names_in_plots(board.lines)
    if board.metrics:
        with paper_style():
            for kind, draw in _DRAW.items():
                drawing = draw(board, names)
                if drawing is not None:
                    yield f"-{kind}.png", _png(drawing)
                    yield f"-{kind}.svg", _svg(drawing)
                    yield f"-{kind}.txt", f"{drawing.caption}\n".encode()
    yield ".tex", latex_table(board).encode()


def _png(drawing: Drawing) -> bytes:
    stream = io.BytesIO()
    metadata = {"Description": drawing.caption, "Software": None}
    drawing.figure.savefig(stream, format="png", dpi=DPI, metadata=metadata)
    return stream.getvalue()


def _svg(drawing: Drawing) -> bytes:
    stream = io.BytesIO()
    # Neither date nor program: the same content gives the same bytes.
    metadata = {"Description": drawing.caption, "Date": None, "Creator": None}
    drawing.figure.savefig(stream, format="svg", metadata=metadata)
    return stream.getvalue()
