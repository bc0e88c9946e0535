"""`train mini`: four stages in one command, of which only what is missing is done again."""

import contextlib
import dataclasses
import hashlib
import json
import shutil
from pathlib import Path

import pytest

from rass_bench.errors import UserError
from rass_bench.models.catalog import load_restorer, load_segmenter
from rass_bench.models.registry import Runtime
from rass_bench.models.sizing import restore, segment
from rass_bench.train import mini
from rass_bench.train.mini import STAGES
from rass_bench.train.recipes import MINI, Extent
from rass_bench.train.request import TrainRequest, carry_out
from tests.models.rass.toy import photo
from tests.train.tiny import NOTHING, photos_in

SMALL = dataclasses.replace(MINI, **dict.fromkeys(STAGES, Extent(steps=9, batch=1, crop=64)))
"""The networks of mini size, and less of each stage."""


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return photos_in(tmp_path_factory.mktemp("photos"))


@pytest.fixture(scope="module", autouse=True)
def _short_recipe():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mini, "MINI", SMALL)
        yield


class Bars:
    """Progress bars that remember what they were told, and may interrupt."""

    def __init__(self, stop=None):
        self.stop = stop
        self.told = {}

    @contextlib.contextmanager
    def __call__(self, title, steps):
        self.told[title] = [steps]

        def advance(more, note):
            del note
            self.told[title].append(more)
            if (title, sum(self.told[title][1:])) == self.stop:
                raise KeyboardInterrupt

        yield advance


def train(photos, out, bars, **changes):
    told = {
        **NOTHING,
        "stage": "mini",
        "size": "mini",
        "photos": photos,
        "out": out,
        "steps": 2,
        "seed": 0,
        "resume": False,
        "precision": "fp32",
        "gradient_checkpointing": False,
        "device": "cpu",
        "threads": 1,
        "workers": 0,
        "checkpoint_every": 1,
        "pictures_every": 0,
    }
    return carry_out(TrainRequest(**{**told, **changes}), bars)


@pytest.fixture(scope="module")
def whole(photos, tmp_path_factory):
    """A training that was interrupted nowhere: its folder and the bars."""
    bars = Bars()
    out = tmp_path_factory.mktemp("mini")
    return train(photos, out, bars), bars


def test_four_stages_are_trained_for_the_steps_told(whole):
    assert whole[1].told == {stage: [2, 1, 1] for stage in STAGES}


def test_the_folder_holds_weights_card_and_checksums(whole):
    folder = whole[0]
    assert folder.name == "rass-mini"
    names = {"rass-mini.safetensors", "rass-mini.json", "README.md", "SHA256SUMS"}
    assert {path.name for path in folder.iterdir()} == names
    sums = dict(reversed(line.split()) for line in (folder / "SHA256SUMS").read_text().splitlines())
    assert sums.keys() == {"rass-mini.safetensors", "rass-mini.json"}
    for name, digest in sums.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    assert (folder / "rass-mini.safetensors").stat().st_size <= 15_000_000


def test_the_card_names_the_command_that_was_given(whole):
    card = (whole[0] / "README.md").read_text()
    command = (
        "rass-bench train mini --dataset tiny --data-root ROOT --split test --seed 0 --steps 2 "
        "--out DIR"
    )
    assert f"\n    {command}\n" in card
    assert all(f"| {stage} | 2 |" in card for stage in STAGES)


def test_the_models_load_from_the_file_and_its_prompt_is_the_training_sets_classes(whole):
    weights = str(whole[0] / "rass-mini.safetensors")
    assert segment(load_segmenter("rass", Runtime(weights=weights)), [photo(64, 80)])
    assert restore(load_restorer("scr", Runtime(weights=weights)), [photo(64, 80)])
    config = json.loads((whole[0] / "rass-mini.json").read_text())["config"]
    assert config["size"] == "mini" and config["tagger"].startswith("fixed:car, water")


@pytest.mark.parametrize("stop", [("scr", 1), ("rass", 2)])
def test_an_interrupted_training_goes_on_where_it_was(photos, whole, tmp_path, stop):
    with pytest.raises(KeyboardInterrupt):
        train(photos, tmp_path, Bars(stop))
    bars = Bars()
    folder = train(photos, tmp_path, bars, resume=True)
    rest = STAGES[STAGES.index(stop[0]) :]
    assert tuple(bars.told) == rest, "finished stages are not done again"
    assert bars.told[rest[0]][:2] == [2, 1], "what was done of a stage is not done again"
    name = "rass-mini.safetensors"
    assert (folder / name).read_bytes() == (whole[0] / name).read_bytes()


def test_a_finished_training_is_resumed_to_itself(photos, whole):
    before = {path.name: path.read_bytes() for path in whole[0].iterdir()}
    bars = Bars()
    train(photos, whole[0].parent, bars, resume=True)
    assert not bars.told
    assert {path.name: path.read_bytes() for path in whole[0].iterdir()} == before


def test_a_folder_in_use_is_refused(photos, whole):
    with pytest.raises(UserError, match="been here before"):
        train(photos, whole[0].parent, Bars())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"seed": 1}, "seed is 0, not 1"),
        ({"steps": 3}, "steps is 2, not 3"),
        ({"precision": "bf16"}, "precision is 'no', not 'bf16'"),
    ],
)
def test_finished_stages_of_other_settings_are_refused(photos, whole, changes, words):
    with pytest.raises(UserError, match=words):
        train(photos, whole[0].parent, Bars(), resume=True, **changes)


def copied(whole, tmp_path):
    return Path(shutil.copytree(whole[0].parent, tmp_path / "copy"))


def test_weights_of_another_training_are_no_finished_stage(photos, whole, tmp_path):
    out = copied(whole, tmp_path)
    shutil.copy(out / "unet/weights.safetensors", out / "vae/weights.safetensors")
    with pytest.raises(UserError, match="the finished stage's weights_sha256"):
        train(photos, out, Bars(), resume=True)
    (out / "vae/weights.safetensors").unlink()
    with pytest.raises(UserError, match="not 'missing'"):
        train(photos, out, Bars(), resume=True)


def test_a_stage_that_began_with_other_weights_is_not_finished(photos, whole, tmp_path):
    out = copied(whole, tmp_path)
    record = json.loads((out / "scr/training.json").read_text())
    (out / "scr/training.json").write_text(json.dumps({**record, "start_sha256": "0" * 64}))
    with pytest.raises(UserError, match="the finished stage's start_sha256"):
        train(photos, out, Bars(), resume=True)


def test_stages_with_other_crops_are_refused(photos, whole, monkeypatch):
    other = dataclasses.replace(SMALL, vae=Extent(steps=9, batch=1, crop=32))
    monkeypatch.setattr(mini, "MINI", other)
    with pytest.raises(UserError, match="crop is 64, not 32"):
        train(photos, whole[0].parent, Bars(), resume=True)
