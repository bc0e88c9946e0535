"""`rass-bench train` from the command line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rass_bench.cli.main import main
from rass_bench.models.rass.weights import load_weights
from rass_bench.train.metrics_log import read_metrics
from tests.builders import labelled_set


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return labelled_set(tmp_path_factory.mktemp("data"), count=2, size=(48, 64))


@pytest.fixture
def call(monkeypatch, capsys, tmp_path):
    """Call the command line as a shell would; return its exit code, output and errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["rass-bench", "train", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            main()
        written = capsys.readouterr()
        return stop.value.code or 0, written.out, written.err

    return call


def test_help_is_light():
    script = (
        "import sys; sys.argv = ['rass-bench', 'train', '--help']\n"
        "from rass_bench.cli.main import main\n"
        "try:\n    main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'transformers', 'diffusers', 'accelerate', 'cv2'} & set(sys.modules)\n"
        "print('heavy', sorted(heavy))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).resolve().parents[2],
        env={**os.environ, "COLUMNS": "200"},
    )
    assert "heavy []" in done.stdout
    assert "--gradient-checkpointing" in done.stdout
    assert "rass-bench train mini --out" in done.stdout


def test_a_stage_is_trained_resumed_and_written(call, data, tmp_path):
    arguments = ("vae", "--dataset", data, "--split", "test", "--out", tmp_path / "vae")
    arguments += ("--steps", 2, "--batch", 1, "--crop", 32, "--workers", 0)
    code, out, error = call(*arguments)
    assert code == 0, error
    assert out == f"Written: {tmp_path / 'vae/weights.safetensors'}\n"
    assert load_weights(tmp_path / "vae/weights.safetensors").config.size == "mini"
    assert len(read_metrics(tmp_path / "vae/metrics.csv")) == 2
    assert (tmp_path / "vae/pictures/000002.png").is_file()
    before = (tmp_path / "vae/weights.safetensors").read_bytes()

    code, _, error = call(*arguments)
    assert code == 2 and "--resume" in error and "Traceback" not in error
    assert call(*arguments, "--resume")[0] == 0
    assert (tmp_path / "vae/weights.safetensors").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("scr",), "scr needs weights"),
        (("vae", "--tagger", "ram"), "vae takes no --tagger"),
        (("vae", "--crop", 100), "multiple of 32"),
        (("rass", "--weights", "nowhere.safetensors"), "nowhere.safetensors"),
        (("mini", "--size", "sd21"), "--size"),
        (("vae", "--steps", 0), "--steps"),
        (("vae", "--batch", 0), "--batch"),
        (("vae", "--crop", 8), "--crop"),
        (("vae", "--precision", "fp8"), "--precision"),
        (("everything",), "everything"),
    ],
)
def test_mistakes_are_told_in_one_paragraph(call, data, tmp_path, arguments, words):
    code, _, error = call(
        *arguments, "--dataset", data, "--split", "test", "--out", tmp_path / "out"
    )
    assert code == 2
    assert words in error and "Traceback" not in error
    assert not (tmp_path / "out").exists()
