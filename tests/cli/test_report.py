"""`rass-bench report`: a page from boards, from runs, or from both."""

import pytest

from rass_bench.cli.main import main
from tests.leaderboard.runs import make_board, make_runs, put


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A board with one measurement, and a run that it lacks."""
    root = tmp_path_factory.mktemp("report")
    runs = make_runs(root, "Good", "Poor")
    put(make_board(root / "leaderboards"), runs["Good"], "good")
    return root


@pytest.fixture
def report(made, monkeypatch, capsys):
    """Call the command in the folder of boards and runs; exit code, output and errors."""
    monkeypatch.chdir(made)

    def call(*arguments):
        monkeypatch.setattr("sys.argv", ["rass-bench", "report", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return ended.value.code or 0, said.out, said.err

    return call


def test_the_boards_here_are_reported_by_default(report, made):
    assert report() == (0, "1 data set, 1 line, 0 images: runs/report.html\n", "")
    assert "tiny@1.0" in (made / "runs/report.html").read_text()


def test_a_run_stands_among_them_with_its_images(report, tmp_path):
    code, said, _ = report("poor", "--out", str(tmp_path / "page.html"))
    assert (code, said) == (0, f"1 data set, 2 lines, 6 images: {tmp_path / 'page.html'}\n")


def test_runs_need_no_board(report, made, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, said, _ = report(str(made / "good"), str(made / "poor"))
    assert (code, said) == (0, "1 data set, 2 lines, 6 images: runs/report.html\n")


def test_figures_and_tables_come_beside_the_page(report, tmp_path):
    code, said, _ = report("--out", str(tmp_path / "page.html"), "--figures", str(tmp_path / "f"))
    assert code == 0
    written = {path.suffix for path in (tmp_path / "f").iterdir()}
    assert {".png", ".svg", ".tex"} <= written
    assert f"{len(list((tmp_path / 'f').iterdir()))} figures and tables" in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--root", "nowhere"], "no leaderboard is here (nowhere)"),
        (["good", "--root", "leaderbords"], "no leaderboard is here (leaderbords)"),
        (["nowhere"], "no such folder (nowhere)"),
        (["good", "--out", "data"], "Is a directory"),
    ],
)
def test_a_mistake_is_said_in_one_paragraph(report, arguments, message):
    code, said, errors = report(*arguments)
    assert (code, said) == (2, "")
    assert message in errors
    assert "Traceback" not in errors


def test_a_page_is_written_only_where_its_figures_are(report, made, tmp_path):
    page = tmp_path / "page.html"
    code, _, errors = report("--out", str(page), "--figures", str(made / "readers.py"))
    assert (code, page.exists()) == (2, False)
    assert "readers.py" in errors
