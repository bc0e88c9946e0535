"""The four trainings one after the other, each from the file of the one before."""

import dataclasses
import json

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import load_file

from rass_bench.data.dataset import open_dataset
from rass_bench.degrade.preset import PRESETS
from rass_bench.errors import UserError
from rass_bench.files import sha256_file
from rass_bench.models.catalog import load_restorer, load_segmenter
from rass_bench.models.rass.weights import load_weights, save_weights
from rass_bench.models.registry import Runtime
from rass_bench.models.sizing import restore, segment
from rass_bench.train.distillation import Distillation
from rass_bench.train.loop import LoopSettings
from rass_bench.train.metrics_log import read_metrics
from rass_bench.train.rass_optimizer import Rates
from rass_bench.train.scr import ScrSettings
from rass_bench.train.stages import Training, train_rass, train_scr, train_unet, train_vae
from tests.models.rass.toy import CONFIG, photo, write_official
from tests.train.tiny import photos_in
from tests.train.toys import ADE, LORA, config_of

RATES = Rates(head=1e-3, backbone=1e-3)
SETTINGS = ScrSettings(lora=LORA, learning_rate=1e-2, warm_up=1, scl_warm_up=1)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return photos_in(tmp_path_factory.mktemp("photos"))


def told(photos, out, *, resume=False, advance=None, crop=64, **changes):
    loop = {"steps": 2, "seed": 0, "batch": 2, "workers": 0, "pictures_every": 0}
    return Training(
        size="toy",
        photos=photos,
        preset=PRESETS.get("noise-3"),
        crop=crop,
        tenths=range(8, 15),
        loop=LoopSettings(**{**loop, **changes}),
        out=out,
        resume=resume,
        advance=advance or (lambda steps, note: None),
    )


@pytest.fixture(scope="module")
def chain(photos, tmp_path_factory):
    """The files of the four stages, by name."""
    out = tmp_path_factory.mktemp("chain")
    files = {"vae": train_vae(config_of(), told(photos, out / "vae"))}
    files["unet"] = train_unet(str(files["vae"]), told(photos, out / "unet"))
    files["scr"] = train_scr(
        str(files["unet"]), SETTINGS, told(photos, out / "scr", pictures_every=2)
    )
    files["rass"] = train_rass(
        str(files["scr"]), RATES, told(photos, out / "rass", pictures_every=2)
    )
    return files


# The files


def test_the_files_are_in_half_precision(chain):
    for path in chain.values():
        kinds = {one.dtype for one in load_file(path).values() if one.is_floating_point()}
        assert kinds == {torch.float16}, path


def test_the_models_load_and_run(chain):
    segmenter = load_segmenter("rass", Runtime(weights=str(chain["rass"])))
    assert segmenter.spec.label_space == "ade20k-150"
    labels = segment(segmenter, [photo(70, 90)])[0]
    assert labels.shape == (70, 90) and labels.max() < 150
    for name in ("unet", "scr", "rass"):
        restorer = load_restorer("scr", Runtime(weights=str(chain[name])))
        assert restore(restorer, [photo(40, 56)])[0].shape == (40, 56, 3)


def test_the_configuration_tells_scaling_tagger_and_classes(chain):
    configs = {name: load_weights(path).config for name, path in chain.items()}
    scaling = configs["vae"].vae.scaling
    assert scaling != config_of().vae.scaling
    assert all(one.vae.scaling == scaling for one in configs.values())
    rass = configs["rass"]
    # A fixed prompt without words means the classes of the training set.
    assert rass.tagger == "fixed:" + ", ".join(ADE.names[i] for i in (20, 21, 22, 40))
    assert rass.label_space == "ade20k-150" and rass.head.classes == 150


