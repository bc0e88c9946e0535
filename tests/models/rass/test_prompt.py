"""From tags to text embeddings: cleaning, token ids, and what is computed only once."""

import functools
import gzip
import importlib.util
import json
import string
import sys
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rass_bench.errors import UserError
from rass_bench.models.rass.prompt import (
    CLIP_BEGIN,
    CLIP_END,
    CLIP_LENGTH,
    CLIP_PADDING,
    ClipTokenizer,
    PromptEncoder,
    WordTokenizer,
    clean_prompt,
    load_clip_tokenizer,
    prompt_of,
)

MERGES = 49152 - 256 - 2


@functools.cache
def clip_tokenizer():
    return load_clip_tokenizer(None)


@pytest.fixture
def clip():
    return clip_tokenizer()


# Cleaning


@pytest.mark.parametrize(
    ("tags", "prompt"),
    [
        (["tree"], "tree"),
        (["cat", "dog's bowl", "green grass"], "cat  dogs bowl  green grass"),
        (["fog", "[x]"], "fog  [x"),
        (["[x]", "fog"], "x]  fog"),
        (["a,b"], "a b"),
        ([], ""),
        ([""], ""),
    ],
)
def test_tags_become_a_prompt(tags, prompt):
    assert prompt_of(tags) == prompt


@given(st.text())
def test_a_cleaned_prompt_has_neither_commas_nor_apostrophes(caption):
    cleaned = clean_prompt(caption)
    assert not set(cleaned) & set(",'")
    kept = [c for c in cleaned if c not in "[] "]
    assert kept == [c for c in caption if c not in "[] ,'"]  # nothing else is lost or moved


# CLIP's tokens


@given(st.lists(st.text(max_size=400), max_size=3))
@settings(max_examples=50, deadline=None)
def test_every_prompt_has_77_ids_a_begin_an_end_and_padding_behind(texts):
    tokens = clip_tokenizer()(texts)
    assert tokens.dtype == torch.int64
    assert tokens.shape == (len(texts), CLIP_LENGTH)
    for row in tokens.tolist():
        assert row[0] == CLIP_BEGIN
        last_end = max(i for i, token in enumerate(row) if token == CLIP_END)
        assert set(row[last_end + 1 :]) <= {CLIP_PADDING}


@pytest.mark.parametrize("text", ["tree " * 500, "x" * 5000, "木" * 300, "🙂" * 100])
def test_a_long_prompt_is_cut_before_its_end_mark(clip, text):
    [row] = clip([text]).tolist()
    assert row[0] == CLIP_BEGIN
    assert row[-1] == CLIP_END
    assert row.count(CLIP_END) == 1
    assert CLIP_PADDING not in row


def test_an_empty_prompt_is_the_two_marks(clip):
    assert clip([""]).tolist() == [[CLIP_BEGIN, CLIP_END] + [CLIP_PADDING] * 75]


def test_no_prompts_give_no_rows(clip):
    assert clip([]).shape == (0, CLIP_LENGTH)


def test_case_and_repeated_blanks_do_not_matter(clip):
    assert torch.equal(clip(["Green   GRASS \t tree"]), clip(["green grass tree"]))


@given(st.text(string.ascii_letters + string.digits + " .-[]():;éüß木", max_size=60))
@settings(max_examples=100, deadline=None)
def test_ids_are_those_of_the_merges_applied_by_hand(text):
    [row] = clip_tokenizer()([text]).tolist()
    expected = [CLIP_BEGIN, *reference_ids(text)[:75], CLIP_END]
    assert row == expected + [CLIP_PADDING] * (77 - len(expected))


def test_the_tokenizer_of_a_folder_gives_the_same_ids(clip, tmp_path):
    from transformers import CLIPTokenizer

    save_sd_tokenizer(tmp_path)
    texts = ["cat  dogs bowl  green grass", "", "Élan vital 木 42", "tree " * 100, "wow! a bird"]
    expected = clip(texts)
    assert torch.equal(load_clip_tokenizer(tmp_path)(texts), expected)
    # As transformers itself loads the folder, which is what the official code does.
    theirs = CLIPTokenizer.from_pretrained(tmp_path)
    ids = theirs(texts, padding="max_length", truncation=True, max_length=77).input_ids
    assert ids == expected.tolist()


def drop_vocabulary(folder):
    (folder / "vocab.json").unlink()


def drop_merges(folder):
    (folder / "merges.txt").unlink()


