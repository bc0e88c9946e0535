"""SCR behind the suite's protocol: sizes, tiles, colours, and what a photo's answer depends on."""

import copy
import dataclasses

import numpy as np
import pytest
import torch

from rass_bench.errors import UserError
from rass_bench.models.protocols import ModelSpec
from rass_bench.models.rass.choices import Execution, Precision
from rass_bench.models.rass.config import CleanLatent, ColourFix, Latent
from rass_bench.models.rass.restorer import OVERLAP, SIZE_RULE, TILE, ScrRestorer
from rass_bench.models.rass.taggers import FixedTagger
from rass_bench.models.sizing import restore
from tests.models.rass.toy import CONFIG, photo

SPEC = ModelSpec("toy", "1", "toy", "CC0-1.0", size_rule=SIZE_RULE)
CPU = torch.device("cpu")


class CountingTagger:
    parameters = 0

    def __init__(self):
        self.shown = []

    def tag(self, photos):
        self.shown += [tuple(one.shape) for one in photos]
        return [("tree",)] * len(photos)


@pytest.fixture(scope="module")
def build(toy, tokenizer):
    """A restorer on the toy's network, which is copied: preparing it may change its layout."""

    def build(tagger=None, execution=None, seed=0, **changes):
        config = dataclasses.replace(CONFIG, **changes)
        network = copy.deepcopy(toy.scr)
        network.config = config
        return ScrRestorer(
            config,
            network,
            tokenizer,
            tagger or FixedTagger(("tree", "sky")),
            SPEC,
            device=CPU,
            execution=execution or Execution(),
            seed=seed,
        )

    return build


@pytest.fixture(scope="module")
def restorer(build):
    return build()


@pytest.fixture
def forwards(restorer, monkeypatch):
    """Sizes of what goes through the network."""
    seen = []
    own = restorer._network.forward

    def watch(pixels, context, noise=None):
        seen.append(tuple(pixels.shape))
        return own(pixels, context, noise)

    monkeypatch.setattr(restorer._network, "forward", watch)
    return seen


def one(restorer, image):
    [result] = restorer.restore([image])
    assert result.dtype == np.uint8
    assert result.shape == image.shape
    return result.astype(int)


# Sizes and tiles


@pytest.mark.parametrize("size", [(1, 1), (7, 9), (64, 64), (37, 101), (130, 3)])
def test_a_restored_photo_has_the_photos_size(restorer, size):
    [result] = restore(restorer, [photo(*size)])
    assert result.shape == (*size, 3)


def test_a_photo_that_fits_into_a_tile_goes_through_in_one_piece(restorer, forwards):
    one(restorer, photo(96, TILE))
    assert forwards == [(1, 3, 96, TILE)]


def test_no_tile_is_larger_than_what_memory_was_planned_for(restorer, forwards):
    one(restorer, photo(TILE + 8, 2 * TILE))
    assert len(forwards) == 6
    assert all(max(shape[2:]) <= TILE for shape in forwards)
    assert all(side % 8 == 0 for shape in forwards for side in shape[2:])


def test_tiles_blend_without_a_seam(build):
    """Next to the borders of tiles, pixels differ as they do elsewhere."""
    wide = np.tile(photo(64, 8, 4), (1, 130, 1))  # the same columns over and over
    ramp = np.linspace(0, 60, wide.shape[1])[None, :, None]
    image = (wide * 0.7 + ramp).astype(np.uint8)
    result = one(build(colour_fix=ColourFix.NONE), image)
    steps = np.abs(np.diff(result, axis=1)).mean(axis=(0, 2))
    edges = [TILE - OVERLAP, TILE, 2 * (TILE - OVERLAP), 2 * TILE - OVERLAP]
    near = np.concatenate([steps[edge - 2 : edge + 2] for edge in edges])
    assert near.max() <= np.quantile(steps, 0.99)
    assert near.mean() <= 1.3 * steps.mean()


