"""The paper's size on the meta device: every official name and shape, and the paper's counts."""

import gzip
import json

import pytest
import torch

from rass_bench.models.rass.config import RassConfig
from rass_bench.models.rass.lora import lora_targets, merge_lora
from rass_bench.models.rass.network import RassNetwork
from rass_bench.models.rass.networks import build_unet
from rass_bench.models.rass.official import UNUSED, sort_official
from rass_bench.models.rass.sizes import count_parameters_as_published


@pytest.fixture(scope="module")
def keys(oracle_file):
    return json.loads(gzip.decompress(oracle_file("rass_full_keys.json.gz").read_bytes()))


@pytest.fixture(scope="module")
def official(keys):
    return sort_official(
        {
            name: torch.empty(shape, dtype=getattr(torch, dtype), device="meta")
            for name, (shape, dtype) in keys["state_dict"].items()
        }
    )


def test_every_name_and_shape_is_consumed_and_none_is_missing(official):
    with torch.device("meta"):
        network = RassNetwork(RassConfig.sd21())
    wanted = {name: tensor.shape for name, tensor in network.state_dict().items()}
    merged = merge_lora(official.network, RassConfig.sd21().lora.scaling)
    assert {name: tensor.shape for name, tensor in merged.items()} == wanted


def test_what_is_left_aside_is_named(official):
    """Nothing is unused by accident: each name begins as one of the documented ones."""
    assert official.unused
    assert {next(one for one in UNUSED if name.startswith(one)) for name in official.unused} == {
        one for one in UNUSED if not one.endswith("position_ids")
    }


def test_the_adapted_layers(oracle_file):
    targets = json.loads(gzip.decompress(oracle_file("lora_s2_targets.json.gz").read_bytes()))
    with torch.device("meta"):
        ours = lora_targets(build_unet(RassConfig.sd21().unet, 4))
    assert {name: sorted(layers) for name, layers in vars(ours).items()} == {
        name: sorted(layers) for name, layers in targets.items()
    }


def test_what_the_official_code_trains(keys):
    """Its list of trainable parameters has the size that we count."""
    sizes = {name: torch.Size(shape).numel() for name, (shape, _) in keys["state_dict"].items()}
    trainable = sum(sizes[name] for name in keys["trainable"])
    assert count_parameters_as_published(RassConfig.sd21()).trainable == trainable


def test_the_papers_counts():
    """27.9 M trainable and 1788.7 M in the paper's Table 1, which truncates."""
    count = count_parameters_as_published(RassConfig.sd21())
    assert (f"{count.trainable / 1e6:.4f}", f"{count.total / 1e6:.4f}") == ("27.9051", "1788.7806")
