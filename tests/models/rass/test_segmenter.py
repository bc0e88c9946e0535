"""RASS behind the suite's protocol: what a photo's answer depends on, and what it does not."""

import copy
import dataclasses

import numpy as np
import pytest
import torch

from rass_bench.errors import UserError
from rass_bench.models.contract import checked_prediction
from rass_bench.models.protocols import ModelSpec
from rass_bench.models.rass.choices import Execution, Precision
from rass_bench.models.rass.config import Latent, RassConfig
from rass_bench.models.rass.network import encode
from rass_bench.models.rass.pixels import latent_noise, to_tensor
from rass_bench.models.rass.segmenter import RassSegmenter, size_rule
from rass_bench.models.rass.taggers import FixedTagger
from rass_bench.models.sizing import segment
from tests.models.rass.toy import CONFIG, photo

SPEC = ModelSpec(
    "toy", "1", "toy", "CC0-1.0", label_space="ade20k-150", size_rule=size_rule(CONFIG)
)
CPU = torch.device("cpu")


class CountingTagger:
    """Says how bright a photo is, and remembers what it was shown."""

    parameters = 0

    def __init__(self):
        self.shown = []

    def tag(self, photos):
        self.shown += [tuple(one.shape) for one in photos]
        return [("bright sky",) if one.mean() > 0.5 else ("dark room",) for one in photos]


