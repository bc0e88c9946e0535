"""Level integrity: what a run's own files give away, without its data."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from rass_bench.errors import UserError
from rass_bench.files import sha256_file
from tests.verify.forging import (
    change_pixel,
    edit_record,
    failures,
    numbers,
    read_record,
    rehash,
    rewrite_table,
    verdict_on,
    write_record,
)

MIOU = "miou/gt-present"


def test_an_untouched_run_holds(segmented, restored):
    for folder in (segmented, restored):
        verdict = verdict_on(folder)
        assert failures(verdict) == {}
        assert verdict.record_sha256 == sha256_file(folder / "record.json")
        assert all(check.holds for check in verdict.checks)


def test_one_changed_pixel_is_named(segmented):
    change_pixel(segmented / "predictions/scene_0002.png")
    found = failures(verdict_on(segmented))
    assert found.keys() == {"predictions", "journal.jsonl"}
    assert "scene_0002: changed since the run" in found["predictions"]


def test_two_swapped_files_are_both_named(segmented):
    one, other = (segmented / f"predictions/scene_000{index}.png" for index in (1, 3))
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)
    found = failures(verdict_on(segmented))["predictions"]
    assert "scene_0001: changed" in found and "scene_0003: changed" in found


def test_a_file_of_another_run_is_named(segmented, restored):
    shutil.copy(restored / "per_image.parquet", segmented / "per_image.parquet")
    assert "another run's" in failures(verdict_on(segmented))["SHA-256 of per_image.parquet"]


def test_a_missing_image_is_named(segmented):
    (segmented / "predictions/scene_0000.png").unlink()
    assert "scene_0000: missing" in failures(verdict_on(segmented))["predictions"]


def test_an_image_that_was_dropped_everywhere_leaves_a_gap(segmented):
    """Its file, its hash, its row, its line, with all hashes and numbers made to fit."""
    index = json.loads((segmented / "predictions.json").read_text())
    del index["files"]["scene_0003"]
    (segmented / "predictions.json").write_text(json.dumps(index))
    (segmented / "predictions/scene_0003.png").unlink()
    lines = (segmented / "journal.jsonl").read_text().splitlines()
    (segmented / "journal.jsonl").write_text("\n".join(lines[:3]) + "\n")
    rewrite_table(segmented, lambda table: table[table["id"] != "scene_0003"])
    rehash(segmented)
    edit_record(segmented, ("scored",), lambda count: count - 1)
    found = failures(verdict_on(segmented))
    assert (
        "3 images are scored or named as not scored, 4 were there"
        in (found["what the record says of itself"])
    )


@pytest.mark.parametrize("status", ["complete", "finished", ""])
def test_another_status_than_the_counts_give_is_named(segmented, status):
    edit_record(segmented, ("status",), lambda _: status)
    found = failures(verdict_on(segmented))["what the record says of itself"]
    assert f"status {status} of 4 scored, 40 defined images" in found


def test_every_number_of_a_record_is_looked_at(segmented):
    """Each is changed in turn; what no file of the run can tell is told by a higher level."""
    record = read_record(segmented)
    told_by_the_data = {("dataset", "defined_images"), ("dataset", "found_images")}
    told_by_the_model = {("model", name) for name in ("parameters", "trainable_parameters")}
    told_by_the_model |= {("model", "scale")}
    nobodys = {("timing", "wall_seconds"), ("environment", "threads")}
    nobodys |= {("arguments_resolved", "threads")}
    some_classes = {("per_class", "iou", index) for index in (1, 2, 4)}
    unseen = set()
    for place, number in numbers(record).items():
        if place[:2] == ("model", "size_rule") or (
            place[0] == "per_class" and place not in some_classes
        ):
            continue
        bump = 1 if isinstance(number, int) else 1e-6
        edit_record(segmented, place, lambda value, bump=bump: value + bump)
        try:
            if verdict_on(segmented).holds:
                unseen.add(place)
        except UserError as error:
            assert place == ("schema_version",), error
        write_record(segmented, record)
    assert unseen == told_by_the_data | told_by_the_model | nobodys


@pytest.mark.parametrize("end", [0, 1])
def test_an_edited_interval_is_named(segmented, end):
    edit_record(segmented, ("metrics", MIOU, "ci95", end), lambda value: value + 1e-4)
    found = failures(verdict_on(segmented))
    assert found.keys() == {f"{MIOU} from per_image.parquet"}
    assert "differs in: 95 % interval" in found[f"{MIOU} from per_image.parquet"]


def test_another_variant_under_a_metrics_name_is_named(segmented):
    record = read_record(segmented)
    record["metrics"][MIOU] = record["metrics"]["miou/union"]
    write_record(segmented, record)
    found = failures(verdict_on(segmented))
    assert found.keys() == {f"{MIOU} from per_image.parquet"}


@pytest.mark.parametrize("name", ["psnr/y601", "psnr/of-my-own"])
def test_a_number_under_another_variants_name_is_named(restored, name):
    record = read_record(restored)
    record["metrics"] = {
        name if key == "psnr/rgb" else key: value
        for key, value in record["metrics"].items()
        if key != "psnr/y601"
    }
    write_record(restored, record)
    found = failures(verdict_on(restored))
    assert "psnr/rgb was asked for and is not there" in found["what the record says of itself"]
    assert "not the record's metrics" in found["rows of per_image.parquet"]


def test_another_version_of_a_metric_is_named(segmented):
    edit_record(segmented, ("metrics", MIOU, "version"), lambda version: "2")
    (found,) = failures(verdict_on(segmented)).values()
    assert "differs in: version" in found and "scored by rass-bench" in found


def better(table):
    """The rarest kind of luck: pixels of the first image, right all at once."""
    counts = table["predicted_pixels"].copy()
    table["correct_pixels"] = [
        np.minimum(truth, predicted) if row == 0 else correct
        for row, (truth, predicted, correct) in enumerate(
            zip(table["truth_pixels"], counts, table["correct_pixels"], strict=True)
        )
    ]
    return table


def test_an_edited_table_is_named_by_its_hash_and_by_what_follows_from_it(segmented):
    rewrite_table(segmented, better)
    found = failures(verdict_on(segmented))
    assert found.keys() >= {"SHA-256 of per_image.parquet", f"{MIOU} from per_image.parquet"}
    assert "scene_0000: miou/gt-present is" in found["rows of per_image.parquet"]
    rehash(segmented)
    found = failures(verdict_on(segmented))
    assert "SHA-256 of per_image.parquet" not in found
    assert "differs in: value" in found[f"{MIOU} from per_image.parquet"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda table: table.iloc[[0, 0, 1, 2]], "an image has two rows"),
        (lambda table: table.iloc[:3], "holds 3 images, the record counts 4"),
        (lambda table: table.drop(columns="aacc"), "not the record's metrics: aacc"),
        (lambda table: table.assign(aacc="much"), "a column of another type"),
        (lambda table: table.assign(seconds=[[1.0]] * 4), "a column of another type"),
        (
            lambda table: table.assign(truth_pixels=[[1, 2]] * 4),
            "pixel counts are not of 150 classes",
        ),
        (
            lambda table: table.assign(correct_pixels=[[-1] * 150] * 4),
            "the pixel counts of scene_0000 contradict each other",
        ),
        (
            lambda table: table.assign(truth_pixels=[[None] * 150] * 4),
            "pixel counts are not of 150 classes",
        ),
    ],
)
def test_a_table_that_no_run_writes_is_named(segmented, change, words):
    rewrite_table(segmented, change)
    assert words in failures(verdict_on(segmented))["rows of per_image.parquet"]


def test_rows_in_another_order_are_named(segmented):
    rewrite_table(segmented, lambda table: table.iloc[::-1])
    rehash(segmented)
    assert "not in the order" in failures(verdict_on(segmented))["rows of per_image.parquet"]


def test_a_table_that_is_no_parquet_file_is_named(segmented):
    (segmented / "per_image.parquet").write_bytes(b"PAR1 but nothing else PAR1")
    found = failures(verdict_on(segmented))
    assert "no readable parquet file" in found["rows of per_image.parquet"]


def test_other_times_than_the_journals_are_named(segmented):
    rewrite_table(segmented, lambda table: table.assign(seconds=table["seconds"] / 2))
    rehash(segmented)
    assert "scene_0000: took" in failures(verdict_on(segmented))["journal.jsonl"]


def test_a_plan_of_another_run_is_named(segmented, restored):
    shutil.copy(restored / "plan.json", segmented / "plan.json")
    assert "model is 'identity@1'" in failures(verdict_on(segmented))["plan.json"]


def test_a_prediction_of_another_kind_is_named(segmented, restored):
    shutil.copy(restored / "predictions/scene_0001.png", segmented / "predictions/scene_0001.png")
    rehash(segmented)
    found = failures(verdict_on(segmented))
    assert found.keys() == {"predictions"}
    assert "scene_0001: no 8-bit grey PNG" in found["predictions"]


def test_a_leaderboards_record_holds_and_says_what_it_lacks(segmented, tmp_path):
    record = tmp_path / "record"
    record.mkdir()
    for name in ("record.json", "per_image.parquet"):
        shutil.copy(segmented / name, record / name)
    verdict = verdict_on(record)
    assert verdict.holds
    lacking = {check.name: check.note for check in verdict.checks if check.holds is None}
    assert "none in this folder" in lacking["predictions"]
    assert "times are not checked" in lacking["journal.jsonl"]
    edit_record(record, ("metrics", MIOU, "value"), lambda value: value + 1e-6)
    assert failures(verdict_on(record)).keys() == {f"{MIOU} from per_image.parquet"}


@pytest.mark.parametrize("remove", ["predictions", "predictions.json"])
def test_half_of_a_run_is_no_leaderboards_record(segmented, remove):
    path = segmented / remove
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert not verdict_on(segmented).holds


def test_integrity_needs_neither_torch_nor_the_data(segmented):
    script = (
        "import sys\n"
        "for name in ('torch', 'transformers', 'onnxruntime', 'pyiqa'):\n"
        "    sys.modules[name] = None\n"
        "from rass_bench.cli.main import main\n"
        "sys.argv = ['rass-bench', 'verify', sys.argv[1], '--data-root', '/nowhere']\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(segmented)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
