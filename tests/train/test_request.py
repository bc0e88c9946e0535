"""What a user may ask of `train`: defaults by stage, and mistakes told by name."""

import contextlib
import dataclasses
import math

import pytest
import torch

from rass_bench.errors import UserError
from rass_bench.train import request as module
from rass_bench.train.distillation import Distillation
from rass_bench.train.loop import Precision
from rass_bench.train.perceptual import Perceptual
from rass_bench.train.recipes import MINI, SD21
from rass_bench.train.request import TrainRequest, carry_out, scr_settings
from rass_bench.train.scl import Mode
from tests.train.tiny import NOTHING, photos_in


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return photos_in(tmp_path_factory.mktemp("photos"))


@pytest.fixture
def ask(photos, tmp_path):
    """A request with the command line's defaults."""

    def ask(stage, **changes):
        told = {
            "size": "mini",
            "photos": photos,
            "out": tmp_path / "out",
            "seed": 0,
            "resume": False,
            "precision": "fp32",
            "gradient_checkpointing": False,
            "device": "cpu",
            "threads": 1,
            "workers": 0,
            "checkpoint_every": 200,
            "pictures_every": 200,
        }
        return TrainRequest(**{"stage": stage, **told, **NOTHING, **changes})

    return ask


def no_bar(title, steps):
    raise AssertionError(f"{title} was begun")


def refuse(request, *words):
    with pytest.raises(UserError) as refused:
        carry_out(request, no_bar)
    for word in words:
        assert word in str(refused.value)
    assert not request.out.exists()


# Options out of place


VALUES = {
    "weights": "w.safetensors",
    "model": "transformers:x",
    "degrade": "rass",
    "batch": 2,
    "crop": 64,
    "learning_rate": 1e-3,
    "short_side": 64,
    "distillation": "csd",
    "perceptual": "off",
    "scl": "bce",
    "tagger": "labels",
}
TAKES = {
    "vae": {"batch", "crop"},
    "unet": {"batch", "crop", "weights"},
    "scr": {"batch", "crop", "weights", "degrade", "distillation", "perceptual", "scl"},
    "rass": {"batch", "crop", "weights", "degrade", "tagger"},
    "segmenter": {"batch", "crop", "model", "degrade", "learning_rate", "short_side"},
    "mini": set(),
}


@pytest.mark.parametrize(
    ("stage", "option"),
    [(stage, option) for stage in TAKES for option in VALUES if option not in TAKES[stage]],
)
def test_an_option_that_a_stage_would_ignore_is_refused(ask, stage, option):
    needed = {"weights": "w.safetensors"} if "weights" in TAKES[stage] else {}
    flag = "--" + option.replace("_", "-")
    refuse(ask(stage, **{**needed, option: VALUES[option]}), f"{stage} takes no {flag}")


@pytest.mark.parametrize("stage", ["unet", "scr", "rass"])
def test_weights_to_begin_with_are_asked_for(ask, stage):
    refuse(ask(stage), f"{stage} needs weights", "--weights", "official:DIR")


@pytest.mark.parametrize("stage", ["vae", "unet"])
def test_full_size_has_a_prior(ask, stage):
    weights = None if stage == "vae" else "w.safetensors"
    refuse(ask(stage, size="sd21", weights=weights), f"no {stage} to train", "official:DIR")


def test_train_mini_is_of_mini_size(ask):
    refuse(ask("mini", size="sd21"), "--size")


@pytest.mark.parametrize("crop", [33, 100, 16, 4128, 10**9])
def test_crops_that_no_network_takes_are_refused(ask, crop):
    refuse(ask("vae", crop=crop), f"crops of {crop} pixels", "--crop", "multiple of 32")


@pytest.mark.parametrize("tagger", ["", "dape", "fixed"])
def test_an_unknown_tagger_is_refused(ask, tagger):
    refuse(ask("rass", weights="w.safetensors", tagger=tagger), "--tagger", "fixed:WORDS")


@pytest.mark.parametrize("device", ["tpu", "cuda:1", ""])
def test_an_unknown_device_is_refused(ask, device):
    refuse(ask("vae", device=device), "--device", "cpu or cuda")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize("stage", ["vae", "mini", "segmenter"])
def test_a_gpu_that_is_not_there_is_told_at_once(ask, stage):
    refuse(ask(stage, device="cuda"), "no GPU", "--device cpu")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("steps", 0),
        ("steps", 10**30),
        ("batch", 10**23),
        ("seed", -1),
        ("seed", 2**64),
        ("threads", 10**12),
        ("workers", 1000),
        ("workers", -1),
        ("learning_rate", 0.0),
        ("learning_rate", -1.0),
        ("learning_rate", math.inf),
        ("learning_rate", math.nan),
        ("short_side", 1),
        ("short_side", 1_000_000),
    ],
)
def test_numbers_that_no_training_has_are_refused(ask, option, value):
    refuse(ask("segmenter", **{option: value}), "--" + option.replace("_", "-"))


# Where it is written


def test_a_data_sets_own_folders_are_not_written_to(ask, photos):
    for folder in ("images/test", "images/test/more", "annotations/test"):
        request = ask("vae", out=photos.root / folder)
        with pytest.raises(UserError, match="the data set's photos lie there"):
            carry_out(request, no_bar)


