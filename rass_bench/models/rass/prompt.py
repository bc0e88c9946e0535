"""From tags to the text embeddings that the UNet attends to."""

from __future__ import annotations

import gzip
import importlib.util
import re
import unicodedata
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from rass_bench.errors import UserError
from rass_bench.files import read_json

if TYPE_CHECKING:
    import torch

CLIP_LENGTH = 77
"""Tokens of a prompt, the two marks and the padding among them (CLIP, arXiv 2103.00020, 2.4)."""

CLIP_BEGIN, CLIP_END, CLIP_PADDING = 49406, 49407, 0
"""Ids of the marks; Stable Diffusion 2 pads with "!", whose id is 0, not with the end mark."""

_BEGIN_MARK, _END_MARK, _PADDING_MARK = "<|startoftext|>", "<|endoftext|>", "!"
_MERGES = 48_894
"""Rules that CLIP takes from the merges file: 49,408 tokens less 512 single bytes and two marks."""

_MERGES_FILE = "bpe_simple_vocab_16e6.txt.gz"
_MERGES_PACKAGES = ("open_clip", "clip")
"""Import names of open_clip_torch and openai-clip, which both ship the merges file."""


class Tokenizer(Protocol):
    """Turns texts into token ids."""

    def __call__(self, texts: Sequence[str]) -> torch.Tensor:
        """Tokenize.

        Args:
            texts: N cleaned prompts.

        Returns:
            int64 (N, length) on the CPU: begin mark, tokens, end mark, padding; what exceeds
            ``length`` is cut before the end mark.
        """
        ...


def clean_prompt(caption: str) -> str:
    """A caption as the text encoder is given it (RASS at 3ee2847, restoration_adaptation/ras.py).

    Brackets, blanks and commas go from both ends, apostrophes from everywhere, and each comma
    becomes a blank. Not idempotent: what an apostrophe hid from the first step stays.
    """
    return caption.strip("[] ,").replace("'", "").replace(",", " ")


def prompt_of(tags: Sequence[str]) -> str:
    """The cleaned prompt of a photo's tags, which the official code joins as ``a, b, ``."""
    return clean_prompt(", ".join(tags) + ", ")


class ClipTokenizer:
    """CLIP's byte-pair encoding with Stable Diffusion 2's padding, 77 ids a text.

    The padding mark counts as a special token, as it does where transformers loads Stable
    Diffusion 2's own tokenizer: a "!" inside a text gets the padding's id.

    Args:
        vocabulary: id by token.
        merges: pairs that are merged, most frequent first.

    Raises:
        ValueError: the vocabulary and the merges do not fit together, or are not CLIP's.
    """

    def __init__(self, vocabulary: dict[str, int], merges: Sequence[tuple[str, ...]]) -> None:
        from transformers import CLIPTokenizer

        marks = [vocabulary.get(mark) for mark in (_BEGIN_MARK, _END_MARK, _PADDING_MARK)]
        if marks != [CLIP_BEGIN, CLIP_END, CLIP_PADDING]:
            raise ValueError(f"the marks have the ids {marks}, which are not CLIP's")
        if sorted(vocabulary.values()) != list(range(len(vocabulary))):
            raise ValueError("the ids do not count from 0 without gaps")
        for pair in merges:
            if not vocabulary.keys() >= {*pair, "".join(pair)}:
                raise ValueError(f"the merged pair {' '.join(pair)} is not in the vocabulary")
        self._tokenizer = CLIPTokenizer(
            vocab=vocabulary,
            merges=list(merges),
            pad_token=_PADDING_MARK,
            model_max_length=CLIP_LENGTH,
        )

    def __call__(self, texts: Sequence[str]) -> torch.Tensor:
        """See :class:`Tokenizer`."""
        import torch

        if not texts:
            return torch.empty((0, CLIP_LENGTH), dtype=torch.int64)
        tokens = self._tokenizer(
            list(texts), padding="max_length", truncation=True, max_length=CLIP_LENGTH
        )
        return torch.tensor(tokens["input_ids"], dtype=torch.int64)


