"""Adding runs: what a board takes, what it refuses, and that older versions stay as they are."""

import dataclasses
import re
import shutil

import pytest

from rass_bench.errors import UserError
from rass_bench.leaderboard.add import add_run
from rass_bench.leaderboard.changelog import read_changelog
from rass_bench.leaderboard.table import load_table
from rass_bench.leaderboard.write import check_board
from rass_bench.metrics.registry import METRICS
from rass_bench.record import load_record
from tests.leaderboard.runs import MIOU, make_runs, measure, metrics, model_facts, rows


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    make_runs(root, "Perfect", "Good")
    measure(root, "Perfect", root / "part", limit=2)
    return root


@pytest.fixture
def runs(made, tmp_path):
    """Runs that a test may edit."""
    return shutil.copytree(made, tmp_path / "runs")


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "leaderboards"
    folder.mkdir()
    return folder


def change(run, **changes):
    """Edit a record, and forget the plan, which would tell."""
    dataclasses.replace(load_record(run), **changes).save(run)
    (run / "plan.json").unlink()


@pytest.fixture
def metric_of_version_2(monkeypatch):
    """A program in which the main metric has another version."""
    metric = METRICS.get(MIOU)
    newer = dataclasses.replace(metric, info=dataclasses.replace(metric.info, version="2"))
    monkeypatch.setitem(METRICS._entries, MIOU, newer)


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_first_run_opens_its_data_sets_board_and_the_next_joins_it(runs, root):
    first = add_run(runs / "perfect", root)
    assert (first.board, first.name, str(first.version)) == (root / "tiny@1.0", "perfect", "1.0.0")
    second = add_run(runs / "good", root, name="the-good-one")
    assert str(second.version) == "1.1.0"
    newest, oldest = read_changelog(second.board)
    assert str(oldest.version) == "1.0.0" and "Added `the-good-one`: `good@1" in newest.changes[0]
    assert check_board(second.board) == ()
    assert load_table(second.board).version == "1.1.0"
    assert set(rows(second.board)) == {"perfect", "the-good-one"}


def test_a_record_is_copied_and_never_edited(runs, root):
    board = add_run(runs / "good", root).board
    for file in ("record.json", "per_image.parquet"):
        assert (board / "records/good" / file).read_bytes() == (runs / "good" / file).read_bytes()


def test_a_partial_run_may_join_and_is_not_ranked(runs, root):
    add_run(runs / "perfect", root)
    board = add_run(runs / "part", root).board
    assert rows(board)["part"].rank is None and "partial run" in read_changelog(board)[0].changes[0]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            lambda run: {
                "dataset": dataclasses.replace(load_record(run).dataset, manifest_sha256="1" * 64)
            },
            "other files (manifest 111111111111",
        ),
        (
            lambda run: {"dataset": dataclasses.replace(load_record(run).dataset, split="train")},
            "the split train, not test",
        ),
    ],
    ids=["manifest", "split"],
)
def test_other_terms_are_refused_and_open_a_version_of_their_own(runs, root, changes, reason):
    board = add_run(runs / "perfect", root).board
    change(runs / "good", **changes(runs / "good"))
    before = contents(board)
    message = f"{re.escape(reason)}.*open the board's next version with --new-version"
    with pytest.raises(UserError, match=message):
        add_run(runs / "good", root)
    assert contents(board) == before
    second = add_run(runs / "good", root, new_version=True)
    assert (second.board.name, str(second.version)) == ("tiny@1.0+v2", "2.0.0")
    assert contents(board) == before and check_board(board) == () == check_board(second.board)
    assert load_table(second.board).dataset == load_table(board).dataset == "tiny@1.0"


