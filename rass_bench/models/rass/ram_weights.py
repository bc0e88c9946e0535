"""Official RAM weights, with or without LoRA, as :class:`rass_bench.models.rass.ram.Ram` has them.

``vision_multi`` is the tagging head's name in older checkpoints (load_checkpoint_swinlarge in
ram/models/utils.py of xinyu1205/recognize-anything). LoRA is loralib's: W + (1 / rank) B A, on the
Swin's queries and values and on the tagging head's queries and keys (official ram_lora.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import linear

from rass_bench.errors import UserError
from rass_bench.models.rass.config import RamConfig
from rass_bench.models.rass.ram import Ram

LORA_ALPHA = 1

BERT_LAYERS = 12
BERT_WORDS = 30524
BERT_POSITIONS = 512

UNUSED = (
    r"tag_encoder\.",  # mixes given tags into the image, for captions
    r"text_decoder\.",  # writes captions
    r"tagging_head\.embeddings\.",  # of BERT, which the official code deletes
    r"tagging_head\.encoder\.layer\.\d+\.attention\.",  # likewise
    r"visual_encoder\..*\.relative_position_index$",  # computed from the window's size
    r"visual_encoder\..*\.attn_mask$",  # likewise
)
"""Patterns at the start of official names that tagging never uses."""

_TAGGING = {
    "query": "crossattention.self.query",
    "key": "crossattention.self.key",
    "value": "crossattention.self.value",
    "attention_output": "crossattention.output.dense",
    "attention_norm": "crossattention.output.LayerNorm",
    "expand": "intermediate.dense",
    "contract": "output.dense",
    "output_norm": "output.LayerNorm",
}
"""Parts of a tagging layer: our names and the official ones."""


def convert_weights(
    official: Mapping[str, Tensor], config: RamConfig, where: str, lora: bool = True
) -> dict[str, Tensor]:
    """Bring official weights under the names of :class:`Ram`, LoRA merged.

    Args:
        official: a state dict: what ``ram_swin_large_14m.pth`` holds under ``model``, or the part
            of ``rass.pth`` below ``backbone.feature_extractor.ram.``.
        config: the sizes that it must have.
        where: the file, for messages.
        lora: False leaves adapters out.

    Returns:
        float32 tensors, one for each parameter of :class:`Ram`.

    Raises:
        UserError: a tensor that is missing, of another shape, or unknown; it is named.
    """
    remaining = {
        name.replace("vision_multi.", "tagging_head."): tensor for name, tensor in official.items()
    }
    with torch.device("meta"):
        wanted = Ram(config).state_dict()
    reader = _Reader(remaining, where, lora)
    converted = {
        name: reader.take(official_name(name), tuple(like.shape))
        for name, like in wanted.items()
        if name != "labels"
    }
    converted["labels"] = _labels(reader, config)
    unknown = [name for name in remaining if not re.match("|".join(UNUSED), name)]
    if unknown:
        raise UserError(
            f"the checkpoint has {len(unknown)} unknown tensors, {min(unknown)} first",
            where,
            "RAM's own weights are needed (ram_swin_large_14m.pth), not RAM++'s or Tag2Text's.",
        )
    return converted


def official_name(name: str) -> str:
    """The official name of a parameter of :class:`Ram`."""
    part, _, rest = name.partition(".")
    if part == "tagging":
        layer, own, kind = rest.split(".")
        return f"tagging_head.encoder.layer.{layer}.{_TAGGING[own]}.{kind}"
    if part != "swin":
        return name
    # timm merges patches before a stage's blocks, the official Swin after them.
    merging = re.fullmatch(r"layers\.(\d+)\.(downsample\..*)", rest)
    if merging:
        rest = f"layers.{int(merging[1]) - 1}.{merging[2]}"
    return f"visual_encoder.{rest}"


def build_ram(weights: Mapping[str, Tensor], config: RamConfig) -> Ram:
    """A frozen RAM in eval mode.

    Args:
        weights: from :func:`convert_weights`; the network keeps these very tensors.
        config: their sizes.
    """
    with torch.device("meta"):
        network = Ram(config)
    network.load_state_dict(dict(weights), assign=True)
    _fill_buffers(network)
    return network.eval().requires_grad_(False)


def official_parameters(config: RamConfig, rank: int = 8) -> int:
    """Parameters of the official tagger, its captioning parts and LoRA with it.

    As the paper counts: weights that the tag encoder's first layers share with the
    tagging head once, the text decoder's word embedding and its output likewise.

    Args:
        config: sizes of the part that tags; those of the captioning parts are BERT base's.
        rank: LoRA's.
    """
    hidden, embedding = config.hidden, config.embedding
    labels = config.tags * embedding
    if hidden != embedding:
        labels += _linear(embedding, hidden)
    patch_width = config.embed_dim * 2 ** (len(config.depths) - 1)
    projections = _linear(patch_width, embedding) + _linear(hidden, 1)
    tag_encoder = _bert(hidden, config.feed_forward, embedding)
    text_decoder = _bert(hidden, config.feed_forward, hidden)
    # Predicting words: a layer, its norm, a bias for each word.
    text_decoder += _linear(hidden, hidden) + 2 * hidden + BERT_WORDS
    captions = tag_encoder + text_decoder
    return _swin(config) + labels + projections + captions + _lora(config, rank)


def _swin(config: RamConfig) -> int:
    """Parameters of a Swin transformer whose windows fit into every stage."""
    total = _linear(3 * config.patch**2, config.embed_dim) + 2 * config.embed_dim
    width = config.embed_dim
    for stage, (depth, heads) in enumerate(zip(config.depths, config.heads, strict=True)):
        if stage > 0:
            # Merging four patches: a norm, and a layer without bias.
            total += 2 * 4 * width + 4 * width * 2 * width
            width *= 2
        attention = _linear(width, 3 * width) + _linear(width, width)
        attention += (2 * config.window - 1) ** 2 * heads
        expansion = _linear(width, 4 * width) + _linear(4 * width, width)
        total += depth * (attention + expansion + 2 * 2 * width)
    return total + 2 * width


def _bert(hidden: int, feed_forward: int, encoder_width: int) -> int:
    """Parameters of BERT base whose layers ask an encoder too; no token types, no pooler."""
    norm = 2 * hidden
    attention = 4 * _linear(hidden, hidden) + norm
    cross_attention = 2 * _linear(hidden, hidden) + 2 * _linear(encoder_width, hidden) + norm
    expansion = _linear(hidden, feed_forward) + _linear(feed_forward, hidden) + norm
    embeddings = (BERT_WORDS + BERT_POSITIONS) * hidden + norm
    return embeddings + BERT_LAYERS * (attention + cross_attention + expansion)


def _lora(config: RamConfig, rank: int) -> int:
    """LoRA's parameters: a layer of a inputs and b outputs has rank * (a + b)."""
    stages = enumerate(config.depths)
    # Queries and values, each with an A and a B of their own.
    swin: int = sum(depth * 4 * rank * config.embed_dim * 2**stage for stage, depth in stages)
    hidden, embedding = config.hidden, config.embedding
    plain, from_image = rank * 2 * hidden, rank * (embedding + hidden)
    tagging = config.tagging_layers * (plain + from_image)
    # Queries and keys of self attention and of cross attention.
    tag_encoder = BERT_LAYERS * (3 * plain + from_image)
    text_decoder = BERT_LAYERS * 4 * plain
    return swin + tagging + tag_encoder + text_decoder


