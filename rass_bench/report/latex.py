"""A board as LaTeX tables for papers, which need the package booktabs alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rass_bench.evaluate.protocol import PROTOCOLS
from rass_bench.leaderboard import show
from rass_bench.report.content import BoardContent, Cell, Line, Metric
from rass_bench.report.latex_text import latex_comment, latex_text
from rass_bench.report.short_names import cut, names_in_plots

_FAMILIES = (("dt", "r2s", "ft"), ("restore",))
"""Protocols whose lines share their metrics, and so a table."""

_MARKS = {"reported": "r", "verified": "v"}
"""Behind a model's name, by what stands behind its numbers."""

_MARKS_MEAN = {
    "r": "Reported in the source named above, ranked within it",
    "v": "Measured, and checked by computing it again",
}


@dataclass(frozen=True)
class _Columns:
    """What a table tells of each line, beside its name.

    Attributes:
        metrics: those that some line has a number for.
        fps: whether the speed of some line is known.
        parameters: whether the parameters of some line are known.
    """

    metrics: tuple[Metric, ...]
    fps: bool
    parameters: bool

    @classmethod
    def of(cls, board: BoardContent, lines: Sequence[Line]) -> _Columns:
        return cls(
            metrics=tuple(
                one for one in board.metrics if any(one.id in line.cells for line in lines)
            ),
            fps=any(line.fps is not None for line in lines),
            parameters=any(line.parameters is not None for line in lines),
        )

    @property
    def count(self) -> int:
        """How many, the name included."""
        return 1 + len(self.metrics) + self.fps + self.parameters

    def heading(self) -> list[str]:
        """Two rows: metrics with direction and unit, and their variants with the version."""
        above, below = ["model"], [""]
        for metric in self.metrics:
            name, _, variant = metric.id.partition("/")
            version, _, marks = metric.heading.removeprefix(metric.id).partition(" ")
            above.append(latex_text(f"{name} {marks}".strip()))
            below.append(_tiny(variant + version))
        return [self.row(above, "images/s", "parameters"), self.row(below)]

    def row(self, cells: Sequence[str], fps: str = "", parameters: str = "") -> str:
        """A row of the table, without the costs that no line tells."""
        costs = [*([fps] if self.fps else []), *([parameters] if self.parameters else [])]
        return rf"{' & '.join([*cells, *costs])} \\"

    def across(self, text: str) -> str:
        """A row of one cell."""
        return rf"\multicolumn{{{self.count}}}{{l}}{{{text}}} \\[1pt]"


@dataclass
class _Notes:
    """Notes below a table, each with its letter."""

    texts: list[str] = field(default_factory=list)

    def mark(self, text: str) -> str:
        """The raised letter of a note, which is added where it is new."""
        if text not in self.texts:
            self.texts.append(text)
        return _raised(_letters(self.texts.index(text)))


def latex_table(board: BoardContent) -> str:
    r"""The board as tables to put into a ``table`` environment.

    One ``tabular`` for the protocols of segmentation and one for restoration: a heading a protocol
    and a source, a row a line with its intervals in small print below it, the first of a ranking
    bold. What stands in no ranking follows in a ``tabular`` of its own, the reasons as its notes.

    Args:
        board: the data set.
    """
    names = names_in_plots(board.lines)
    parts = [_head(board, names)]
    for apart in (False, True):
        for protocols in _FAMILIES:
            lines = [
                line
                for line in board.lines
                if line.protocol in protocols and _stands_apart(line) is apart
            ]
            if lines:
                parts.append(_table(board, lines, names, apart=apart))
    return "\n\n\\bigskip\n".join(parts) + "\n"


def _stands_apart(line: Line) -> bool:
    """Whether none of the line's numbers stands in a ranking."""
    return all(cell.not_ranked is not None for cell in line.cells.values())


def _head(board: BoardContent, names: Mapping[str, str]) -> str:
    """What an author must know who puts the tables into a paper."""
    full = [f"{short} is {name}" for name, short in names.items() if short != name]
    lines = [
        r"Needs \usepackage{booktabs} alone; for pdfLaTeX, XeLaTeX and LuaLaTeX.",
        f"{board.name} {board.version}: {board.images}",
        *([board.notice] if board.notice is not None else []),
        *(["Names in full:", *full] if full else []),
    ]
    return "\n".join(f"% {latex_comment(line)}" for line in lines)


