"""The card of weights that several stages made."""

from rass_bench.files import sha256_bytes
from rass_bench.train.record import card


def record_of(stage, **changes):
    told = {
        "stage": stage,
        "dataset": "scenes@1.0",
        "split": "train",
        "photos": 1500,
        "degradation": None,
        "crop": 128,
        "steps": 1200,
        "seed": 3,
        "batch": 8,
        "facts": {"tagger": "fixed:sky, tree"},
        "trainable": 1_234_567,
        "seconds": 90.0,
        "made": "2026-11-20",
        "environment": {
            "device": "cpu (a processor, 2 cores)",
            "threads": 1,
            "git_commit": "abcdef",
            "git_dirty": False,
            "packages": {"torch": "2.15", "numpy": "2.4", "peft": "0.21"},
        },
    }
    return {**told, **changes}


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


def test_a_checkout_with_changes_is_told(tmp_path):
    path = tmp_path / "w.safetensors"
    path.write_bytes(b"")
    environment = {**record_of("rass")["environment"], "git_dirty": True}
    assert "abcdef with changes" in card([record_of("rass", environment=environment)], path, "x")
    environment["git_commit"] = None
    assert "commit unknown" in card([record_of("rass", environment=environment)], path, "x")
