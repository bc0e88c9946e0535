"""The RAM tagger (Recognize Anything): what is in a photo, out of thousands of tags.

A Swin transformer describes the photo by patches; each tag asks the patches, through two layers
of cross attention, whether it is there [Huang et al. 2023, arXiv 2306.03514, section 3; the head is
Query2Label's, arXiv 2107.10834]. RAM's text decoder and tag encoder caption photos; no tag depends
on them, and they are neither built nor loaded.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, interpolate, scaled_dot_product_attention

from rass_bench.errors import UserError
from rass_bench.models.checkpoints import IMAGENET_MEAN, IMAGENET_STD
from rass_bench.models.rass.config import RamConfig

NAMES_FILE = "ram_tag_list.txt"
THRESHOLDS_FILE = "ram_tag_list_threshold.txt"


class TaggingLayer(nn.Module):
    """Cross attention and a feed-forward part, each added and then normalised, as in BERT.

    Args:
        config: the sizes.
    """

    def __init__(self, config: RamConfig) -> None:
        super().__init__()
        self.heads = config.tagging_heads
        self.query = nn.Linear(config.hidden, config.hidden)
        self.key = nn.Linear(config.embedding, config.hidden)
        self.value = nn.Linear(config.embedding, config.hidden)
        self.attention_output = nn.Linear(config.hidden, config.hidden)
        self.attention_norm = nn.LayerNorm(config.hidden, eps=1e-12)
        self.expand = nn.Linear(config.hidden, config.feed_forward)
        self.contract = nn.Linear(config.feed_forward, config.hidden)
        self.output_norm = nn.LayerNorm(config.hidden, eps=1e-12)

    def forward(self, tags: Tensor, image: Tensor) -> Tensor:
        """Let tags (N or 1, tags, hidden) ask the image (N, tokens, embedding).

        Returns:
            Tags, (N, tags, hidden).
        """
        query = self._by_head(self.query(tags)).expand(len(image), -1, -1, -1)
        key, value = self._by_head(self.key(image)), self._by_head(self.value(image))
        answer = scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
        tags = self.attention_norm(tags + self.attention_output(answer))
        normed: Tensor = self.output_norm(tags + self.contract(gelu(self.expand(tags))))
        return normed

    def _by_head(self, x: Tensor) -> Tensor:
        """(N, tokens, hidden) as (N, heads, tokens, hidden / heads)."""
        return x.view(*x.shape[:2], self.heads, -1).transpose(1, 2)


class Ram(nn.Module):
    """Photo to the logit of each tag.

    ``labels`` is what a tag starts from: relu(wordvec_proj(label_embed)) of the official code. It
    depends on no photo, so it is computed once, when official weights are converted.

    Args:
        config: the sizes.
    """

    def __init__(self, config: RamConfig) -> None:
        from timm.models.swin_transformer import SwinTransformer, WindowAttention

        super().__init__()
        self.config = config
        self.swin = SwinTransformer(
            img_size=config.image_side,
            patch_size=config.patch,
            embed_dim=config.embed_dim,
            depths=config.depths,
            num_heads=config.heads,
            window_size=config.window,
            drop_path_rate=0.0,
            num_classes=0,
        )
        for module in self.swin.modules():
            if isinstance(module, WindowAttention):
                # timm still takes the slow path unless told otherwise.
                module.fused_attn = True
        self.image_proj = nn.Linear(self.swin.num_features, config.embedding)
        self.labels = nn.Parameter(torch.empty(config.tags, config.hidden))
        self.tagging = nn.ModuleList(TaggingLayer(config) for _ in range(config.tagging_layers))
        self.fc = nn.Linear(config.hidden, 1)
        nn.init.normal_(self.labels, std=0.02)

    def forward(self, photos: Tensor) -> tuple[Tensor, Tensor]:
        """Describe photos and score every tag.

        Args:
            photos: float32 (N, 3, image_side, image_side), ImageNet mean and deviation taken out.

        Returns:
            Image embeddings (N, 1 + patches, embedding), the photo's mean first; logits (N, tags).
        """
        patches = self.swin.forward_features(photos).flatten(1, 2)
        mean = patches.mean(dim=1, keepdim=True)
        image = self.image_proj(torch.cat([mean, patches], dim=1))
        tags = self.labels[None]
        for layer in self.tagging:
            tags = layer(tags, image)
        return image, self.fc(tags).squeeze(-1)


@dataclass(frozen=True)
class TagList:
    """The tags that a RAM knows, in its order.

    Attributes:
        names: in English, lower case but for proper names.
        thresholds: probabilities in [0, 1]; a tag holds when its own is exceeded.
    """

    names: tuple[str, ...]
    thresholds: tuple[float, ...]


def read_tags(place: Path, count: int) -> TagList:
    """Read RAM's tags and their thresholds, one a line each.

    Args:
        place: the folder that holds ``ram_tag_list.txt``, or a list of tags by another name;
            ``ram_tag_list_threshold.txt`` lies beside it.
        count: how many tags the network has.

    Raises:
        UserError: a missing file, one with another number of lines, an empty line, a threshold
            that is no number from 0 to 1.
    """
    names_file = place if place.is_file() else place / NAMES_FILE
    thresholds_file = names_file.with_name(THRESHOLDS_FILE)
    names = _lines(names_file, count)
    thresholds = [
        _threshold(text, thresholds_file, number)
        for number, text in enumerate(_lines(thresholds_file, count), start=1)
    ]
    return TagList(tuple(names), tuple(thresholds))


class RamTagger:
    """Names what is in photos.

    Args:
        network: a RAM with its weights, in eval mode.
        tags: its tags.

    Raises:
        UserError: the network has another number of tags.
    """

    def __init__(self, network: Ram, tags: TagList) -> None:
        if len(tags.names) != network.config.tags:
            raise UserError(
                f"{len(tags.names)} tags for a network of {network.config.tags}",
                NAMES_FILE,
                "Take the list that belongs to the weights.",
            )
        self.parameters = sum(one.numel() for one in network.parameters())
        self._network = network
        self._names = tags.names
        self._thresholds = torch.tensor(tags.thresholds)

    def tag(self, photos: Tensor) -> list[tuple[str, ...]]:
        """Name the tags of each photo, in the list's order.

        The photo is brought to a square as torchvision >= 0.17 resizes tensors, antialiased.
        torchvision 0.16, which RASS's README names, does not antialias them:
        tags near their threshold depend on that version there.

        Args:
            photos: float32 (N, 3, H, W) in [0, 1], on any device.

        Returns:
            For each photo the tags whose probability exceeds their threshold; none is possible.

        Raises:
            UserError: logits that are NaN or infinite.
        """
        device = self._network.labels.device
        with torch.no_grad():
            _, logits = self._network(prepare(photos.to(device), self._network.config.image_side))
            if not bool(torch.isfinite(logits).all()):
                raise UserError(
                    "the tagger returned NaN or infinite scores",
                    "RAM",
                    "Run it in float32, and check its weights.",
                )
            holds = (logits.float().sigmoid() > self._thresholds.to(device)).cpu()
        return [
            tuple(self._names[index] for index in row.nonzero().flatten().tolist()) for row in holds
        ]


def prepare(photos: Tensor, side: int) -> Tensor:
    """Photos as RAM takes them: a square, whatever their ratio, ImageNet's mean and deviation out.

    Args:
        photos: float32 (N, 3, H, W) in [0, 1].
        side: rows and columns of the square.

    Returns:
        float32 (N, 3, side, side).
    """
    square = interpolate(photos, size=(side, side), mode="bilinear", antialias=True)
    mean = square.new_tensor(IMAGENET_MEAN)[:, None, None]
    return (square - mean) / square.new_tensor(IMAGENET_STD)[:, None, None]


def _lines(path: Path, count: int) -> list[str]:
    origin = (
        "It lies in ram/data of the recognize-anything repository, and in RASS's own; "
        "copy it beside the weights."
    )
    try:
        # Some editors open a file with a mark that would become part of the first tag.
        lines = path.read_text("utf-8-sig").splitlines()
    except FileNotFoundError:
        raise UserError("RAM's list is missing", str(path), origin) from None
    except UnicodeDecodeError:
        raise UserError("no UTF-8 text", str(path), origin) from None
    if len(lines) != count:
        raise UserError(f"{len(lines)} lines for {count} tags", str(path), origin)
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            raise UserError(f"line {number} is empty", str(path), origin)
    return lines


def _threshold(text: str, path: Path, number: int) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0 <= value <= 1:
        raise UserError(
            f"line {number} holds {text!r}, which is no number from 0 to 1",
            str(path),
            "Write one probability a line, in the order of the tags.",
        )
    return value
