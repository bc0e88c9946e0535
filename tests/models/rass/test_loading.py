"""From official files, or the package's own, to models that answer as the files' makers meant."""

import dataclasses
import json
import os
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from rass_bench.errors import UserError
from rass_bench.files import sha256_file
from rass_bench.models.catalog import load_segmenter
from rass_bench.models.protocols import ModelSpec
from rass_bench.models.rass.choices import Execution
from rass_bench.models.rass.config import RassConfig
from rass_bench.models.rass.entries import load_rass, load_scr
from rass_bench.models.rass.loading import Part, convert
from rass_bench.models.rass.prompt import load_clip_tokenizer
from rass_bench.models.rass.restorer import ScrRestorer
from rass_bench.models.rass.segmenter import RassSegmenter
from rass_bench.models.rass.taggers import FixedTagger
from rass_bench.models.registry import Runtime
from tests.models.rass.toy import CONFIG, RAM, SD, TAGS, photo

SD_FOLDER = "stable-diffusion-2-1-base"
UNET = f"{SD_FOLDER}/unet/diffusion_pytorch_model.safetensors"
VAE = f"{SD_FOLDER}/vae/diffusion_pytorch_model.safetensors"
TEXT = f"{SD_FOLDER}/text_encoder/model.safetensors"


def runtime(weights, *options, seed=0):
    reference = f"official:{weights}" if weights.is_dir() else str(weights)
    return Runtime(weights=reference, options=options, seed=seed)


def scores(model, image=None):
    image = photo(64, 104) if image is None else image
    [(window,)] = model.predict([image])
    return window


def assert_same_scores(one, other):
    for name in ("values", "classes"):
        assert np.array_equal(getattr(scores(one), name), getattr(scores(other), name))


def assert_same_photos(one, other):
    assert np.array_equal(one.restore([photo(64, 104)])[0], other.restore([photo(64, 104)])[0])


def change_rass(folder, change):
    """Rewrite rass.pth: ``change`` is given its tensors by name."""
    state = torch.load(folder / "rass.pth", weights_only=True)["model"]
    torch.save({"model": change(state)}, folder / "rass.pth")


def change_config(folder, **changes):
    path = folder / "rass_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.fixture(scope="module")
def converted(toy, tmp_path_factory):
    out = tmp_path_factory.mktemp("converted") / "rass.safetensors"
    convert(toy.folder, tuple(Part), out)
    return out


@pytest.fixture
def own(converted, tmp_path):
    """A copy of the converted file and its JSON file, to be changed."""
    for path in (converted, converted.with_suffix(".json")):
        shutil.copy(path, tmp_path / path.name)
    return tmp_path / converted.name


# Official files


def test_every_tensor_is_the_one_that_peft_merges(toy):
    for model, reference in (
        (load_rass(runtime(toy.folder)), toy.rass),
        (load_scr(runtime(toy.folder)), toy.scr),
    ):
        loaded = model._network.state_dict()
        wanted = reference.state_dict()
        assert loaded.keys() == wanted.keys()
        for name, tensor in wanted.items():
            torch.testing.assert_close(loaded[name], tensor, rtol=0, atol=1e-6, msg=name)


def test_official_files_predict_as_the_networks_that_they_were_written_from(toy):
    parts = (load_clip_tokenizer(None), FixedTagger(TAGS), ModelSpec("toy", "1", "toy", "CC0-1.0"))
    how = {"device": torch.device("cpu"), "execution": Execution(), "seed": 0}
    tagger = f"tagger=fixed:{', '.join(TAGS)}"
    expected = scores(RassSegmenter(CONFIG, toy.rass, *parts, **how))
    found = scores(load_rass(runtime(toy.folder, tagger)))
    assert np.abs(found.values - expected.values).max() < 1e-3
    assert np.abs(found.classes - expected.classes).max() < 1e-4
    assert found.values.std() > 0.05  # so that the tolerances mean something
    expected = ScrRestorer(CONFIG, toy.scr, *parts, **how).restore([photo(64, 104)])[0]
    found = load_scr(runtime(toy.folder, tagger)).restore([photo(64, 104)])[0]
    assert np.abs(found.astype(int) - expected).max() <= 1


