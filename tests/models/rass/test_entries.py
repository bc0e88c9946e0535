"""RASS and SCR by name: complete descriptions, revisions, and choices that are told when wrong."""

import numpy as np
import pytest
import torch

from rass_bench.errors import UserError
from rass_bench.models.catalog import load_restorer, load_segmenter
from rass_bench.models.contract import check_description
from rass_bench.models.protocols import ParameterCount, Restorer, Segmenter, ToldSegmenter
from rass_bench.models.rass.choices import Execution
from rass_bench.models.rass.sizes import count_parameters_as_published
from rass_bench.models.registry import MODELS, Runtime
from rass_bench.models.sizing import restore, segment
from tests.models.rass.toy import CONFIG, photo, write_official


@pytest.fixture(scope="module")
def load(toy):
    """The model of that name with these options."""

    def load(name, *options, seed=0):
        runtime = Runtime(weights=f"official:{toy.folder}", options=options, seed=seed)
        return (load_segmenter if name == "rass" else load_restorer)(name, runtime)

    return load


@pytest.fixture(scope="module")
def revision(load):
    return lambda *arguments, **seed: load(*arguments, **seed).spec.revision


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
    assert parameters.total == sum(one.numel() for one in toy.rass.parameters())
    total = sum(one.numel() for one in toy.scr.parameters())
    assert load("scr").parameters == ParameterCount(total, None)


# Revisions: others where figures can differ, and nowhere else


def test_a_choice_that_changes_nothing_changes_no_revision(revision):
    plain = revision("rass")
    assert "+" not in plain
    same = ("tagger=ram", "latent=mode", "timestep=1", "slide=true", "precision=fp32", "batch=1")
    layout = f"channels_last={str(Execution().channels_last).lower()}"
    assert revision("rass", *same, layout, "compile=false") == plain
    assert revision("rass", seed=7) == plain
    plain = revision("scr")
    assert revision("scr", "clean_latent=scheduler", "colour_fix=adain", seed=7) == plain


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("rass", ["tagger=labels", "tagger=fixed:", "tagger=fixed:a tree", "tagger=fixed:木"]),
        ("rass", ["latent=sample", "timestep=2", "slide=false", "batch=2"]),
        ("rass", ["precision=bf16", f"channels_last={str(not Execution().channels_last).lower()}"]),
        ("scr", ["tagger=fixed:", "tagger=fixed:a tree", "tagger=fixed:林", "latent=sample"]),
        ("scr", ["clean_latent=residual", "colour_fix=wavelet", "colour_fix=none"]),
    ],
)
def test_a_choice_that_can_change_figures_has_a_revision_of_its_own(revision, name, options):
    found = {revision(name, option) for option in options} | {revision(name)}
    assert len(found) == len(options) + 1


def test_sampled_latents_name_their_seed(revision):
    """Restored photos are kept by revision: another seed is another photo."""
    revisions = {revision("scr", "latent=sample", seed=seed) for seed in (0, 1, 2)}
    assert len(revisions) == 3
    assert all("latent=sample" in one for one in revisions)


def test_a_prompt_of_any_length_and_script_leaves_a_name_for_a_folder(revision):
    long = revision("scr", f"tagger=fixed:{'a tree, ' * 200}")
    assert len(long) < 100
    assert long.isascii()


def test_weights_tags_and_configuration_are_part_of_the_revision(folder, toy, revision):
    def changed():
        return load_segmenter("rass", Runtime(weights=f"official:{folder}")).spec.revision

    assert changed() == revision("rass")
    for name, old, new in [
        ("ram_tag_list.txt", "tree", "bush"),
        ("ram_tag_list_threshold.txt", "0.3", "0.31"),
        ("rass_config.json", '"timestep": 1,', '"timestep": 2,'),
    ]:
        path = folder / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))
        assert changed() != revision("rass")
        path.write_text(text)
    assert changed() == revision("rass")
    other = write_official(folder.with_name("other"), seed=1).folder
    model = load_segmenter("rass", Runtime(weights=f"official:{other}"))
    assert model.spec.revision != revision("rass")


# Choices


def test_labels_are_told_and_nobody_tells_a_restorer(load):
    assert load("rass", "tagger=labels").spec.told_classes
    assert not load("rass").spec.told_classes
    with pytest.raises(UserError, match="a restorer is not told the classes"):
        load("scr", "tagger=labels")


def test_a_prompt_may_hold_what_separates_options(load, revision):
    one, other = "tagger=fixed:a=b", "tagger=fixed:a"
    assert revision("rass", one) != revision("rass", other)
    [(window,)] = load("rass", one).predict([photo(64, 64)])
    [(without,)] = load("rass", other).predict([photo(64, 64)])
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
