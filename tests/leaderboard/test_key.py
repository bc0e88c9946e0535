"""What stands in a row's key, and that the choices of RASS are read as they are written."""

import dataclasses
import json

import pytest

from rass_bench.leaderboard.key import measured_key
from rass_bench.models.rass.choices import (
    Execution,
    RestorerOptions,
    SegmenterOptions,
    configured,
    revision_suffix,
)
from rass_bench.models.rass.config import RassConfig
from rass_bench.record import load_record
from tests.test_record import SCHEMA_1

MIOU = "miou/gt-present"


@pytest.fixture
def record(tmp_path):
    (tmp_path / "record.json").write_text(json.dumps(SCHEMA_1))
    return load_record(tmp_path)


def key_of(record, **model):
    changed = dataclasses.replace(record.model, **model)
    return measured_key(dataclasses.replace(record, model=changed), MIOU)


def test_a_key_names_model_protocol_restorer_metric_and_size(record):
    front = dataclasses.replace(record.model, name="front", revision="7")
    key = measured_key(dataclasses.replace(record, restorer=front), MIOU)
    assert (key.model, key.protocol, key.restorer) == ("net@1", "r2s", "front@7")
    assert (key.metric, key.metric_version) == (MIOU, "1")
    assert key.test_size == "short side 512, padded to a multiple of 32"
    assert (key.prompt_source, key.latent, key.source, key.column) == (None,) * 4


@pytest.mark.parametrize(
    ("options", "prompt_source", "latent"),
    [
        (SegmenterOptions(), "as the weights say", "mode"),
        (SegmenterOptions(latent="sample"), "as the weights say", "sample"),
        (SegmenterOptions(tagger="labels"), "labels", "mode"),
        (SegmenterOptions(tagger="ram", latent="sample", batch=4), "as the weights say", "sample"),
        (RestorerOptions(tagger="fixed:a street", latent="sample"), None, "sample"),
    ],
)
def test_prompt_and_latent_are_read_off_the_revision_that_rass_writes(
    record, options, prompt_source, latent
):
    weights = RassConfig.sd21()
    execution = Execution(batch=options.batch) if isinstance(options, SegmenterOptions) else None
    suffix = revision_suffix(weights, configured(weights, options), execution or Execution(), 3)
    name = "scr" if isinstance(options, RestorerOptions) else "rass"
    key = key_of(record, name=name, revision=f"sd21-0123456789ab{suffix}")
    assert key.latent == latent
    if prompt_source is None:  # a prompt's hash stands for it
        assert key.prompt_source.startswith("fixed:")
    else:
        assert key.prompt_source == prompt_source


def test_weights_that_sample_by_themselves_are_seen_to(record):
    weights = dataclasses.replace(RassConfig.sd21(), latent="sample")
    suffix = revision_suffix(weights, weights, Execution(), seed=5)
    assert key_of(record, name="rass", revision=f"sd21-0123456789ab{suffix}").latent == "sample"


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({}, "the photo's own"),
        ({"short_side": 512, "max_long_side": 2048}, "short side 512, long side up to 2048"),
        ({"letterbox": 640, "multiple_of": 1}, "within a square of 640"),
        ({"square": 384}, "stretched to a square of 384"),
    ],
)
def test_the_test_size_is_told_in_words(record, rule, words):
    assert key_of(record, size_rule=rule).test_size == words


def test_another_upscale_is_another_size(record):
    enlarged = dataclasses.replace(record, arguments_resolved={"upscale": 4})
    assert measured_key(enlarged, MIOU).test_size.endswith("answer 4 times the photo")
