"""L_SCL: who is prompted with what, and what each loss says of attention and masks."""

import functools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rass_bench.errors import UserError
from rass_bench.labels import load_label_space
from rass_bench.models.rass.config import LoraConfig
from rass_bench.models.rass.lora import add_lora
from rass_bench.models.rass.network import run_unet
from rass_bench.models.rass.networks import build_unet
from rass_bench.models.rass.prompt import WordTokenizer, load_clip_tokenizer
from rass_bench.train.attention import AttentionTaps, Place
from rass_bench.train.scl import (
    Mode,
    Normalization,
    SclConfig,
    Tokens,
    class_maps,
    prompt_targets,
    scl_weight,
    semantic_constrained_loss,
)
from tests.models.rass.toy import CONFIG

ADE = load_label_space("ade20k-150").names
NAMES = ("sky", "traffic light", "door", "screen door")
IGNORE = 255
WORDS = WordTokenizer(NAMES, 12)
CONFIGS = [
    SclConfig(mode, tokens=tokens, normalization=normalization)
    for mode in Mode
    for tokens in Tokens
    for normalization in Normalization
]


@functools.cache
def clip():
    return load_clip_tokenizer(None)


DEFAULT = SclConfig()


def labels_of(cells, stride=16):
    """A label map (1, H, W) whose cells of ``stride`` pixels each hold one class."""
    grid = torch.tensor(cells)
    return grid.repeat_interleave(stride, 0).repeat_interleave(stride, 1)[None]


def random_attention(targets, height, width, seed=0):
    """Attention (N, h, w, length) that sums to 1 over the tokens."""
    generator = torch.Generator().manual_seed(seed)
    length = targets.tokens.shape[2]
    logits = torch.randn(len(targets.prompts), height, width, length, generator=generator)
    return logits.softmax(dim=-1)


def loss_of(attention, targets, stride=16, config=DEFAULT):
    return semantic_constrained_loss({stride: attention}, targets, config)


# Prompts


def sizes(*areas, width=240):
    """A photo in which class i covers ``areas[i]`` rows of 8 pixels; the rest is ignored."""
    rows = torch.full((8 * sum(areas) + 8, width), IGNORE)
    start = 0
    for index, area in enumerate(areas):
        rows[start : start + 8 * area] = index
        start += 8 * area
    return rows[None]


def test_a_photo_is_prompted_with_its_classes_the_largest_first():
    labels = torch.cat([sizes(1, 3, 2, 0), sizes(0, 2, 2, 2)])
    targets = prompt_targets(labels, NAMES, WORDS)
    assert targets.classes == ((1, 2, 0), (1, 2, 3))  # of equal ones the lower id
    assert targets.prompts == (
        "traffic light  door  sky",
        "traffic light  door  screen door",
    )


def test_a_name_of_several_words_has_several_tokens_and_its_own_place():
    targets = prompt_targets(sizes(1, 4, 2, 3), NAMES, WORDS)
    assert targets.classes == ((1, 3, 2, 0),)  # begin, traffic light, screen door, door, sky, end
    places = [row.nonzero().flatten().tolist() for row in targets.tokens[0]]
    assert places == [[1, 2], [3, 4], [5], [6]]


def test_what_a_batch_has_fewer_of_is_filled_with_empty_rows():
    labels = torch.full((2, 16, 16), IGNORE)
    labels[0, :8], labels[0, 8:] = 0, 2
    targets = prompt_targets(labels, NAMES, WORDS)
    assert targets.prompts[1] == ""
    assert targets.classes == ((0, 2), ())
    assert targets.tokens.shape == (2, 2, 12)
    assert targets.masks.shape == (2, 2, 2, 2)
    assert not targets.tokens[1].any()
    assert not targets.masks[1].any()


