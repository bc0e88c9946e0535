"""RASS and SCR from the command line: runs, restoration, conversion, and mistakes by name.

In this process: importing diffusers takes seconds, and a process for each command would pay them.
"""

import importlib.metadata
import json
import sys

import numpy as np
import pytest
import yaml
from PIL import Image

from rass_bench.cli.main import main
from rass_bench.cli.tables import describe_run
from rass_bench.labels import load_label_space
from rass_bench.models.rass.config import RassConfig
from rass_bench.record import load_record
from tests.builders import labelled_set
from tests.models.rass.toy import TAGS, photo, write_official


@pytest.fixture(scope="module")
def official(tmp_path_factory):
    return write_official(tmp_path_factory.mktemp("official")).folder


@pytest.fixture
def weights(official):
    return f"official:{official}"


@pytest.fixture
def call(monkeypatch, capsys, tmp_path):
    """Call the command line as a shell would; return its exit code, output and errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("RASS_BENCH_CACHE", str(tmp_path / "cache"))

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["rass-bench", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            main()
        written = capsys.readouterr()
        return stop.value.code or 0, written.out, written.err

    return call


@pytest.fixture
def measure(call, tmp_path):
    """Run to a record."""

    def measure(*arguments, out="run"):
        code, _, error = call("run", *arguments, "--out", tmp_path / out)
        assert code == 0, error
        return json.loads((tmp_path / out / "record.json").read_text())

    return measure


@pytest.fixture
def refuse(call):
    """Run into a mistake: one paragraph, code 2."""

    def refuse(*arguments):
        code, out, error = call(*arguments)
        assert code == 2, out
        assert error.count("Error:") + error.count("Usage:") == 1
        assert "Traceback" not in error
        return error

    return refuse


@pytest.fixture
def data(tmp_path):
    return labelled_set(tmp_path / "data", count=2, size=(24, 32))


@pytest.fixture
def pairs(tmp_path):
    """Two crops and their references of four times the side."""
    root = tmp_path / "pairs"
    for folder, side in (("test_LR", 16), ("test_HR", 64)):
        (root / folder).mkdir(parents=True)
        for index in range(2):
            Image.fromarray(photo(side, side, index)).save(root / folder / f"c{index}.png")
    (root / "dataset.yaml").write_text(
        yaml.safe_dump(
            {
                "name": "crops",
                "version": "1.0",
                "title": "Two crops",
                "layout": "pairs",
                "scale": 4,
                "splits": {"test": 2},
                "licence": "CC0-1.0",
                "homepage": "https://example.org",
                "obtain": "Made by a test.",
            }
        )
    )
    return root


def predictions(tmp_path, out):
    return [np.asarray(Image.open(path)) for path in sorted((tmp_path / out).glob("*/*.png"))]


# Runs


def test_rass_is_measured_on_the_embedded_scenes(measure, weights, monkeypatch):
    monkeypatch.delenv("RASS_BENCH_CACHE")  # the scenes are rendered once for all tests
    record = measure("-m", "rass", "--weights", weights, "-o", "timestep=3", "--limit", 1)
    assert record["scored"] == 1
    assert record["arguments_given"]["weights"] == weights
    assert record["arguments_given"]["option"] == ["timestep=3"]
    assert record["arguments_resolved"]["options"] == ["timestep=3"]
    assert record["arguments_resolved"]["weights"] == weights
    model = record["model"]
    assert model["name"] == "rass"
    assert model["revision"].startswith("toy-")
    assert model["revision"].endswith("+timestep=3")
    assert len(model["weights_sha256"]) == 64
    assert 0 < model["trainable_parameters"] < model["parameters"]
    assert model["size_rule"]["short_side"] == 512
    assert 0 <= record["metrics"]["miou/gt-present"]["value"] < 1


def test_the_ground_truths_classes_may_be_told(measure, weights, data, tmp_path):
    """The same labels as with those names for a fixed prompt, photo by photo."""
    run = ("-m", "rass", "--weights", weights, "-d", data)
    record = measure(*run, "-o", "tagger=labels", out="told")
    assert record["model"]["revision"].endswith("+tagger=labels")
    assert describe_run(load_record(tmp_path / "told")).endswith("rass+tagger=labels")
    told = predictions(tmp_path, "told")
    names = load_label_space("ade20k-150").names
    for index in range(2):
        prompt = f"tagger=fixed:{names[20 + index]}, {names[40]}"
        measure(*run, "-o", prompt, out=f"fixed{index}")
        assert np.array_equal(told[index], predictions(tmp_path, f"fixed{index}")[index])


def test_they_may_be_told_behind_a_restorer_too(measure, weights, data, tmp_path):
    r2s = ("-m", "rass", "--weights", weights, "-d", data, "--protocol", "r2s", "--restorer")
    record = measure(*r2s, "identity", "-o", "tagger=labels", "--limit", 1, out="r2s")
    assert record["restorer"]["name"] == "identity"
    measure("-m", "rass", "--weights", weights, "-d", data, "-o", "tagger=labels", out="dt")
    assert np.array_equal(predictions(tmp_path, "r2s")[0], predictions(tmp_path, "dt")[0])


def test_scr_restores_in_front_of_another_model(measure, weights, data):
    r2s = ("-m", "segformer-mini-scenes", "-d", data, "--protocol", "r2s", "--restorer", "scr")
    chosen = ("--restorer-weights", weights, "--restorer-option", "colour_fix=none")
    record = measure(*r2s, *chosen)
    assert record["restorer"]["name"] == "scr"
    assert record["restorer"]["revision"].endswith("+colour_fix=none")
    assert record["arguments_resolved"]["restorer_options"] == ["colour_fix=none"]
    assert record["restorer"]["trainable_parameters"] is None


def test_photos_restored_with_one_seed_are_not_taken_for_anothers(measure, weights, data, tmp_path):
    r2s = ("-m", "segformer-mini-scenes", "-d", data, "--protocol", "r2s", "--restorer", "scr")
    chosen = ("--restorer-weights", weights, "--restorer-option", "latent=sample")
    restored = []
    for seed in (0, 1):
        measure(*r2s, *chosen, "--seed", seed, out=f"seed{seed}")
        restored.append(len(list((tmp_path / "cache/restored").rglob("*.png"))))
    assert restored == [2, 4]


def test_without_weights_the_shipped_mini_restores_and_segments(measure, data):
    r2s = measure("-m", "rass", "-d", data, "--protocol", "r2s", "--restorer", "scr", out="r2s")
    ft = measure("-m", "rass", "-d", data, "--protocol", "ft", out="ft")
    assert r2s["model"]["revision"] == ft["model"]["revision"]
    assert r2s["restorer"]["revision"] == ft["model"]["revision"]
    assert r2s["model"]["revision"].startswith("mini-")
    assert ft["protocol"] == "ft"
    assert ft["model"]["size_rule"]["short_side"] == 256


# Restoration


def test_scr_restores_crops_at_their_references_size(measure, weights, pairs, tmp_path):
    run = ("-m", "scr", "--weights", weights, "-d", pairs, "--protocol", "restore")
    plain = measure(*run, out="plain")
    assert plain["arguments_resolved"]["upscale"] == 4
    assert [one.shape for one in predictions(tmp_path, "plain")] == [(64, 64, 3)] * 2
    said = measure(*run, "--upscale", 4, out="said")
    assert said["metrics"] == plain["metrics"]
    assert plain["metrics"]["psnr/y601"]["n"] == 2
    assert 5 < plain["metrics"]["psnr/y601"]["value"] < 50


def test_an_upscale_that_does_not_fit_is_told(refuse, weights, pairs, data):
    restore = ("run", "-m", "scr", "--weights", weights, "--protocol", "restore")
    assert "4 times the photos" in refuse(*restore, "-d", pairs, "--upscale", 2)
    assert "--upscale" in refuse(*restore, "-d", pairs, "--upscale", 0)
    dt = ("run", "-m", "rass", "--weights", weights, "-d", data)
    assert "the photo's own size" in refuse(*dt, "--upscale", 4)


# Mistakes


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-m", "rass", "--weights", ""], "folder"),
        (["-m", "rass", "--weights", "official:nowhere"], "nowhere"),
        (["-m", "rass", "--weights", "nowhere.safetensors"], "weights file not found"),
        (["-m", "rass", "--weights", "data"], "write official:data"),
        (["-m", "rass", "--weights", "official:data"], "rass.pth: from"),
        (["-m", "rass", "--weights", "WEIGHTS", "-o", "batch=0"], "batch is 0"),
        (["-m", "rass", "--weights", "WEIGHTS", "-o", "[bold]=0"], "no option '[bold]'"),
        (["-m", "rass", "--weights", "WEIGHTS", "-o", "latent=mode", "-o", "latent=mode"], "twice"),
        (["-m", "rass", "--weights", "WEIGHTS", "--device", "cuda:99"], "no such device"),
        (["-m", "scr", "--weights", "WEIGHTS"], "a segmenter is needed here"),
        (["-m", "segformer-mini-scenes", "--weights", "WEIGHTS"], "cannot be chosen apart"),
        (["-m", "segformer-mini-scenes", "-o", "batch=2"], "has no options"),
        (["-m", "rass", "--weights", "WEIGHTS", "--restorer-weights", "x"], "no restorer"),
        (["-m", "rass", "--weights", "WEIGHTS", "--restorer-option", "x=1"], "no restorer"),
        (
            [
                *("-m", "rass", "--weights", "WEIGHTS", "--protocol", "r2s"),
                *("--restorer", "nlm", "--restorer-weights", "x"),
            ],
            "cannot be chosen apart",
        ),
        (["-m", "scr", "--protocol", "restore", "--weights", "WEIGHTS"], "no-reference metrics"),
    ],
)
def test_a_mistake_is_one_paragraph(refuse, weights, data, arguments, words):
    given = [weights if one == "WEIGHTS" else one for one in arguments]
    assert words in refuse("run", *given, "-d", data)


# Conversion


def test_official_files_are_converted_and_run_as_they_did(call, measure, weights, data, tmp_path):
    folder = weights.removeprefix("official:")
    code, out, _ = call("weights", "convert", folder, "out/rass.safetensors")
    assert code == 0
    assert "out/rass.safetensors" in out
    assert "rass.json" in out
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "rass.json",
        "rass.safetensors",
    ]
    run = ("-m", "rass", "-d", data, "--limit", 1, "--weights")
    own = measure(*run, "out/rass.safetensors", out="own")
    theirs = measure(*run, weights, out="theirs")
    assert own["metrics"] == theirs["metrics"]
    assert np.array_equal(predictions(tmp_path, "own"), predictions(tmp_path, "theirs"))


def test_nothing_is_written_over_unless_forced(call, refuse, official, tmp_path):
    convert = ("weights", "convert", official, "rass.safetensors", "--only", "rass")
    (tmp_path / "rass.json").write_text("{}")
    assert "rass.json" in refuse(*convert)
    assert (tmp_path / "rass.json").read_text() == "{}"
    assert call(*convert, "--force")[0] == 0
    assert json.loads((tmp_path / "rass.json").read_text())["tags"]["names"] == list(TAGS)
    assert "--force" in refuse(*convert)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["rass.pth"], "Name a .safetensors file"),
        (["rass.safetensors", "--only", "ras"], "Did you mean rass"),
        (["rass.safetensors", "--only", ""], "unknown model ''"),
        (["no.txt/rass.safetensors"], "no.txt"),
    ],
)
def test_a_conversion_that_cannot_be_is_told(refuse, official, tmp_path, arguments, words):
    (tmp_path / "no.txt").write_text("a file, no folder")
    assert words in refuse("weights", "convert", official, *arguments)
    assert [path.name for path in tmp_path.iterdir()] == ["no.txt"]


def test_a_folder_that_lacks_files_is_told_each(refuse, tmp_path):
    (tmp_path / "empty").mkdir()
    error = refuse("weights", "convert", "empty", "rass.safetensors")
    for name in ("rass.pth", "scr.pkl", "stable-diffusion-2-1-base", "ram_tag_list.txt"):
        assert f"{name}: from" in error


# Lists


def test_details_tell_the_papers_sizes_weights_and_options(call):
    code, out, _ = call("list", "models", "--detail")
    assert code == 0
    assert "sd21: 1788.7806 M parameters" in out
    assert "27.9051 M trainable" in out
    assert f"{RassConfig.mini().size}: " in out
    assert "--weights: official:DIR" in out
    assert "--option latent=mode|sample" in out
    assert "--option clean_latent=scheduler|residual" in out
    assert "--option compile=true|false, by default false" in out


def test_details_are_told_without_what_the_models_need(call, monkeypatch):
    version = importlib.metadata.version

    def without_torch(name):
        if name == "torch":
            raise importlib.metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(importlib.metadata, "version", without_torch)
    code, out, _ = call("list", "models", "--detail")
    assert code == 0
    assert "the package torch is not installed" in out
    assert "--option clean_latent=scheduler|residual" in out
