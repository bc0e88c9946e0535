"""What RASS's trainings begin with, checked before hours are spent on it."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from rass_bench.errors import UserError
from rass_bench.labels import LabelSpace
from rass_bench.models.rass.config import FIXED, RassConfig
from rass_bench.models.rass.entries import build_tokenizer
from rass_bench.models.rass.loading import build_configured
from rass_bench.models.rass.network import RassNetwork
from rass_bench.models.rass.prompt import Tokenizer, WordTokenizer
from rass_bench.models.rass.weights import RassWeights
from rass_bench.train.recipes import RECIPES


def check_backbone(config: RassConfig, scr: Mapping[str, Tensor], weights: str) -> None:
    """Refuse SCR's weights that lack what RASS takes from them, in the sizes that are told.

    Raises:
        UserError: a tensor is missing or of another shape, or no network has these sizes.
    """
    wanted = build_configured(RassNetwork, config, weights).state_dict()
    for name, empty in wanted.items():
        if not name.startswith(("unet.", "vae.", "text_encoder.")):
            continue
        if name not in scr or scr[name].shape != empty.shape:
            raise UserError(
                f"SCR's weights lack {name} of shape {tuple(empty.shape)}",
                weights,
                "Train SCR again, or convert the official files again.",
            )


def check_start(start: RassWeights, weights: str, recipe: str) -> None:
    """Refuse weights of another size than the recipe's, and numbers that are not finite.

    One size's recipe ruins the other's weights: its rates are a hundred times higher.

    Args:
        start: the weights.
        weights: where they came from, for messages.
        recipe: the size whose recipe is followed.

    Raises:
        UserError: see above.
    """
    size = start.config.size
    if size in RECIPES and size != recipe:
        raise UserError(
            f"weights of size {size} under the recipe of {recipe}",
            "--size",
            f"Give --size {size}.",
        )
    for name, tensor in start.scr.items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise UserError(
                f"{name} holds numbers that are not finite",
                weights,
                "Begin with the file that training or the conversion wrote.",
            )


def check_prompt(config: RassConfig, tokenizer: Tokenizer) -> None:
    """Refuse a fixed prompt with words that the text encoder does not know.

    Raises:
        UserError: the first such word.
    """
    if not config.tagger.startswith(FIXED) or not isinstance(tokenizer, WordTokenizer):
        return
    unknown = tokenizer.unknown(config.tagger.removeprefix(FIXED).split(","))
    if unknown:
        raise UserError(
            f"the text encoder knows no {unknown[0].strip()!r}",
            "--tagger",
            "Use words of the class names that the prior was trained with.",
        )


def prior_tokenizer(start: RassWeights, weights: str, space: LabelSpace) -> Tokenizer:
    """The prior's tokenizer, which must know the names of the classes that prompts are made of.

    Raises:
        UserError: it does not, or it does not fit the text encoder.
    """
    tokenizer = build_tokenizer(start.config, start, weights)
    unknown = tokenizer.unknown(space.names) if isinstance(tokenizer, WordTokenizer) else ()
    if unknown:
        raise UserError(
            f"a text encoder without words for {len(unknown)} of {space.size} classes: "
            f"{', '.join(unknown[:3])}{' ...' if len(unknown) > 3 else ''}",
            weights,
            f"Train vae and unet on a data set with the classes of {space.name} first.",
        )
    return tokenizer
