"""What a user chooses, what it changes, and what a revision says of it."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rass_bench.models.options import read_options
from rass_bench.models.rass.choices import (
    Execution,
    Precision,
    RestorerOptions,
    SegmenterOptions,
    configured,
    execution,
    revision_suffix,
)
from rass_bench.models.rass.config import CleanLatent, ColourFix, Latent, RassConfig

SD21 = RassConfig.sd21()
OTHER_LAYOUT = f"channels_last={str(not Execution().channels_last).lower()}"


def suffix(kind, *options, weights=SD21, seed=0):
    chosen = read_options(kind, options, "toy")
    return revision_suffix(weights, configured(weights, chosen), execution(chosen), seed)


def test_nothing_chosen_changes_nothing():
    for kind in (SegmenterOptions, RestorerOptions):
        assert configured(SD21, kind()) == SD21
        assert execution(kind()) == Execution()
        assert suffix(kind) == ""


def test_choices_arrive_where_they_act():
    chosen = read_options(
        SegmenterOptions,
        ["tagger=fixed:a=b", "latent=sample", "timestep=0", "slide=false", "precision=bf16"],
        "rass",
    )
    assert configured(SD21, chosen) == dataclasses.replace(
        SD21, tagger="fixed:a=b", latent=Latent.SAMPLE, timestep=0, slide=False
    )
    assert execution(chosen) == Execution(precision=Precision.BF16)
    chosen = read_options(RestorerOptions, ["clean_latent=residual", "colour_fix=none"], "scr")
    assert configured(SD21, chosen) == dataclasses.replace(
        SD21, clean_latent=CleanLatent.RESIDUAL, colour_fix=ColourFix.NONE
    )


def test_the_weights_configuration_stands_where_nothing_is_chosen():
    weights = dataclasses.replace(SD21, timestep=5, latent=Latent.SAMPLE)
    assert configured(weights, SegmenterOptions()) == weights
    assert configured(weights, SegmenterOptions(timestep=1)).timestep == 1


@pytest.mark.parametrize(
    "option",
    ["tagger=ram", "latent=mode", "timestep=1", "slide=true", "precision=fp32", "batch=1"],
)
def test_saying_what_holds_anyway_is_no_other_revision(option):
    assert suffix(SegmenterOptions, option, seed=7) == ""


def test_what_holds_anyway_is_what_the_weights_say():
    weights = dataclasses.replace(SD21, timestep=5)
    assert suffix(SegmenterOptions, "timestep=5", weights=weights) == ""
    assert suffix(SegmenterOptions, "timestep=1", weights=weights) == "+timestep=1"


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (
            SegmenterOptions,
            ["tagger=labels", "tagger=fixed:", "tagger=fixed:木", "tagger=fixed:林"],
        ),
        (SegmenterOptions, ["latent=sample", "timestep=2", "timestep=3", "slide=false"]),
        (SegmenterOptions, ["precision=bf16", OTHER_LAYOUT, "compile=true", "batch=2", "batch=3"]),
        (RestorerOptions, ["tagger=fixed:", "tagger=fixed:a tree", "tagger=fixed:a, tree"]),
        (RestorerOptions, ["clean_latent=residual", "colour_fix=wavelet", "colour_fix=none"]),
        (RestorerOptions, ["latent=sample", "timestep=2", "precision=bf16", "compile=true"]),
    ],
)
def test_what_can_change_figures_is_another_revision(kind, options):
    found = {suffix(kind, option) for option in options}
    assert len(found) == len(options)
    assert "" not in found


def test_a_told_model_says_so_whoever_chose_it():
    """Its figures are an upper bound: no table may show them without a word."""
    assert suffix(SegmenterOptions, "tagger=labels") == "+tagger=labels"
    told = dataclasses.replace(SD21, tagger="labels")
    assert suffix(SegmenterOptions, weights=told) == "+tagger=labels"
    assert suffix(SegmenterOptions, "tagger=ram", weights=told) == "+tagger=ram"


def test_sampled_latents_name_their_seed():
    """Restored photos are kept by revision: another seed is another photo."""
    assert suffix(RestorerOptions, "latent=sample", seed=3) == "+latent=sample+seed=3"
    sampling = dataclasses.replace(SD21, latent=Latent.SAMPLE)
    assert suffix(RestorerOptions, weights=sampling, seed=3) == "+seed=3"
    assert suffix(RestorerOptions, "latent=mode", weights=sampling, seed=3) == "+latent=mode"


@given(st.text(st.characters(exclude_categories=("Cs",)), max_size=3000))
def test_a_prompt_of_any_length_and_script_leaves_a_name_for_a_folder(prompt):
    found = suffix(SegmenterOptions, f"tagger=fixed:{prompt}")
    assert len(found) < 40
    assert found.isascii()
    assert found != suffix(SegmenterOptions, f"tagger=fixed:{prompt}.")


@pytest.mark.parametrize("batch", [0, -1])
def test_a_batch_has_windows(batch):
    with pytest.raises(ValueError, match=f"batch is {batch}, not a whole number from 1"):
        execution(SegmenterOptions(batch=batch))


@pytest.mark.parametrize("timestep", [-1, 1000])
def test_timesteps_are_those_of_the_diffusion(timestep):
    with pytest.raises(ValueError, match=f"timestep is {timestep}"):
        configured(SD21, SegmenterOptions(timestep=timestep))


@pytest.mark.parametrize("tagger", ["foo", "", "Ram", "fixed", "labels,ram"])
def test_taggers_are_known_by_name(tagger):
    with pytest.raises(ValueError, match="not ram, labels or fixed:PROMPT"):
        configured(SD21, SegmenterOptions(tagger=tagger))


def test_plain_words_mean_the_choices_that_they_spell():
    config = dataclasses.replace(RassConfig.mini(), latent="mode", clean_latent="residual")
    assert config.latent is Latent.MODE
    assert config.clean_latent is CleanLatent.RESIDUAL
    assert Execution(precision="bf16").precision is Precision.BF16
    for wrong in ({"latent": "mean"}, {"colour_fix": "blue"}, {"slide": "no"}):
        with pytest.raises(ValueError, match=next(iter(wrong.values()))):
            dataclasses.replace(RassConfig.mini(), **wrong)