def shorten_merges(folder):
    text = (folder / "merges.txt").read_text("utf-8")
    (folder / "merges.txt").write_text(text[: len(text) // 2], "utf-8")


def swap_padding(folder):
    vocabulary = json.loads((folder / "vocab.json").read_text("utf-8"))
    vocabulary["!"], vocabulary['"'] = vocabulary['"'], vocabulary["!"]
    (folder / "vocab.json").write_text(json.dumps(vocabulary), "utf-8")


def drop_a_merged_token(folder):
    vocabulary = json.loads((folder / "vocab.json").read_text("utf-8"))
    vocabulary["nowhere"] = vocabulary.pop("in")
    (folder / "vocab.json").write_text(json.dumps(vocabulary), "utf-8")


def repeat_an_id(folder):
    vocabulary = json.loads((folder / "vocab.json").read_text("utf-8"))
    vocabulary["in"] = vocabulary["th"]
    (folder / "vocab.json").write_text(json.dumps(vocabulary), "utf-8")


def list_instead_of_mapping(folder):
    (folder / "vocab.json").write_text('["a", "b"]', "utf-8")


def words_instead_of_ids(folder):
    (folder / "vocab.json").write_text('{"a": "b"}', "utf-8")


def bytes_that_are_no_text(folder):
    (folder / "merges.txt").write_bytes(b"\xff\xfe\x00")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (drop_vocabulary, "vocab.json"),
        (drop_merges, "merges.txt"),
        (shorten_merges, "not 48894 pairs"),
        (swap_padding, "which are not CLIP's"),
        (drop_a_merged_token, "pair i n is not in the vocabulary"),
        (repeat_an_id, "without gaps"),
        (list_instead_of_mapping, "no ids by token"),
        (words_instead_of_ids, "no ids by token"),
        (bytes_that_are_no_text, "no CLIP vocabulary"),
    ],
)
def test_a_spoilt_folder_is_told(tmp_path, spoil, message):
    save_sd_tokenizer(tmp_path)
    spoil(tmp_path)
    with pytest.raises(UserError, match=message):
        load_clip_tokenizer(tmp_path)


@pytest.mark.parametrize("package", ["open_clip", "clip"])
def test_either_package_is_enough_and_neither_is_imported(tmp_path, monkeypatch, package):
    merges = packaged_merges()
    leave_only(tmp_path, monkeypatch)
    (tmp_path / package).mkdir()
    (tmp_path / package / "__init__.py").write_text("raise RuntimeError('imported')")
    (tmp_path / package / merges.name).symlink_to(merges)
    load_clip_tokenizer(None)
    assert package not in sys.modules


def test_another_package_called_clip_does_not_pass_for_openais(tmp_path, monkeypatch):
    leave_only(tmp_path, monkeypatch)
    (tmp_path / "clip").mkdir()
    (tmp_path / "clip/__init__.py").touch()
    with pytest.raises(UserError, match=r"rass-bench\[models\]"):
        load_clip_tokenizer(None)


def leave_only(folder, monkeypatch):
    """Hide the installed CLIP packages, once everything that a tokenizer imports is imported."""
    load_clip_tokenizer(None)
    installed = str(packaged_merges().parents[1])
    for name in [n for n in sys.modules if n.split(".")[0] in ("clip", "open_clip")]:
        monkeypatch.delitem(sys.modules, name)
    others = [entry for entry in sys.path if entry != installed]
    monkeypatch.setattr(sys, "path", [str(folder), *others])


def packaged_merges() -> Path:
    for package in ("open_clip", "clip"):
        spec = importlib.util.find_spec(package)
        if spec is not None and spec.origin is not None:
            path = Path(spec.origin).with_name("bpe_simple_vocab_16e6.txt.gz")
            if path.is_file():
                return path
    raise FileNotFoundError("install open_clip_torch")


@functools.cache
def reference_vocabulary() -> tuple[list[str], dict[str, int]]:
    """CLIP's merges and ids, built from tokenizers' own alphabet of bytes."""
    from tokenizers.pre_tokenizers import ByteLevel

    lines = gzip.decompress(packaged_merges().read_bytes()).decode().split("\n")[1 : 1 + MERGES]
    # Bytes that stand for themselves come first, then those that are mapped beyond Latin-1.
    alphabet = sorted(ByteLevel.alphabet())
    tokens = alphabet + [c + "</w>" for c in alphabet] + [line.replace(" ", "") for line in lines]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    return lines, {token: index for index, token in enumerate(tokens)}


