"""Cross attention as the UNet computes it, gathered without changing what the UNet does."""

import pytest
import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor

from rass_bench.models.rass.config import LoraConfig, RassConfig
from rass_bench.models.rass.lora import add_lora, merge_lora
from rass_bench.models.rass.network import run_unet
from rass_bench.models.rass.networks import build_unet
from rass_bench.train.attention import AttentionTaps, Place, _layers
from tests.models.rass.toy import CONFIG

LENGTH = 7
PLACES = (Place.UP_32, Place.UP_16)


@pytest.fixture
def unet():
    """A toy UNet whose attention is far from even, so that mistakes show."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = build_unet(CONFIG.unet, 4)
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if "attn2.to_q" in name or "attn2.to_k" in name:
                weight.mul_(6)
    return network


def inputs(height=8, width=8, photos=2):
    generator = torch.Generator().manual_seed(1)
    return (
        torch.randn(photos, 4, height, width, generator=generator),
        torch.randn(photos, LENGTH, 16, generator=generator),
    )


def call(network, latent, context):
    return run_unet(network, latent, 1, context)


def maps_of(network, places, latent, context):
    with AttentionTaps(network, places) as maps:
        call(network, latent, context)
    return maps


def stock_probabilities(network, latent, context, place):
    """What diffusers' own explicit attention computes, (layers, N, heads, cells, length)."""
    found = []
    network.set_attn_processor(AttnProcessor())
    for layer in _layers(network, place):
        compute = layer.get_attention_scores

        def keep(*args, compute=compute, layer=layer):
            scores = compute(*args)
            found.append(scores.unflatten(0, (-1, layer.heads)))
            return scores

        layer.get_attention_scores = keep
    call(network, latent, context)
    return torch.stack(found)


# What is gathered


@pytest.mark.parametrize("place", Place)
@pytest.mark.parametrize(("height", "width"), [(8, 16), (5, 11)])
def test_a_map_is_the_mean_over_heads_and_layers_of_what_diffusers_computes(
    unet, place, height, width
):
    latent, context = inputs(height, width)
    maps = maps_of(unet, [place], latent, context)
    assert list(maps) == [place.stride]
    halvings = {8: 0, 16: 1, 32: 2, 64: 3}[place.stride]
    rows, columns = height, width
    for _ in range(halvings):
        rows, columns = (rows + 1) // 2, (columns + 1) // 2
    found = maps[place.stride]
    assert found.shape == (2, rows, columns, LENGTH)
    expected = stock_probabilities(unet, latent, context, place).mean(dim=(0, 2))
    torch.testing.assert_close(found.flatten(1, 2), expected, atol=1e-5, rtol=0)
    assert expected.std() > 0.05  # far from even: the comparison above says something


def test_places_of_one_stride_make_one_map_in_which_every_layer_counts_the_same(unet):
    latent, context = inputs()
    down, up = (
        maps_of(unet, [place], latent, context)[16] for place in (Place.DOWN_16, Place.UP_16)
    )
    both = maps_of(unet, [Place.DOWN_16, Place.UP_16], latent, context)
    # The toy has one layer in a down block and so two in an up block.
    torch.testing.assert_close(both[16], (down + 2 * up) / 3)


def test_the_cells_lie_as_the_latents_do(unet):
    _, context = inputs()
    columns = torch.randn(2, 4, 1, 16, generator=torch.Generator().manual_seed(2))
    found = maps_of(unet, [Place.DOWN_8], columns.expand(-1, -1, 8, -1), context)[8]
    # Three convolutions come before: the two middle rows see no border, and so the same columns.
    torch.testing.assert_close(found[:, 3], found[:, 4], atol=1e-5, rtol=0)
    assert (found[:, 3, 1:] - found[:, 3, :-1]).abs().amax(dim=(0, 2)).min() > 1e-3


def test_a_second_call_replaces_the_maps_of_the_first(unet):
    latent, context = inputs()
    with AttentionTaps(unet, PLACES) as maps:
        call(unet, latent, context)
        call(unet, latent[:1] + 1, context[:1])
    expected = maps_of(unet, PLACES, latent[:1] + 1, context[:1])
    assert maps.keys() == expected.keys()
    for stride, found in maps.items():
        assert torch.equal(found, expected[stride])


def test_the_full_size_has_the_16_layers_of_stable_diffusion():
    with torch.device("meta"):
        network = build_unet(RassConfig.sd21().unet, 4)
    layers = {place: _layers(network, place) for place in Place}
    counts = {str(place): len(found) for place, found in layers.items()}
    assert counts == {
        "down/8": 2, "down/16": 2, "down/32": 2, "mid/64": 1, "up/32": 3, "up/16": 3, "up/8": 3,
    }  # fmt: skip
    assert {place.stride: found[0].heads for place, found in layers.items()} == {
        8: 5, 16: 10, 32: 20, 64: 20,
    }  # fmt: skip


def test_a_place_without_attention_is_refused():
    network = UNet2DConditionModel(
        block_out_channels=(8, 8, 8, 8),
        layers_per_block=1,
        norm_num_groups=2,
        cross_attention_dim=16,
        attention_head_dim=2,
        up_block_types=("UpBlock2D",) * 4,
    )
    with pytest.raises(ValueError, match="up/16"):
        AttentionTaps(network, [Place.UP_16])


