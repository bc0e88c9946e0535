"""RAM gives the official tagger's embeddings, logits and tags."""

import json

import pytest
import torch
from safetensors.torch import load_file
from torch.nn.functional import interpolate

from rass_bench.models.rass.ram import RamConfig, RamTagger, TagList, prepare
from rass_bench.models.rass.ram_weights import build_ram, convert_weights

TOLERANCE = 2e-5
"""Reached: 4.5e-6 in the embeddings, 3.8e-6 in the logits."""

UNKNOWN_ADAPTER = 0.05
"""What the fixture's logits with LoRA on leave open; see the test that uses it."""


class Tiny:
    """The fixture: the official tagger at toy size, what it was given and what it answered."""

    def __init__(self, tensors, meta):
        swin, head = meta["swin"], meta["q2l"]
        self.config = RamConfig(
            image_side=swin["image_res"],
            embed_dim=swin["embed_dim"],
            depths=tuple(swin["depths"]),
            heads=tuple(swin["num_heads"]),
            window=swin["window_size"],
            hidden=head["hidden_size"],
            feed_forward=head["intermediate_size"],
            tagging_heads=head["num_attention_heads"],
            tagging_layers=head["num_hidden_layers"],
            tags=meta["n_tags"],
        )
        self.state = {
            name.removeprefix("sd."): tensor
            for name, tensor in tensors.items()
            if name.startswith("sd.")
        }
        self.photos = interpolate(
            tensors["image24_u8"].float() / 255, size=self.config.image_side, mode="nearest"
        )
        self.thresholds = tensors["class_threshold"]
        self.embeddings = tensors["image_embeds"]
        self.logits = {True: tensors["logits"], False: torch.tensor(meta["logits_lora_off"])}
        self.tags = {
            lora: [tuple(line.split(", ")) for line in meta[key]]
            for lora, key in ((True, "tags_with_lora"), (False, "tags_lora_off"))
        }

    def network(self, lora):
        return build_ram(convert_weights(self.state, self.config, "tiny", lora=lora), self.config)

    def answer(self, lora):
        with torch.inference_mode():
            return self.network(lora)(prepare(self.photos, self.config.image_side))

    def decisions(self, logits):
        return logits.sigmoid() > self.thresholds


@pytest.fixture(scope="module")
def tiny(oracle_file):
    tensors = load_file(oracle_file("ram_tiny.safetensors"))
    return Tiny(tensors, json.loads(oracle_file("ram_tiny.json").read_text("utf-8")))


@pytest.fixture(scope="module")
def known_names(tiny):
    """The names that the fixture tells, by index: those of tags that held in some photo."""
    names = {}
    for lora in (True, False):
        for row, told in zip(tiny.decisions(tiny.logits[lora]), tiny.tags[lora], strict=True):
            for index, name in zip(row.nonzero().flatten().tolist(), told, strict=True):
                assert names.setdefault(index, name) == name
    return names


def test_image_embeddings_with_lora(tiny):
    torch.testing.assert_close(tiny.answer(True)[0], tiny.embeddings, rtol=0, atol=TOLERANCE)


def test_logits_without_lora(tiny):
    torch.testing.assert_close(tiny.answer(False)[1], tiny.logits[False], rtol=0, atol=TOLERANCE)


def test_logits_with_lora(tiny):
    """As near as the fixture allows: it does not hold all that was added to the weights.

    The tag encoder's first layers share their query and key weights with the tagging head's, and
    loralib's eval() adds both modules' adapters to the shared weight. The fixture leaves the tag
    encoder's adapters out. Without LoRA the logits are ten times as far away.
    """
    apart = (tiny.answer(True)[1] - tiny.logits[True]).abs().max()
    assert apart < UNKNOWN_ADAPTER
    assert (tiny.answer(False)[1] - tiny.logits[True]).abs().max() > 10 * UNKNOWN_ADAPTER


def test_tags_without_lora(tiny, known_names):
    names = tuple(known_names.get(index, f"#{index}") for index in range(tiny.config.tags))
    tags = TagList(names, tuple(tiny.thresholds.tolist()))
    assert RamTagger(tiny.network(False), tags).tag(tiny.photos) == tiny.tags[False]


def test_decisions_with_lora(tiny):
    """Equal wherever the unknown adapter cannot turn them."""
    logits = tiny.answer(True)[1]
    clear = (logits - tiny.thresholds.logit()).abs() > UNKNOWN_ADAPTER
    assert clear.float().mean() > 0.75
    assert torch.equal(tiny.decisions(logits)[clear], tiny.decisions(tiny.logits[True])[clear])
