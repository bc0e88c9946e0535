"""L_SCL, the semantic-constrained loss: each class's name shall attend to where the class is.

The paper names the loss (arXiv 2602.14042) without publishing its exact formula; what stands here
is this project's own specification of it, with two alternatives from the literature:

    labels ─ prompt of the classes, largest first ─ UNet ─ attention by token ─┐ sum by class
       └──── masks, pooled to the attention's cells ───────────────────────────┴─ loss

A cell counts by the share of it that is of a class in the loss. What is ignored, what has no name
in the prompt, and what covers less than one cell in all counts nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, pad

from rass_bench.errors import UserError
from rass_bench.labels import IGNORE
from rass_bench.models.rass.prompt import Tokenizer, prompt_of
from rass_bench.train.attention import LATENT_STRIDE, Place

PIXEL_WEIGHT = 5e-5 / 1e-3
"""TokenCompose's weight of the pixels' term, that of the tokens' being 1 (mlpc-ucsd/TokenCompose
at b91b0b2, train/scripts/train.sh)."""

_EPSILON = 1e-6
"""Least argument of a logarithm. It keeps gradients meaningful: in single precision, 1 less a map
is wrong by up to 6e-8, which the slope of the logarithm multiplies by at most its inverse."""

_LEAST_DIVISOR = 1e-8
"""Below any sum of attention or of shares that matters."""


class Mode(StrEnum):
    """Which loss compares attention with masks."""

    CROSS_ENTROPY = "cross-entropy"
    """Cross entropy over the classes, and Dice of each: the specification's."""

    TOKENCOMPOSE = "tokencompose"
    """TokenCompose's two terms, of tokens and of pixels (arXiv 2312.03626)."""

    BCE = "bce"
    """Binary cross entropy of each class's map."""


class Tokens(StrEnum):
    """How the maps of a name's tokens become the class's."""

    SUM = "sum"
    MEAN = "mean"


class Normalization(StrEnum):
    """What a class's map is divided by."""

    CLASSES = "classes"
    """The sum over the classes, cell by cell: each cell then tells which class it attends to."""

    SPATIAL_MAX = "spatial-max"
    """The class's highest value among the cells that count."""

    NONE = "none"


@dataclass(frozen=True)
class SclConfig:
    """The loss, and which attention it sees.

    Attributes:
        mode: which loss; TokenCompose's is defined on the attention as it is, and so uses neither
            ``tokens`` nor ``normalization``.
        places: blocks whose attention is used.
        tokens: how a class's map is made of its tokens'.
        normalization: of the classes' maps.
    """

    mode: Mode = Mode.CROSS_ENTROPY
    places: tuple[Place, ...] = (Place.UP_32, Place.UP_16)
    tokens: Tokens = Tokens.SUM
    normalization: Normalization = Normalization.CLASSES

    def __post_init__(self) -> None:
        # Plain words mean the choices that they spell.
        object.__setattr__(self, "mode", Mode(self.mode))
        object.__setattr__(self, "places", tuple(Place(place) for place in self.places))
        object.__setattr__(self, "tokens", Tokens(self.tokens))
        object.__setattr__(self, "normalization", Normalization(self.normalization))
        if not self.places or len(set(self.places)) < len(self.places):
            raise ValueError(f"places are {[*self.places]}: none, or one twice")


@dataclass(frozen=True)
class PromptTargets:
    """What N photos are prompted with, and where in photo and prompt each class is.

    K is the largest number of classes in a photo, at least 1; others have empty rows behind. The
    tensors lie on the labels' device.

    Attributes:
        prompts: as ``PromptEncoder.encode`` takes them; empty for a photo without a class.
        classes: of each photo, the ids of the classes in its prompt, in the prompt's order.
        tokens: float32 (N, K, length), 1 where a token belongs to the class's name.
        masks: float32 (N, K, H / 8, W / 8), the share of each cell of 8 x 8 pixels that is of the
            class.
    """

    prompts: tuple[str, ...]
    classes: tuple[tuple[int, ...], ...]
    tokens: Tensor
    masks: Tensor


def prompt_targets(labels: Tensor, names: Sequence[str], tokenizer: Tokenizer) -> PromptTargets:
    """Prompt each photo with the classes in it, the largest first, as many as find room.

    Args:
        labels: int64 (N, H, W), class ids and 255 = ignore; H and W multiples of 8.
        names: of the classes by id, the first synonym each.
        tokenizer: the text encoder's; all of its tokens but the two marks are room.

    Raises:
        UserError: a name has no token, or its tokens depend on the names beside it.
        ValueError: sides that are no multiples of 8, or a label without a name.
    """
    if any(side % LATENT_STRIDE for side in labels.shape[1:]):
        raise ValueError(f"labels of {tuple(labels.shape[1:])}, not multiples of {LATENT_STRIDE}")
    present = [_largest_first(photo, len(names)) for photo in labels]
    used = sorted({index for photo in present for index in photo})
    spelled = dict(zip(used, _spell([names[index] for index in used], tokenizer), strict=True))
    room = tokenizer([""]).shape[1] - 2
    classes = tuple(
        tuple(
            index
            for index, end in zip(photo, accumulate(len(spelled[i]) for i in photo), strict=True)
            if end <= room
        )
        for photo in present
    )
    prompts = tuple(prompt_of([names[index] for index in photo]) for photo in classes)
    tokens = _token_places(prompts, [[spelled[i] for i in photo] for photo in classes], tokenizer)
    return PromptTargets(prompts, classes, tokens.to(labels.device), _masks(labels, classes))


