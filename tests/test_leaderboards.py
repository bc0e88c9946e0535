"""The committed records are whole and follow from their images, the tables from the records.

The README shows their numbers.
"""

import json
import re
from pathlib import Path, PurePath

import numpy as np
import pandas as pd
import pytest

from rass_bench.evaluate.paired import paired_difference
from rass_bench.files import sha256_file
from rass_bench.leaderboard.board import find_boards, split_name
from rass_bench.leaderboard.table import load_table
from rass_bench.leaderboard.write import check_board
from rass_bench.models.shipped import BASELINE, FINE_TUNED, reference_weights, shipped_folder
from rass_bench.record import load_record

ROOT = Path(__file__).resolve().parents[1]
BOARDS = find_boards(ROOT / "leaderboards")
RUNS = sorted(path.parent for path in (ROOT / "leaderboards").glob("*/records/*/record.json"))
SCENES, CAMVID = "scenes-rass@1.0-preset1.0-seed0", "camvid-rass@1.0-preset1.0-seed0"
MIOU, PSNR = "miou/gt-present", "psnr/rgb"

ROW = re.compile(r"^\|.*\]\((leaderboards/[^)]+)\).*\|$", re.MULTILINE)
SHOWN = {
    match[1]: [cell.strip() for cell in match[0].strip("|").split("|")]
    for match in ROW.finditer((ROOT / "README.md").read_text("utf-8"))
}
"""By the record that a row of the README links to: its cells."""


def named(run):
    return f"{run.parents[1].name}/{run.name}"


def test_there_are_records():
    assert {run.parents[1].name for run in RUNS} == {SCENES, CAMVID}


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_a_table_is_byte_for_byte_what_its_records_and_reported_numbers_say(board):
    assert check_board(board) == ()


@pytest.mark.parametrize("run", RUNS, ids=named)
def test_every_number_of_a_record_stands_in_its_boards_table(run):
    found = {
        row.key.metric: (row.value, row.ci95, row.images)
        for row in load_table(run.parents[1]).rows
        if row.record == f"records/{run.name}"
    }
    metrics = load_record(run).metrics
    assert found == {name: (one.value, one.ci95, one.n) for name, one in metrics.items()}


def test_only_the_photos_before_degradation_stand_apart_on_the_demonstrations_board():
    rows = load_table(ROOT / "leaderboards" / SCENES).rows
    apart = {row.record for row in rows if row.rank is None}
    assert apart == {"records/clean"}


@pytest.mark.parametrize("run", RUNS, ids=named)
def test_a_record_is_whole_and_of_its_folders_data_set(run):
    record = load_record(run)
    assert record.status == "complete" and not record.not_scored
    if record.dataset.name not in ("scenes", "camvid"):  # upper bounds, on clean photos
        assert split_name(run.parents[1])[0] == f"{record.dataset.name}@{record.dataset.version}"
    assert record.scored == record.dataset.defined_images
    assert not record.environment.git_dirty and record.environment.git_commit


@pytest.mark.parametrize("run", RUNS, ids=named)
def test_a_record_tells_no_place_of_the_machine_it_was_made_on(run):
    def texts(value):
        if isinstance(value, dict):
            return [text for one in value.values() for text in texts(one)]
        if isinstance(value, list):
            return [text for one in value for text in texts(one)]
        return [value] if isinstance(value, str) else []

    for text in texts(json.loads((run / "record.json").read_text("utf-8"))):
        assert not PurePath(text).is_absolute(), text


@pytest.mark.parametrize("run", RUNS, ids=named)
def test_a_records_numbers_follow_from_its_images(run):
    record = load_record(run)
    table = pd.read_parquet(run / "per_image.parquet")
    assert sha256_file(run / "per_image.parquet") == record.files["per_image.parquet"]
    assert len(table) == record.scored
    if record.protocol == "restore":
        assert record.metrics[PSNR].value == pytest.approx(table[PSNR].mean(), rel=1e-12)
        return
    truth, predicted, correct = (
        np.stack(table[f"{name}_pixels"]).sum(axis=0) for name in ("truth", "predicted", "correct")
    )
    present = truth > 0
    iou = (correct / np.maximum(truth + predicted - correct, 1))[present]
    assert record.metrics[MIOU].value == pytest.approx(iou.mean(), rel=1e-12)


def test_the_records_of_shipped_weights_are_of_the_shipped_files():
    found = {run.name: load_record(run) for run in RUNS if run.parents[1].name == SCENES}
    reference = sha256_file(reference_weights())
    assert found["rass-mini"].model.weights_sha256 == reference
    assert found["r2s-scr-mini"].restorer.weights_sha256 == reference
    for name, folder in (("dt", BASELINE), ("ft", FINE_TUNED)):
        assert found[name].model.weights_sha256 == sha256_file(
            shipped_folder(folder) / "model.safetensors"
        )


def test_the_readme_shows_every_record():
    assert SHOWN.keys() == {str(run.relative_to(ROOT)) for run in RUNS}


@pytest.mark.parametrize("link", SHOWN)
def test_a_row_of_the_readme_shows_the_records_numbers(link):
    run = ROOT / link
    record = load_record(run)
    cells = " | ".join(SHOWN[link])
    name, unit, digits = (PSNR, 1, 2) if record.protocol == "restore" else (MIOU, 100, 1)
    metric = record.metrics[name]
    low, high = (f"{end * unit:.{digits}f}" for end in metric.ci95)
    assert f"| {metric.value * unit:.2f}" in cells and f"{low}–{high}" in cells
    reference = run.with_name("rass-mini")
    if record.protocol != "restore" and run != reference:
        difference = paired_difference(run, reference, MIOU)
        low, high = (f"{end * 100:+.1f}" for end in difference.ci95)
        assert f"{difference.value * 100:+.2f} ({low} to {high})" in cells


def test_the_guide_leads_to_every_board():
    guide = (ROOT / "leaderboards/README.md").read_text()
    linked = set(re.findall(r"\]\(([^)]+)/table\.md\)", guide))
    assert linked == {board.name for board in (ROOT / "leaderboards").iterdir() if board.is_dir()}
