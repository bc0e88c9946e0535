"""How all figures look, and what they share: sizes, colours, markers, the legend and the notice."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rass_bench.leaderboard.safe_text import one_line
from rass_bench.report.content import BoardContent, Line, Metric

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMN = 3.3
"""Width of a column of a paper, in inches."""

PAGE = 6.9
"""Width of two columns and the space between them, in inches."""

DPI = 300

SMALL = 6.5
"""Size of labels beside points, in points; axes and legends have 8."""

INK = "#202124"
FAINT = "#9aa0a6"

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Colours that the colour-blind tell apart, without the yellow, which is faint on white.

Source: Okabe and Ito, "Color Universal Design", 2008.
"""

MARKERS = ("o", "D", "s", "^", "v", "P", "X", "<", ">", "p")

DASHES = ("-", (0, (4, 1.5)), (0, (1, 1.2)))
"""Of the first, second and third line of a colour."""

_LETTERS_AN_INCH = 18
"""Of a legend."""

_HANDLE_LETTERS = 6
"""So many letters are as wide as the sample in front of a legend's text."""

_PROTOCOLS = ("dt", "r2s", "ft", "restore")

_STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: alike on every machine
    "font.size": 8,
    "axes.labelsize": 8,
    "axes.titlesize": 8,
    "axes.linewidth": 0.6,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": "#e4e6e9",
    "grid.linewidth": 0.5,
    "text.color": INK,
    # Names are strangers' and may hold a dollar sign: nothing is read as a formula.
    "text.parse_math": False,
    "text.usetex": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.width": 0.4,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "legend.handletextpad": 0.4,
    "legend.columnspacing": 1.2,
    "lines.linewidth": 1.1,
    "lines.markersize": 4.5,
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "rass-bench",  # ids follow from the content alone
}


@dataclass(frozen=True)
class Drawing:
    """A figure with its caption.

    Attributes:
        figure: drawn, its layout settled.
        caption: what it shows, which lines, and what must be said beside its numbers.
    """

    figure: Figure
    caption: str


@contextmanager
def paper_style() -> Iterator[None]:
    """Draw in the style of papers, whatever this machine's matplotlib is set to."""
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        yield


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, in inches, that no global state knows."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def settle(figure: Figure, board: BoardContent) -> None:
    """Write the board's notice below and fix the layout, so that labels can be placed."""
    if board.notice is not None:
        letters = round(figure.get_figwidth() * 23)
        notice = "\n".join(textwrap.wrap(one_line(board.notice), letters, max_lines=4))
        figure.supxlabel(notice, x=0.01, ha="left", fontsize=5.5, color="#5f6368")
    figure.draw_without_rendering()
    figure.set_layout_engine("none")


def add_legend(figure: Figure, entries: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
    """Write a legend above the axes, in as many columns as its texts leave room for.

    Args:
        figure: the figure.
        entries: texts, and the properties of the line or marker that each stands for.
    """
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], label=text, **look) for text, look in entries]
    room = figure.get_figwidth() * _LETTERS_AN_INCH
    columns = int(room / (max(len(text) for text, _ in entries) + _HANDLE_LETTERS))
    figure.legend(handles=handles, loc="outside upper center", ncols=max(1, columns))


def protocol_look(protocol: str) -> dict[str, Any]:
    """Colour and marker of a protocol, the same in every figure."""
    index = _PROTOCOLS.index(protocol)
    return {"color": PALETTE[index], "marker": MARKERS[index]}


def protocols_of(lines: Sequence[Line]) -> list[str]:
    """The protocols of the lines, in the order DT, R2S, FT, RESTORE."""
    return [one for one in _PROTOCOLS if any(line.protocol == one for line in lines)]


def protocol_legend(lines: Sequence[Line]) -> list[tuple[str, dict[str, Any]]]:
    """Legend entries for the protocols of the lines, and for numbers of papers."""
    of_papers = [line.kind == "reported" for line in lines]
    inside = {"markerfacecolor": "white"} if all(of_papers) else {}
    found = [
        (protocol.upper(), {"linestyle": "none", **protocol_look(protocol), **inside})
        for protocol in protocols_of(lines)
    ]
    if any(of_papers) and not all(of_papers):
        hollow = {"marker": "o", "color": INK, "markerfacecolor": "white"}
        found.append(("of papers", {"linestyle": "none", **hollow}))
    return found


def known(line: Line, metric: Metric) -> float | None:
    """The number in the unit that people read, where it is known and may stand beside others."""
    cell = line.cells.get(metric.id)
    if cell is None or cell.value is None or cell.not_ranked is not None:
        return None
    return shown(metric, cell.value)


def shown(metric: Metric, value: float) -> float:
    """A value in the unit that people read."""
    return value * 100 if metric.is_percent else value


def interval(line: Line, metric: Metric) -> tuple[float, float] | None:
    """The 95 % interval in the unit that people read."""
    ci95 = line.cells[metric.id].ci95
    return None if ci95 is None else (shown(metric, ci95[0]), shown(metric, ci95[1]))


def draw_point(
    axes: Axes, at: tuple[float, float], line: Line, metric: Metric, colour: str | None = None
) -> None:
    """Draw a line's number with its 95 % interval, in its protocol's marker.

    Args:
        axes: to draw on.
        at: where; upwards the number in the unit that people read.
        line: whose number it is.
        metric: of the number.
        colour: other than the protocol's.
    """
    look = protocol_look(line.protocol)
    look["color"] = colour or look["color"]
    ci95 = interval(line, metric)
    if ci95 is not None:
        axes.plot([at[0], at[0]], ci95, color=look["color"], linewidth=0.7, alpha=0.55, zorder=1.5)
    inside = "white" if line.kind == "reported" else look["color"]
    axes.plot(
        [at[0]], [at[1]], linestyle="none", markerfacecolor=inside, gid=f"point-{line.id}", **look
    )


def caption(board: BoardContent, *sentences: str) -> str:
    """A caption: the board, what is shown, and the notice."""
    version = f", version {board.version}" if board.version else ""
    parts = (f"{board.name}{version}.", *sentences, f"Data: {board.images}.", board.notice or "")
    return " ".join(one_line(part) for part in parts if part)


def stands_for(names: Mapping[str, str], lines: Sequence[Line]) -> str:
    """A sentence on the names that were shortened; empty where none was."""
    full = dict.fromkeys(line.name for line in lines if names[line.name] != line.name)
    if not full:
        return ""
    return f"Names in full: {'; '.join(f'{names[name]} is {name}' for name in full)}."