def test_the_photos_tags_reach_the_prompt(toy):
    """RAM says other tags of these two photos; a fixed prompt with them answers the same."""
    official = load_rass(runtime(toy.folder))
    for seed, tags in enumerate(toy.tags):
        fixed = load_rass(runtime(toy.folder, f"tagger=fixed:{', '.join(tags)}"))
        image = photo(64, 64, seed)
        assert np.array_equal(scores(official, image).values, scores(fixed, image).values)


def test_a_checkpoint_in_half_precision_is_computed_in_float32(folder):
    """Its adapters, too: added in half precision, they would be rounded away."""

    def halved(state):
        return {k: one.half() if one.is_floating_point() else one for k, one in state.items()}

    change_rass(folder, halved)
    half = load_rass(runtime(folder))
    change_rass(folder, lambda state: {name: one.float() for name, one in state.items()})
    assert_same_scores(half, load_rass(runtime(folder)))


def test_official_files_may_lie_below_the_home_folder(folder, monkeypatch):
    """No shell replaces the "~" behind the colon."""
    monkeypatch.setenv("HOME", str(folder.parent))
    model = load_rass(Runtime(weights=f"official:~/{folder.name}"))
    assert model.spec.weights_sha256 == load_rass(runtime(folder)).spec.weights_sha256
    with pytest.raises(UserError, match="~nobody-of-this-name"):
        load_rass(Runtime(weights="official:~nobody-of-this-name/files"))


def test_a_folder_without_a_configuration_has_the_papers_size(folder):
    folder.joinpath("rass_config.json").unlink()
    with pytest.raises(UserError, match=r"has the shape \(8, 3, 4, 4\), not \(192, "):
        load_rass(runtime(folder))


def test_half_precision_files_are_computed_in_float32(folder, toy):
    change_rass(folder, lambda state: {name: one.half() for name, one in state.items()})
    model = load_rass(runtime(folder, "tagger=fixed:a tree"))
    assert {one.dtype for one in model._network.parameters()} == {torch.float32}
    full = load_rass(runtime(toy.folder, "tagger=fixed:a tree"))
    assert np.abs(scores(model).values - scores(full).values).max() < 0.05


def test_a_bare_state_dict_is_read_too(folder, toy):
    torch.save(torch.load(toy.folder / "rass.pth")["model"], folder / "rass.pth")
    assert_same_scores(load_rass(runtime(folder)), load_rass(runtime(toy.folder)))


def test_what_was_trained_alone_is_completed_from_its_sources(folder, toy, tmp_path):
    change_rass(folder, lambda state: {name: state[name] for name in toy.trained})
    whole = load_rass(runtime(toy.folder))
    assert_same_scores(load_rass(runtime(folder)), whole)
    # Also after conversion: its own conv_in must not give way to SCR's.
    convert(folder, tuple(Part), tmp_path / "trained.safetensors")
    assert_same_scores(load_rass(runtime(tmp_path / "trained.safetensors")), whole)
    convert(toy.folder, tuple(Part), tmp_path / "whole.safetensors")
    names = load_file(tmp_path / "whole.safetensors").keys()
    assert load_file(tmp_path / "trained.safetensors").keys() == names


def test_a_checkpoint_without_ram_takes_the_published_one(folder, toy):
    def without_ram(state):
        return {name: one for name, one in state.items() if not name.startswith(RAM)}

    change_rass(folder, without_ram)
    assert_same_scores(load_rass(runtime(folder)), load_rass(runtime(toy.folder)))


def test_tags_may_lie_elsewhere(folder, toy):
    lists = folder / "lists"
    lists.mkdir()
    for name in ("ram_tag_list.txt", "ram_tag_list_threshold.txt"):
        (folder / name).rename(lists / name)
    model = load_rass(runtime(folder, f"tags={lists}"))
    assert_same_scores(model, load_rass(runtime(toy.folder)))


