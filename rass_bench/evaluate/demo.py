"""The demonstration: RASS-mini and a baseline on degraded scenes, on the same images."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from rass_bench.data.dataset import open_dataset
from rass_bench.data.reading import read_truth
from rass_bench.degrade.dataset import degrade_dataset
from rass_bench.degrade.workers import map_in_processes
from rass_bench.evaluate.folder import RunFolder
from rass_bench.evaluate.paired import Difference, paired_difference
from rass_bench.evaluate.resolve import RunRequest
from rass_bench.evaluate.restored import restored_before
from rass_bench.evaluate.run import Progress, run
from rass_bench.evaluate.score import read_prediction
from rass_bench.images import read_image, write_image
from rass_bench.labels import load_label_space
from rass_bench.models.rass.entries import require_packages
from rass_bench.pictures import draw_grid, segmentation_row
from rass_bench.record import RunRecord, load_record

PRESET, SEED = "rass", 0
METRIC = "miou/gt-present"
"""What the differences are of."""

NOTICE = "Rendered scenes: a demonstration, not a measure of real photos."
"""What must be said beside every number of scenes."""

CLASSES = "ade20k-150"
"""The label space of scenes, and of all that is measured on them."""

BASELINE, FINE_TUNED = "segformer-mini-scenes", "segformer-mini-scenes-ft"
DEGRADED = "scenes-degraded"
RUNS = CLEAN, DIRECT, RESTORED, TUNED, RASS = "clean", "direct", "restored", "fine-tuned", "rass"
"""The runs' folders."""

PANEL = "panel.png"
PHOTOS = 3
"""Rows of the panel."""


@dataclass(frozen=True)
class DemoRow:
    """One measurement.

    Attributes:
        what: what was measured, in two short lines at most.
        record: its record.
        behind: RASS minus it, of ``METRIC``; None for RASS itself.
    """

    what: str
    record: RunRecord
    behind: Difference | None


def run_demo(out: Path, progress: Progress) -> list[DemoRow]:
    """Degrade scenes val and measure a baseline and RASS-mini on it, then draw some of it.

    Args:
        out: folder for the degraded set, the runs and the panel; an earlier demonstration in it
            is gone on with.
        progress: draws progress bars.

    Returns:
        The baseline on clean photos, which is the upper bound; on degraded ones; on degraded ones
        that SCR-mini restored; the baseline fine-tuned on degraded photos; RASS-mini.

    Raises:
        UserError: what runs networks is not installed, or the folder cannot be used.
    """
    require_packages()
    _degrade(out / DEGRADED, progress)
    runs = _runs(str(out / DEGRADED))
    # The last ones take the longest; begun first, they leave no process waiting for another.
    tasks = [_Task(runs[name][1], out / name) for name in reversed(runs)]
    with progress("measure", len(tasks)) as advance:
        for _ in map_in_processes(_measure, tasks, os.cpu_count() or 1):
            advance()
    draw_panel(out)
    return [
        DemoRow(
            what,
            load_record(out / name),
            None if name == RASS else paired_difference(out / name, out / RASS, METRIC),
        )
        for name, (what, _) in runs.items()
    ]


def _degrade(out: Path, progress: Progress) -> None:
    clean = open_dataset("scenes")
    with progress("degrade", len(clean.samples)) as advance:
        degrade_dataset(
            clean,
            PRESET,
            SEED,
            out,
            workers=os.cpu_count() or 1,
            resume=True,
            advance=advance,
        )


def _runs(degraded: str) -> dict[str, tuple[str, RunRequest]]:
    """By folder: what a run measures, and what is asked for."""
    return {
        CLEAN: ("clean photos\n(upper bound)", RunRequest(BASELINE)),
        DIRECT: ("SegFormer", RunRequest(BASELINE, dataset=degraded)),
        RESTORED: (
            "SCR-mini →\nSegFormer",
            RunRequest(BASELINE, dataset=degraded, protocol="r2s", restorer="scr"),
        ),
        TUNED: ("SegFormer,\nfine-tuned", RunRequest(FINE_TUNED, dataset=degraded, protocol="ft")),
        RASS: ("RASS-mini", RunRequest("rass", dataset=degraded, protocol="ft")),
    }


@dataclass(frozen=True)
class _Task:
    """One run; travels to a worker process."""

    request: RunRequest
    folder: Path


def _measure(task: _Task) -> None:
    run(task.request, task.folder, resume=True, arguments_given={}, progress=_no_bar)


def _no_bar(_what: str, _total: int) -> AbstractContextManager[Callable[[], None]]:
    """A worker draws no bar: the terminal is its parent's."""
    return nullcontext(lambda: None)


def draw_panel(out: Path) -> Path:
    """Draw photos of a demonstration: low quality, restored by SCR, RASS's prediction, truth.

    A photo that the cache of restored ones has forgotten stands without its restoration.

    Args:
        out: folder of a demonstration whose runs are finished.

    Returns:
        The picture, ``panel.png`` in ``out``.

    Raises:
        UserError: a run is not finished, or a file of it is missing.
    """
    dataset = open_dataset(str(out / DEGRADED))
    space = load_label_space(CLASSES)
    restorer = load_record(out / RESTORED).restorer
    predictions = RunFolder(out / RASS)
    rows = []
    for sample in dataset.samples[:: len(dataset.samples) // PHOTOS][:PHOTOS]:
        photo = read_image(sample.image)
        rows.append(
            segmentation_row(
                photo,
                None if restorer is None else restored_before(restorer.key, photo),
                read_prediction(predictions.prediction(sample.id)),
                read_truth(dataset, sample),
                space,
            )
        )
    write_image(out / PANEL, draw_grid(rows, space, "Rendered scenes, SCR-mini and RASS-mini"))
    return out / PANEL
