"""SHA256SUMS as the tool of that name reads it, and what it says of a folder."""

import hashlib
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rass_bench.errors import UserError
from rass_bench.sums import SUMS, check_sums, read_sums, sums_bytes, write_sums

NAMES = ("a.png", "b/c d.txt", "b/ü.txt")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "b").mkdir()
    for name in NAMES:
        (tmp_path / name).write_text(f"content of {name}")
    write_sums(tmp_path, NAMES)
    return tmp_path


def test_the_tool_of_that_name_reads_it(folder):
    command = ["sha256sum", "--check", "--strict", SUMS]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    assert done.stdout.count(": OK\n") == len(NAMES)


def test_the_files_order_does_not_matter(folder):
    before = (folder / SUMS).read_bytes()
    write_sums(folder, reversed(NAMES))
    assert (folder / SUMS).read_bytes() == before


@given(
    st.dictionaries(
        st.from_regex(r"\S[^\n]{0,20}", fullmatch=True).filter(
            lambda name: not {"..", ""} & set(name.split("/")) and "\0" not in name
        ),
        st.binary().map(lambda content: hashlib.sha256(content).hexdigest()),
        min_size=1,
    )
)
def test_what_was_written_is_read_back(tmp_path_factory, hashes):
    folder = tmp_path_factory.mktemp("sums")
    (folder / SUMS).write_bytes(sums_bytes(hashes))
    assert read_sums(folder, "") == hashes


def test_a_folder_as_it_was_written_differs_in_nothing(folder):
    assert check_sums(folder, NAMES, "") == []


def test_what_is_missing_changed_or_surplus_is_named(folder):
    (folder / "a.png").unlink()
    (folder / "b/c d.txt").write_text("changed")
    assert check_sums(folder, {"b/c d.txt", "b/ü.txt", "more"}, "") == [
        ("a.png", "missing"),
        ("b/c d.txt", "the file's hash is not that of SHA256SUMS"),
        ("more", "not listed in SHA256SUMS"),
    ]


HASH = b"0" * 64


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "malformed SHA256SUMS"),
        (b"\n", "malformed SHA256SUMS"),
        (HASH + b" a.png\n", "malformed SHA256SUMS"),
        (HASH[1:] + b"  a.png\n", "malformed SHA256SUMS"),
        (b"G" * 64 + b"  a.png\n", "malformed SHA256SUMS"),
        (HASH + b"  a.png\n\n", "malformed SHA256SUMS"),
        (HASH + b"  a.png\n" + b"1" * 64 + b"  a.png\n", "malformed SHA256SUMS"),
        (HASH + b"  \xff\n", "no UTF-8"),
        (HASH + b"  ../secret\n", "leads out of the folder"),
        (HASH + b"  /etc/passwd\n", "leads out of the folder"),
        (HASH + b"  a\0b\n", "can name no file"),
    ],
)
def test_what_no_program_wrote_is_refused(tmp_path, content, message):
    (tmp_path / SUMS).write_bytes(content)
    with pytest.raises(UserError, match=message):
        read_sums(tmp_path, "Fetch it again.")


def test_a_link_out_of_the_folder_is_refused(folder):
    (folder / "a.png").unlink()
    (folder / "a.png").symlink_to("/etc/passwd")
    with pytest.raises(UserError, match="leads out of the folder"):
        check_sums(folder, NAMES, "")


def test_a_folder_without_one_is_told_what_to_do(tmp_path):
    with pytest.raises(UserError, match=r"no SHA256SUMS.*Fetch it again"):
        read_sums(tmp_path, "Fetch it again.")