@pytest.fixture(scope="module")
def build(toy, tokenizer):
    """A segmenter on the toy's network, which is copied: preparing it may change its layout."""

    def build(tagger=None, execution=None, seed=0, **changes):
        config = dataclasses.replace(CONFIG, **changes)
        network = copy.deepcopy(toy.rass)
        network.config = config
        return RassSegmenter(
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
def segmenter(build):
    return build()


def predict(segmenter, *photos):
    return [window for (window,) in segmenter.predict(photos)]


def assert_equal(one, other):
    assert np.array_equal(one.values, other.values)
    assert np.array_equal(one.classes, other.classes)


def difference(one, other):
    return np.abs(one.values - other.values).max()


PHOTOS = [photo(64, 64, 0), photo(64, 104, 1), photo(120, 64, 2)]


# The contract


@pytest.mark.parametrize("size", [(64, 64), (64, 104), (80, 72)])
def test_an_answer_is_one_window_of_queries_that_keeps_the_contract(segmenter, size):
    [prediction] = segmenter.predict([photo(*size)])
    checked_prediction(SPEC, prediction, size)
    [window] = prediction
    assert window.values.shape == (CONFIG.head.queries, size[0] // 4, size[1] // 4)
    assert window.classes.shape == (CONFIG.head.queries, 150)
    assert (window.classes.sum(axis=1) < 1).all()  # the rest is "no object"
    assert (window.classes > 0).all()


@pytest.mark.parametrize("size", [(37, 50), (61, 200)])
def test_photos_of_any_size_get_labels_of_their_own_size(segmenter, size):
    labels = segment(segmenter, [photo(*size)])[0]
    assert labels.shape == size
    assert labels.max() < 150


def test_a_read_only_photo_is_taken(segmenter):
    image = PHOTOS[0].copy()
    image.flags.writeable = False
    assert_equal(*predict(segmenter, image, PHOTOS[0]))


def test_the_size_rule_is_detectron2s_test_size():
    rule = size_rule(RassConfig.sd21())
    assert (rule.short_side, rule.max_long_side) == (512, 2048)
    assert (rule.multiple_of, rule.pad_value) == (8, 0)


# Determinism


def test_the_posteriors_mean_gives_the_same_answer_whatever_order_and_batch(build, segmenter):
    together = predict(segmenter, *PHOTOS)
    again = predict(build(seed=5), *reversed(PHOTOS))[::-1]
    for image, one, other in zip(PHOTOS, together, again, strict=True):
        assert_equal(one, other)
        assert_equal(one, *predict(segmenter, image))


def test_sampled_latents_depend_on_seed_and_photo_alone(build, segmenter):
    one, other = build(latent=Latent.SAMPLE, seed=3), build(latent=Latent.SAMPLE, seed=3)
    first = predict(one, *PHOTOS)
    for ours, theirs in zip(first, predict(other, *reversed(PHOTOS))[::-1], strict=True):
        assert_equal(ours, theirs)
    different = predict(build(latent=Latent.SAMPLE, seed=4), *PHOTOS)
    for ours, theirs, mean in zip(first, different, predict(segmenter, *PHOTOS), strict=True):
        assert difference(ours, theirs) > 1e-3
        assert difference(ours, mean) > 1e-3


def test_noise_is_standard_normal_and_each_photos_own():
    shape = (5, 4, 40, 40)
    draw = latent_noise(PHOTOS[0], 0, shape, CPU)
    assert draw.dtype == torch.float32
    assert abs(draw.mean()) < 0.02
    assert abs(draw.std() - 1) < 0.02
    assert torch.equal(draw, latent_noise(PHOTOS[0].copy(), 0, shape, CPU))
    assert not torch.equal(draw, latent_noise(PHOTOS[1], 0, shape, CPU))
    assert not torch.equal(draw, latent_noise(PHOTOS[0], 1, shape, CPU))
    turned = PHOTOS[0].reshape(32, 128, 3)  # the same bytes in another shape
    assert not torch.equal(draw, latent_noise(turned, 0, shape, CPU))


def test_every_window_gets_its_own_noise(build):
    """A photo of two equal halves: its windows would be equal, were their noise."""
    half = PHOTOS[0]
    one = build(latent=Latent.SAMPLE)
    noise = one._noise(np.concatenate([half, half], axis=1))
    assert len(noise) == 2
    assert noise[0].shape == (1, 4, 8, 8)
    assert not torch.equal(noise[0], noise[1])
    [whole] = build(latent=Latent.SAMPLE, slide=False)._noise(photo(64, 104))
    assert whole.shape == (1, 4, 8, 13)


# The prompt


def test_a_photo_is_tagged_once_and_whole(build):
    """The official code tags it again for every window (rass.md, quirk 1)."""
    tagger = CountingTagger()
    build(tagger).predict([photo(64, 200), photo(64, 64)])
    assert tagger.shown == [(3, 64, 200), (3, 64, 64)]


def test_what_the_tagger_says_is_the_prompt(build):
    tagger = CountingTagger()
    bright = np.full((64, 64, 3), 200, np.uint8)
    bright[::3] = 150
    dark = 255 - bright
    answers = predict(build(tagger), bright, dark)
    for image, tags, answer in zip(
        (bright, dark), ("bright sky", "dark room"), answers, strict=True
    ):
        assert_equal(answer, *predict(build(FixedTagger((tags,))), image))


def test_another_prompt_is_another_answer(build, segmenter):
    other = build(FixedTagger(("car",)))
    assert difference(*predict(segmenter, PHOTOS[0]), *predict(other, PHOTOS[0])) > 1e-3


def test_told_classes_take_the_taggers_place(build):
    tagger = CountingTagger()
    model = build(tagger)
    told = [("tree", "sky"), ("car",), ()]
    answers = model.predict_told(PHOTOS, told)
    assert not tagger.shown
    for image, tags, (answer,) in zip(PHOTOS, told, answers, strict=True):
        assert_equal(answer, *predict(build(FixedTagger(tags)), image))


def test_a_model_that_is_to_be_told_does_not_answer_untold(build):
    model = build()
    model.spec = dataclasses.replace(SPEC, told_classes=True)
    with pytest.raises(UserError, match="must be told the classes"):
        segment(model, [PHOTOS[0]])
    assert segment(model, [PHOTOS[0]], [("sky",)])[0].shape == PHOTOS[0].shape[:2]


# How it is computed


def test_windows_together_are_close_to_windows_alone(build, segmenter):
    """Low bits change with the batch."""
    image = photo(64, 200)
    [alone], [together] = (
        predict(one, image) for one in (segmenter, build(execution=Execution(batch=3)))
    )
    assert difference(alone, together) < 1e-4 * alone.values.std()
    assert np.abs(alone.classes - together.classes).max() < 1e-5


def test_the_layout_in_memory_changes_low_bits_alone(build):
    [first], [last] = (
        predict(build(execution=Execution(channels_last=choice)), PHOTOS[1])
        for choice in (False, True)
    )
    assert difference(first, last) < 1e-4 * first.values.std()


def test_dark_and_flat_photos_are_as_exact_as_others(build, toy):
    """Against float64: norms over channels of little variance must not lose digits."""
    dark = np.zeros((128, 128, 3), np.uint8)
    dark[50:60, 50:60] = 255
    pixels = to_tensor(dark, CPU) * 2 - 1
    with torch.no_grad():
        exact = encode(copy.deepcopy(toy.rass.vae).double(), pixels.double()).mean
        computed = encode(build()._network.vae, pixels).mean
    assert (computed - exact).abs().max() < 5e-5 * exact.std()


def test_bfloat16_is_close(build, segmenter):
    """Eight bits of mantissa through a hundred layers: on average a tenth of the masks' spread."""
    half = build(execution=Execution(precision=Precision.BF16))
    [exact], [rough] = predict(segmenter, PHOTOS[1]), predict(half, PHOTOS[1])
    assert rough.values.dtype == rough.classes.dtype == np.float32
    assert 0 < difference(exact, rough) < 1.5 * exact.values.std()
    assert np.abs(exact.values - rough.values).mean() < 0.1 * exact.values.std()


@pytest.mark.slow
def test_compiled_blocks_answer_as_plain_ones(build, segmenter):
    compiled = build(execution=Execution(compile=True))
    [plain], [fused] = predict(segmenter, PHOTOS[0]), predict(compiled, PHOTOS[0])
    assert difference(plain, fused) < 1e-3 * plain.values.std()


def test_a_network_of_another_configuration_is_refused(toy, tokenizer):
    other = dataclasses.replace(CONFIG, timestep=2)
    with pytest.raises(ValueError, match="another configuration"):
        RassSegmenter(
            other,
            copy.deepcopy(toy.rass),
            tokenizer,
            FixedTagger(()),
            SPEC,
            device=CPU,
            execution=Execution(),
            seed=0,
        )
