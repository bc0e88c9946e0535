"""Versions of a board, as its CHANGELOG.md tells them."""

import pytest

from rass_bench.errors import UserError
from rass_bench.leaderboard.board import find_boards, load_board, split_name
from rass_bench.leaderboard.changelog import Entry, Version, prepend_entry, read_changelog
from tests.leaderboard.runs import make_board

TEXT = """\
# Changes of tiny@1.0

Words about the board, - with a dash.

## 1.10.0 - 2026-02-03

- Two rows
  over two lines.
- Another.

## 1.2.1 - 2026-01-31

- Begun.
"""


def write(folder, text):
    (folder / "CHANGELOG.md").write_text(text)
    return folder


def test_entries_are_read_newest_first(tmp_path):
    assert read_changelog(write(tmp_path, TEXT)) == (
        Entry(Version(1, 10, 0), "2026-02-03", ("Two rows over two lines.", "Another.")),
        Entry(Version(1, 2, 1), "2026-01-31", ("Begun.",)),
    )


def test_a_new_entry_comes_on_top_and_leaves_the_rest_as_it_is(tmp_path):
    entry = Entry(Version(1, 11, 0), "2026-03-01", ("More.", "And more."))
    before = read_changelog(write(tmp_path, TEXT))
    prepend_entry(tmp_path, entry)
    assert read_changelog(tmp_path) == (entry, *before)
    assert (tmp_path / "CHANGELOG.md").read_text().endswith(TEXT[TEXT.index("## 1.10.0") :])


def test_the_first_entry_makes_the_file(tmp_path):
    entry = Entry(Version(1, 0, 0), "2026-03-01", ("Begun.",))
    prepend_entry(tmp_path, entry)
    assert read_changelog(tmp_path) == (entry,)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "names no version"),
        ("## 1.0 - 2026-01-31\n- A\n", "is no version and date"),
        ("## 1.0.0\n- A\n", "is no version and date"),
        ("## 1.0.0 - 2026-02-30\n- A\n", "is no version and date"),
        (f"## 1.{'9' * 5000}.0 - 2026-01-31\n- A\n", "is no version and date"),
        ("## 1.0.0 - 2026-01-31\n", "says not what changed"),
        ("## 1.0.0 - 2026-01-31\n- A\n## 1.0.0 - 2026-01-30\n- B\n", "stands above 1.0.0"),
        ("## 1.9.0 - 2026-01-31\n- A\n## 1.10.0 - 2026-01-30\n- B\n", "1.9.0 stands above 1.10.0"),
    ],
)
def test_a_changelog_without_sense_is_refused(tmp_path, text, message):
    with pytest.raises(UserError, match=message) as caught:
        read_changelog(write(tmp_path, text))
    assert len(str(caught.value)) < 500


def test_a_changelog_of_another_encoding_is_refused(tmp_path):
    (tmp_path / "CHANGELOG.md").write_text("## 1.0.0 - 2026-01-31\n- Bägun.\n", "latin-1")
    with pytest.raises(UserError, match="no UTF-8 text"):
        read_changelog(tmp_path)


def test_a_board_has_a_changelog_of_its_major_version(tmp_path):
    assert load_board(make_board(tmp_path, "tiny@1.0+v2", "2.0.0")).dataset == "tiny@1.0"
    with pytest.raises(UserError, match=r"the newest version is 2\.0\.0.*is of 1\.x\.y"):
        load_board(make_board(tmp_path, "tiny@1.0", "2.0.0"))
    (tmp_path / "tiny@1.0/CHANGELOG.md").unlink()
    with pytest.raises(UserError, match=r"no CHANGELOG\.md"):
        load_board(tmp_path / "tiny@1.0")


@pytest.mark.parametrize(
    ("name", "dataset", "major"),
    [
        ("realsr@1.0", "realsr@1.0", 1),
        ("scenes-rass@1.0-preset1.0-seed0", "scenes-rass@1.0-preset1.0-seed0", 1),
        ("realsr@1.0+v12", "realsr@1.0", 12),
    ],
)
def test_a_boards_folder_is_named_after_data_set_and_version(tmp_path, name, dataset, major):
    assert split_name(tmp_path / name) == (dataset, major)


def test_other_folders_are_no_boards(tmp_path):
    with pytest.raises(UserError, match="no leaderboard is here"):
        find_boards(tmp_path)
    with pytest.raises(UserError, match="no such leaderboard"):
        load_board(tmp_path / "tiny@1.0")
    with pytest.raises(UserError, match="no board's folder"):
        load_board(tmp_path)
