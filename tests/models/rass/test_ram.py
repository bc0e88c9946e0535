"""RAM's weights from official files, its tag lists, and photos to tags."""

import dataclasses
import gzip
import json
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.functional import conv1d, linear
from torchvision.transforms.functional import normalize, resize

from rass_bench.errors import UserError
from rass_bench.models.rass.config import RamConfig
from rass_bench.models.rass.ram import Ram, RamTagger, TagList, prepare, read_tags
from rass_bench.models.rass.ram_weights import build_ram, convert_weights, official_parameters
from rass_bench.structure import build
from tests.models.rass.toy import CONFIG, ram_shapes

TOY = CONFIG.ram
QKV = "visual_encoder.layers.1.blocks.0.attn.qkv."
QUERY = "tagging_head.encoder.layer.0.crossattention.self.query."
KEY = "tagging_head.encoder.layer.1.crossattention.self.key."


def toy_state(seed=0):
    """Random weights under the official names, which the toy writes out once more."""
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, shape in ram_shapes().items():
        if name.endswith(("label_embed", "weight", "table")):
            state[name] = torch.randn(shape, generator=generator)
        else:
            state[f"{name}.weight"] = torch.randn(shape, generator=generator)
            state[f"{name}.bias"] = torch.randn(shape[:1], generator=generator)
    return state