# What is left alone


def test_the_output_is_the_same_to_the_last_bit(unet):
    latent, context = inputs()
    plain = call(unet, latent, context)
    with AttentionTaps(unet, [*Place]):
        tapped = call(unet, latent, context)
    assert torch.equal(tapped, plain)


def test_nothing_is_left_behind_not_even_after_a_failure(unet):
    def traces():
        modules = unet.modules()
        return [(len(m._forward_hooks), len(m._forward_pre_hooks)) for m in modules]

    processors = dict(unet.attn_processors)
    before = traces()
    latent, context = inputs()
    with pytest.raises(RuntimeError), AttentionTaps(unet, PLACES) as maps:
        assert traces() != before
        call(unet, latent, context[:, :, :3])
    assert traces() == before
    assert unet.attn_processors == processors
    assert not maps


# Gradients


def adapted(network):
    """The toy with adapters as SCR's, away from their zeros."""
    torch.manual_seed(3)
    add_lora(network, LoraConfig(rank=2), suffix="")
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=0.1)
    return network


@pytest.fixture
def lora_unet(unet):
    with torch.random.fork_rng(devices=[]):
        return adapted(unet)


def penalty(maps):
    """Some function of the maps that no map makes stationary."""
    return sum(
        (found * torch.linspace(-1, 1, found[0].numel()).view_as(found[0]).sin()).sum()
        for found in maps.values()
    )


def gradients(network):
    return {name: p.grad.clone() for name, p in network.named_parameters() if p.grad is not None}


def test_maps_are_those_of_the_adapted_network(lora_unet):
    latent, context = inputs()
    found = maps_of(lora_unet, PLACES, latent, context)
    merged = build_unet(CONFIG.unet, 4)
    merged.load_state_dict(merge_lora(lora_unet.state_dict(), LoraConfig(rank=2).scaling))
    expected = maps_of(merged, PLACES, latent, context)
    for stride in expected:
        torch.testing.assert_close(found[stride], expected[stride], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("projection", ["to_q", "to_k"])
def test_gradients_are_the_slope_of_the_maps(lora_unet, projection):
    lora_unet.double()
    latent, context = (one.double() for one in inputs())
    # The last layer that is gathered: its weights reach the maps by one way alone.
    layer = _layers(lora_unet, Place.UP_16)[-1].get_submodule(projection)
    weight = layer.lora_A["default_decoder"].weight
    penalty(maps_of(lora_unet, PLACES, latent, context)).backward()
    direction = torch.randn_like(weight)
    slope = (weight.grad * direction).sum()
    values = []
    for step in (1e-2, -1e-2):  # maps are in single precision
        with torch.no_grad():
            weight.add_(step * direction)
            values.append(penalty(maps_of(lora_unet, PLACES, latent, context)))
            weight.sub_(step * direction)
    torch.testing.assert_close(
        (values[0] - values[1]) / 2e-2, slope, rtol=0.02, atol=1e-3, check_dtype=False
    )


@pytest.mark.parametrize("while_open", [True, False])
def test_gradient_checkpointing_changes_neither_maps_nor_gradients(lora_unet, while_open):
    latent, context = inputs()
    plain = maps_of(lora_unet, PLACES, latent, context)
    penalty(plain).backward()
    expected = gradients(lora_unet)
    lora_unet.zero_grad()

    lora_unet.enable_gradient_checkpointing()
    runs = []
    count = _layers(lora_unet, Place.UP_16)[0].to_q.register_forward_hook(lambda *_: runs.append(1))
    with AttentionTaps(lora_unet, PLACES) as maps:
        answer = call(lora_unet, latent, context)
        gathered = dict(maps)
        if while_open:
            (penalty(maps) + 0 * answer.sum()).backward()
    if not while_open:
        (penalty(maps) + 0 * answer.sum()).backward()
    count.remove()

    assert len(runs) == 2  # once more in the backward pass, else this test shows nothing
    assert maps.keys() == gathered.keys()
    for stride, found in maps.items():
        assert found is gathered[stride]
        torch.testing.assert_close(found, plain[stride])
    found = gradients(lora_unet)
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, atol=1e-5, rtol=1e-4)
    assert any(gradient.abs().max() > 1e-3 for gradient in expected.values())


def test_under_autocast_maps_are_in_single_precision_and_carry_gradients(lora_unet):
    latent, context = inputs()
    expected = maps_of(lora_unet, PLACES, latent, context)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        maps = maps_of(lora_unet, PLACES, latent, context)
    for stride, found in maps.items():
        assert found.dtype == torch.float32
        torch.testing.assert_close(found.sum(dim=-1), torch.ones_like(found[..., 0]))
        assert (found - expected[stride]).abs().mean() < 0.02 < expected[stride].std()
    penalty(maps).backward()
    found = gradients(lora_unet)
    assert all(gradient.isfinite().all() for gradient in found.values())
    assert any(gradient.abs().max() > 1e-3 for gradient in found.values())
