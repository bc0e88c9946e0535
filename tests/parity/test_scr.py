"""SCR's pickle and what it makes of Stable Diffusion's UNet, against the official code."""

import json

import pytest
import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import load_file

from rass_bench.models.rass.checkpoint_file import read_scr
from rass_bench.models.rass.config import UNetConfig
from rass_bench.models.rass.lora import lora_targets, merge_scr
from rass_bench.models.rass.network import run_unet
from rass_bench.models.rass.networks import build_unet
from rass_bench.models.rass.taps import Taps

from .conftest import hold


@pytest.fixture(scope="module")
def fixture(oracle_file):
    return load_file(oracle_file("scr_merge.safetensors"))


@pytest.fixture(scope="module")
def merged(fixture, oracle_file):
    scr = read_scr(oracle_file("scr_tiny.pkl"))
    base = {
        name.removeprefix("base."): tensor.float()
        for name, tensor in fixture.items()
        if name.startswith("base.")
    }
    return base, merge_scr(base, scr.tensors, scr.rank), scr


@pytest.fixture(scope="module")
def unet(oracle_file, merged) -> UNet2DConditionModel:
    document = json.loads(oracle_file("scr_merge.json").read_text())["unet"]
    network = build_unet(
        UNetConfig(
            tuple(document["block_out_channels"]),
            tuple(document["attention_head_dim"]),
            document["cross_attention_dim"],
            document["layers_per_block"],
            document["norm_num_groups"],
        ),
        document["in_channels"],
    )
    network.load_state_dict(merged[1])
    return network.eval()


def test_the_pickle_says_what_it_adapts(merged, oracle_file, unet):
    scr = merged[2]
    assert scr.rank == json.loads(oracle_file("scr_merge.json").read_text())["rank"]
    targets = lora_targets(unet)
    assert set(scr.encoder) == set(targets.encoder)
    # OSEDiff's lists, which SCR took over here, hold the last convolution too.
    assert set(scr.decoder) == {*targets.decoder, "conv_out"}
    assert set(scr.others) == set(targets.others)


def test_every_merged_weight(fixture, merged):
    base, ours, _ = merged
    official = {
        name.removeprefix("merged."): tensor.float()
        for name, tensor in fixture.items()
        if name.startswith("merged.")
    }
    worst = 0.0
    for name, tensor in ours.items():
        expected = official.pop(name, base[name])
        worst = max(worst, (tensor - expected).abs().max().item())
    print(f"parity | merged SCR weights | absolute | asked 2e-07 | reached {worst:.1e}")
    assert worst <= 2e-7
    assert not official


def test_the_merged_unets_answer_and_features(fixture, unet):
    with torch.no_grad(), Taps(unet.up_blocks) as features:
        answer = run_unet(unet, fixture["x"].float(), 1, fixture["ctx"].float())
    hold("merged SCR UNet", answer, fixture["eps"], relative=1e-5)
    for block, ours in enumerate(features):
        hold("merged SCR UNet", ours, fixture[f"up{block}"], relative=1e-5)