def with_adapters(state, *prefixes, rank=2):
    generator = torch.Generator().manual_seed(7)
    state = dict(state)
    for prefix in prefixes:
        rows, columns = state[prefix.replace("tag_encoder.", "tagging_head.") + "weight"].shape
        packed = "qkv" in prefix
        down = (2 * rank, columns) if packed else (rank, columns)
        up = (rows // 3 * 2, rank) if packed else (rows, rank)
        state[f"{prefix}lora_A"] = torch.randn(down, generator=generator)
        state[f"{prefix}lora_B"] = torch.randn(up, generator=generator)
    return state


def convert(state, **options):
    return convert_weights(state, TOY, "ram.pth", **options)


# Weights


def test_every_official_weight_arrives():
    network = build_ram(convert(toy_state()), TOY)
    assert set(network.state_dict()) == set(convert(toy_state()))
    assert not network.training
    for tensor in (*network.parameters(), *network.buffers()):
        assert tensor.device.type == "cpu"
        assert not tensor.requires_grad
    assert {one.dtype for one in network.parameters()} == {torch.float32}


def test_half_precision_is_computed_in_float32():
    half = {name: tensor.half() for name, tensor in toy_state().items()}
    assert {one.dtype for one in convert(half).values()} == {torch.float32}


def test_buffers_are_those_of_a_network_made_without_the_meta_device():
    built = dict(build_ram(convert(toy_state()), TOY).named_buffers())
    for name, buffer in Ram(TOY).named_buffers():
        assert torch.equal(buffer, built[name]), name


def test_labels_are_projected_once():
    state = toy_state()
    expected = (state["label_embed"] @ state["wordvec_proj.weight"].T) + state["wordvec_proj.bias"]
    torch.testing.assert_close(convert(state)["labels"], expected.clamp(min=0))


def test_labels_as_wide_as_the_head_are_not_projected():
    config = dataclasses.replace(TOY, hidden=12, tagging_layers=0)
    state = {
        name: tensor
        for name, tensor in toy_state().items()
        if not name.startswith(("tagging_head", "wordvec_proj", "fc"))
    }
    state |= {"fc.weight": torch.zeros(1, 12), "fc.bias": torch.zeros(1)}
    converted = convert_weights(state, config, "ram.pth")
    assert torch.equal(converted["labels"], state["label_embed"].clamp(min=0))


def test_patches_merge_after_a_stage_officially_and_before_the_next_here():
    state = toy_state()
    merging = convert(state)["swin.layers.1.downsample.reduction.weight"]
    assert torch.equal(merging, state["visual_encoder.layers.0.downsample.reduction.weight"])


def test_packed_adapters_change_queries_and_values_as_loralib_does():
    """loralib's MergedLinear.merge_AB: a grouped convolution, its rows put where they belong."""
    state = with_adapters(toy_state(), QKV)
    delta = conv1d(state[f"{QKV}lora_A"][None], state[f"{QKV}lora_B"][..., None], groups=2)[0]
    expected = state[f"{QKV}weight"].clone()
    expected[:16] += delta[:16] / 2
    expected[32:] += delta[16:] / 2
    torch.testing.assert_close(convert(state)["swin.layers.1.blocks.0.attn.qkv.weight"], expected)


@pytest.mark.parametrize(
    ("prefix", "own"), [(QUERY, "tagging.0.query.weight"), (KEY, "tagging.1.key.weight")]
)
def test_plain_adapters_add_their_own_path(prefix, own):
    """loralib's Linear before merging: W x + (1 / rank) B (A x)."""
    state = with_adapters(toy_state(), prefix)
    weight, down, up = (state[prefix + one] for one in ("weight", "lora_A", "lora_B"))
    x = torch.randn(3, weight.shape[1])
    expected = linear(x, weight) + linear(linear(x, down), up) / 2
    torch.testing.assert_close(linear(x, convert(state)[own]), expected)


def test_the_tag_encoders_adapter_lands_in_the_weight_that_it_shares():
    """Two loralib layers on one weight: eval() adds both adapters to it."""
    shared = QUERY.replace("tagging_head", "tag_encoder")
    state = with_adapters(toy_state(), QUERY, shared)
    weight = state[f"{QUERY}weight"].clone()
    for prefix in (QUERY, shared):
        weight += state[f"{prefix}lora_B"] @ state[f"{prefix}lora_A"] / 2
    torch.testing.assert_close(convert(state)["tagging.0.query.weight"], weight)


def test_adapters_can_be_left_out():
    plain = convert(toy_state())
    adapted = with_adapters(toy_state(), QKV, QUERY, KEY)
    assert any(not torch.equal(plain[name], one) for name, one in convert(adapted).items())
    for name, tensor in convert(adapted, lora=False).items():
        assert torch.equal(tensor, plain[name]), name


def test_the_given_state_is_left_alone():
    state = with_adapters(toy_state(), QKV)
    before = {name: tensor.clone() for name, tensor in state.items()}
    convert(state)
    assert state.keys() == before.keys()
    assert all(torch.equal(tensor, before[name]) for name, tensor in state.items())


def test_an_older_name_of_the_tagging_head_is_known():
    older = {
        name.replace("tagging_head", "vision_multi"): tensor for name, tensor in toy_state().items()
    }
    expected = convert(toy_state())
    assert all(torch.equal(tensor, expected[name]) for name, tensor in convert(older).items())


@pytest.mark.parametrize(
    "name",
    [
        "text_decoder.cls.predictions.bias",
        "tag_encoder.embeddings.position_ids",
        "visual_encoder.layers.0.blocks.1.attn_mask",
        "visual_encoder.layers.0.blocks.1.attn.relative_position_index",
    ],
)
def test_what_tagging_never_uses_may_be_there(name):
    assert convert({**toy_state(), name: torch.zeros(3)}).keys() == convert(toy_state()).keys()


@pytest.mark.parametrize("name", sorted(toy_state()))
def test_a_missing_weight_is_named(name):
    state = toy_state()
    del state[name]
    with pytest.raises(UserError, match=rf"lacks {name} \(ram.pth\)"):
        convert(state)


@pytest.mark.parametrize(
    "name",
    [
        "reweight_scale",
        "visual_encoder.norm.lora_A",
        "visual_encoder.head.weight",
        f"{QUERY}lora_C",
    ],
)
def test_an_unknown_weight_is_named(name):
    with pytest.raises(UserError, match=f"unknown tensors, {name} first"):
        convert({**toy_state(), name: torch.zeros(1, 1)})


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("label_embed", (255, 12)),
        (f"{QKV}lora_A", (3, 16)),
        (f"{QKV}lora_A", ()),
        (f"{QKV}lora_A", (0, 16)),
        (f"{QKV}lora_B", (32, 3)),
        (f"{QUERY}lora_A", (2, 12)),
        ("fc.lora_A", (1, 1)),
    ],
)
def test_a_weight_of_another_shape_is_named(name, shape):
    state = with_adapters(toy_state(), QKV, QUERY)
    with pytest.raises(UserError, match=r"has the shape"):
        convert({**state, name: torch.zeros(shape)})