def test_the_checkpoint_comes_alone_where_the_prompt_is_fixed(folder):
    for path in folder.iterdir():
        if path.name not in ("rass.pth", "rass_config.json"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    load_rass(runtime(folder, "tagger=fixed:tree"))


# What is missing, all at once


@pytest.mark.parametrize(
    ("load", "options", "names"),
    [
        (load_rass, (), ["rass.pth", "ram_tag_list.txt", "ram_tag_list_threshold.txt"]),
        (load_rass, ("tagger=labels",), ["rass.pth"]),
        (load_scr, ("tagger=fixed:",), ["scr.pkl", SD_FOLDER]),
        (
            load_scr,
            (),
            [
                "scr.pkl",
                SD_FOLDER,
                "ram_swin_large_14m.pth",
                "ram_tag_list.txt",
                "ram_tag_list_threshold.txt",
            ],
        ),
    ],
)
def test_an_empty_folder_is_told_everything_it_lacks(tmp_path, load, options, names):
    with pytest.raises(UserError, match="official files are missing") as caught:
        load(runtime(tmp_path, *options))
    lines = str(caught.value).splitlines()[1:]
    assert [line.strip().partition(": from ")[0] for line in lines] == names


def test_each_missing_file_is_named(folder):
    names = ["rass.pth", "scr.pkl", UNET, VAE, TEXT, "ram_tag_list.txt"]
    names.append(f"{SD_FOLDER}/tokenizer/merges.txt")
    for name in names:
        (folder / name).rename(folder / "away")
        with pytest.raises(UserError, match=f"{name}: from "):
            convert(folder, tuple(Part), folder / "out.safetensors")
        (folder / "away").rename(folder / name)


def test_what_an_incomplete_checkpoint_needs_is_told(folder, toy):
    change_rass(folder, lambda state: {name: state[name] for name in toy.trained})
    (folder / "scr.pkl").unlink()
    (folder / UNET).unlink()
    with pytest.raises(UserError) as caught:
        load_rass(runtime(folder))
    assert "scr.pkl: from" in str(caught.value)
    assert f"{UNET}: from" in str(caught.value)


# Files that do not fit


def double(state, name):
    state[name] = torch.cat([state[name]] * 2)


HEAD = "sem_seg_head.predictor."
DOWN = f"{SD}unet.conv_in.lora_A.default_encoder_s2.weight"
UP = f"{SD}unet.conv_in.lora_B.default_encoder_s2.weight"
IN_PROJ = f"{HEAD}transformer_self_attention_layers.0.self_attn.in_proj_weight"


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda state: state.pop(f"{HEAD}query_feat.weight"), "lacks 1 tensors"),
        (lambda state: state.update(other=torch.ones(1)), "unknown 1 tensors, other first"),
        (lambda state: double(state, f"{HEAD}class_embed.weight"), "shape"),
        (lambda state: state.update({IN_PROJ: torch.ones(2, 32)}), "k_proj"),
        (lambda state: state.update({IN_PROJ: torch.tensor(1.0)}), "k_proj"),
        (lambda state: state.pop(DOWN), "adapters do not fit"),
        (lambda state: state.pop(UP), "adapters do not fit"),
        (lambda state: state.pop(f"{SD}unet.conv_in.base_layer.weight"), "adapters do not fit"),
        (lambda state: state.update({UP: torch.ones(3, 4, 1, 1)}), "adapters do not fit"),
        (lambda state: state.update({UP: torch.tensor(1.0)}), "adapters do not fit"),
        (lambda state: state.update({DOWN: torch.tensor(1.0)}), "not the rank 4"),
        (lambda state: double(state, DOWN), "not the rank 4"),
        (
            lambda state: state.update({f"{HEAD}query_feat.weight": torch.ones(12, 64).int()}),
            "torch.int32",
        ),
        (lambda state: state.update({f"{RAM}fc.bias": torch.ones(2)}), "fc.bias has the shape"),
        (lambda state: state.pop(f"{RAM}label_embed"), "lacks label_embed"),
        (lambda state: state.update({f"{HEAD}query_feat.weight": "text"}), "not a tensor"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused(folder, spoil, words):
    def spoiled(state):
        spoil(state)
        return state

    change_rass(folder, spoiled)
    with pytest.raises(UserError, match=words) as caught:
        load_rass(runtime(folder))
    assert str(folder) in caught.value.where


def spoil_tensors(path, change):
    state = load_file(path)
    change(state)
    save_file(state, path)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda f: (f / UNET).write_bytes((f / UNET).read_bytes()[:-9]), "truncated"),
        (lambda f: (f / VAE).write_bytes(b"<html>"), "web page"),
        (lambda f: (f / TEXT).write_bytes(b"\x00" * 50), "malformed"),
        (lambda f: (f / f"{SD_FOLDER}/unet/config.json").write_text("{"), "unet cannot be loaded"),
        (lambda f: (f / f"{SD_FOLDER}/vae/config.json").write_text("[]"), "vae cannot be loaded"),
        (
            lambda f: (f / f"{SD_FOLDER}/text_encoder/config.json").write_text("5"),
            "text_encoder cannot be loaded",
        ),
        (
            lambda f: spoil_tensors(f / UNET, lambda state: state.pop("conv_in.weight")),
            "1 tensors do not fit, conv_in.weight",
        ),
        (
            lambda f: spoil_tensors(
                f / VAE, lambda state: state.update({"quant_conv.bias": torch.ones(3)})
            ),
            "quant_conv.bias",
        ),
        (
            lambda f: spoil_tensors(f / TEXT, lambda state: state.pop(min(state))),
            "text_encoder cannot be loaded: 1 tensors do not fit",
        ),
        (lambda f: (f / UNET).write_bytes((f / VAE).read_bytes()), "unet cannot be loaded"),
        (lambda f: (f / "scr.pkl").write_bytes((f / "rass.pth").read_bytes()), "no SCR"),
    ],
)
def test_stable_diffusion_or_scr_that_do_not_fit_are_refused(folder, spoil, words):
    spoil(folder)
    with pytest.raises(UserError, match=words):
        load_scr(runtime(folder, "tagger=fixed:tree"))