def _table(
    board: BoardContent, lines: Sequence[Line], names: Mapping[str, str], *, apart: bool
) -> str:
    columns = _Columns.of(board, lines)
    notes = _Notes()
    rows = columns.heading()
    for protocol in dict.fromkeys(line.protocol for line in lines):
        members = [line for line in lines if line.protocol == protocol]
        rows += _protocol(protocol, members, columns, names, notes)
    below = [
        *_about(board, lines, apart=apart),
        *(
            f"{_raised(_letters(place))} {latex_text(one)}."
            for place, one in enumerate(notes.texts)
        ),
    ]
    return "\n".join(
        [
            r"{\footnotesize\setlength{\tabcolsep}{4pt}\noindent",
            rf"\begin{{tabular}}{{l{'r' * (columns.count - 1)}}}",
            r"\toprule",
            *rows,
            r"\bottomrule",
            r"\end{tabular}",
            rf"\par\smallskip\noindent {' '.join(below)}",
            r"\par}",
        ]
    )


def _protocol(
    protocol: str,
    lines: Sequence[Line],
    columns: _Columns,
    names: Mapping[str, str],
    notes: _Notes,
) -> list[str]:
    """The rows of a protocol, those of a source together."""
    title = f"{protocol.upper()}: {PROTOCOLS[protocol].title.replace(':', ',')}"
    rows = [r"\midrule", columns.across(rf"\textbf{{{latex_text(title)}}}")]
    origins: dict[str | None, list[Line]] = {}
    for line in lines:
        origins.setdefault(line.source and line.source.rpartition(": ")[0], []).append(line)
    for origin, members in origins.items():
        if origin is not None:
            marks = "".join(notes.mark(one) for one in dict.fromkeys(_sources(members)))
            rows.append(columns.across(rf"\textit{{{latex_text(cut(origin, 60))}}}{marks}"))
        for line in members:
            rows += _line(line, columns, names, notes)
    return rows


def _sources(lines: Sequence[Line]) -> list[str]:
    return [line.source for line in lines if line.source is not None]


def _line(line: Line, columns: _Columns, names: Mapping[str, str], notes: _Notes) -> list[str]:
    """A row of numbers, and one of their intervals where there are any."""
    mark = _MARKS.get(line.kind)
    cells = [line.cells.get(metric.id) for metric in columns.metrics]
    name = latex_text(names[line.name]) + ("" if mark is None else _raised(mark))
    numbers = [_number(cell, notes) for cell in cells]
    costs = (latex_text(show.speed(line.fps)), latex_text(show.millions(line.all_parameters)))
    row = columns.row([rf"\quad {name}", *numbers], *costs)
    if not any(cell is not None and cell.ci95 is not None for cell in cells):
        return [row]
    intervals = [_tiny(cell.ci95_text) if cell and cell.ci95 else "" for cell in cells]
    return [row + "[-3pt]", columns.row(["", *intervals])]


def _number(cell: Cell | None, notes: _Notes) -> str:
    if cell is None:
        return ""
    text = latex_text(cell.text)
    if _is_first(cell):
        text = rf"\textbf{{{text}}}"
    return text if cell.not_ranked is None else text + notes.mark(cell.not_ranked)


def _is_first(cell: Cell) -> bool:
    """Whether the first place of a ranking of two or more is or may be this number's."""
    return cell.rank is not None and cell.rank[0] == 1 and cell.rank[2] > 1


def _about(board: BoardContent, lines: Sequence[Line], *, apart: bool) -> list[str]:
    """Sentences that hold of all of a table."""
    kinds = {line.kind for line in lines}
    cells = [cell for line in lines for cell in line.cells.values()]
    said = [latex_text(f"{board.name} {board.version}".strip() + f": {board.images}.")]
    if board.notice is not None:
        said.append(latex_text(board.notice))
    said += [
        f"{_raised(mark)} {_MARKS_MEAN[mark]}." for kind, mark in _MARKS.items() if kind in kinds
    ]
    if any(cell.ci95 is not None for cell in cells):
        said.append(r"Small print: 95\,\% intervals over the images.")
    if apart:
        said.append("Nothing here is ranked, for the reasons given.")
    elif any(_is_first(cell) for cell in cells):
        said.append("Bold: the first place of a ranking, shared where nothing tells two apart.")
    if any(line.restorer is not None for line in lines):
        said.append("Parameters are the model's, without the restorer's.")
    return said


def _tiny(text: str) -> str:
    return rf"{{\tiny {latex_text(text)}}}" if text else ""


def _raised(text: str) -> str:
    return rf"\textsuperscript{{{text}}}"


def _letters(place: int) -> str:
    """The letters a to z, then aa, ab and on."""
    letters = chr(ord("a") + place % 26)
    return letters if place < 26 else _letters(place // 26 - 1) + letters
