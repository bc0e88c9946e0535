"""Records: null for what is missing, old ones load for ever, newer ones are refused kindly."""

import json

import pytest

from rass_bench.errors import UserError
from rass_bench.record import load_record

# A record as schema version 1 was first written. It is never edited: when the schema changes,
# another one is added below it and this one must still load.
SCHEMA_1 = {
    "schema_version": 1,
    "status": "partial",
    "partial_because": ["the data root holds 9 of 2000 images"],
    "started": "2026-11-22T20:00:00+00:00",
    "finished": "2026-11-22T20:01:00+00:00",
    "protocol": "r2s",
    "arguments_given": {"model": "onnx:net.onnx"},
    "arguments_resolved": {"model": "onnx:net.onnx", "seed": 0},
    "dataset": {
        "name": "ade20k",
        "version": "1.0",
        "split": "validation",
        "defined_images": 2000,
        "found_images": 9,
        "manifest_sha256": "ab" * 32,
        "label_space": "ade20k-150",
        "licence": "non-commercial",
    },
    "model": {
        "name": "net",
        "revision": "1",
        "title": "a network",
        "licence": "Apache-2.0",
        "size_rule": {"short_side": 512, "multiple_of": 32},
        "scale": 1,
        "weights_url": None,
        "weights_sha256": "cd" * 32,
        "paper": None,
        "parameters": 1000,
        "trainable_parameters": None,
    },
    "restorer": None,
    "metrics": {
        "miou/gt-present": {
            "value": 0.39,
            "n": 9,
            "ci95": [0.27, 0.56],
            "version": "1",
            "higher_is_better": True,
            "provenance": {},
        },
        "macc": {
            "value": None,
            "n": 9,
            "ci95": None,
            "version": "1",
            "higher_is_better": True,
            "provenance": {},
        },
    },
    "per_class": {"iou": [0.5, None]},
    "scored": 9,
    "not_scored": [{"id": "a", "reason": "label missing"}],
    "timing": {"wall_seconds": 60.0, "fps": None, "timed_images": 0},
    "environment": {
        "rass_bench": "0.1.0",
        "python": "3.11.7",
        "platform": "Linux x86_64",
        "packages": {"numpy": "2.4.6"},
        "device": "cpu",
        "threads": 1,
        "git_commit": None,
        "git_dirty": None,
    },
    "files": {"predictions.json": "ef" * 32},
}


def write(folder, **changes):
    (folder / "record.json").write_text(json.dumps({**SCHEMA_1, **changes}))
    return folder


def test_a_record_of_schema_1_loads_and_is_written_back_unchanged(tmp_path):
    record = load_record(write(tmp_path))
    assert record.metrics["miou/gt-present"].ci95 == (0.27, 0.56)
    assert record.metrics["macc"].value is None
    assert record.not_scored[0].id == "a"
    record.save(tmp_path)
    assert json.loads((tmp_path / "record.json").read_text()) == SCHEMA_1


METRIC_OF_SCHEMA_1 = next(iter(SCHEMA_1["metrics"].values()))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"schema_version": 2}, "newer than this program.*Update rass-bench"),
        ({"schema_version": None}, "states no schema version"),
        ({"schema_version": "1"}, "states no schema version"),
        ({"dataset": {"name": "x"}}, "malformed record"),
        ({"metrics": []}, "malformed record"),
        ({"surprise": 1}, "malformed record.*surprise"),
        ({"scored": "two"}, "malformed record: scored is 'two', not int"),
        ({"arguments_resolved": None}, "malformed record: arguments_resolved is None"),
        ({"metrics": {"macc": None}}, r"malformed record: metrics\['macc'\] is None"),
        ({"timing": {**SCHEMA_1["timing"], "fps": "fast"}}, "malformed record: fps is 'fast'"),
        ({"dataset": {**SCHEMA_1["dataset"], "split": 5}}, "malformed record: split is 5"),
        ({"timing": {**SCHEMA_1["timing"], "fps": 0}}, "malformed record: fps 0.* is outside"),
        ({"timing": {**SCHEMA_1["timing"], "wall_seconds": -1}}, "wall_seconds -1.* is outside"),
        ({"model": {**SCHEMA_1["model"], "parameters": -7}}, "parameters -7 is outside"),
        (
            {"metrics": {"macc": {**METRIC_OF_SCHEMA_1, "value": 1e300}}},
            r"a metric's value 1e\+300 is outside",
        ),
    ],
)
def test_a_record_that_cannot_be_read_says_why(tmp_path, changes, words):
    with pytest.raises(UserError, match=words):
        load_record(write(tmp_path, **changes))


def test_a_folder_without_a_record_says_how_to_get_one(tmp_path):
    with pytest.raises(UserError, match=r"never finished.*--resume"):
        load_record(tmp_path)
