"""RASS and SCR by name: complete descriptions, revisions, and choices that are told when wrong."""

import numpy as np
import pytest
import torch

from rass_bench.errors import UserError
from rass_bench.models.catalog import load_restorer, load_segmenter
from rass_bench.models.contract import check_description
from rass_bench.models.protocols import ParameterCount, Restorer, Segmenter, ToldSegmenter
from rass_bench.models.rass.loading import Part, open_weights
from rass_bench.models.rass.ram import Ram
from rass_bench.models.rass.sizes import count_parameters_as_published
from rass_bench.models.registry import MODELS, Runtime
from rass_bench.models.sizing import restore, segment
from tests.models.rass.toy import CONFIG, RAM, photo


@pytest.fixture(scope="module")
def load(toy):
    """The model of that name with these options."""

    def load(name, *options, seed=0):
        runtime = Runtime(weights=f"official:{toy.folder}", options=options, seed=seed)
        return (load_segmenter if name == "rass" else load_restorer)(name, runtime)

    return load


@pytest.mark.parametrize("name", ["rass", "scr"])
def test_the_entry_is_complete_and_loads_as_what_it_says(load, name):
    model, entry = load(name), MODELS.get(name)
    check_description(model)
    assert isinstance(model, Segmenter if name == "rass" else Restorer)
    spec = model.spec
    assert (spec.name, spec.title, spec.licence) == (entry.name, entry.title, entry.licence)
    assert (spec.extra, spec.paper) == (entry.extra, entry.paper)
    assert spec.revision.startswith("toy-")
    assert len(spec.weights_sha256) == 64
    image = photo(40, 61)
    if name == "rass":
        assert isinstance(model, ToldSegmenter)
        assert spec.label_space == "ade20k-150"
        assert segment(model, [image])[0].shape == (40, 61)
    else:
        assert restore(model, [image])[0].shape == (40, 61, 3)


def test_what_training_changes_is_counted_though_adapters_are_merged(load, toy):
    """Against the names that training changes, and the paper's way to count."""
    state = torch.load(toy.folder / "rass.pth", weights_only=True)["model"]
    trained = sum(state[name].numel() for name in toy.trained)
    parameters = load("rass").parameters
    assert parameters.trainable == trained
    assert parameters.trainable == count_parameters_as_published(CONFIG).trainable


def test_every_network_that_runs_is_counted_the_tagger_with_it(load, toy):
    def count(network):
        return sum(one.numel() for one in network.parameters())

    tagger = count(Ram(CONFIG.ram))
    assert load("rass").parameters.total == count(toy.rass) + tagger
    assert load("rass", "tagger=fixed:sky").parameters.total == count(toy.rass)
    assert load("scr").parameters == ParameterCount(count(toy.scr) + tagger, None)


# Revisions: others where figures can differ, and nowhere else


def test_the_revision_names_size_weights_and_choices(load):
    plain = load("rass").spec.revision
    size, _, digest = plain.partition("-")
    assert (size, len(digest)) == ("toy", 12)
    chosen = load("rass", "tagger=ram", "timestep=2", "slide=true", seed=7).spec.revision
    assert chosen == f"{plain}+timestep=2"
    assert load("scr", "latent=sample", seed=7).spec.revision.endswith("+latent=sample+seed=7")


def test_tensors_tags_and_configuration_are_part_of_the_fingerprint(folder):
    def found():
        reference = f"official:{folder}"
        return open_weights(reference, Part.RASS, tagger=None, tags=None).fingerprint

    before = found()
    seen = {before}
    for name, old, new in [
        ("ram_tag_list.txt", "tree", "bush"),
        ("ram_tag_list_threshold.txt", "0.", "0.1"),
        ("rass_config.json", '"timestep": 1,', '"timestep": 2,'),
    ]:
        path = folder / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))
        seen.add(found())
        path.write_text(text)
    assert found() == before
    content = torch.load(folder / "rass.pth", weights_only=True)
    content["model"][f"{RAM}fc.bias"] += 1
    torch.save(content, folder / "rass.pth")
    seen.add(found())
    assert len(seen) == 5


# Choices


def test_labels_are_told_and_nobody_tells_a_restorer(load):
    assert load("rass", "tagger=labels").spec.told_classes
    assert not load("rass").spec.told_classes
    with pytest.raises(UserError, match="a restorer is not told the classes"):
        load("scr", "tagger=labels")


def test_a_prompt_may_hold_what_separates_options(load):
    [(window,)] = load("rass", "tagger=fixed:a=b").predict([photo(64, 64)])
    [(without,)] = load("rass", "tagger=fixed:a").predict([photo(64, 64)])
    assert not np.array_equal(window.values, without.values)


@pytest.mark.parametrize(
    ("name", "option", "words"),
    [
        ("rass", "batch=0", "batch is 0, not a whole number from 1"),
        ("rass", "batch=-1", "batch is -1"),
        ("rass", "batch=true", "batch is True, not int"),
        ("rass", "batch=2.5", r"batch is 2\.5, not int"),
        ("rass", "timestep=1000", "timestep is 1000, not a whole number from 0 to 999"),
        ("rass", "timestep=-1", "timestep is -1"),
        ("rass", "timestep=one", "timestep is 'one', not int"),
        ("rass", "tagger=foo", "tagger is 'foo', not ram, labels or fixed:PROMPT"),
        ("rass", "tagger=", "tagger is ''"),
        ("rass", "latent=Mode", "Mode"),
        ("rass", "slide=no", "slide is 'no', not bool"),
        ("rass", "precision=fp16", "fp16"),
        ("rass", "tiles=3", "rass has no option 'tiles'"),
        ("rass", "batch", "Write it as NAME=VALUE"),
        ("rass", "clean_latent=residual", "rass has no option"),
        ("scr", "colour_fix=adian", "adian"),
        ("scr", "slide=false", "scr has no option 'slide'"),
        ("rass", "tags=nowhere", "nowhere"),
    ],
)
def test_a_wrong_choice_is_told(load, name, option, words):
    with pytest.raises(UserError, match=words):
        load(name, option)


def test_tags_without_ram_are_out_of_place(load, toy):
    with pytest.raises(UserError, match="tags of RAM for the tagger labels"):
        load("rass", "tagger=labels", f"tags={toy.folder}")


def test_a_wrong_choice_is_told_before_weights_are_sought():
    with pytest.raises(UserError, match="timestep"):
        load_segmenter("rass", Runtime(weights="official:nowhere", options=("timestep=1000",)))
