"""verdict.json: what was written is read, and an answer that its checks do not give is refused."""

import json

import pytest

from rass_bench.errors import UserError
from rass_bench.verify.verdict import Check, all_hold, equal, load_verdict, no_faults, not_there
from tests.verify.forging import change_pixel, verdict_on


def test_a_verdict_is_read_as_it_was_written(segmented, tmp_path):
    change_pixel(segmented / "predictions/scene_0001.png")
    verdict = verdict_on(segmented)
    verdict.save(tmp_path / "verdict.json")
    assert load_verdict(tmp_path / "verdict.json") == verdict
    assert not verdict.holds


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"holds": True}, "says holds = True, its checks say otherwise"),
        ({"checks": [], "holds": True}, "says holds = True, its checks say otherwise"),
        ({"schema_version": 2}, "schema 2 is newer"),
        ({"level": "guess"}, "malformed verdict"),
        ({"checks": "all"}, "malformed verdict"),
        ({"praise": 1}, "unknown key"),
    ],
)
def test_an_edited_verdict_is_refused(segmented, tmp_path, change, words):
    change_pixel(segmented / "predictions/scene_0001.png")
    document = verdict_on(segmented).to_json()
    path = tmp_path / "verdict.json"
    path.write_text(json.dumps({**document, **change}))
    with pytest.raises(UserError, match=words):
        load_verdict(path)


def test_what_could_not_be_looked_at_is_no_failure():
    assert all_hold([equal("a", 1, 1), not_there("b", "not here")])
    assert not all_hold([equal("a", 1, 2), not_there("b", "not here")])


def test_the_first_faults_are_named_and_the_rest_counted():
    check = no_faults("images", "whole", [f"p{index}" for index in range(8)])
    assert check == Check(
        "images", False, "whole", "8 not as expected", "p0; p1; p2; p3; p4; and 3 more"
    )