def load_clip_tokenizer(folder: Path | None) -> ClipTokenizer:
    """CLIP's tokenizer from a diffusers ``tokenizer/`` folder, or from an installed CLIP package.

    Length and padding are always Stable Diffusion 2's, whatever the folder's configuration says,
    so that both sources give the same ids.

    Args:
        folder: holds ``vocab.json`` and ``merges.txt``; None takes the merges file that
            ``open_clip_torch`` and ``openai-clip`` ship.

    Raises:
        UserError: files missing or not CLIP's, or no package that ships them.
    """
    source = folder if folder is not None else _packaged_merges()
    try:
        vocabulary, merges = _read_folder(source) if folder is not None else _read_package(source)
        return ClipTokenizer(vocabulary, merges)
    except (ValueError, EOFError, gzip.BadGzipFile) as error:
        raise UserError(
            f"no CLIP vocabulary: {error}", str(source), "Fetch the files again."
        ) from None


def _read_folder(folder: Path) -> tuple[dict[str, int], list[tuple[str, ...]]]:
    vocabulary = read_json(folder / "vocab.json")
    if not isinstance(vocabulary, dict) or not all(type(i) is int for i in vocabulary.values()):
        raise ValueError("vocab.json holds no ids by token")
    merges_file = folder / "merges.txt"
    if not merges_file.is_file():
        raise UserError("file not found", str(merges_file), "Complete the tokenizer folder.")
    return vocabulary, _parse_merges(merges_file.read_text("utf-8"))


def _read_package(path: Path) -> tuple[dict[str, int], list[tuple[str, ...]]]:
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        merges = _parse_merges(stream.read())
    # The ids follow from the merges: bytes, bytes that end a word, merged pairs, the two marks.
    alphabet = _byte_characters()
    tokens = [*alphabet, *(character + "</w>" for character in alphabet)]
    tokens += ["".join(pair) for pair in merges]
    tokens += [_BEGIN_MARK, _END_MARK]
    return {token: index for index, token in enumerate(tokens)}, merges


def _parse_merges(text: str) -> list[tuple[str, ...]]:
    lines = text.split("\n")[1 : 1 + _MERGES]  # the first line tells the format's version
    pairs = [tuple(line.split()) for line in lines if line]
    if len(pairs) < _MERGES or any(len(pair) != 2 for pair in pairs):
        raise ValueError(f"the merges file holds {len(pairs)} lines, not {_MERGES} pairs")
    return pairs


