"""Data-set definitions: every shipped one is complete, and mistakes in one are named."""

import pytest
import yaml

from rass_bench.data.spec import Layout, definitions_dir, load_spec, parse_spec, spec_names
from rass_bench.errors import UserError

GOOD = {
    "name": "mine",
    "version": "1.0",
    "title": "My photos",
    "layout": "ade",
    "splits": {"test": 3},
    "licence": "CC0-1.0",
    "homepage": "https://example.org",
    "obtain": "Ask me.",
    "label_space": "ade20k-150",
    "label_encoding": "zero-is-ignore",
}


def write(tmp_path, **changes):
    path = tmp_path / "dataset.yaml"
    path.write_text(yaml.safe_dump({**GOOD, **changes}))
    return path


def test_the_promised_data_sets_are_there():
    promised = {"ade20k", "ade20k-degraded", "reallq", "camvid", "div2k-val", "realsr", "drealsr"}
    assert promised | {"scenes"} <= set(spec_names())


@pytest.mark.parametrize("name", spec_names())
def test_every_shipped_definition_is_complete(name):
    spec = load_spec(name)
    assert spec.name == name
    assert spec.title
    assert spec.licence
    assert spec.homepage.startswith("https://")
    assert spec.obtain
    assert (spec.labels is not None) == (spec.layout in (Layout.ADE, Layout.SCENES))
    assert (spec.scale > 1) == (spec.layout is Layout.PAIRS)


@pytest.mark.parametrize(
    ("name", "split", "count"),
    [
        ("ade20k", "validation", 2000),
        ("ade20k", "training", 20210),
        ("camvid", "test", 233),
        ("div2k-val", "test", 3000),
        ("realsr", "test", 100),
        ("drealsr", "test", 93),
        ("scenes", "train", 200),
        ("scenes", "val", 40),
    ],
)
def test_splits_have_their_published_sizes(name, split, count):
    assert load_spec(name).split(split).count == count


def test_the_first_split_is_the_default():
    assert load_spec("ade20k").split(None).name == "validation"


def test_an_unknown_split_brings_a_suggestion():
    with pytest.raises(UserError, match="Did you mean validation"):
        load_spec("ade20k").split("validaton")


def test_an_unknown_data_set_brings_a_suggestion():
    with pytest.raises(UserError, match="Did you mean ade20k"):
        load_spec("ade2k")


def test_a_folder_with_a_definition_is_a_data_set(tmp_path):
    write(tmp_path)
    assert load_spec(str(tmp_path)).key == "mine@1.0"


def test_a_folder_without_one_says_what_to_do(tmp_path):
    with pytest.raises(UserError, match="--data-root"):
        load_spec(str(tmp_path))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"lisence": "MIT"}, "unknown key 'lisence'.*Did you mean licence"),
        ({"layout": "coco"}, "'coco' is not a valid Layout"),
        ({"label_space": "ade20k-151"}, "unknown label space"),
        ({"label_encoding": None}, "go together"),
        ({"version": 1.0}, "'version' must be text"),
        ({"scale": 0}, "'scale' must be a whole number"),
        ({"splits": ["test"]}, "'splits' maps"),
        ({"splits": {}}, "'splits' maps"),
        ({"splits": {"test": "many"}}, "'splits' maps"),
        ({"splits": {"test": -1}}, "'splits' maps"),
        ({"splits": {"test": True}}, "'splits' maps"),
        ({"splits": {"": 3}}, "'splits' maps"),
        ({"splits": {"../../elsewhere": 3}}, "'splits' maps"),
        ({"splits": {"..": 3}}, "'splits' maps"),
        ({"scale": True}, "'scale' must be a whole number"),
        ({"scale": 10**8}, "'scale' must be a whole number"),
        ({"label_space": ["ade20k-150"]}, "'label_space' must be text"),
        ({"citation": 2026}, "'citation' must be text"),
    ],
)
def test_a_mistake_in_a_definition_is_named(tmp_path, changes, words):
    with pytest.raises(UserError, match=words):
        parse_spec(write(tmp_path, **changes))


def test_a_missing_key_is_named(tmp_path):
    path = tmp_path / "dataset.yaml"
    path.write_text(yaml.safe_dump({k: v for k, v in GOOD.items() if k != "licence"}))
    with pytest.raises(UserError, match="'licence' is missing"):
        parse_spec(path)


@pytest.mark.parametrize("text", ["[1, 2]", "a: [", "!!python/object/apply:os.system ['true']"])
def test_a_file_that_is_no_plain_mapping_is_refused(tmp_path, text):
    (tmp_path / "dataset.yaml").write_text(text)
    with pytest.raises(UserError, match=r"mapping|no valid YAML"):
        parse_spec(tmp_path / "dataset.yaml")


def test_a_shipped_name_wins_over_a_folder_of_that_name(tmp_path, monkeypatch):
    (tmp_path / "camvid").mkdir()
    write(tmp_path / "camvid")
    monkeypatch.chdir(tmp_path)
    assert load_spec("camvid").name == "camvid"
    assert load_spec("./camvid").name == "mine"


@pytest.mark.parametrize("name", spec_names())
def test_every_shipped_definition_has_a_card(name):
    card = (definitions_dir() / name / "README.md").read_text("utf-8")
    assert card.startswith(f"# {name}")
    assert len(card.splitlines()) > 5