def test_tiles_far_apart_do_not_change_each_other(build):
    """What happens in the last tile stays there, where colours are not fixed as a whole."""
    plain = build(colour_fix=ColourFix.NONE)
    image = photo(64, 3 * TILE)
    other = image.copy()
    other[:, -64:] = 255 - other[:, -64:]
    first, second = one(plain, image), one(plain, other)
    assert np.array_equal(first[:, :TILE], second[:, :TILE])
    assert not np.array_equal(first[:, -64:], second[:, -64:])


def test_a_photo_is_tagged_once_and_whole(build):
    tagger = CountingTagger()
    build(tagger).restore([photo(64, TILE + 200)])
    assert tagger.shown == [(3, 64, TILE + 200)]


# What the answer depends on


def test_the_posteriors_mean_gives_the_same_photo_whatever_order_and_seed(build, restorer):
    photos = [photo(64, 64, 0), photo(72, 64, 1)]
    first, second = restorer.restore(photos), build(seed=9).restore(photos[::-1])[::-1]
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_sampled_latents_depend_on_seed_and_tile_alone(build, restorer):
    image = photo(64, TILE + 88)
    sampled = {seed: one(build(latent=Latent.SAMPLE, seed=seed), image) for seed in (3, 4)}
    again = build(latent=Latent.SAMPLE, seed=3).restore([photo(64, 64, 7), image])[1]
    assert np.array_equal(sampled[3], again)
    assert not np.array_equal(sampled[3], sampled[4])
    assert not np.array_equal(sampled[3], one(restorer, image))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_broken_weights_are_no_black_photo(build, value):
    broken = build()
    with torch.no_grad():
        broken._network.vae.decoder.conv_out.bias.fill_(value)
    with pytest.raises(UserError, match="NaN or infinite pixels"):
        broken.restore([photo(64, 64)])


def test_another_prompt_is_another_photo(build, restorer):
    image = photo(64, 64)
    assert not np.array_equal(one(build(FixedTagger(("car",))), image), one(restorer, image))


def test_both_forms_of_the_clean_latent_are_offered(build, restorer):
    image = photo(64, 64)
    residual = one(build(clean_latent=CleanLatent.RESIDUAL), image)
    assert not np.array_equal(residual, one(restorer, image))


def test_adain_gives_the_photos_mean_and_deviation_back(build):
    image = (60 + 0.4 * photo(64, 64)).astype(np.uint8)  # far from 0 and 255: nothing is clipped
    result = one(build(colour_fix=ColourFix.ADAIN), image)
    assert np.abs(result.mean(axis=(0, 1)) - image.mean(axis=(0, 1))).max() < 0.5
    assert np.abs(result.std(axis=(0, 1)) - image.std(axis=(0, 1))).max() < 1


def test_wavelets_give_the_photos_low_frequencies_back(build):
    image = (60 + 0.4 * photo(128, 128)).astype(np.uint8)
    plain, fixed = (
        one(build(colour_fix=fix), image) for fix in (ColourFix.NONE, ColourFix.WAVELET)
    )

    def distance(result):
        blocks = (result - image.astype(int)).reshape(2, 64, 2, 64, 3).mean(axis=(1, 3))
        return np.abs(blocks).max()

    assert distance(fixed) < 0.3 * distance(plain)


def test_without_a_fix_the_networks_own_colours_stay(build, toy, tokenizer):
    image = photo(64, 64)
    result = one(build(colour_fix=ColourFix.NONE), image)
    pixels = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255 * 2 - 1
    with torch.no_grad():
        context = toy.scr.text_encoder(tokenizer(["tree  sky"])).last_hidden_state
        expected = (toy.scr(pixels, context)[0] / 2 + 0.5).clamp(0, 1) * 255
    assert np.abs(result - expected.permute(1, 2, 0).numpy()).max() <= 0.51


# How it is computed


def test_the_layout_in_memory_changes_low_bits_alone(build):
    image = photo(64, 72)
    first, last = (
        one(build(execution=Execution(channels_last=choice)), image) for choice in (False, True)
    )
    assert np.abs(first - last).max() <= 1


def test_bfloat16_is_close(build, restorer):
    """Random weights make the most of its eight bits: some levels of 255 on average."""
    image = photo(64, 72)
    rough = one(build(execution=Execution(precision=Precision.BF16)), image)
    assert np.abs(rough - one(restorer, image)).mean() < 8