def semantic_constrained_loss(
    maps: Mapping[int, Tensor], targets: PromptTargets, config: SclConfig
) -> Tensor:
    """L_SCL, the mean over photos and resolutions.

    Args:
        maps: by stride, attention float (N, h, w, length) as :class:`AttentionTaps` gathers it.
        targets: of the same photos.
        config: which loss.

    Returns:
        A scalar, at least 0; a photo without a class in the loss adds 0.

    Raises:
        ValueError: no maps, or maps that do not cover the labels' photos.
    """
    if not maps:
        raise ValueError("no attention was gathered")
    losses = []
    for stride, attention in maps.items():
        with torch.autocast(attention.device.type, enabled=False):
            cells = _pool(targets.masks, stride, attention.shape[1:3])
            losses.append(_loss(attention.float(), targets.tokens, cells, config).mean())
    return torch.stack(losses).mean()


def class_maps(
    maps: Mapping[int, Tensor], targets: PromptTargets, config: SclConfig
) -> dict[int, Tensor]:
    """Where each class's name attends to, by stride: float32 (N, K, h, w), zero beyond a photo's.

    Args:
        maps: as for :func:`semantic_constrained_loss`.
        targets: of the same photos.
        config: how the maps of tokens become one, and what that is divided by.
    """
    return {
        stride: _class_map(
            attention.float(),
            targets.tokens,
            _pool(targets.masks, stride, attention.shape[1:3]),
            config,
        )
        for stride, attention in maps.items()
    }


def scl_weight(step: int, highest: float = 1e-2, warm_up: int = 1000) -> float:
    """L_SCL's weight in the total loss: from 0 straight up to the highest.

    Args:
        step: steps done so far.
        highest: weight after the warm-up.
        warm_up: its steps; 0 goes without one.
    """
    return highest if step >= warm_up else highest * step / warm_up


# Prompts


def _largest_first(labels: Tensor, named: int) -> list[int]:
    """A photo's classes by falling area; of equal ones the lower id comes first."""
    areas = torch.bincount(labels.flatten(), minlength=IGNORE + 1).tolist()
    present = [index for index, area in enumerate(areas) if area and index != IGNORE]
    if present and present[-1] >= named:
        raise ValueError(f"label {present[-1]} has no name among {named}")
    return sorted(present, key=lambda index: -areas[index])


def _spell(names: Sequence[str], tokenizer: Tokenizer) -> list[list[int]]:
    """The tokens of each name alone, without marks."""
    rows = tokenizer(["", *(prompt_of([name]) for name in names)]).tolist()
    end = rows[0][1]  # of an empty text: the begin mark, then the end mark
    spelled = [row[1 : row.index(end)] for row in rows[1:]]
    for name, tokens in zip(names, spelled, strict=True):
        if not tokens:
            raise UserError(
                f"the class name {name!r} has no token", "label space", "Name it in words."
            )
    return spelled


def _token_places(
    prompts: Sequence[str], spelled: Sequence[Sequence[Sequence[int]]], tokenizer: Tokenizer
) -> Tensor:
    """Which tokens of each prompt are whose, float32 (N, K, length)."""
    rows = tokenizer(prompts)
    most = max(1, *map(len, spelled))
    places = torch.zeros(len(rows), most, rows.shape[1])
    for place, row, prompt, photo in zip(places, rows.tolist(), prompts, spelled, strict=True):
        start = 1  # behind the begin mark
        for slot, tokens in enumerate(photo):
            end = start + len(tokens)
            if row[start:end] != tokens:
                raise UserError(
                    "the tokens of a class name depend on the names beside it",
                    f"prompt {prompt!r}",
                    "Name the classes in plain words, without brackets.",
                )
            place[slot, start:end] = 1
            start = end
    return places


# Masks


@dataclass(frozen=True)
class _Cells:
    """What the masks say at one resolution.

    Attributes:
        shares: (N, K, h, w), the part of each cell that is of the class.
        weights: (N, h, w), the part of each cell that is of any class in the loss.
        kept: (N, K), 1 for a class in the loss, 0 for one under a cell or none at all.
    """

    shares: Tensor
    weights: Tensor
    kept: Tensor

    @property
    def total(self) -> Tensor:
        """Cells that count, (N,); 1 where none does, as a divisor."""
        return self.weights.sum(dim=(1, 2)).clamp_min(1)

    def mean(self, values: Tensor) -> Tensor:
        """The mean of (N, K) over the classes in the loss, (N,)."""
        return (values * self.kept).sum(dim=1) / self.kept.sum(dim=1).clamp_min(1)