def change_scr(folder, change):
    content = torch.load(folder / "scr.pkl", weights_only=True)
    change(content)
    torch.save(content, folder / "scr.pkl")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda scr: scr.update(rank_unet=4), "not the rank 4"),
        (lambda scr: scr["state_dict_unet"].update(other=torch.ones(1)), "other"),
        (
            lambda scr: scr["state_dict_unet"].pop("conv_in.lora_A.default_encoder.weight"),
            "conv_in.lora_B",
        ),
        (
            lambda scr: scr["state_dict_unet"].update(
                {"conv_in.base_layer.weight": torch.ones(16, 8, 3, 3)}
            ),
            "conv_in",
        ),
    ],
)
def test_an_scr_of_another_unet_is_refused(folder, spoil, words):
    change_scr(folder, spoil)
    with pytest.raises(UserError, match=words):
        load_scr(runtime(folder, "tagger=fixed:tree"))


class Bomb:
    def __reduce__(self):
        return os.system, ("touch exploded",)


@pytest.mark.parametrize("name", ["rass.pth", "scr.pkl", "ram_swin_large_14m.pth"])
def test_code_in_a_checkpoint_is_not_run(folder, name, monkeypatch):
    monkeypatch.chdir(folder)
    torch.save({"model": {"x": Bomb()}}, folder / name)
    with pytest.raises(UserError, match=r"posix\.system"):
        convert(folder, tuple(Part), folder / "out.safetensors") if name != (
            "ram_swin_large_14m.pth"
        ) else load_scr(runtime(folder))
    assert not (folder / "exploded").exists()


@pytest.mark.parametrize("part", ["unet", "text_encoder"])
def test_code_in_stable_diffusions_weights_is_not_run(folder, part, monkeypatch):
    monkeypatch.chdir(folder)
    here = folder / SD_FOLDER / part
    for path in here.glob("*.safetensors"):
        path.unlink()
    name = "pytorch_model.bin" if part == "text_encoder" else "diffusion_pytorch_model.bin"
    torch.save({"x": Bomb()}, here / name)
    with pytest.raises(UserError, match=f"{part} cannot be loaded"):
        load_scr(runtime(folder, "tagger=fixed:tree"))
    assert not (folder / "exploded").exists()


@pytest.mark.parametrize("content", [{"model": 5}, {"model": {"x": 5}}, {"x": "y"}, {}])
def test_a_ram_without_tensors_is_refused(folder, content):
    torch.save(content, folder / "ram_swin_large_14m.pth")
    with pytest.raises(UserError, match=r"ram_swin_large_14m\.pth"):
        load_scr(runtime(folder))


# The configuration beside official files


