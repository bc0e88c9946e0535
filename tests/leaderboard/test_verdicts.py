"""Verdict files as a board reads them."""

import json

import pytest

from rass_bench.errors import UserError
from rass_bench.leaderboard.verdicts import Verdict, read_verdict

MINIMAL = {"schema_version": 1, "holds": True, "level": "rescore", "record_sha256": "ab" * 32}


def write(folder, document):
    path = folder / "one.json"
    path.write_text(json.dumps(document))
    return path


def test_what_a_board_does_not_know_is_left_to_who_wrote_it(tmp_path):
    path = write(tmp_path, MINIMAL | {"checks": [{"name": "a"}], "seed": None})
    assert read_verdict(path) == Verdict(1, True, "rescore", "ab" * 32)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (MINIMAL | {"schema_version": 2}, "verdict schema 2 is newer"),
        (MINIMAL | {"holds": "yes"}, "malformed verdict: holds is 'yes'"),
        ({"schema_version": 1, "holds": True}, "malformed verdict: the verdict lacks"),
        ([MINIMAL], "malformed verdict"),
    ],
)
def test_a_verdict_of_another_form_is_refused(tmp_path, document, message):
    with pytest.raises(UserError, match=message):
        read_verdict(write(tmp_path, document))