def _linear(inputs: int, outputs: int) -> int:
    return inputs * outputs + outputs


class _Reader:
    """Takes tensors out of a state dict, one after the other.

    Args:
        remaining: what has not been taken; changed in place.
        where: the file, for messages.
        lora: whether adapters are merged, or dropped.
    """

    def __init__(self, remaining: dict[str, Tensor], where: str, lora: bool) -> None:
        self._remaining = remaining
        self._where = where
        self._lora = lora

    def take(self, name: str, shape: tuple[int, ...]) -> Tensor:
        """A tensor, float32, its adapters merged if it has any."""
        tensor = self._take_plain(name, shape)
        own = name.removesuffix("weight")
        # The tag encoder's first layers share their weights with the tagging head's, not their
        # adapters: loralib adds both to the one weight as soon as the model is set to eval.
        for prefix in (own, own.replace("tagging_head.", "tag_encoder.")):
            if len(shape) == 2 and f"{prefix}lora_A" in self._remaining:
                delta = self._take_delta(prefix, shape)
                tensor = tensor + delta if self._lora else tensor
        return tensor

    def _take_delta(self, prefix: str, shape: tuple[int, ...]) -> Tensor:
        """What an adapter adds to a weight of this shape."""
        packed = prefix.endswith("attn.qkv.")
        # loralib's MergedLinear: A holds those of queries and of values in turn, B likewise.
        parts, rows = (2, shape[0] // 3) if packed else (1, shape[0])
        rank = max(1, self._remaining[f"{prefix}lora_A"].shape[:1].numel() // parts)
        down = self._take_plain(f"{prefix}lora_A", (parts * rank, shape[1]))
        up = self._take_plain(f"{prefix}lora_B", (parts * rows, rank))
        deltas = [b @ a for a, b in zip(down.chunk(parts), up.chunk(parts), strict=True)]
        if packed:
            deltas.insert(1, torch.zeros_like(deltas[0]))
        return torch.cat(deltas) * (LORA_ALPHA / rank)

    def _take_plain(self, name: str, shape: tuple[int, ...]) -> Tensor:
        advice = "The weights must belong to the configured size; download them again."
        tensor = self._remaining.pop(name, None)
        if tensor is None:
            raise UserError(f"the checkpoint lacks {name}", self._where, advice)
        if tuple(tensor.shape) != shape:
            raise UserError(
                f"{name} has the shape {tuple(tensor.shape)}, not {shape}", self._where, advice
            )
        return tensor.detach().float()


def _labels(reader: _Reader, config: RamConfig) -> Tensor:
    """What each tag starts from, float32 (tags, hidden)."""
    embedded = reader.take("label_embed", (config.tags, config.embedding))
    if config.hidden != config.embedding:
        weight = reader.take("wordvec_proj.weight", (config.hidden, config.embedding))
        embedded = linear(embedded, weight, reader.take("wordvec_proj.bias", (config.hidden,)))
    return embedded.relu()


def _fill_buffers(network: Ram) -> None:
    """Compute window indices and masks: no checkpoint holds them, the meta device no values."""
    from timm.models.swin_transformer import SwinTransformerBlock, WindowAttention

    device = network.labels.device
    for module in network.modules():
        if isinstance(module, WindowAttention):
            module.relative_position_index = torch.zeros(
                (module.window_area, module.window_area), dtype=torch.long, device=device
            )
        if isinstance(module, WindowAttention | SwinTransformerBlock):
            module.init_non_persistent_buffers()