@given(st.lists(st.integers(0, 149), min_size=1, max_size=40, unique=True), st.booleans())
@settings(max_examples=30, deadline=None)
def test_tokens_are_found_where_the_tokenizer_puts_them_in_that_prompt(ids, use_clip):
    tokenizer = clip() if use_clip else WordTokenizer(ADE, 40)
    labels = torch.full((8, 8 * len(ids)), IGNORE)
    for place, index in enumerate(ids):
        labels[: 8 - place % 3, 8 * place : 8 * place + 8] = index
    targets = prompt_targets(labels[None], ADE, tokenizer)
    tokens = tokenizer(targets.prompts)[0]
    spelled = [tokenizer([ADE[index]])[0] for index in targets.classes[0]]
    for row, alone in zip(targets.tokens[0], spelled, strict=True):
        places = row.nonzero().flatten()
        assert tokens[places].tolist() == alone[1 : 1 + len(places)].tolist()
        assert alone[1 + len(places)] == tokenizer([""])[0, 1]  # all of the name, then the end
    used = targets.tokens[0].sum(dim=0)
    count = int(used.sum())
    assert used[1 : 1 + count].eq(1).all()  # each token once, without gaps, behind the begin mark
    assert count <= len(tokens) - 2


def test_clips_tokens_agree_with_the_characters_that_they_stand_for():
    names = ("microwave", "crt screen", "chest of drawers", "screen", "bannister")
    targets = prompt_targets(sizes(5, 4, 3, 2, 1), names, clip())
    offsets = clip()._tokenizer(targets.prompts[0], return_offsets_mapping=True)["offset_mapping"]
    assert targets.prompts[0] == "  ".join(names)
    start = 0
    for name, row in zip(names, targets.tokens[0], strict=True):
        within = [
            place
            for place, (first, last) in enumerate(offsets)
            if start <= first < last <= start + len(name)
        ]
        assert row.nonzero().flatten().tolist() == within
        start += len(name) + 2
    assert targets.tokens[0, 4].sum() > 1  # one word, several tokens


def test_the_smallest_classes_are_dropped_where_75_tokens_are_too_few():
    areas = torch.arange(150, 0, -1)
    labels = torch.arange(150).repeat_interleave(64 * areas).view(1, 600, 1208)
    targets = prompt_targets(labels, ADE, clip())
    kept = targets.classes[0]
    assert kept == tuple(range(len(kept)))  # the largest
    used = [int((clip()([name])[0] == 49407).nonzero()[0]) - 1 for name in ADE]
    assert sum(used[: len(kept)]) <= 75 < sum(used[: len(kept) + 1])
    assert targets.tokens.sum() == sum(used[: len(kept)])
    assert targets.prompts[0] == "  ".join(ADE[: len(kept)])


def test_masks_are_the_shares_of_cells():
    labels = torch.full((1, 8, 16), 2)
    labels[0, :, 8:] = IGNORE
    labels[0, :2, 8:12] = 0
    targets = prompt_targets(labels, NAMES, WORDS)
    assert targets.classes == ((2, 0),)
    assert targets.masks[0, 0].tolist() == [[1.0, 0.0]]
    assert targets.masks[0, 1].tolist() == [[0.0, 8 / 64]]


@pytest.mark.parametrize(
    ("names", "message"),
    [(("sky", "...", "door"), "no token"), (("sky", "[x", "door"), "names beside it")],
)
def test_names_that_cannot_be_found_in_the_prompt_are_refused(names, message):
    tokenizer = clip() if "beside" in message else WordTokenizer(names, 12)
    with pytest.raises(UserError, match=message):
        prompt_targets(sizes(3, 2, 1), names, tokenizer)


def test_labels_without_a_name_and_uneven_sides_are_refused():
    with pytest.raises(ValueError, match="label 4"):
        prompt_targets(torch.full((1, 8, 8), 4), NAMES, WORDS)
    with pytest.raises(ValueError, match="multiples of 8"):
        prompt_targets(torch.zeros(1, 8, 12, dtype=torch.int64), NAMES, WORDS)


# The properties that the loss must have

SCENE = labels_of([[0, 0, 1, 1], [0, 2, 2, 1], [255, 2, 2, 255]])


def perfect_attention(labels, targets, stride=16, seed=0):
    """All attention of a cell on its class's tokens, evenly; anything where it is ignored."""
    cells = labels[:, ::stride, ::stride]
    attention = random_attention(targets, *cells.shape[1:], seed=seed)
    for photo, classes in enumerate(targets.classes):
        for slot, index in enumerate(classes):
            tokens = targets.tokens[photo, slot]
            attention[photo][cells[photo] == index] = tokens / tokens.sum()
    return attention


