"""The stream of training crops: keyed by place, the same for any order and division of work."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from rass_bench.degrade.preset import PRESETS
from rass_bench.errors import UserError
from rass_bench.labels import IGNORE
from rass_bench.train.augment import PADDING, Augmentation
from rass_bench.train.crops import CropStream, drawn
from tests.train.tiny import photos_in, stream_of


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return photos_in(tmp_path_factory.mktemp("photos"), count=5)


def crops_at(stream, places):
    return {place: [one.tobytes() for one in stream.crop(place)] for place in places}


def test_a_crop_depends_on_its_place_alone(photos):
    forwards = crops_at(stream_of(photos), range(8))
    backwards = crops_at(stream_of(photos), reversed(range(8)))
    assert forwards == backwards
    assert len({tuple(crop) for crop in forwards.values()}) == 8


def test_another_seed_gives_other_crops(photos):
    one, other = (crops_at(stream_of(photos, seed), range(4)) for seed in (0, 1))
    assert all(one[place] != other[place] for place in one)


def test_a_crop_has_its_sides_and_its_types(photos):
    shapes = [(32, 32, 3), (32, 32, 3), (32, 32)]
    for one, shape in zip(stream_of(photos).crop(0), shapes, strict=True):
        assert one.shape == shape and one.dtype == np.uint8


@settings(deadline=None)
@given(count=st.integers(1, 40), seed=st.integers(0, 5), epoch=st.integers(0, 100))
def test_each_epoch_takes_every_photo_once(count, seed, epoch):
    places = range(epoch * count, (epoch + 1) * count)
    assert sorted(drawn(count, seed, place) for place in places) == list(range(count))


def test_epochs_are_shuffled_each_in_its_way():
    orders = {tuple(drawn(10, 0, 10 * epoch + i) for i in range(10)) for epoch in range(20)}
    assert len(orders) == 20
    first = [drawn(10, seed, 0) for seed in range(500)]
    assert min(first.count(photo) for photo in range(10)) > 25


# What belongs together


@pytest.fixture(scope="module")
def marked(tmp_path_factory):
    """Photos of grey noise with one white square each, which alone is of a class."""
    photos = photos_in(tmp_path_factory.mktemp("marked"), count=4)
    rng = np.random.default_rng(0)
    for sample in photos.samples:
        pixels = rng.integers(20, 40, (48, 64, 3), dtype=np.uint8)
        raw = np.zeros((48, 64), dtype=np.uint8)
        top, left = rng.integers(4, 20), rng.integers(4, 30)
        here = slice(top, top + 20), slice(left, left + 20)
        pixels[here], raw[here] = 230, 8
        Image.fromarray(pixels).save(sample.image)
        Image.fromarray(raw).save(sample.label)
    return photos


@pytest.mark.parametrize("preset", [None, "noise-1"])
def test_photo_degraded_photo_and_labels_lie_upon_each_other(marked, preset):
    sizes = Augmentation(side=48, short_sides=(32, 48, 72), max_long_side=200)
    stream = CropStream(marked, sizes, None if preset is None else PRESETS.get(preset), 0)
    seen = 0
    for place in range(24):
        clean, degraded, labels = stream.crop(place)
        inside = labels == 7
        outside = ~inside & ~((clean == PADDING).all(axis=2))
        for photo in (clean, degraded):
            bright = photo.astype(float).mean(axis=2) > 0.5 * clean.max()
            # Resizing leaves an edge of mixed pixels about the square.
            assert (inside & ~bright).sum() <= max(0.15 * inside.sum(), 40)
            assert (outside & bright).sum() <= max(0.15 * inside.sum(), 40)
        seen += int(inside.any())
    assert seen > 12


def test_without_a_preset_nothing_is_degraded(photos):
    clean, same, _ = stream_of(photos, preset=None).crop(3)
    assert (clean == same).all()
    clean, other, _ = stream_of(photos).crop(3)
    assert (clean != other).any()


# Batches


def test_batches_hold_the_crops_of_their_places(photos):
    stream = stream_of(photos)
    batches = list(stream.batches(3, 2, 4, workers=0))
    assert len(batches) == 2
    for step, batch in enumerate(batches, start=2):
        assert batch.clean.shape == batch.low_quality.shape == (3, 3, 32, 32)
        assert batch.labels.shape == (3, 32, 32)
        for index in range(3):
            clean, degraded, labels = stream.crop(3 * step + index)
            for tensor, pixels in ((batch.clean, clean), (batch.low_quality, degraded)):
                assert tensor.min() >= 0 and tensor.max() <= 1
                again = (255 * tensor[index]).round().byte().permute(1, 2, 0).numpy()
                assert (again == pixels).all()
            assert (batch.labels[index].numpy() == labels).all()
        assert str(batch.labels.dtype) == "torch.int64"


def test_processes_that_train_together_share_the_places(photos):
    stream = stream_of(photos)
    one = [b.clean for b in stream.batches(6, 0, 2, workers=0)]
    parts = [
        [b.clean for b in stream.batches(2, 0, 2, workers=0, part=part, parts=3)]
        for part in range(3)
    ]
    for step in range(2):
        together = [photo for part in parts for photo in part[step]]
        assert all((a == b).all() for a, b in zip(together, one[step], strict=True))


def test_workers_give_the_same_batches(photos):
    stream = stream_of(photos)
    pairs = itertools.zip_longest(
        stream.batches(2, 1, 5, workers=0), stream.batches(2, 1, 5, workers=2)
    )
    for here, there in pairs:
        for name in ("clean", "low_quality", "labels"):
            assert (getattr(here, name) == getattr(there, name)).all()


def test_no_steps_are_no_batches(photos):
    assert list(stream_of(photos).batches(2, 4, 4, workers=0)) == []


def test_a_label_of_another_size_is_refused(tmp_path):
    photos = photos_in(tmp_path, count=1)
    Image.fromarray(np.full((20, 20), 3, dtype=np.uint8)).save(photos.samples[0].label)
    with pytest.raises(UserError, match="20 x 20 pixels"):
        stream_of(photos).crop(0)


def test_facts_tell_what_the_crops_depend_on(photos):
    facts = stream_of(photos, seed=4).facts()
    assert facts["photos"] == "tiny@1.0 test" and facts["count"] == 5 and facts["seed"] == 4
    assert facts["preset"] == PRESETS.get("noise-3").key
    assert facts["sizes"]["side"] == 32


def test_ignored_pixels_stay_ignored(photos):
    present = {
        int(value) for place in range(10) for value in np.unique(stream_of(photos).crop(place)[2])
    }
    assert present <= {*range(20, 25), 40, IGNORE}
    assert IGNORE in present