def test_half_an_adapter_is_named():
    state = with_adapters(toy_state(), QKV)
    del state[f"{QKV}lora_A"]
    with pytest.raises(UserError, match=f"{QKV}lora_B"):
        convert(state)


# Full size


@pytest.fixture(scope="module")
def full_size(oracle_file):
    """Names and shapes of the official full-size tagger, on the meta device."""
    with gzip.open(oracle_file("rass_full_keys.json.gz")) as stream:
        keys = json.load(stream)["state_dict"]
    prefix = "backbone.feature_extractor.ram."
    return {
        name.removeprefix(prefix): torch.empty(shape, dtype=getattr(torch, kind), device="meta")
        for name, (shape, kind) in keys.items()
        if name.startswith(prefix)
    }


def test_every_name_and_shape_of_the_full_size_is_accounted_for(full_size):
    assert len(full_size) == 1290
    converted = convert_weights(full_size, RamConfig.swin_large(), "rass.pth")
    with torch.device("meta"):
        network = Ram(RamConfig.swin_large())
    expected = {name: tensor.shape for name, tensor in network.state_dict().items()}
    assert {name: tensor.shape for name, tensor in converted.items()} == expected


def test_the_official_count_is_that_of_the_official_names(full_size):
    buffers = ("position_ids", "relative_position_index", "attn_mask")
    counted = [
        tensor.numel()
        for name, tensor in full_size.items()
        if not name.endswith(buffers)
        # Shared with the tag encoder's first layers; adapters are not.
        and not (name.startswith("tagging_head.") and "lora_" not in name)
        # Shared with the word embedding and with cls.predictions.bias.
        and not name.startswith("text_decoder.cls.predictions.decoder.")
    ]
    assert official_parameters(RamConfig.swin_large()) == sum(counted)


def test_the_official_count_is_the_published_one():
    assert official_parameters(RamConfig.swin_large()) / 1e6 == pytest.approx(470.9264, abs=5e-5)


def test_our_own_network_has_less_than_half_of_it():
    with torch.device("meta"):
        network = Ram(RamConfig.swin_large())
    assert sum(one.numel() for one in network.parameters()) == 212_896_821


# Forward


@pytest.fixture(scope="module")
def network():
    return build_ram(convert(toy_state()), TOY)


def test_the_first_token_is_the_mean_of_the_patches(network):
    image, logits = network(torch.randn(2, 3, 32, 32))
    assert image.shape == (2, 1 + 4 * 4, 12)
    assert logits.shape == (2, 5)
    torch.testing.assert_close(image[:, 0], image[:, 1:].mean(dim=1))


def test_photos_of_a_batch_do_not_see_each_other(network):
    photos = torch.randn(3, 3, 32, 32)
    together = network(photos)[1]
    alone = torch.cat([network(photo[None])[1] for photo in photos])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-4)


def test_a_tagging_layer_is_berts(network):
    """Against torch's own attention module, on the same weights."""
    layer = network.tagging[0]
    attention = nn.MultiheadAttention(16, 2, kdim=12, vdim=12, batch_first=True)
    own = {"q": layer.query, "k": layer.key, "v": layer.value}
    attention.load_state_dict(
        {f"{letter}_proj_weight": one.weight for letter, one in own.items()}
        | {"in_proj_bias": torch.cat([one.bias for one in own.values()])}
        | {"out_proj.weight": layer.attention_output.weight}
        | {"out_proj.bias": layer.attention_output.bias}
    )
    tags, image = torch.randn(2, 5, 16), torch.randn(2, 7, 12)
    asked = layer.attention_norm(tags + attention(tags, image, image)[0])
    fed = layer.contract(nn.GELU()(layer.expand(asked)))
    expected = layer.output_norm(asked + fed)
    torch.testing.assert_close(layer(tags, image), expected, rtol=1e-4, atol=1e-5)


def test_sizes_are_read_from_json():
    document = json.loads(json.dumps(dataclasses.asdict(TOY)))
    assert build(RamConfig, document) == TOY