@pytest.mark.parametrize("config", CONFIGS)
def test_a_perfect_map_has_no_loss(config):
    targets = prompt_targets(SCENE, NAMES, WORDS)
    loss = loss_of(perfect_attention(SCENE, targets), targets, config=config)
    if config.tokens is Tokens.MEAN and config.normalization is Normalization.NONE:
        # The mean of two tokens is a half where the name's sum is 1.
        assert loss > 0.01 or config.mode is Mode.TOKENCOMPOSE
    else:
        assert 0 <= loss < 1e-5


def uniform_attention(targets, height, width):
    """Every class's tokens together get the same attention, whatever their number."""
    shares = targets.tokens / targets.tokens.sum(dim=2, keepdim=True).clamp_min(1)
    return 0.05 * shares.sum(dim=1)[:, None, None].repeat(1, height, width, 1)


@given(st.integers(1, 4), st.integers(0, 2**31))
@settings(max_examples=20, deadline=None)
def test_a_uniform_map_has_the_cross_entropy_log_k(count, seed):
    grid = np.random.default_rng(seed).permutation(np.resize(np.arange(count), 24))
    labels = labels_of(grid.reshape(4, 6).tolist())
    targets = prompt_targets(labels, NAMES, WORDS)
    areas = np.bincount(grid)
    # The other part is 1 - Dice, which a map of 1 / K has in closed form.
    dice = 2 * (areas / count) / (areas + 24 / count**2)
    expected = math.log(count) + (1 - dice).mean()
    loss = loss_of(uniform_attention(targets, 4, 6), targets)
    assert loss.item() == pytest.approx(expected, abs=1e-4)


cells = st.sampled_from([0, 1, 2, 3, IGNORE])
grids = st.lists(st.lists(cells, min_size=6, max_size=6), min_size=4, max_size=4)


@given(grids, st.sampled_from(CONFIGS), st.integers(0, 2**31))
@settings(max_examples=60, deadline=None)
def test_attention_where_the_labels_are_ignored_changes_nothing(grid, config, seed):
    labels = labels_of(grid)
    targets = prompt_targets(labels, NAMES, WORDS)
    attention = random_attention(targets, 4, 6, seed)
    other = random_attention(targets, 4, 6, seed + 1)
    ignored = (torch.tensor(grid) == IGNORE)[None, ..., None]
    mixed = torch.where(ignored, other, attention)
    expected = loss_of(attention, targets, config=config)
    torch.testing.assert_close(loss_of(mixed, targets, config=config), expected)


@pytest.mark.parametrize("config", CONFIGS)
def test_a_frame_of_ignored_pixels_changes_nothing(config):
    targets = prompt_targets(SCENE, NAMES, WORDS)
    attention = random_attention(targets, 3, 4)
    framed = torch.full((1, 3 * 16 + 32, 4 * 16 + 16), IGNORE)
    framed[:, 16 : 16 + 48, 16:] = SCENE
    framed_targets = prompt_targets(framed, NAMES, WORDS)
    framed_attention = random_attention(framed_targets, 5, 5, seed=1)
    framed_attention[:, 1:4, 1:] = attention
    torch.testing.assert_close(
        loss_of(framed_attention, framed_targets, config=config),
        loss_of(attention, targets, config=config),
    )


@pytest.mark.parametrize("mode", Mode)
def test_a_cell_that_is_partly_ignored_is_all_of_its_other_class(mode):
    labels = SCENE.clone()
    labels[0, :8, :16] = IGNORE
    targets = prompt_targets(labels, NAMES, WORDS)
    assert targets.classes == ((2, 1, 0),)  # class 0 fell from 3 cells to 2.5
    perfect = loss_of(perfect_attention(SCENE, targets), targets, config=SclConfig(mode))
    assert 0 <= perfect < 1e-5


