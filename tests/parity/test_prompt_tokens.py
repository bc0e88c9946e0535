"""Prompts are cleaned and tokenized as by the official code."""

import json

from rass_bench.models.rass.prompt import clean_prompt, load_clip_tokenizer


def test_captions_are_cleaned_and_tokenized_alike(oracle_file):
    captions = json.loads(oracle_file("tiny/prompt_tokens.json").read_text("utf-8"))
    cleaned = [clean_prompt(caption) for caption in captions]
    assert cleaned == [expected["cleaned"] for expected in captions.values()]
    ids = load_clip_tokenizer(None)(cleaned).tolist()
    assert ids == [expected["ids"] for expected in captions.values()]