# Photos to tags


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 90), st.integers(1, 90))
def test_photos_are_prepared_as_torchvision_does(height, width):
    photos = torch.rand(2, 3, height, width)
    square = resize(photos, [32, 32], antialias=True)
    expected = normalize(square, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    torch.testing.assert_close(prepare(photos, 32), expected)


def sure_of(probability):
    """A RAM that gives every tag one probability, whatever the photo."""
    state = toy_state()
    state["fc.weight"].zero_()
    state["fc.bias"].fill_(math.log(probability / (1 - probability)))
    return build_ram(convert(state), TOY)


def test_a_tag_holds_when_its_own_threshold_is_exceeded():
    tags = TagList(("zoo", "apple", "3D glasses", "cat", "dog"), (0.49, 0.5, 0.51, 0.0, 1.0))
    photos = torch.rand(2, 3, 40, 60)
    assert RamTagger(sure_of(0.5), tags).tag(photos) == [("zoo", "cat")] * 2


def test_a_photo_may_have_no_tag():
    tags = TagList(("a", "b", "c", "d", "e"), (0.9,) * 5)
    assert RamTagger(sure_of(0.5), tags).tag(torch.rand(1, 3, 8, 8)) == [()]


def test_broken_weights_are_no_empty_list():
    network = sure_of(float("nan"))
    with pytest.raises(UserError, match="NaN"):
        RamTagger(network, TagList(tuple("abcde"), (0.5,) * 5)).tag(torch.rand(1, 3, 8, 8))


def test_a_list_of_another_network_is_refused(network):
    with pytest.raises(UserError, match="4 tags for a network of 5"):
        RamTagger(network, TagList(tuple("abcd"), (0.5,) * 4))


# Tag lists


@pytest.fixture
def folder(tmp_path):
    tmp_path.joinpath("ram_tag_list.txt").write_text("3D glasses\nice cream\nbär\n", "utf-8")
    tmp_path.joinpath("ram_tag_list_threshold.txt").write_text("0.65\n1\n.8\n")
    return tmp_path


def test_tags_are_read_in_order(folder):
    assert read_tags(folder, 3) == TagList(("3D glasses", "ice cream", "bär"), (0.65, 1.0, 0.8))


def test_marks_and_line_ends_of_other_systems_are_no_part_of_a_tag(folder):
    expected = read_tags(folder, 3)
    for path in folder.iterdir():
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert read_tags(folder, 3) == expected


def test_a_list_may_have_another_name(folder):
    folder.joinpath("ram_tag_list.txt").rename(folder / "mine.txt")
    assert read_tags(folder / "mine.txt", 3).names == ("3D glasses", "ice cream", "bär")


@pytest.mark.parametrize("name", ["ram_tag_list.txt", "ram_tag_list_threshold.txt"])
def test_a_missing_list_says_where_it_comes_from(folder, name):
    folder.joinpath(name).unlink()
    with pytest.raises(UserError, match=rf"{name}.*ram/data of the recognize-anything repository"):
        read_tags(folder, 3)


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("ram_tag_list.txt", b"", "0 lines for 3 tags"),
        ("ram_tag_list.txt", b"a\nb\n", "2 lines for 3 tags"),
        ("ram_tag_list.txt", b"a\n \nc\n", "line 2 is empty"),
        ("ram_tag_list.txt", b"a\nb\n\xff\n", "no UTF-8"),
        ("ram_tag_list_threshold.txt", b"0.5\n0.5\n", "2 lines for 3 tags"),
        ("ram_tag_list_threshold.txt", b"0.5\n0,5\n0.5\n", "line 2 holds '0,5'"),
        ("ram_tag_list_threshold.txt", b"0.5\n0.5\nnan\n", "line 3 holds 'nan'"),
        ("ram_tag_list_threshold.txt", b"65\n0.5\n0.5\n", "line 1 holds '65'"),
    ],
)
def test_a_malformed_list_is_refused(folder, name, content, complaint):
    folder.joinpath(name).write_bytes(content)
    with pytest.raises(UserError, match=complaint) as caught:
        read_tags(folder, 3)
    assert caught.value.where == str(folder / name)