@pytest.mark.usefixtures("metric_of_version_2")
def test_another_metric_version_is_refused_and_opens_a_version_of_its_own(runs, root, made):
    shutil.copytree(runs, root / "tiny@1.0/records", ignore=shutil.ignore_patterns("predictions"))
    board = root / "tiny@1.0"
    (board / "CHANGELOG.md").write_text("# Changes\n\n## 1.0.0 - 2026-01-31\n\n- Begun.\n")
    measure(made, "Good", root / "again")
    with pytest.raises(UserError, match="miou/gt-present in version 2"):
        add_run(root / "again", root)
    second = add_run(root / "again", root, new_version=True)
    assert (second.board.name, str(second.version)) == ("tiny@1.0+v2", "2.0.0")
    assert rows(second.board)["again"].rank.of == 1


@pytest.mark.parametrize(
    ("file", "edit"),
    [
        ("record.json", lambda text: text.replace('"value": 0.', '"value": 0.9', 1)),
        ("predictions.json", lambda text: text.replace("p0.png", "p1.png", 1)),
    ],
)
def test_a_number_that_does_not_follow_from_its_run_reaches_no_board(runs, root, file, edit):
    path = runs / "good" / file
    edited = edit(path.read_text())
    assert edited != path.read_text()
    path.write_text(edited)
    with pytest.raises(UserError, match=r"the run does not hold: .*`rass-bench verify RUN`"):
        add_run(runs / "good", root)
    assert not any(root.iterdir())


def test_a_partial_run_of_another_metric_version_is_refused(runs, root):
    add_run(runs / "perfect", root)
    change(runs / "part", metrics=metrics(runs / "part", version="2"))
    with pytest.raises(UserError, match="in version 2, the board's is 1"):
        add_run(runs / "part", root)


def test_later_runs_join_the_newest_version(runs, root):
    add_run(runs / "perfect", root)
    add_run(runs / "perfect", root, new_version=True)
    assert add_run(runs / "good", root).board.name == "tiny@1.0+v2"
    assert add_run(runs / "good", root, new_version=True).board.name == "tiny@1.0+v3"


def test_a_new_metric_may_join(runs, root, made, tmp_path):
    add_run(measure(made, "Perfect", tmp_path / "one-metric", metrics=(MIOU,)), root)
    board = add_run(runs / "good", root).board
    assert rows(board, MIOU)["good"].rank.of == 2
    assert rows(board, "aacc")["good"].rank.of == 1


def test_a_name_is_taken_once(runs, root):
    add_run(runs / "perfect", root)
    with pytest.raises(UserError, match=r"has a record named perfect.*--name"):
        add_run(runs / "good", root, name="perfect")


def test_a_number_is_not_replaced_under_its_key(runs, root):
    add_run(runs / "perfect", root)
    with pytest.raises(UserError, match=r"perfect@1\S* stands there already under dt"):
        add_run(runs / "perfect", root, name="better")
    revised = model_facts(runs / "perfect", revision="2")
    change(runs / "perfect", model=revised)
    assert add_run(runs / "perfect", root, name="better").name == "better"


@pytest.mark.parametrize("name", ["../out", "a/b", " ", "-x", "a\nb", "<b>", "."])
def test_a_name_that_is_no_plain_folder_name_is_refused(runs, root, name):
    with pytest.raises(UserError, match="cannot be named"):
        add_run(runs / "good", root, name=name)
    assert not any(root.iterdir())


@pytest.mark.parametrize(
    ("name", "version"), [("../../evil", "1"), ("a/b", "1"), ("a@b", "1"), ("a", "1+v2")]
)
def test_a_data_sets_name_leads_nowhere_else(runs, root, name, version):
    data = dataclasses.replace(load_record(runs / "good").dataset, name=name, version=version)
    change(runs / "good", dataset=data)
    with pytest.raises(UserError, match=r"can have no board|leads out of the folder"):
        add_run(runs / "good", root)
    assert not any(root.iterdir())


def test_per_image_results_must_be_those_of_the_run(runs, root):
    path = runs / "good/per_image.parquet"
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(UserError, match="was changed since the run"):
        add_run(runs / "good", root)
    path.unlink()
    with pytest.raises(UserError, match="is missing"):
        add_run(runs / "good", root)
    with pytest.raises(UserError, match=r"no record\.json"):
        add_run(runs / "data", root)