def save_sd_tokenizer(folder: Path) -> None:
    """A tokenizer folder as Stable Diffusion 2.1 ships it."""
    lines, vocabulary = reference_vocabulary()
    (folder / "vocab.json").write_text(json.dumps(vocabulary), "utf-8")
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *lines, ""]), "utf-8")
    config = {"tokenizer_class": "CLIPTokenizer", "model_max_length": 77, "pad_token": "!"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config), "utf-8")


def reference_ids(text: str) -> list[int]:
    """Byte-pair encoding from its definition (arXiv 1508.07909): merge the best pair, repeat."""
    import regex

    lines, vocabulary = reference_vocabulary()
    ranks = {tuple(line.split()): rank for rank, line in enumerate(lines)}
    characters = sorted(c for c in vocabulary if len(c) == 1)
    printable = {b: chr(b) for b in range(256) if chr(b) in vocabulary}
    others = iter(characters[len(printable) :])
    byte_character = {b: printable.get(b) or next(others) for b in range(256)}
    ids = []
    for word in regex.findall(r"\p{L}+|\p{N}|[^\s\p{L}\p{N}]+", text.lower()):
        symbols = [byte_character[b] for b in word.encode()]
        symbols[-1] += "</w>"
        while len(symbols) > 1:
            best = min(pairwise(symbols), key=lambda pair: ranks.get(pair, MERGES))
            if best not in ranks:
                break
            merged = []
            while symbols:
                both = tuple(symbols[:2]) == best
                merged.append("".join(symbols[:2]) if both else symbols[0])
                symbols = symbols[2:] if both else symbols[1:]
            symbols = merged
        ids += [vocabulary[symbol] for symbol in symbols]
    return ids


# Words


WORDS = WordTokenizer(("wall", "swivel chair", "bannister, banister", "Wall"), 8)


def test_words_have_ids_in_alphabetical_order_after_the_four_special_ones():
    assert WORDS.vocabulary == {
        "banister": 4,
        "bannister": 5,
        "chair": 6,
        "swivel": 7,
        "wall": 8,
    }
    assert WORDS.size == 9


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("", [1, 2, 0, 0, 0, 0, 0, 0]),
        ("wall", [1, 8, 2, 0, 0, 0, 0, 0]),
        ("WALL swivel-chair", [1, 8, 7, 6, 2, 0, 0, 0]),
        ("swivel_chair; tree", [1, 7, 6, 3, 2, 0, 0, 0]),
        ("wall " * 20, [1, 8, 8, 8, 8, 8, 8, 2]),
    ],
)
def test_words_become_ids(text, ids):
    assert WORDS([text]).tolist() == [ids]


@given(st.permutations(["wall", "swivel chair", "bannister", "banister"]))
def test_the_order_of_the_names_does_not_matter(names):
    assert WordTokenizer(tuple(names), 8).vocabulary == WORDS.vocabulary


@given(st.lists(st.text(), max_size=4), st.integers(2, 12))
def test_every_text_becomes_a_row_of_marks_words_and_padding(texts, length):
    tokens = WordTokenizer(("wall",), length)(texts)
    assert tokens.dtype == torch.int64
    assert tokens.shape == (len(texts), length)
    for row in tokens.tolist():
        end = row.index(2)
        assert row[0] == 1
        assert set(row[1:end]) <= {3, 4}
        assert not any(row[end + 1 :])


def test_a_word_is_the_same_however_its_accents_are_written():
    assert WordTokenizer(("café",), 4)(["cafe\u0301"]).tolist() == [[1, 4, 2, 0]]


def test_texts_with_words_that_are_not_known_are_told():
    asked = ("Wall", "chair of oak", "swivel-chair", "tree", "")
    assert WORDS.unknown(asked) == ("chair of oak", "tree")


def test_two_tokens_are_the_least():
    with pytest.raises(ValueError, match="no room"):
        WordTokenizer(("wall",), 1)


# Embeddings


class CountingModel:
    """A tiny text model, and how often it ran."""

    def __init__(self, vocabulary: int, length: int) -> None:
        from transformers import CLIPTextConfig, CLIPTextModel

        config = CLIPTextConfig(
            vocab_size=vocabulary,
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            max_position_embeddings=length,
            bos_token_id=0,
            eos_token_id=2,
            pad_token_id=1,
        )
        torch.manual_seed(0)
        self.model = CLIPTextModel(config).eval()
        self.runs = 0
        self.model.register_forward_hook(self._count)

    def _count(self, *_):
        self.runs += 1