def _masks(labels: Tensor, classes: Sequence[Sequence[int]]) -> Tensor:
    most = max(1, *map(len, classes))
    ids = torch.tensor([[*photo, *[-1] * (most - len(photo))] for photo in classes])
    masks = labels[:, None] == ids.to(labels.device)[:, :, None, None]
    return avg_pool2d(masks.float(), LATENT_STRIDE)


def _pool(masks: Tensor, stride: int, size: Sequence[int]) -> _Cells:
    """Masks at a resolution; its last cells may reach beyond the photo, where nothing counts."""
    step = stride // LATENT_STRIDE
    missing = [cells * step - side for cells, side in zip(size, masks.shape[2:], strict=True)]
    if not all(0 <= side < step for side in missing):
        raise ValueError(f"{tuple(size)} cells of {stride} pixels do not cover the photos")
    shares = avg_pool2d(pad(masks, (0, missing[1], 0, missing[0])), step)
    kept = (shares.sum(dim=(2, 3)) >= 1).float()
    shares = shares * kept[:, :, None, None]
    return _Cells(shares, shares.sum(dim=1), kept)


# Losses of one resolution, (N,) each


def _loss(attention: Tensor, tokens: Tensor, cells: _Cells, config: SclConfig) -> Tensor:
    if config.mode is Mode.TOKENCOMPOSE:
        summed = _sum_tokens(attention, tokens)
        return _outside(attention, tokens, cells) + PIXEL_WEIGHT * _binary(summed, cells)
    maps = _class_map(attention, tokens, cells, config)
    if config.mode is Mode.BCE:
        return _binary(maps, cells)
    return _cross_entropy(maps, cells) + _dice_loss(maps, cells)


def _sum_tokens(attention: Tensor, tokens: Tensor) -> Tensor:
    return torch.einsum("nhwt,nkt->nkhw", attention, tokens)


def _class_map(attention: Tensor, tokens: Tensor, cells: _Cells, config: SclConfig) -> Tensor:
    """Each class's map, (N, K, h, w), zero for classes that are not in the loss."""
    if config.tokens is Tokens.MEAN:
        tokens = tokens / tokens.sum(dim=2, keepdim=True).clamp_min(1)
    maps = _sum_tokens(attention, tokens) * cells.kept[:, :, None, None]
    if config.normalization is Normalization.CLASSES:
        return maps / maps.sum(dim=1, keepdim=True).clamp_min(_LEAST_DIVISOR)
    if config.normalization is Normalization.SPATIAL_MAX:
        counted = maps * (cells.weights > 0)[:, None]
        return maps / counted.amax(dim=(2, 3), keepdim=True).clamp_min(_LEAST_DIVISOR)
    return maps


def _cross_entropy(maps: Tensor, cells: _Cells) -> Tensor:
    """Cross entropy between the classes' shares and their maps, the mean over cells that count."""
    return -(cells.shares * _log(maps)).sum(dim=(1, 2, 3)) / cells.total


def _dice_loss(maps: Tensor, cells: _Cells) -> Tensor:
    """1 - Dice, the mean over classes, with squares below (V-Net, arXiv 1606.04797, section 3).

    With squares, a map that equals the mask is perfect where classes share a cell, too.
    """
    weights = cells.weights[:, None]
    masks = cells.shares / weights.clamp_min(_LEAST_DIVISOR)
    both = (cells.shares * maps).sum(dim=(2, 3))
    either = (weights * (masks.square() + maps.square())).sum(dim=(2, 3))
    return cells.mean(1 - 2 * both / either.clamp_min(_LEAST_DIVISOR))


def _binary(maps: Tensor, cells: _Cells) -> Tensor:
    """Binary cross entropy, the mean over cells that count, then over classes."""
    inside = cells.shares * _log(maps)
    # Rounding may bring a map above 1.
    outside = (cells.weights[:, None] - cells.shares) * _log((1 - maps).clamp_min(0))
    return cells.mean(-(inside + outside).sum(dim=(2, 3)) / cells.total[:, None])


def _outside(attention: Tensor, tokens: Tensor, cells: _Cells) -> Tensor:
    """TokenCompose's token term: the squared part of a token's attention that misses its mask.

    The mean over a name's tokens, then over classes (arXiv 2312.03626; mlpc-ucsd/TokenCompose at
    b91b0b2, train/src/loss_utils.py). There each head and layer is compared with binary masks;
    here their mean is, with shares of cells.
    """
    inside = torch.einsum("nhwt,nkhw->nkt", attention, cells.shares)
    everywhere = torch.einsum("nhwt,nhw->nt", attention, cells.weights)
    missed = (1 - inside / everywhere.clamp_min(_LEAST_DIVISOR)[:, None]).square()
    return cells.mean((missed * tokens).sum(dim=2) / tokens.sum(dim=2).clamp_min(1))


def _log(values: Tensor) -> Tensor:
    """Logarithm of values in [0, 1], from log(epsilon) to 0; never flat, so that all can learn."""
    return (values + _EPSILON * (1 - values)).log()