def nested(part, **changes):
    return {part: dataclasses.asdict(getattr(CONFIG, part)) | changes}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"timestep": 1000}, "timestep is 1000"),
        ({"latent": "Mode"}, "Mode"),
        ({"colour": "red"}, "unknown key"),
        ({"unet": None}, "unet"),
        (nested("unet", block_out_channels=[16, 32]), "no network has the configured sizes"),
        (nested("unet", heads=[0, 2, 4, 4]), "no network has the configured sizes"),
        (nested("vae", norm_groups=7), "no network has the configured sizes"),
        (nested("vae", norm_groups=0), "norm_groups is 0"),
        (nested("vae", scaling=0.0), "scaling is 0.0, not a positive number"),
        (nested("head", queries=0), "queries is 0"),
        (nested("lora", rank=2**20), "rank is 1048576, not within 1 and 1024"),
        (nested("unet", norm_groups=-8), "norm_groups is -8"),
        (nested("text", heads=3), "no network has the configured sizes"),
        (nested("text", activation="softest"), "no network has the configured sizes"),
        (nested("text", length=10), "a text encoder of"),
        (nested("text", vocabulary=1000), "shape|text encoder"),
        (nested("text", words_of="ade20k-15"), "ade20k-15"),
        (nested("head", width=10), "no network has the configured sizes"),
        (nested("head", classes=-3), "a head of -3 classes"),
        (nested("head", bottleneck=33), "no network has the configured sizes"),
        (nested("ram", window=-1), "no network has the configured sizes"),
        (nested("ram", depths=[2, 2, 2]), "no network|lacks"),
        (nested("ram", tagging_heads=0), "0 heads do not share 16 channels"),
        (nested("lora", rank=0), "rank is 0"),
        (nested("lora", rank=8), "not the rank 8"),
        ({"ram": None}, "hold no tagger"),
        ({"label_space": "nowhere"}, "nowhere"),
        ({"label_space": "camvid-11"}, "a head of 150 classes; camvid-11 has 11"),
        # What would take all time or memory.
        (nested("unet", layers_per_block=10**9), "layers_per_block is 1000000000"),
        (nested("vae", layers_per_block=257), "layers_per_block is 257, not within 256"),
        (nested("vae", block_out_channels=[16] * 9), "block_out_channels has 9 numbers"),
        (nested("text", layers=10**9), "layers is 1000000000"),
        (nested("text", length=10**10), "length is 10000000000"),
        (nested("head", decoder_layers=10**9), "decoder_layers is 1000000000"),
        (nested("head", classes=10**9), "classes is 1000000000, not within 1048576"),
        (nested("ram", depths=[2, 10**9]), "depths is 1000000000"),
        (nested("ram", tagging_layers=10**9), "tagging_layers is 1000000000"),
        (nested("lora", alpha=-(10**400)), "alpha is -1000"),
    ],
)
def test_a_configuration_that_makes_no_network_is_told(folder, changes, words):
    change_config(folder, **changes)
    with pytest.raises(UserError, match=words):
        load_segmenter("rass", runtime(folder))


# The package's own file


def test_a_converted_file_gives_the_very_same_answers(toy, converted):
    assert_same_scores(load_rass(runtime(converted)), load_rass(runtime(toy.folder)))
    assert_same_photos(load_scr(runtime(converted)), load_scr(runtime(toy.folder)))


def test_tensors_that_both_models_have_are_stored_once(converted, toy, tmp_path):
    tensors = load_file(converted)
    alone = {name.removeprefix("scr.") for name in tensors if name.startswith("scr.")}
    assert alone == {
        name
        for name in toy.scr.state_dict()
        if name.startswith(("vae.decoder.", "vae.post_quant_conv.", "unet.conv_"))
    }
    sizes = {}
    for part in Part:
        convert(toy.folder, (part,), tmp_path / f"{part}.safetensors")
        sizes[part] = (tmp_path / f"{part}.safetensors").stat().st_size
    assert converted.stat().st_size < sizes[Part.RASS] + 0.3 * sizes[Part.SCR]


def test_one_model_alone_can_be_converted(toy, tmp_path):
    for part, load, other in (
        (Part.RASS, load_rass, load_scr),
        (Part.SCR, load_scr, load_rass),
    ):
        out = tmp_path / f"{part}.safetensors"
        convert(toy.folder, (part,), out)
        same = assert_same_scores if part is Part.RASS else assert_same_photos
        same(load(runtime(out)), load(runtime(toy.folder)))
        with pytest.raises(UserError, match=r"hold no (RASS|SCR).*weights convert"):
            other(runtime(out))


def test_the_adapters_are_kept_for_further_training(converted):
    tensors = load_file(converted)
    assert "unet.conv_in.lora_A.default_encoder_s2.weight" in tensors
    assert "unet.conv_in.base_layer.weight" in tensors


def test_sizes_and_sources_stand_in_the_json_file(toy, converted):
    document = json.loads(converted.with_suffix(".json").read_text())
    assert document["format"] == 1
    assert document["config"]["unet"]["heads"] == list(CONFIG.unet.heads)
    assert document["tags"]["names"] == list(TAGS)
    assert set(document["sources"]) == {"rass.pth", "scr.pkl", UNET, VAE, TEXT}