def test_each_stage_changes_its_part_alone(chain):
    def changed(before, after):
        one, other = (load_weights(chain[name]).scr for name in (before, after))
        assert one.keys() == other.keys()
        return {name for name in one if not torch.equal(one[name], other[name])}

    assert {name.split(".")[0] for name in changed("vae", "unet")} == {"unet", "text_encoder"}
    scr = changed("unet", "scr")
    assert all(name.startswith("unet.") for name in scr)
    assert {"unet.conv_in.weight", "unet.conv_in.bias"} <= scr
    assert not any("norm" in name or "time_emb" in name or "conv_out" in name for name in scr)
    assert changed("scr", "rass") == set()


def test_rass_holds_its_adapters_on_scrs_unet(chain):
    weights = load_weights(chain["rass"])
    for name, tensor in weights.scr.items():
        adapted = name.replace(".weight", ".base_layer.weight")
        own = weights.rass.get(name, weights.rass.get(adapted))
        if own is not None and not name.startswith("unet.conv_in."):
            assert torch.equal(own, tensor), name
    moved = [one for name, one in weights.rass.items() if ".lora_B." in name and one.any()]
    assert moved


def test_each_record_names_the_weights_that_it_began_with(chain):
    records = {
        name: json.loads(path.with_name("training.json").read_text())
        for name, path in chain.items()
    }
    assert records["vae"]["start_sha256"] is None
    for before, after in (("vae", "unet"), ("unet", "scr"), ("scr", "rass")):
        assert records[after]["start_sha256"] == sha256_file(chain[before])
        assert load_weights(chain[after]).sources == {"start": sha256_file(chain[before])}
    for name, record in records.items():
        assert record["stage"] == name and record["size"] == "toy"
        assert record["weights_sha256"] == sha256_file(chain[name])
        assert record["degradation"] == (None if name in ("vae", "unet") else "noise-3@1.0")
        assert (record["steps"], record["batch"], record["crop"]) == (2, 2, 64)
        assert (record["dataset"], record["split"], record["photos"]) == ("tiny@1.0", "test", 3)
        assert 0 < record["trainable"] < record["parameters"]
        rows = read_metrics(chain[name].with_name("metrics.csv"))
        assert record["losses"].keys() == rows[0].terms.keys()
        for term, value in record["losses"].items():
            assert value == pytest.approx(sum(row.terms[term] for row in rows) / 2)
        assert record["environment"]["packages"]["torch"]


def test_pictures_are_drawn(chain):
    for name in ("scr", "rass"):
        assert [one.name for one in (chain[name].parent / "pictures").iterdir()] == ["000002.png"]


# Interruptions


def stop_at(step):
    done = []

    def advance(steps, note):
        del note
        done.append(steps)
        if sum(done) == step:
            raise KeyboardInterrupt

    return advance


@pytest.mark.parametrize("name", ["scr", "rass"])
def test_a_stage_that_was_stopped_gives_the_same_weights(photos, chain, tmp_path, name):
    """With VSD's critic, which learns along."""
    assert SETTINGS.distillation is Distillation.VSD

    def stage(resume, advance):
        training = told(
            photos,
            tmp_path,
            resume=resume,
            advance=advance,
            checkpoint_every=1,
        )
        if name == "scr":
            return train_scr(str(chain["unet"]), SETTINGS, training)
        return train_rass(str(chain["scr"]), RATES, training)

    with pytest.raises(KeyboardInterrupt):
        stage(False, stop_at(2))
    torch.manual_seed(123)
    again = stage(True, None)
    assert load_file(again).keys() == load_file(chain[name]).keys()
    assert again.read_bytes() == chain[name].read_bytes()
    curves = [
        [(row.loss, row.gradient_norm, row.terms) for row in read_metrics(folder / "metrics.csv")]
        for folder in (tmp_path, chain[name].parent)
    ]
    assert curves[0] == curves[1]


def test_other_weights_to_begin_with_are_refused_on_resume(photos, chain):
    with pytest.raises(UserError, match="start is"):
        train_unet(str(chain["scr"]), told(photos, chain["unet"].parent, resume=True))


# Other classes