def test_a_name_of_several_tokens_equals_the_sum_of_its_tokens():
    targets = prompt_targets(SCENE, NAMES, WORDS)
    slot = targets.classes[0].index(1)
    first, second = targets.tokens[0, slot].nonzero().flatten().tolist()
    attention = random_attention(targets, 3, 4)
    summed = class_maps({16: attention}, targets, SclConfig(normalization=Normalization.NONE))[16]
    both = attention[..., first] + attention[..., second]
    torch.testing.assert_close(summed[:, slot], both)

    moved = attention.clone()
    moved[..., first], moved[..., second] = both, 0
    for mode in (Mode.CROSS_ENTROPY, Mode.BCE):
        for normalization in Normalization:
            config = SclConfig(mode, normalization=normalization)
            torch.testing.assert_close(
                loss_of(moved, targets, config=config), loss_of(attention, targets, config=config)
            )
    mean = SclConfig(tokens=Tokens.MEAN, normalization=Normalization.NONE)
    torch.testing.assert_close(class_maps({16: attention}, targets, mean)[16][:, slot], both / 2)


@pytest.mark.parametrize("config", CONFIGS)
def test_a_class_under_one_cell_is_skipped_at_that_resolution(config):
    labels = torch.zeros(1, 64, 64, dtype=torch.int64)
    labels[:, 40:] = 1
    labels[0, :16, :16] = 2  # one cell of 16 pixels, a quarter of one of 32
    targets = prompt_targets(labels, NAMES, WORDS)
    small = targets.tokens[0, targets.classes[0].index(2)].nonzero()[0, 0]

    def slope(stride):
        attention = random_attention(targets, 64 // stride, 64 // stride).requires_grad_()
        loss_of(attention, targets, stride, config).backward()
        return attention.grad[..., small].abs().max()

    assert slope(16) > 0
    assert slope(32) == 0

    # Its pixels are as good as ignored there.
    without = labels.clone()
    without[labels == 2] = IGNORE
    rest = prompt_targets(without, NAMES, WORDS)
    attention = random_attention(targets, 2, 2)
    torch.testing.assert_close(
        loss_of(attention, targets, 32, config), loss_of(attention, rest, 32, config)
    )
    assert rest.classes == ((0, 1),)


@pytest.mark.parametrize("config", CONFIGS)
def test_a_photo_without_any_class_adds_nothing_and_keeps_gradients(config):
    empty = torch.full_like(SCENE, IGNORE)
    for labels, share in ((torch.cat([empty, empty]), 0), (torch.cat([SCENE, empty]), 0.5)):
        targets = prompt_targets(labels, NAMES, WORDS)
        attention = random_attention(targets, 3, 4).requires_grad_()
        loss = loss_of(attention, targets, config=config)
        loss.backward()
        assert attention.grad.isfinite().all()
        assert not attention.grad[1].any()
        alone = prompt_targets(SCENE, NAMES, WORDS)
        expected = share * loss_of(attention[:1].detach(), alone, config=config)
        torch.testing.assert_close(loss.detach(), torch.as_tensor(expected))


def test_only_adapters_and_conv_in_receive_gradients():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        unet = build_unet(CONFIG.unet, 4)
        add_lora(unet, LoraConfig(rank=2), suffix="")
        latent, context = torch.randn(1, 4, 8, 8), torch.randn(1, WORDS.length, 16)
    labels = torch.zeros(1, 64, 64, dtype=torch.int64)
    labels[:, 32:] = 1
    targets = prompt_targets(labels, NAMES, WORDS)
    config = SclConfig()
    with AttentionTaps(unet, config.places) as maps:
        run_unet(unet, latent, 1, context)
    semantic_constrained_loss(maps, targets, config).backward()
    reached = {name for name, p in unet.named_parameters() if p.grad is not None and p.grad.any()}
    assert all(name.startswith("conv_in.") or "lora_" in name for name in reached)
    assert any(name.startswith("conv_in.base_layer") for name in reached)
    for place in ("down_blocks.0", "mid_block", "up_blocks.1", "up_blocks.2"):
        assert any(name.startswith(place) and "lora_B" in name for name in reached)
    assert not any(name.startswith("up_blocks.3") for name in reached)  # behind the maps
    frozen = [p for name, p in unet.named_parameters() if name not in reached]
    assert all(p.grad is None or not p.grad.any() for p in frozen)


# The modes, each against its definition written out pixel by pixel


def naive_loss(attention, labels, targets, stride, config):
    """One photo's loss in plain loops over classes and cells."""
    attention = attention.double().numpy()
    height, width, _ = attention.shape
    areas = {}
    for index in targets.classes[0]:
        blocks = (labels.numpy() == index).reshape(height, stride, width, stride)
        area = blocks.mean(axis=(1, 3))
        if area.sum() >= 1:
            areas[index] = area
    if not areas:
        return 0.0
    weight = sum(areas.values())
    tokens = {
        index: [t for t, on in enumerate(targets.tokens[0, slot].tolist()) if on]
        for slot, index in enumerate(targets.classes[0])
        if index in areas
    }
    maps = {index: attention[..., tokens[index]].sum(-1) for index in areas}
    if config.mode is Mode.TOKENCOMPOSE:
        found = 0.0
        for index, area in areas.items():
            ratios = [
                (attention[..., t] * area).sum() / (attention[..., t] * weight).sum()
                for t in tokens[index]
            ]
            found += np.mean([(1 - ratio) ** 2 for ratio in ratios]) / len(areas)
        return found + 0.05 * naive_bce(maps, areas, weight)
    if config.tokens is Tokens.MEAN:
        maps = {index: maps[index] / len(tokens[index]) for index in areas}
    if config.normalization is Normalization.CLASSES:
        total = sum(maps.values())
        maps = {index: one / total for index, one in maps.items()}
    if config.normalization is Normalization.SPATIAL_MAX:
        maps = {index: one / one[weight > 0].max() for index, one in maps.items()}
    if config.mode is Mode.BCE:
        return naive_bce(maps, areas, weight)
    entropy, dice = 0.0, 0.0
    for index, area in areas.items():
        counts = weight > 0
        mask = area[counts] / weight[counts]
        found, v = maps[index][counts], weight[counts]
        entropy -= (v * mask * np.log(found)).sum() / v.sum()
        dice += 2 * (v * mask * found).sum() / ((v * mask**2).sum() + (v * found**2).sum())
    return entropy + 1 - dice / len(areas)


def naive_bce(maps, areas, weight):
    losses = []
    for index, area in areas.items():
        counts = weight > 0
        mask, v = area[counts] / weight[counts], weight[counts]
        found = maps[index][counts]
        each = -(mask * np.log(found) + (1 - mask) * np.log(1 - found + 1e-6))
        losses.append((v * each).sum() / v.sum())
    return np.mean(losses)


@given(grids, st.sampled_from(CONFIGS), st.integers(0, 2**31), st.sampled_from([16, 32]))
@settings(max_examples=100, deadline=None)
def test_a_loss_is_what_its_definition_says(grid, config, seed, stride):
    labels = labels_of(grid)
    labels = labels.repeat(1, 1, 2)[:, :, :128]  # 64 x 128 pixels
    labels = labels.roll(5, dims=2)  # classes share cells
    targets = prompt_targets(labels, NAMES, WORDS)
    attention = random_attention(targets, 64 // stride, 128 // stride, seed)
    loss = loss_of(attention, targets, stride, config)
    expected = naive_loss(attention[0], labels[0], targets, stride, config)
    # A map divided by its maximum reaches 1, where single precision rounds 1 - map.
    tolerance = 1e-2 if config.normalization is Normalization.SPATIAL_MAX else 1e-3
    assert loss.item() == pytest.approx(expected, rel=tolerance, abs=1e-3)


@pytest.mark.parametrize("mode", Mode)
def test_a_loss_leads_the_attention_of_each_name_to_its_class(mode):
    targets = prompt_targets(SCENE, NAMES, WORDS)
    config = SclConfig(mode)
    logits = torch.zeros(1, 3, 4, WORDS.length, requires_grad=True)
    optimizer = torch.optim.Adam([logits], lr=0.2)
    for _ in range(60):
        optimizer.zero_grad()
        loss_of(logits.softmax(dim=-1), targets, config=config).backward()
        optimizer.step()
    found = class_maps({16: logits.detach().softmax(dim=-1)}, targets, config)[16][0]
    classes = torch.tensor(targets.classes[0])[found.argmax(dim=0)]
    labels = SCENE[0, ::16, ::16]
    assert torch.equal(classes[labels != IGNORE], labels[labels != IGNORE])


@pytest.mark.parametrize("normalization", Normalization)
@pytest.mark.parametrize("mode", Mode)
def test_a_name_that_nothing_attends_to_can_still_be_learned(mode, normalization):
    targets = prompt_targets(SCENE, NAMES, WORDS)
    attention = random_attention(targets, 3, 4)
    slot = targets.classes[0].index(0)
    name = targets.tokens[0, slot].bool()
    attention[..., name] = 1e-9
    attention.requires_grad_()
    loss_of(attention, targets, config=SclConfig(mode, normalization=normalization)).backward()
    own = SCENE[:, ::16, ::16] == 0
    slope = attention.grad[..., name][own]
    assert slope.isfinite().all()
    assert slope.mean() < -0.01


# Several photos and resolutions


@given(st.lists(grids, min_size=1, max_size=3), st.sampled_from(CONFIGS), st.integers(0, 2**31))
@settings(max_examples=30, deadline=None)
def test_the_loss_is_the_mean_over_photos_and_resolutions(photos, config, seed):
    labels = torch.cat([labels_of(grid) for grid in photos])
    targets = prompt_targets(labels, NAMES, WORDS)
    maps = {
        32: random_attention(targets, 2, 3, seed),
        16: random_attention(targets, 4, 6, seed + 1),
    }
    losses = []
    for index, photo in enumerate(labels):
        alone = prompt_targets(photo[None], NAMES, WORDS)
        for stride, attention in maps.items():
            losses.append(loss_of(attention[index : index + 1], alone, stride, config))
    together = semantic_constrained_loss(maps, targets, config)
    torch.testing.assert_close(together, torch.stack(losses).mean())


def test_cells_may_reach_beyond_the_photo():
    """360 x 480 pixels have 45 x 60 latents, and 23 x 30 cells of 16 pixels."""
    labels = torch.zeros(1, 72, 80, dtype=torch.int64)
    labels[:, :, 36:] = 1
    larger = torch.full((1, 96, 96), IGNORE)
    larger[:, :72, :80] = labels
    targets, padded = (prompt_targets(one, NAMES, WORDS) for one in (labels, larger))
    attention = random_attention(targets, 3, 3)
    expected = loss_of(attention, padded, 32)
    assert expected > 0.1
    torch.testing.assert_close(loss_of(attention, targets, 32), expected)
    with pytest.raises(ValueError, match="cover"):
        loss_of(random_attention(targets, 2, 3), targets, 32)
    with pytest.raises(ValueError, match="cover"):
        loss_of(random_attention(targets, 4, 3), targets, 32)


def test_autocast_and_half_precision_do_not_reach_the_loss():
    targets = prompt_targets(SCENE, NAMES, WORDS)
    attention = random_attention(targets, 3, 4)
    for config in CONFIGS:
        expected = loss_of(attention, targets, config=config)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert torch.equal(loss_of(attention, targets, config=config), expected)
        assert loss_of(attention.bfloat16(), targets, config=config).dtype == torch.float32


def test_without_maps_there_is_no_loss():
    with pytest.raises(ValueError, match="no attention"):
        semantic_constrained_loss({}, prompt_targets(SCENE, NAMES, WORDS), SclConfig())


# Configuration and weight


def test_plain_words_mean_the_choices_that_they_spell():
    config = SclConfig("bce", ("mid/64",), "mean", "spatial-max")
    assert config == SclConfig(Mode.BCE, (Place.MID_64,), Tokens.MEAN, Normalization.SPATIAL_MAX)
    assert SclConfig().places == (Place.UP_32, Place.UP_16)


@pytest.mark.parametrize("places", [(), ("up/16", "up/16"), ("up/4",)])
def test_places_are_known_and_each_is_named_once(places):
    with pytest.raises(ValueError, match=r"up/|none"):
        SclConfig(places=places)


def test_the_weight_rises_to_a_hundredth_in_a_thousand_steps():
    assert [scl_weight(step) for step in (0, 500, 1000, 5000)] == [0, 5e-3, 1e-2, 1e-2]
    assert scl_weight(0, highest=0.5, warm_up=0) == 0.5
    assert scl_weight(5, highest=2, warm_up=10) == 1
