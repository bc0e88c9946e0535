"""Full size: RASS's seconds against the official steps, SCR's memory: `pytest -m slow -s`."""

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

OFFICIAL_SECONDS = 14.8
"""The official code, 512 x 512, float32, two threads of a Xeon."""


def run_script(name: str, *arguments: str) -> dict:
    """What a script beside this file prints last."""
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name(name), *arguments],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    return json.loads(done.stdout.splitlines()[-1])


def stages(how: str) -> tuple[dict[str, float], float]:
    """Median seconds of each stage, and the process's peak memory in GB."""
    measured = run_script("speed.py", how, "2", "3")
    runs = measured["runs"]
    medians = {stage: statistics.median(run[stage] for run in runs) for stage in runs[0]}
    return medians, measured["peak_bytes"] / 1e9


@pytest.mark.slow
def test_a_photo_takes_at_most_three_quarters_of_the_official_time():
    (ours, memory), (official, official_memory) = stages("ours"), stages("official")
    print(f"\n{'stage':15} {'ours':>6} {'official':>9} s")
    for stage, seconds in ours.items():
        print(f"{stage:15} {seconds:6.2f} {official[stage]:9.2f}")
    total, official_total = sum(ours.values()), sum(official.values())
    print(f"{'sum':15} {total:6.2f} {official_total:9.2f}  ratio {total / official_total:.2f}")
    print(f"{'peak memory':15} {memory:6.2f} {official_memory:9.2f} GB")
    print(f"against {OFFICIAL_SECONDS} s of the official code: {total / OFFICIAL_SECONDS:.2f}")
    assert total <= 0.75 * official_total


@pytest.mark.slow
def test_scr_restores_2048_pixels_within_24_gb():
    measured = run_script("memory.py", "2048")
    print(f"\n{measured['seconds']:.0f} s, peak {measured['peak_bytes'] / 1e9:.1f} GB")
    assert measured["shape"] == [2048, 2048, 3]
    assert measured["peak_bytes"] <= 24e9