def photos_of_camvid(root):
    """Photos labelled with other classes."""
    photos_in(root, count=2)
    spec = yaml.safe_load((root / "dataset.yaml").read_text())
    spec |= {"label_space": "camvid-11", "label_encoding": "contiguous"}
    (root / "dataset.yaml").write_text(yaml.safe_dump(spec))
    for path in (root / "annotations/test").iterdir():
        raw = np.asarray(Image.open(path))
        Image.fromarray(np.where(raw == 0, 255, raw % 11).astype(np.uint8)).save(path)
    return open_dataset(str(root))


def test_eleven_classes_of_another_label_space(tmp_path):
    photos = photos_of_camvid(tmp_path / "data")
    short = {"crop": 32, "steps": 1}
    vae = train_vae(config_of("camvid-11"), told(photos, tmp_path / "vae", **short))
    path = train_rass(str(vae), RATES, told(photos, tmp_path / "rass", **short))
    model = load_segmenter("rass", Runtime(weights=str(path)))
    assert model.spec.label_space == "camvid-11"
    assert segment(model, [photo(64, 64)])[0].max() < 11


def test_a_prior_without_words_for_the_classes_is_refused(chain, tmp_path):
    """Their names would all be the same unknown word to it."""
    photos = photos_of_camvid(tmp_path / "data")
    for train in (
        train_unet,
        lambda path, to: train_scr(path, SETTINGS, to),
        lambda path, to: train_rass(path, RATES, to),
    ):
        with pytest.raises(UserError, match=r"without words for \d of 11 classes") as refused:
            train(str(chain["scr"]), told(photos, tmp_path / "out"))
        assert "pavement" in str(refused.value)
        assert not (tmp_path / "out").exists()


# The paper's code path


@pytest.fixture(scope="module")
def official(tmp_path_factory):
    return write_official(tmp_path_factory.mktemp("official"))


def test_scr_then_rass_from_official_files(photos, official, tmp_path):
    """CLIP's tokens and RAM's tags; the official SCR is left out, RAM comes along."""
    short = {"steps": 1, "batch": 1, "crop": 32}
    scr = train_scr(
        f"official:{official.folder}", SETTINGS, told(photos, tmp_path / "scr", **short)
    )
    weights = load_weights(scr)
    assert weights.config == CONFIG and weights.ram and weights.tags
    sd = load_file(
        official.folder / "stable-diffusion-2-1-base/unet/diffusion_pytorch_model.safetensors"
    )
    name = "down_blocks.0.resnets.0.norm1.weight"
    assert torch.equal(weights.scr[f"unet.{name}"], sd[name].half())
    restorer = load_restorer("scr", Runtime(weights=str(scr)))
    assert restore(restorer, [photo(40, 56)])[0].shape == (40, 56, 3)

    rass = train_rass(str(scr), RATES, told(photos, tmp_path / "rass", **short))
    assert load_weights(rass).config.tagger == "ram"
    segmenter = load_segmenter("rass", Runtime(weights=str(rass)))
    assert segment(segmenter, [photo(40, 56)])[0].shape == (40, 56)


def test_rass_from_the_official_scr(photos, official, tmp_path):
    training = told(photos, tmp_path, steps=1, batch=1, crop=32)
    path = train_rass(f"official:{official.folder}", RATES, training, tagger="labels")
    assert load_weights(path).config.tagger == "labels"
    saved = load_weights(path).scr
    for name, tensor in official.scr.state_dict().items():
        torch.testing.assert_close(saved[name].float(), tensor, rtol=1e-3, atol=1e-6)


# Refusals


def test_weights_without_scr_are_refused(photos, chain, tmp_path):
    weights = load_weights(chain["rass"])
    alone = dataclasses.replace(weights, scr={})
    save_weights(alone, tmp_path / "alone.safetensors")
    for train in (
        lambda path, to: train_scr(path, SETTINGS, to),
        lambda path, to: train_rass(path, RATES, to),
        train_unet,
    ):
        with pytest.raises(UserError, match="hold no SCR"):
            train(str(tmp_path / "alone.safetensors"), told(photos, tmp_path / "out"))


