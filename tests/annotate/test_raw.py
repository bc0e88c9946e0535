"""Raw annotations are kept, whatever happens on the server."""

import json

import pytest

from rass_bench.annotate import raw as module
from rass_bench.annotate.raw import (
    PULL_SCHEMA,
    Pulled,
    PullState,
    annotation_path,
    keep_annotation,
    keep_unassigned,
    load_state,
    read_annotation,
    retire_annotation,
    save_state,
)
from rass_bench.errors import UserError

ANNOTATION = {"id": 7, "result": [{"id": "ö"}], "created_ago": "1 minute", "lead_time": 2.5}


def pulled(sha256, sample="a/b"):
    return Pulled(sample, 7, sha256, annotator=1, updated_at="2026-01-01T00:00:00Z")


def test_an_annotation_is_read_back_as_it_was_but_for_its_age(tmp_path):
    digest = keep_annotation(tmp_path, "a/b", ANNOTATION)
    expected = {key: value for key, value in ANNOTATION.items() if key != "created_ago"}
    assert read_annotation(tmp_path, pulled(digest)) == expected
    assert keep_annotation(tmp_path, "a/b", ANNOTATION | {"created_ago": "2 days"}) == digest
    assert not (tmp_path / "history").exists()


def test_every_earlier_form_is_kept(tmp_path):
    for seconds in (1, 2, 3):
        keep_annotation(tmp_path, "a/b", ANNOTATION | {"lead_time": seconds})
    retire_annotation(tmp_path, "a/b", 7)
    assert not annotation_path(tmp_path, "a/b", 7).exists()
    kept = [json.loads(path.read_text()) for path in (tmp_path / "history/a/b").iterdir()]
    assert sorted(one["lead_time"] for one in kept) == [1, 2, 3]


def test_a_changed_file_is_not_used(tmp_path):
    digest = keep_annotation(tmp_path, "a/b", ANNOTATION)
    path = annotation_path(tmp_path, "a/b", 7)
    path.write_text(path.read_text().replace("2.5", "2.6"))
    with pytest.raises(UserError, match="missing or was changed"):
        read_annotation(tmp_path, pulled(digest))
    path.unlink()
    with pytest.raises(UserError, match="missing or was changed"):
        read_annotation(tmp_path, pulled(digest))


def test_a_file_longer_than_any_answer_is_refused_before_it_is_decoded(tmp_path, monkeypatch):
    digest = keep_annotation(tmp_path, "a/b", ANNOTATION)
    size = annotation_path(tmp_path, "a/b", 7).stat().st_size
    monkeypatch.setattr(module, "MAX_ANSWER", size)
    assert read_annotation(tmp_path, pulled(digest))["id"] == 7
    monkeypatch.setattr(module, "MAX_ANSWER", size - 1)
    with pytest.raises(UserError, match="is longer than") as caught:
        read_annotation(tmp_path, pulled(digest))
    assert caught.value.where.endswith("annotations/a/b/7.json")


def test_a_terabyte_in_an_annotations_place_is_not_read(tmp_path):
    path = annotation_path(tmp_path, "a/b", 7)
    path.parent.mkdir(parents=True)
    with path.open("wb") as stream:
        stream.truncate(1 << 40)  # a hole: it takes no room on the disk
    with pytest.raises(UserError, match="is longer than"):
        read_annotation(tmp_path, pulled("0" * 64))


def test_a_name_that_no_file_can_have_is_told(tmp_path):
    keep_annotation(tmp_path, "a/b", ANNOTATION)
    with pytest.raises(UserError, match="name too long"):
        read_annotation(tmp_path, pulled("0" * 64, sample="x" * 300))


@pytest.mark.parametrize("sample", ["../x", "/etc", "a/../../../x", "a\0"])
def test_no_sample_leads_out_of_the_folder(tmp_path, sample):
    with pytest.raises(UserError):
        keep_annotation(tmp_path / "project", sample, ANNOTATION)
    assert list(tmp_path.iterdir()) == []


def test_a_strangers_annotation_is_kept_apart(tmp_path):
    keep_unassigned(tmp_path, 12, ANNOTATION)
    assert json.loads((tmp_path / "unassigned/12/7.json").read_text())["id"] == 7


def test_the_state_is_read_back(tmp_path):
    assert load_state(tmp_path) is None
    state = PullState(
        PULL_SCHEMA,
        "1.23.2",
        "f" * 64,
        "2026-01-01T00:00:00Z",
        annotations=(pulled("0" * 64), Pulled("c", 1, "1" * 64, None, "x", problem="bad")),
        drafts=("d",),
        tasks={"a/b": "2026-01-01T00:00:00Z"},
    )
    save_state(tmp_path, state)
    assert load_state(tmp_path) == state
    assert [one.sample for one in state.usable] == ["a/b"]


def test_a_newer_or_damaged_state_is_told(tmp_path):
    state = PullState(PULL_SCHEMA + 1, "", "", None)
    save_state(tmp_path, state)
    with pytest.raises(UserError, match="newer than"):
        load_state(tmp_path)
    (tmp_path / "pull.json").write_text("[]")
    with pytest.raises(UserError, match="states no schema version"):
        load_state(tmp_path)
