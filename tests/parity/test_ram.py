"""RAM gives the official tagger's embeddings, logits and tags."""

import json

import pytest
import torch
from safetensors.torch import load_file
from torch.nn.functional import interpolate

from rass_bench.models.rass.config import RamConfig
from rass_bench.models.rass.ram import RamTagger, TagList, prepare
from rass_bench.models.rass.ram_weights import build_ram, convert_weights

TOLERANCE = 2e-5
"""Reached: 4.5e-6 in the embeddings, 9.3e-6 in the logits with LoRA, 3.8e-6 without."""

SHARED_WEIGHTS = {(0, "query"): 948_222, (0, "key"): 949_222}
SHARED_WEIGHTS |= {(1, "query"): 984_646, (1, "key"): 985_646}
"""How many draws precede each weight that tag encoder and tagging head share (layer, part)."""


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
        """Image embeddings and logits."""
        with torch.no_grad():
            return self.network(lora)(prepare(self.photos, self.config.image_side))

    def decisions(self, logits):
        return logits.sigmoid() > self.thresholds


@pytest.fixture(scope="module")
def tiny(oracle_file):
    tensors = load_file(oracle_file("ram_tiny.safetensors"))
    tiny = Tiny(tensors, json.loads(oracle_file("ram_tiny.json").read_text("utf-8")))
    if not any(name.startswith("tag_encoder.") for name in tiny.state):
        tiny.state |= drawn_adapters(tiny.state)
    return tiny


def drawn_adapters(state):
    """The tag encoder's adapters, which act on the logits and which the fixture leaves out.

    Its first layers share query and key weights with the tagging head's, and loralib's eval() adds
    both modules' adapters to the shared weight. All weights are draws of one generator, module by
    module: weight, bias, A, B. So the adapters are drawn again, and the weight before them is
    compared with the fixture's.
    """
    adapters = {}
    for (layer, part), start in SHARED_WEIGHTS.items():
        name = f"encoder.layer.{layer}.crossattention.self.{part}."
        weight = state[f"tagging_head.{name}weight"]
        rank = len(state[f"tagging_head.{name}lora_A"])
        scale = 1.14 / weight.shape[1] ** 0.5
        generator = torch.Generator().manual_seed(77)
        torch.rand(start, generator=generator)
        drawn = torch.randn(weight.shape, generator=generator) * scale
        if not torch.allclose(drawn, weight.float(), rtol=1e-3, atol=1e-4):
            pytest.skip("the fixture lacks the tag encoder's adapters, and its draws are unknown")
        torch.randn(len(weight), generator=generator)
        down = torch.randn(rank, weight.shape[1], generator=generator) * scale
        up = torch.randn(len(weight), rank, generator=generator) * 0.15
        adapters[f"tag_encoder.{name}lora_A"] = down.half()
        adapters[f"tag_encoder.{name}lora_B"] = up.half()
    return adapters


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


@pytest.mark.parametrize("lora", [True, False])
def test_logits(tiny, lora):
    torch.testing.assert_close(tiny.answer(lora)[1], tiny.logits[lora], rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("lora", [True, False])
def test_tags(tiny, known_names, lora):
    names = tuple(known_names.get(index, f"#{index}") for index in range(tiny.config.tags))
    tagger = RamTagger(tiny.network(lora), TagList(names, tuple(tiny.thresholds.tolist())))
    assert tagger.tag(tiny.photos) == tiny.tags[lora]
