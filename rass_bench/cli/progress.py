"""Progress bars on stderr, so that stdout stays what a script asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

_SPEED_PERIOD = 120.0
"""Seconds of work that the time left is estimated from: several items even where one takes half a
minute, few enough to forget the items that a resumed command found done."""

_WORDS = 60
"""Columns of the terminal that are left to words and numbers before the bar gets any."""


class Advance(Protocol):
    """Tells a progress bar what was done; a plain ``advance()`` is one more item."""

    def __call__(self, steps: int = 1, note: str | None = None) -> None:
        """Move the bar.

        Args:
            steps: items finished since the last call. What a resumed command finds done is told
                in one first call, which the estimate of the time left leaves out.
            note: a few words such as ``loss 0.123`` to stand after the bar; None keeps the last.
        """
        ...


@contextmanager
def progress_bar(what: str, total: int) -> Iterator[Advance]:
    """Draw a bar, items done, time gone and time left while the block runs; yields ``advance``.

    Nothing is drawn where stderr is no terminal.
    """
    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}", style="bold", markup=False),
        BarColumn(bar_width=min(40, max(10, console.width - _WORDS))),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left", style="dim"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", style="dim", markup=False),
        console=console,
        disable=not console.is_terminal,
        transient=True,
        speed_estimate_period=_SPEED_PERIOD,
    ) as bar:
        task = bar.add_task(what, total=total, note="")

        def advance(steps: int = 1, note: str | None = None) -> None:
            if note is not None:
                bar.update(task, note=note)
            bar.advance(task, steps)

        yield advance