@pytest.fixture
def text():
    return CountingModel(WORDS.size, WORDS.length)


def test_embeddings_are_the_last_hidden_states_in_the_order_asked_for(text):
    prompts = ["wall", "swivel chair", "", "wall", "unheard of"]
    embeddings = PromptEncoder(text.model, WORDS).encode(prompts)
    assert embeddings.shape == (5, WORDS.length, 16)
    assert not embeddings.requires_grad
    with torch.no_grad():
        expected = text.model(input_ids=WORDS(prompts)).last_hidden_state
    torch.testing.assert_close(embeddings, expected, rtol=0, atol=1e-6)


def test_padding_is_not_masked(text):
    with torch.no_grad():
        masked = text.model(
            input_ids=WORDS(["wall"]), attention_mask=(WORDS(["wall"]) != 0).long()
        ).last_hidden_state
    embeddings = PromptEncoder(text.model, WORDS).encode(["wall"])
    assert not torch.allclose(embeddings[:, 3:], masked[:, 3:], atol=1e-4)


def test_the_text_encoder_ends_with_its_layer_norm(text):
    embeddings = PromptEncoder(text.model, WORDS).encode(["swivel chair"])
    torch.testing.assert_close(embeddings.mean(-1), torch.zeros(1, 8), rtol=0, atol=1e-5)
    deviation = embeddings.std(-1, unbiased=False)
    torch.testing.assert_close(deviation, torch.ones(1, 8), rtol=1e-2, atol=0)


def test_a_prompt_is_computed_once(text):
    encoder = PromptEncoder(text.model, WORDS)
    first = encoder.encode(["wall", "wall", "chair"])
    assert text.runs == 2
    again = encoder.encode(["chair", "wall"])
    assert text.runs == 2
    assert torch.equal(again, first[[2, 0]])


def test_the_prompt_not_asked_for_the_longest_is_forgotten(text):
    encoder = PromptEncoder(text.model, WORDS, max_entries=2)
    encoder.encode(["wall", "chair"])
    encoder.encode(["wall"])
    encoder.encode(["swivel"])  # displaces "chair"
    assert text.runs == 3
    encoder.encode(["wall", "swivel"])
    assert text.runs == 3
    encoder.encode(["chair"])
    assert text.runs == 4


def test_more_prompts_at_once_than_are_remembered(text):
    encoder = PromptEncoder(text.model, WORDS, max_entries=1)
    prompts = ["wall", "chair", "swivel", "wall"]
    embeddings = encoder.encode(prompts)
    assert text.runs == 3
    assert torch.equal(embeddings, PromptEncoder(text.model, WORDS).encode(prompts))


def test_an_embedding_does_not_depend_on_what_else_is_asked_for(text):
    alone = PromptEncoder(text.model, WORDS).encode(["wall"])
    among = PromptEncoder(text.model, WORDS).encode(["chair", "wall", "swivel chair"])
    assert torch.equal(alone[0], among[1])


def test_an_embedding_does_not_depend_on_an_autocast_around_the_call(text):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = PromptEncoder(text.model, WORDS).encode(["wall"])
    assert torch.equal(inside, PromptEncoder(text.model, WORDS).encode(["wall"]))


def test_a_result_may_be_changed_without_harm(text):
    encoder = PromptEncoder(text.model, WORDS)
    embeddings = encoder.encode(["wall"])
    kept = embeddings.clone()
    embeddings.zero_()
    assert torch.equal(encoder.encode(["wall"]), kept)


def test_what_inference_computed_serves_training(text):
    encoder = PromptEncoder(text.model, WORDS)
    with torch.no_grad():
        encoder.encode(["wall"])
    weight = torch.ones(16, requires_grad=True)
    (encoder.encode(["wall"]) * weight).sum().backward()
    assert weight.grad is not None
    assert all(parameter.grad is None for parameter in text.model.parameters())


def test_no_room_at_all_is_a_mistake(text):
    with pytest.raises(ValueError, match="room for 0"):
        PromptEncoder(text.model, WORDS, max_entries=0)


def test_a_vocabulary_and_merges_that_do_not_fit():
    with pytest.raises(ValueError, match="not CLIP's"):
        ClipTokenizer({"a": 0}, [])
