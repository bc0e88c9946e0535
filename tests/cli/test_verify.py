"""`verify` and `bundle` as a reviewer meets them: table, verdict.json, exit codes."""

import json
import subprocess
import sys
from contextlib import nullcontext

import pytest

from rass_bench.evaluate.resolve import RunRequest
from rass_bench.evaluate.run import run
from rass_bench.verify.verdict import load_verdict
from tests.builders import labelled_set, model_file
from tests.cli.command import in_a_process, rass_bench


@pytest.fixture
def finished(tmp_path):
    """A finished run on the tiny set, and how its model is named."""
    data, model = labelled_set(tmp_path / "data"), f"{model_file(tmp_path)}:Oracle"
    run(
        RunRequest(model=model, dataset=str(data)),
        tmp_path / "run",
        resume=False,
        arguments_given={},
        progress=lambda what, total: nullcontext(lambda: None),
    )
    return tmp_path / "run", model


def test_a_run_that_holds_exits_with_zero_and_leaves_a_verdict(finished):
    folder, _ = finished
    done = rass_bench("verify", folder)
    assert done.returncode == 0
    assert "holds at the level integrity" in done.stdout
    assert "dt: red-reader@1+" in done.stdout
    for part in ("code:", "data: –", "weights: –", "environment: the same"):
        assert part in done.stdout
    assert load_verdict(folder / "verdict.json").holds


def test_a_run_that_does_not_hold_exits_with_one_and_names_the_image(finished):
    folder, _ = finished
    (folder / "predictions/p2.png").unlink()
    done = rass_bench("verify", folder)
    assert done.returncode == 1
    assert "p2: missing" in done.stdout and "DOES NOT HOLD" in done.stdout
    assert not load_verdict(folder / "verdict.json").holds


def test_a_hostile_record_exits_with_two_and_one_paragraph(finished):
    folder, _ = finished
    record = json.loads((folder / "record.json").read_text())
    record["files"]["../../etc/passwd"] = "0" * 64
    (folder / "record.json").write_text(json.dumps(record))
    done = in_a_process("verify", folder)
    assert done.returncode == 2
    assert done.stderr.startswith("Error: the path '../../etc/passwd' leads out of the folder")
    assert "Traceback" not in done.stderr
    assert not (folder / "verdict.json").exists()


def test_a_bundle_is_checked_at_every_level(finished, tmp_path):
    folder, model = finished
    done = rass_bench("bundle", folder, tmp_path / "run.zip")
    assert done.returncode == 0 and "13 files" in done.stdout
    for level in ("integrity", "rescore", "sample", "full"):
        done = rass_bench("verify", tmp_path / "run.zip", "--level", level, "--model", model)
        assert done.returncode == 0, done.stdout
        assert load_verdict(tmp_path / "run.verdict.json").level == level


def test_the_images_that_were_drawn_are_told(finished, tmp_path):
    folder, model = finished
    sample = ("verify", folder, "--level", "sample", "--samples", 2, "--model", model)
    done = rass_bench(*sample, "--seed", 11, "--out", tmp_path / "verdict.json")
    verdict = load_verdict(tmp_path / "verdict.json")
    assert f"drawn with seed 11: {', '.join(verdict.samples)}" in done.stdout
    assert not (folder / "verdict.json").exists()


def test_a_seed_that_nobody_gave_is_new_each_time(finished):
    folder, model = finished
    seeds = set()
    for _ in range(2):
        rass_bench("verify", folder, "--level", "sample", "--model", model)
        seeds.add(load_verdict(folder / "verdict.json").seed)
    assert len(seeds) == 2


def test_json_is_the_verdict(finished):
    folder, _ = finished
    done = rass_bench("verify", folder, "--json")
    assert json.loads(done.stdout) == json.loads((folder / "verdict.json").read_text())


def test_what_a_terminal_would_obey_is_not_printed(finished):
    folder, _ = finished
    record = json.loads((folder / "record.json").read_text())
    record["model"]["name"] = "good\x1b[2J[bold]name"
    (folder / "record.json").write_text(json.dumps(record))
    done = rass_bench("verify", folder)
    assert "\x1b" not in done.stdout
    assert r"good\x1b[2J[bold]name" in done.stdout


@pytest.mark.parametrize("command", ["verify", "bundle"])
def test_help_shows_a_worked_example_and_loads_nothing_heavy(command):
    script = (
        "import sys\n"
        "from rass_bench.cli.main import app\n"
        f"app(['{command}', '--help'], standalone_mode=False)\n"
        "print('HEAVY', {'torch', 'numpy', 'pandas', 'cv2'} & set(sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert f"rass-bench {command}" in done.stdout
    assert "HEAVY set()" in done.stdout