@pytest.mark.parametrize("out", ["notes.txt", "notes.txt/below/it"])
def test_a_file_in_the_folders_place_is_told_before_anything_is_read(ask, tmp_path, out):
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(UserError, match=r"notes\.txt is a file, not a folder"):
        carry_out(ask("vae", out=tmp_path / out), no_bar)


@pytest.mark.parametrize("resume", [False, True])
def test_what_a_training_begins_with_is_not_written_over(ask, tmp_path, resume):
    (tmp_path / "start").mkdir()
    requests = (
        ask("unet", weights=str(tmp_path / "start/w.safetensors"), out=tmp_path / "start"),
        ask("segmenter", model=f"transformers:{tmp_path / 'start'}", out=tmp_path / "x/../start"),
    )
    for request in requests:
        with pytest.raises(UserError, match="write over what it begins with"):
            carry_out(dataclasses.replace(request, resume=resume), no_bar)


def test_official_files_do_not_claim_the_working_directory(ask, monkeypatch, tmp_path):
    """``official:DIR`` is no file of the working directory, which may be written to."""
    monkeypatch.chdir(tmp_path)
    request = ask("scr", weights="official:nowhere", out=tmp_path)
    with pytest.raises(UserError, match="nowhere"):
        carry_out(request, lambda title, steps: contextlib.nullcontext(lambda steps, note: None))


@pytest.mark.parametrize(
    "name", ["checkpoint.pt", "metrics.csv", "weights.safetensors", "model.safetensors"]
)
def test_an_earlier_training_is_not_written_over(ask, name):
    request = ask("vae")
    request.out.mkdir()
    (request.out / name).write_text("kept")
    with pytest.raises(UserError, match=f"been here before: {name}.*--resume"):
        carry_out(request, no_bar)
    assert (request.out / name).read_text() == "kept"


def test_half_precision_that_cpus_do_not_have_is_told(ask):
    refuse(ask("vae", precision="fp16"), "--precision fp16", "bf16")


# Mistakes that a stage finds


@pytest.fixture
def quiet():
    """A bar that draws nothing."""
    return module._no_bar


@pytest.mark.parametrize("stage", ["vae", "unet", "scr", "rass", "segmenter", "mini"])
def test_photos_without_labels_are_refused(ask, photos, quiet, stage):
    spec = dataclasses.replace(photos.spec, label_space=None, label_encoding=None)
    weights = "nowhere.safetensors" if stage in ("unet", "scr", "rass") else None
    request = ask(stage, photos=dataclasses.replace(photos, spec=spec), weights=weights)
    with pytest.raises(UserError, match="has no labels"):
        carry_out(request, quiet)


def test_an_unknown_degradation_is_refused(ask, quiet):
    with pytest.raises(UserError, match="noise-33"):
        carry_out(ask("scr", weights="w.safetensors", degrade="noise-33"), quiet)


def test_weights_that_are_not_there_are_refused(ask, quiet):
    for stage in ("unet", "scr", "rass"):
        for weights in ("nowhere.safetensors", "official:nowhere"):
            with pytest.raises(UserError, match="nowhere"):
                carry_out(ask(stage, weights=weights), quiet)


@pytest.mark.parametrize("option", ["distillation", "perceptual", "scl"])
def test_an_unknown_loss_is_refused(ask, option):
    with pytest.raises(UserError, match=r"'mse'.*--distillation, --perceptual, --scl"):
        scr_settings(ask("scr", **{option: "mse"}), MINI.scr_settings)


# Defaults


def test_the_losses_are_the_recipes_unless_told(ask):
    assert scr_settings(ask("scr"), MINI.scr_settings) == MINI.scr_settings
    told = scr_settings(
        ask("scr", distillation="vsd", perceptual="off", scl="bce"), MINI.scr_settings
    )
    assert told.distillation is Distillation.VSD and told.perceptual is Perceptual.OFF
    assert told.scl is not None and told.scl.mode is Mode.BCE
    assert scr_settings(ask("scr", scl="off"), MINI.scr_settings).scl is None
    assert told.learning_rate == MINI.scr_settings.learning_rate


def test_full_size_follows_the_official_configuration():
    assert (SD21.rass.steps, SD21.rass.batch, SD21.rass.crop) == (160_000, 16, 512)
    assert (SD21.rates.head, SD21.rates.backbone) == (1e-4, 1e-5)


@pytest.mark.parametrize("stage", ["vae", "unet", "scr", "rass", "segmenter"])
@pytest.mark.parametrize("changed", [{}, {"steps": 7, "batch": 3, "crop": 96}])
def test_how_much_is_trained_is_the_recipes_unless_told(ask, stage, changed):
    extent = module._extent(ask(stage, **changed), MINI)
    recipe = getattr(MINI, stage)
    assert extent == dataclasses.replace(recipe, **changed)
    assert recipe.crop % 32 == 0


def test_the_loop_is_told_what_the_user_said(ask):
    request = ask("vae", seed=5, threads=2, workers=3, precision="bf16", checkpoint_every=9)
    loop = module._loop(request, MINI.scr)
    assert (loop.seed, loop.threads, loop.workers, loop.checkpoint_every) == (5, 2, 3, 9)
    assert loop.precision is Precision.BF16 and loop.cpu
    assert (loop.steps, loop.batch) == (MINI.scr.steps, MINI.scr.batch)
