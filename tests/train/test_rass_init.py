"""The head's first weights, against closed forms and a torch module that was built apart."""

import math

import pytest
import torch
from torch import nn

from rass_bench.models.rass.network import RassNetwork
from rass_bench.train.rass_init import initialise_head
from tests.train.toys import config_of, seeded


@pytest.fixture(scope="module")
def pair():
    """A network before and after, from the same draw."""
    before, after = (seeded(lambda: RassNetwork(config_of())) for _ in range(2))
    seeded(lambda: initialise_head(after), seed=5)
    return before, after


def assert_uniform(weight, bound):
    """Uniform in [-bound, bound]: within it, near it, and of the variance bound^2 / 3."""
    assert weight.abs().max() <= bound
    assert weight.abs().max() >= bound * (1 - 20 / weight.numel())
    # The variance of a uniform variable's square is 4/45 of bound^4.
    spread = math.sqrt(4 / 45 / weight.numel())
    assert float(weight.square().mean()) / bound**2 == pytest.approx(1 / 3, abs=5 * spread)


def xavier_bound(fan_in, fan_out):
    return math.sqrt(6 / (fan_in + fan_out))


def test_nothing_but_projections_and_head_changes(pair):
    before, after = (one.state_dict() for one in pair)
    for name, tensor in before.items():
        if name.startswith(("unet.", "vae.", "text_encoder.", "class_predictor.")):
            assert torch.equal(tensor, after[name]), name
    changed = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"projections", "pixel_decoder", "transformer_module"}


def test_a_projections_convolutions_keep_the_variance_that_goes_back(pair):
    """Kaiming's, fan out, rectified: variance 2 / (outputs times kernel)."""
    for module in pair[1].projections.modules():
        if isinstance(module, nn.Conv2d):
            weight = module.weight.detach()
            fan_out = weight.shape[0] * weight.shape[2] * weight.shape[3]
            ratio = float(weight.square().mean()) / (2 / fan_out)
            assert ratio == pytest.approx(1, abs=5 * math.sqrt(2 / weight.numel()))
            assert module.bias is None


def test_the_pixel_decoders_convolutions(pair):
    """Caffe2's Xavier: uniform, variance 1 / fan in. The inputs' own: Glorot's."""
    decoder = pair[1].pixel_decoder
    own = {id(projection[0]) for projection in decoder.input_projections}
    found = 0
    for module in decoder.modules():
        if not isinstance(module, nn.Conv2d):
            continue
        weight = module.weight.detach()
        area = weight.shape[2] * weight.shape[3]
        fan_in, fan_out = weight.shape[1] * area, weight.shape[0] * area
        glorot = id(module) in own
        bound = xavier_bound(fan_in, fan_out) if glorot else math.sqrt(3 / fan_in)
        assert_uniform(weight, bound)
        assert module.bias is None or not module.bias.any()
        found += glorot
    assert found == 3
    level = decoder.level_embed.detach()
    assert float(level.square().mean()) == pytest.approx(1, abs=5 * math.sqrt(2 / level.numel()))


def test_each_head_of_deformable_attention_looks_into_a_direction_of_its_own(pair):
    """The first of n heads to the right, the next a 2 pi / n further; point k goes k steps."""
    for layer in pair[1].pixel_decoder.encoder.layers:
        attention = layer.self_attn
        heads, levels, points = attention.n_heads, attention.n_levels, attention.n_points
        offsets = attention.sampling_offsets.bias.detach().reshape(heads, levels, points, 2)
        for head in range(heads):
            for point in range(points):
                for level in range(levels):
                    x, y = offsets[head, level, point].tolist()
                    # Upon the square of that radius.
                    assert max(abs(x), abs(y)) == pytest.approx(point + 1)
                    turn = math.atan2(y, x) % (2 * math.pi)
                    assert math.cos(turn - 2 * math.pi * head / heads) == pytest.approx(1)
        assert not attention.sampling_offsets.weight.any()
        assert not attention.attention_weights.weight.any()
        assert not attention.attention_weights.bias.any()
        for projection in (attention.value_proj, attention.output_proj):
            assert_uniform(projection.weight.detach(), xavier_bound(*projection.weight.shape))
            assert not projection.bias.any()


def test_the_pixel_decoders_feed_forward_parts(pair):
    for layer in pair[1].pixel_decoder.encoder.layers:
        for linear in (layer.fc1, layer.fc2):
            assert_uniform(linear.weight.detach(), xavier_bound(*linear.weight.shape))


def built_apart(width, heads, feed_forward):
    """A decoder layer of Mask2Former's as its code builds it, from PyTorch's own modules."""
    layer = nn.ModuleDict(
        {
            "self_attn": nn.MultiheadAttention(width, heads),
            "cross_attn": nn.MultiheadAttention(width, heads),
            "fc1": nn.Linear(width, feed_forward),
            "fc2": nn.Linear(feed_forward, width),
        }
    )
    for parameter in layer.parameters():
        if parameter.dim() > 1:
            nn.init.xavier_uniform_(parameter)
    return layer


def test_the_decoders_layers_are_drawn_as_mask2formers(pair):
    """Queries, keys and values are three matrices here and one there; bounds are those of one."""
    head = config_of().head
    theirs = seeded(lambda: built_apart(head.hidden, head.heads, head.decoder_feed_forward))
    packed = theirs["self_attn"].in_proj_weight.detach()
    for ours in pair[1].transformer_module.decoder.layers:
        three = [getattr(ours.self_attn, f"{name}_proj") for name in "qkv"]
        weights = torch.cat([one.weight.detach() for one in three])
        assert weights.shape == packed.shape
        pairs = [
            (weights, packed),
            (ours.self_attn.out_proj.weight, theirs["self_attn"].out_proj.weight),
            (ours.cross_attn.in_proj_weight, theirs["cross_attn"].in_proj_weight),
            (ours.cross_attn.out_proj.weight, theirs["cross_attn"].out_proj.weight),
            (ours.fc1.weight, theirs["fc1"].weight),
            (ours.fc2.weight, theirs["fc2"].weight),
        ]
        for own, wanted in pairs:
            count = own.numel()
            # The largest of n lies within 20 / n of the bound.
            largest = float(wanted.detach().abs().max())
            assert float(own.detach().abs().max()) == pytest.approx(largest, rel=20 / count)
            ratio = float((own.square().mean() / wanted.square().mean()).detach())
            assert ratio == pytest.approx(1, abs=5 * math.sqrt(1.6 / count))
        zero = [one.bias for one in three] + [ours.self_attn.out_proj.bias]
        zero += [ours.cross_attn.in_proj_bias, ours.cross_attn.out_proj.bias]
        assert all(not bias.any() for bias in zero)
        assert not theirs["self_attn"].out_proj.bias.any()


def test_each_of_several_layers_gets_a_draw_of_its_own(pair):
    first, second = pair[1].transformer_module.decoder.layers[:2]
    assert not torch.equal(first.fc1.weight, second.fc1.weight)


def test_the_draw_follows_the_seed(pair):
    other = seeded(lambda: RassNetwork(config_of()))
    seeded(lambda: initialise_head(other), seed=5)
    for name, tensor in other.state_dict().items():
        assert torch.equal(tensor, pair[1].state_dict()[name]), name
