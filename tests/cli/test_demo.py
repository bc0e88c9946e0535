"""The demonstration: what a newcomer sees first must work, offline, and make sense."""

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from rass_bench.cli import run as run_module
from rass_bench.cli.main import main
from rass_bench.evaluate.demo import draw_panel
from rass_bench.evaluate.paired import paired_difference

ROWS = ["clean", "direct", "restored", "fine-tuned", "rass"]
METRIC = "miou/gt-present"
OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "https_proxy": "http://127.0.0.1:9",  # whoever goes online fails here
    "http_proxy": "http://127.0.0.1:9",
}


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """The folder and the output of `run --model rass`."""
    folder = tmp_path_factory.mktemp("demo")
    done = subprocess.run(
        [sys.executable, "-m", "rass_bench.cli.main", "run", "--model", "rass", "--out", "demo"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={
            **os.environ,
            **OFFLINE,
            "COLUMNS": "80",
            "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
        },
    )
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    return folder / "demo", done.stdout


@pytest.fixture(scope="module")
def records(shown):
    return {name: json.loads((shown[0] / name / "record.json").read_text()) for name in ROWS}


def test_five_measurements_under_their_protocols(records):
    """The upper bound, the baseline as it is, restored and fine-tuned, and RASS."""
    baseline, tuned = "segformer-mini-scenes", "segformer-mini-scenes-ft"
    found = [
        (record["protocol"], record["model"]["name"], (record["restorer"] or {}).get("name"))
        for record in records.values()
    ]
    assert found == [
        ("dt", baseline, None),
        ("dt", baseline, None),
        ("r2s", baseline, "scr"),
        ("ft", tuned, None),
        ("ft", "rass", None),
    ]
    assert records["rass"]["model"]["revision"].startswith("mini-")
    assert records["restored"]["restorer"]["revision"].startswith("mini-")


def test_they_are_of_the_same_40_images(shown, records):
    assert {record["scored"] for record in records.values()} == {40}
    degraded = {records[name]["dataset"]["manifest_sha256"] for name in ROWS[1:]}
    assert len(degraded) == 1
    assert records["clean"]["dataset"]["name"] == "scenes"
    tables = [pd.read_parquet(shown[0] / name / "per_image.parquet") for name in ROWS]
    for table in tables[1:]:
        assert table["id"].equals(tables[0]["id"])
        assert np.array_equal(np.stack(table["truth_pixels"]), np.stack(tables[0]["truth_pixels"]))


def table_lines(output):
    """The table's lines by their first words."""
    starts = ["clean photos", "SegFormer ", "SCR-mini", "SegFormer,", "RASS-mini"]
    lines = [line.strip() for line in output.splitlines()]
    return [next(line for line in lines if line.startswith(start)) for start in starts]


def test_the_table_holds_the_records_numbers(shown, records):
    for line, record in zip(table_lines(shown[1]), records.values(), strict=True):
        assert record["protocol"] in line.split()
        for metric in (METRIC, "miou/union", "aacc"):
            value = record["metrics"][metric]["value"]
            assert f"{100 * value:.2f}" in line.split()


def test_it_tells_how_far_each_row_is_behind_rass(shown, records):
    folder, output = shown
    rass = records["rass"]["metrics"][METRIC]["value"]
    for line, name in zip(table_lines(output)[:-1], ROWS[:-1], strict=True):
        difference = rass - records[name]["metrics"][METRIC]["value"]
        assert f"{100 * difference:+.2f}" in line.split()
        low, high = paired_difference(folder / name, folder / "rass", METRIC).ci95
        assert low <= difference <= high
        assert f"{100 * low:+.1f} to {100 * high:+.1f}" in output


def test_degradation_costs_and_restoring_fine_tuning_and_rass_bring_back_more_and_more(
    shown, records
):
    """What the paper says, on the same images: each step is more than chance."""
    order = ["direct", "restored", "fine-tuned", "rass"]
    values = [records[name]["metrics"][METRIC]["value"] for name in (*order, "clean")]
    assert values == sorted(values)
    for worse, better in itertools.pairwise(order):
        low, _ = paired_difference(shown[0] / worse, shown[0] / better, METRIC).ci95
        assert low > 0, f"{better} against {worse}"


def test_it_says_that_it_is_a_demonstration(shown):
    assert shown[1].startswith("Rendered scenes: a demonstration, not a measure of real photos.")


def holds(sheet, photo):
    """Whether a picture stands in another one, pixel by pixel."""
    height, width = photo.shape[:2]
    places = np.argwhere((sheet[: 1 - height, : 1 - width] == photo[0, 0]).all(axis=2))
    return any(
        np.array_equal(sheet[top : top + height, left : left + width], photo)
        for top, left in places
    )


def test_the_panel_shows_photos_as_they_were_measured(shown, monkeypatch, tmp_path):
    folder, output = shown
    assert "demo/panel.png" in output
    sheet = np.asarray(Image.open(folder / "panel.png"))
    photo = np.asarray(
        Image.open(sorted((folder / "scenes-degraded/images/val").iterdir())[0]).convert("RGB")
    )
    assert holds(sheet, photo)
    # Without the cache of restored photos, a column is left out.
    monkeypatch.setenv("RASS_BENCH_CACHE", str(tmp_path))
    narrow = np.asarray(Image.open(draw_panel(folder)))
    assert narrow.shape[1] < sheet.shape[1] - photo.shape[1]
    assert holds(narrow, photo)


@pytest.mark.parametrize(
    ("arguments", "folder"),
    [
        (["run", "--model", "rass"], "runs/demo"),
        (["run", "-m", "rass", "--out", "elsewhere"], "elsewhere"),
        (["demo"], "runs/demo"),
        (["demo", "--out", "elsewhere"], "elsewhere"),
    ],
)
def test_run_with_rass_alone_is_the_demonstration(monkeypatch, arguments, folder):
    shown = []
    monkeypatch.setattr(run_module, "show_demo", shown.append)
    monkeypatch.setattr("rass_bench.cli.demo.show_demo", shown.append)
    monkeypatch.setattr(sys, "argv", ["rass-bench", *arguments])
    with pytest.raises(SystemExit):
        main()
    assert shown == [Path(folder)]


@pytest.mark.parametrize("arguments", [["-m", "nlm"], ["-m", "rass", "-d", "nowhere"]])
def test_run_with_anything_else_is_a_run(monkeypatch, arguments):
    monkeypatch.setattr(run_module, "show_demo", lambda out: pytest.fail("shown"))
    monkeypatch.setattr(sys, "argv", ["rass-bench", "run", *arguments])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2
