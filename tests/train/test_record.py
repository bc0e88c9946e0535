"""The record of a training, and the card of weights that several stages made."""

import json
from dataclasses import asdict, replace

import pytest

from rass_bench.errors import UserError
from rass_bench.files import sha256_bytes
from rass_bench.record import Environment
from rass_bench.train.record import TrainingRecord, card, read_record

ENVIRONMENT = Environment(
    rass_bench="0.1.0",
    python="3.11",
    platform="Linux",
    packages={"torch": "2.15", "numpy": "2.4", "peft": "0.21"},
    device="cpu (a processor, 2 cores)",
    threads=1,
    git_commit="abcdef",
    git_dirty=False,
)


def record_of(stage, **changes):
    told = {
        "size": "mini",
        "dataset": "scenes@1.0",
        "split": "train",
        "photos": 1500,
        "degradation": None,
        "crop": 128,
        "steps": 1200,
        "seed": 3,
        "batch": 8,
        "precision": "no",
        "facts": {"tagger": "fixed:sky, tree"},
        "parameters": 2_345_678,
        "trainable": 1_234_567,
        "losses": {"mse": 0.25},
        "seconds": 90.0,
        "start_sha256": None,
        "weights_sha256": "0" * 64,
        "made": "2026-11-20",
        "environment": ENVIRONMENT,
    }
    return TrainingRecord(stage=stage, **{**told, **changes})


def write(folder, content):
    (folder / "training.json").write_text(json.dumps(content))


def test_a_record_is_read_as_it_was_written(tmp_path):
    record = record_of("scr", degradation="rass@1", start_sha256="1" * 64)
    write(tmp_path, asdict(record))
    assert read_record(tmp_path) == record


@pytest.mark.parametrize(
    "content", [{}, [], {"stage": "scr"}, {**asdict(record_of("scr")), "steps": "many"}, None]
)
def test_what_is_no_record_is_refused(tmp_path, content):
    write(tmp_path, content)
    with pytest.raises(UserError, match=r"no record of a training.*training\.json"):
        read_record(tmp_path)


def test_the_card_says_what_was_done(tmp_path):
    path = tmp_path / "rass-mini.safetensors"
    path.write_bytes(b"x" * 1234)
    records = [record_of("vae"), record_of("rass", degradation="rass@1", batch=4, crop=192)]
    text = card(records, path, "rass-bench train mini --seed 3 --out DIR")
    for words in (
        "license: apache-2.0",
        "| vae | 1,200 | 8 x 128 px | none | 1,234,567 | 1.5 |",
        "| rass | 1,200 | 4 x 192 px | rass@1 | 1,234,567 | 1.5 |",
        "scenes@1.0 train, 1500 photos",
        "| seed | 3 |",
        "1,234 bytes",
        sha256_bytes(b"x" * 1234),
        "`fixed:sky, tree`",
        "2026-11-20, commit abcdef, torch 2.15, peft 0.21",
        "    rass-bench train mini --seed 3 --out DIR\n",
    ):
        assert words in text, words


def test_the_precision_of_the_training_is_told(tmp_path):
    path = tmp_path / "w.safetensors"
    path.write_bytes(b"")
    assert "16-bit; trained in 32-bit" in card([record_of("rass")], path, "x")
    assert "trained in bf16" in card([record_of("rass", precision="bf16")], path, "x")


def test_a_checkout_with_changes_is_told(tmp_path):
    path = tmp_path / "w.safetensors"
    path.write_bytes(b"")
    dirty = replace(ENVIRONMENT, git_dirty=True)
    assert "abcdef with changes" in card([record_of("rass", environment=dirty)], path, "x")
    unknown = replace(dirty, git_commit=None)
    assert "commit unknown" in card([record_of("rass", environment=unknown)], path, "x")
