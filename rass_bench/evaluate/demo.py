"""The demonstration: one baseline on clean, degraded and restored scenes."""

from __future__ import annotations

import os
from pathlib import Path

from rass_bench.data.dataset import open_dataset
from rass_bench.degrade.dataset import degrade_dataset
from rass_bench.evaluate.resolve import RunRequest
from rass_bench.evaluate.run import Progress, run
from rass_bench.record import RunRecord

BASELINE = "segformer-mini-scenes"
CLASSICAL_RESTORER = "nlm"


def run_demo(out: Path, progress: Progress) -> list[tuple[str, RunRecord]]:
    """Degrade scenes val and measure the baseline three ways.

    Args:
        out: folder for the degraded set and the runs; an earlier demonstration in it is reused.
        progress: draws progress bars.

    Returns:
        What to call each run, and its record: clean photos (the upper bound), the direct test, and
        the classical restorer followed by the same network.
    """
    degraded = out / "scenes-degraded"
    runs = {
        "clean photos (upper bound)": RunRequest(model=BASELINE),
        "degraded, direct test": RunRequest(model=BASELINE, dataset=str(degraded)),
        "degraded, restored first": RunRequest(
            model=BASELINE,
            dataset=str(degraded),
            protocol="r2s",
            restorer=CLASSICAL_RESTORER,
        ),
    }
    clean = open_dataset("scenes")
    with progress("degrade", len(clean.samples)) as advance:
        degrade_dataset(
            clean,
            "rass",
            0,
            degraded,
            workers=os.cpu_count() or 1,
            resume=True,
            advance=advance,
        )
    rows = []
    for number, (label, request) in enumerate(runs.items(), start=1):
        folder = out / f"run-{number}-{request.protocol}"
        record, _ = run(request, folder, resume=True, arguments_given={}, progress=progress)
        rows.append((label, record))
    return rows
