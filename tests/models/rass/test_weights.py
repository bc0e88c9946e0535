"""The package's own weights file: what is kept, what is stored once, and when none is written."""

import contextlib
import dataclasses
import resource
import signal

import pytest
import torch
from safetensors.torch import load_file

from rass_bench.errors import UserError
from rass_bench.models.rass.ram import TagList
from rass_bench.models.rass.weights import RassWeights, load_weights, save_weights
from tests.models.rass.toy import CONFIG


def weights(**changes) -> RassWeights:
    plain = RassWeights(
        config=CONFIG,
        rass={
            "unet.conv_in.base_layer.weight": torch.ones(4),
            "unet.conv_in.lora_A.default_encoder_s2.weight": torch.ones(2),
            "unet.mid_block.weight": torch.arange(6.0),
            "projections.0.weight": torch.ones(3),
        },
        scr={
            "unet.conv_in.weight": torch.zeros(4),
            "unet.mid_block.weight": torch.arange(6.0),
            "vae.decoder.weight": torch.ones(5),
        },
        ram={"fc.bias": torch.ones(1)},
        tags=TagList(("tree", "bär"), (0.5, 1.0)),
        tokenizer=None,
        sources={"rass.pth": "0" * 64},
        sha256="1" * 64,
    )
    return dataclasses.replace(plain, **changes)


def assert_equal(found, expected):
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert torch.equal(found[name], tensor), name


def test_what_is_saved_is_loaded(tmp_path):
    saved = weights()
    beside = save_weights(saved, tmp_path / "new/folder/w.safetensors")
    assert beside == tmp_path / "new/folder/w.json"
    loaded = load_weights(tmp_path / "new/folder/w.safetensors")
    assert loaded.config == saved.config
    assert (loaded.tags, loaded.sources) == (saved.tags, saved.sources)
    for part in ("rass", "ram"):
        assert_equal(getattr(loaded, part), getattr(saved, part))
    for name, tensor in saved.scr.items():
        assert torch.equal(loaded.scr[name], tensor), name


def test_only_what_differs_is_stored_twice(tmp_path):
    save_weights(weights(), tmp_path / "w.safetensors")
    alone = {name for name in load_file(tmp_path / "w.safetensors") if name.startswith("scr.")}
    assert alone == {"scr.unet.conv_in.weight", "scr.vae.decoder.weight"}


@pytest.mark.parametrize("absent", ["rass", "scr", "ram"])
def test_a_part_that_was_not_there_is_empty(tmp_path, absent):
    save_weights(weights(**{absent: {}}), tmp_path / "w.safetensors")
    assert not getattr(load_weights(tmp_path / "w.safetensors"), absent)


def test_views_of_one_memory_are_stored_apart(tmp_path):
    """Queries, keys and values of the official checkpoint are parts of one tensor."""
    whole = torch.arange(12.0).reshape(6, 2)
    parts = dict(zip("qkv", whole.chunk(3), strict=True)) | {"turned": whole.T}
    save_weights(weights(rass=parts, scr={}), tmp_path / "w.safetensors")
    assert_equal(load_weights(tmp_path / "w.safetensors").rass, parts)


@pytest.mark.parametrize(
    "changes",
    [
        {"sha256": "2" * 64},
        {"config": dataclasses.replace(CONFIG, timestep=2)},
        {"tags": TagList(("tree", "bar"), (0.5, 1.0))},
        {"tags": TagList(("tree", "bär"), (0.5, 0.9))},
        {"tags": None},
    ],
)
def test_whatever_decides_figures_decides_the_fingerprint(changes):
    assert weights(**changes).fingerprint != weights().fingerprint
    assert weights(sources={}).fingerprint == weights().fingerprint


@contextlib.contextmanager
def full_disk(limit):
    """A file-size limit stands in for a full disk: the same failed write."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_full_disk_is_told_and_leaves_nothing_behind(tmp_path):
    with full_disk(100), pytest.raises(UserError, match="cannot be written"):
        save_weights(weights(), tmp_path / "w.safetensors")
    assert not list(tmp_path.iterdir())


def test_a_full_disk_leaves_the_earlier_file(tmp_path):
    save_weights(weights(), tmp_path / "w.safetensors")
    with full_disk(100), pytest.raises(UserError):
        save_weights(weights(ram={}), tmp_path / "w.safetensors")
    assert load_weights(tmp_path / "w.safetensors").ram