def test_numbers_that_are_not_finite_are_refused_before_training(photos, chain, tmp_path):
    weights = load_weights(chain["unet"])
    name = "vae.decoder.conv_out.bias"
    spoiled = {**weights.scr, name: torch.full_like(weights.scr[name], float("nan"))}
    save_weights(dataclasses.replace(weights, scr=spoiled), tmp_path / "w.safetensors")
    for train in (train_unet, lambda path, to: train_rass(path, RATES, to)):
        with pytest.raises(UserError, match=r"conv_out\.bias holds numbers that are not finite"):
            train(str(tmp_path / "w.safetensors"), told(photos, tmp_path / "out"))


@pytest.mark.parametrize(
    "changes",
    [
        {"heads": (5, 5, 5, 5)},
        {"norm_groups": 7},
        {"cross_attention_dim": 24},
        {"block_out_channels": (32, 32, 64, 96)},
        {"block_out_channels": (2**20, 2**20, 2**20, 2**20)},
    ],
)
def test_a_configuration_that_does_not_fit_the_weights_is_refused(photos, chain, tmp_path, changes):
    """Before memory is taken for what a stranger's file says."""
    weights = load_weights(chain["scr"])
    unet = dataclasses.replace(weights.config.unet, **changes)
    config = dataclasses.replace(weights.config, unet=unet)
    save_weights(dataclasses.replace(weights, config=config), tmp_path / "w.safetensors")
    for train in (
        lambda path, to: train_scr(path, SETTINGS, to),
        lambda path, to: train_rass(path, RATES, to),
    ):
        with pytest.raises(UserError, match=r"w\.safetensors"):
            train(str(tmp_path / "w.safetensors"), told(photos, tmp_path / "out"))


def test_labels_without_any_class_are_refused(chain, tmp_path):
    photos_in(tmp_path / "data", count=2)
    for path in (tmp_path / "data/annotations/test").iterdir():
        Image.fromarray(np.zeros_like(np.asarray(Image.open(path)))).save(path)
    photos = open_dataset(str(tmp_path / "data"))
    with pytest.raises(UserError, match=r"no pixel of tiny@1\.0 test has a class"):
        train_rass(str(chain["scr"]), RATES, told(photos, tmp_path / "out"))


def test_a_prompt_of_unknown_words_is_refused(photos, chain, tmp_path):
    with pytest.raises(UserError, match="knows no 'zebra'"):
        train_rass(
            str(chain["scr"]), RATES, told(photos, tmp_path / "out"), tagger="fixed:tree, zebra"
        )


def test_the_other_sizes_recipe_is_refused(photos, chain, tmp_path):
    weights = load_weights(chain["unet"])
    config = dataclasses.replace(weights.config, size="sd21")
    save_weights(dataclasses.replace(weights, config=config), tmp_path / "w.safetensors")
    training = dataclasses.replace(told(photos, tmp_path / "out"), size="mini")
    with pytest.raises(UserError, match="weights of size sd21 under the recipe of mini"):
        train_scr(str(tmp_path / "w.safetensors"), SETTINGS, training)


def test_a_weight_beyond_half_precision_is_told(photos, tmp_path, monkeypatch):
    def diverged(network):
        network.decoder.conv_out.bias.data.fill_(7e4)

    monkeypatch.setattr("rass_bench.train.stages.draw_vae", diverged)
    with pytest.raises(UserError, match=r"conv_out\.bias holds 70000"):
        train_vae(config_of(), told(photos, tmp_path, steps=1))


def test_the_other_seed_gives_other_weights(photos, chain, tmp_path):
    other = train_rass(str(chain["scr"]), RATES, told(photos, tmp_path, seed=1))
    assert other.read_bytes() != chain["rass"].read_bytes()
