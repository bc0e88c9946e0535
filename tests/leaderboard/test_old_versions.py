"""What was written once is read for ever: the fixtures are never edited, others join them."""

import shutil
from pathlib import Path

from rass_bench.leaderboard.board import load_board
from rass_bench.leaderboard.diff import diff_tables
from rass_bench.leaderboard.table import load_table
from rass_bench.leaderboard.write import generated
from tests.leaderboard.runs import MIOU, rows

SCHEMA_1 = Path(__file__).parent / "fixtures/scenes@1.0"
VERDICT_SCHEMA_1 = SCHEMA_1.with_name("verdict-schema-1.json")


def test_a_record_of_schema_1_stands_on_a_board():
    (found,) = load_board(SCHEMA_1).measurements
    assert (found.record.schema_version, found.record.scored) == (1, 3)
    row = rows(SCHEMA_1)["schema-1"]
    assert row.key.metric == MIOU and row.not_ranked == "partial: --limit 3 of 40 images"


def test_a_table_of_schema_1_is_read_and_compared():
    old = load_table(SCHEMA_1)
    assert (old.schema_version, old.version, old.dataset) == (1, "1.0.0", "scenes@1.0")
    assert {row.key.metric for row in old.rows} >= {MIOU, "aacc"}
    assert diff_tables(old, generated(SCHEMA_1)[0]).is_empty


def test_a_verdict_of_schema_1_stands_behind_it(tmp_path):
    board = shutil.copytree(SCHEMA_1, tmp_path / "scenes@1.0")
    (board / "verdicts").mkdir()
    shutil.copyfile(VERDICT_SCHEMA_1, board / "verdicts/schema-1.json")
    assert rows(board)["schema-1"].verdict == "integrity"
