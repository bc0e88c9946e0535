"""The committed example run: a fresh clone checks its every number, offline and without a GPU."""

import shutil
from pathlib import Path

import pytest
from PIL import Image

from rass_bench.files import sha256_file
from rass_bench.leaderboard.table import Kind, load_table
from rass_bench.verify.verdict import Level, load_verdict
from tests.cli.command import rass_bench

BOARDS = Path(__file__).resolve().parents[1] / "leaderboards"
BOARD = BOARDS / "scenes-rass@1.0-preset1.0-seed0"
EXAMPLE = BOARD / "records/rass-mini"


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """The board's photos, made as its README says."""
    command = "degrade --dataset scenes --split val --preset rass --seed 0 --out scenes-degraded"
    assert f"rass-bench {command}\n" in (BOARDS / "README.md").read_text("utf-8")
    folder = tmp_path_factory.mktemp("place")
    made = rass_bench(*command.split(), cwd=folder)
    assert made.returncode == 0, made.stderr
    return folder / "scenes-degraded"


def test_every_table_is_what_its_records_say():
    done = rass_bench("leaderboard", "check", "--root", BOARDS)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("holds") == len([one for one in BOARDS.iterdir() if one.is_dir()])


def rescore(run, photos, verdict):
    return rass_bench(
        *("verify", run, "--level", "rescore", "--data-root", photos, "--out", verdict)
    )


def test_the_example_holds_when_its_predictions_are_scored_again(photos, tmp_path):
    done = rescore(EXAMPLE, photos, tmp_path / "verdict.json")
    assert done.returncode == 0, done.stdout + done.stderr
    verdict = load_verdict(tmp_path / "verdict.json")
    names = [check.name for check in verdict.checks if check.holds]
    assert "miou/gt-present from the predictions" in names
    assert {check.name for check in verdict.checks if check.holds is None} == {
        "plan.json",
        "journal.jsonl",  # seconds of the first run, which nothing can repeat
    }


def test_one_pixel_of_it_is_missed(photos, tmp_path):
    run = shutil.copytree(EXAMPLE, tmp_path / "run")
    path = run / "predictions/scene_0007.png"
    with Image.open(path) as image:
        labels = image.copy()
    labels.putpixel((128, 128), labels.getpixel((128, 128)) ^ 1)
    labels.save(path)
    done = rescore(run, photos, tmp_path / "verdict.json")
    assert done.returncode == 1
    assert "scene_0007: changed since the run" in done.stdout


def test_the_boards_verdict_is_of_this_very_record_and_shows_in_the_table():
    verdict = load_verdict(BOARD / "verdicts/rass-mini.json")
    assert verdict.holds and verdict.level is Level.FULL
    assert verdict.record_sha256 == sha256_file(EXAMPLE / "record.json")
    rows = load_table(BOARD).rows
    verified = {(row.record, row.verdict) for row in rows if row.kind is Kind.VERIFIED}
    assert verified == {("records/rass-mini", "full")}