def _byte_characters() -> list[str]:
    """The characters that stand for bytes in byte-level encodings, in the order of CLIP's ids.

    Printable bytes of Latin-1 stand for themselves; the others follow, mapped from U+0100 on.
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    return [chr(code) for code in (*printable, *range(0x100, 0x200 - len(printable)))]


def _packaged_merges() -> Path:
    for package in _MERGES_PACKAGES:
        # Found, not imported: importing either package loads torch and more. Another package
        # that is called clip (a clipboard manager) has no such file.
        spec = importlib.util.find_spec(package)
        for folder in (spec.submodule_search_locations or []) if spec is not None else []:
            path = Path(folder) / _MERGES_FILE
            if path.is_file():
                return path
    raise UserError(
        "CLIP's vocabulary is not installed",
        "tokenizer",
        "Install it with: pip install 'rass-bench[models]' (open_clip_torch ships it), or give a "
        "folder with Stable Diffusion 2.1's tokenizer.",
    )


WORD_PADDING, WORD_BEGIN, WORD_END, WORD_UNKNOWN = range(4)


@dataclass(frozen=True)
class WordTokenizer:
    """One id a word, for text encoders trained from scratch on a few class names.

    Ids: 0 padding, 1 begin, 2 end, 3 unknown, then the known words in alphabetical order. Case is
    folded; whatever is neither letter nor digit separates words.

    Attributes:
        words: texts whose words are known, such as class names; neither order nor repetition
            matters.
        length: ids a text, the two marks and the padding among them.

    Raises:
        ValueError: a length below 2.
    """

    words: tuple[str, ...]
    length: int

    def __post_init__(self) -> None:
        if self.length < 2:
            raise ValueError(f"{self.length} tokens leave no room for the two marks")

    @cached_property
    def vocabulary(self) -> dict[str, int]:
        """Id by known word."""
        known = sorted({word for text in self.words for word in _split_words(text)})
        return {word: index for index, word in enumerate(known, start=WORD_UNKNOWN + 1)}

    @property
    def size(self) -> int:
        """Number of ids, the four special ones among them."""
        return len(self.vocabulary) + WORD_UNKNOWN + 1

    def unknown(self, texts: Sequence[str]) -> tuple[str, ...]:
        """Those texts of which a word is not known, in the order given."""
        return tuple(
            text
            for text in texts
            if any(word not in self.vocabulary for word in _split_words(text))
        )

    def __call__(self, texts: Sequence[str]) -> torch.Tensor:
        """See :class:`Tokenizer`."""
        import torch

        tokens = torch.full((len(texts), self.length), WORD_PADDING, dtype=torch.int64)
        for row, text in zip(tokens, texts, strict=True):
            known = [self.vocabulary.get(word, WORD_UNKNOWN) for word in _split_words(text)]
            ids = [WORD_BEGIN, *known[: self.length - 2], WORD_END]
            row[: len(ids)] = torch.tensor(ids)
        return tokens


def _split_words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", unicodedata.normalize("NFC", text).casefold())


class PromptEncoder:
    """Text embeddings by prompt; each distinct prompt is computed once while it is remembered.

    Prompts are computed one at a time, in the text model's own precision: a prompt's embedding
    depends neither on what else is asked for nor on an autocast around the call. The text model
    is frozen; no gradient flows into it.

    Args:
        text_model: a transformers ``CLIPTextModel``, in evaluation mode. It stays on its device.
        tokenizer: fits the text model's vocabulary.
        max_entries: prompts that are remembered; the one not asked for the longest goes first.

    Raises:
        ValueError: ``max_entries`` below 1.
    """

    def __init__(
        self, text_model: torch.nn.Module, tokenizer: Tokenizer, max_entries: int = 1024
    ) -> None:
        if max_entries < 1:
            raise ValueError(f"room for {max_entries} prompts")
        self._text_model = text_model
        self._tokenizer = tokenizer
        self._max_entries = max_entries
        self._remembered: OrderedDict[str, torch.Tensor] = OrderedDict()

    def encode(self, prompts: Sequence[str]) -> torch.Tensor:
        """Embed cleaned prompts.

        Args:
            prompts: N >= 1 prompts as :func:`prompt_of` or :func:`clean_prompt` give them.

        Returns:
            float (N, length, C) on the text model's device, in the order of ``prompts``: the
            hidden states after the encoder's final layer norm, padding included and unmasked
            (RASS at 3ee2847, restoration_adaptation/ras.py, ``encode_prompt``).
        """
        import torch

        found: dict[str, torch.Tensor] = {}
        for prompt in dict.fromkeys(prompts):
            if prompt not in self._remembered:
                self._remembered[prompt] = self._compute(prompt)
            self._remembered.move_to_end(prompt)
            found[prompt] = self._remembered[prompt]
            if len(self._remembered) > self._max_entries:
                self._remembered.popitem(last=False)
        return torch.stack([found[prompt] for prompt in prompts])

    def _compute(self, prompt: str) -> torch.Tensor:
        import torch

        device = next(self._text_model.parameters()).device
        tokens = self._tokenizer([prompt]).to(device)
        with torch.no_grad(), torch.autocast(device.type, enabled=False):
            output: Any = self._text_model(input_ids=tokens)
        hidden: torch.Tensor = output.last_hidden_state[0]
        return hidden