def test_a_converted_file_needs_no_other_list_but_takes_one(own, folder):
    folder.joinpath("ram_tag_list.txt").write_text("house\ntower\nwall\ndoor\nroof\n")
    before, after = load_rass(runtime(own)), load_rass(runtime(own, f"tags={folder}"))
    assert not np.array_equal(scores(before).values, scores(after).values)
    assert before.spec.revision != after.spec.revision


def spoil_json(own, **changes):
    beside = own.with_suffix(".json")
    beside.write_text(json.dumps(json.loads(beside.read_text()) | changes))


def swap_json(own):
    """The JSON file of another conversion."""
    tensors = load_file(own)
    save_file({name: one + 1 for name, one in tensors.items()}, own)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (swap_json, "not those that the JSON file beside them describes"),
        (lambda own: own.write_bytes(own.read_bytes()[:-1]), "truncated"),
        (lambda own: own.write_bytes(own.read_bytes() + b"x"), "not those that the JSON"),
        (lambda own: own.write_bytes(b""), "empty"),
        (lambda own: own.unlink(), "not found"),
        (lambda own: own.with_suffix(".json").unlink(), r"rass\.json"),
        (lambda own: own.with_suffix(".json").write_text("{"), "no valid JSON"),
        (lambda own: own.with_suffix(".json").write_text("[]"), "no description of weights"),
        (lambda own: spoil_json(own, format=2), "weights of format 2, this version reads 1"),
        (lambda own: spoil_json(own, more=2), "unknown key 'more'"),
        (lambda own: spoil_json(own, tags={"names": ["a"], "thresholds": [0.5]}), "1 tags"),
        (lambda own: spoil_json(own, tags=None), "hold no tagger"),
        (
            lambda own: spoil_json(
                own,
                config=json.loads(json.dumps(dataclasses.asdict(RassConfig.mini())))
                | {"tagger": "fixed:"},
            ),
            "lacks|unknown|shape",
        ),
    ],
)
def test_a_damaged_or_foreign_file_is_refused(own, spoil, words):
    spoil(own)
    with pytest.raises(UserError, match=words):
        load_rass(runtime(own))


def test_a_forged_file_with_the_right_hash_is_refused(own):
    """What safetensors itself refuses, and tensors of a tagger that do not fit."""
    header = b'{"x":{"dtype":"F99","shape":[1],"data_offsets":[0,4]}}'
    forged = len(header).to_bytes(8, "little") + header + bytes(4)
    # Copies: the file that they are mapped from is written over.
    tensors = {name: one.clone() for name, one in load_file(own).items()}
    own.write_bytes(forged)
    spoil_json(own, sha256=sha256_file(own))
    with pytest.raises(UserError, match="cannot be read"):
        load_rass(runtime(own))
    del tensors["ram.fc.weight"]
    save_file(tensors, own)
    spoil_json(own, sha256=sha256_file(own))
    with pytest.raises(UserError, match="lacks 1 tensors"):
        load_rass(runtime(own))


def test_a_failed_conversion_leaves_nothing_behind(folder, tmp_path):
    change_rass(folder, lambda state: {**state, "other": torch.ones(1)})
    with pytest.raises(UserError):
        convert(folder, tuple(Part), tmp_path / "out/rass.safetensors")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["rass.pth", "rass", "rass.json", "rass.safetensors.txt"])
def test_a_converted_file_is_called_safetensors(toy, tmp_path, name):
    with pytest.raises(UserError, match=r"Name a \.safetensors file"):
        convert(toy.folder, tuple(Part), tmp_path / name)


# What a user may write after --weights


def test_references_that_lead_nowhere(toy, tmp_path):
    for reference, words in [
        ("", "a folder, not a weights file"),
        ("official:", "missing|was not found"),
        ("official:nowhere", "was not found"),
        (f"official:{toy.folder}/rass.pth", "was not found"),
        (str(toy.folder), f"write official:{toy.folder}"),
        (f"{toy.folder}/rass.pth", r"no \.safetensors file"),
        (f"{tmp_path}/gone.safetensors", "not found"),
        (f"{toy.folder}/{UNET}", r"diffusion_pytorch_model\.json"),
        ("Official:x", r"no \.safetensors file"),
    ]:
        with pytest.raises(UserError, match=words):
            load_rass(Runtime(weights=reference))
