"""Bundles as files: equal bytes for equal content, and nothing of a hostile one is unpacked."""

import io
import os
import stat
import struct
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rass_bench.errors import UserError
from rass_bench.verify import archive
from rass_bench.verify.archive import opened, write_archive

NAMES = st.text("abc", min_size=1, max_size=4)


@given(files=st.dictionaries(NAMES, st.binary(max_size=50), min_size=1, max_size=5))
def test_what_is_packed_is_unpacked(tmp_path_factory, files):
    path = tmp_path_factory.mktemp("bundle") / "b.zip"
    write_archive(path, files)
    with opened(path) as folder:
        found = {one.name: one.read_bytes() for one in folder.iterdir()}
    assert found == files
    assert not folder.exists()


def test_bytes_depend_on_names_and_contents_alone(tmp_path):
    source = tmp_path / "source"
    source.write_bytes(b"content")
    write_archive(tmp_path / "one.zip", {"b": source, "a": b"1"})
    os.utime(source, (1, 1))
    source.chmod(0o600)
    write_archive(tmp_path / "two.zip", {"a": b"1", "b": source})
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["one.zip", "source", "two.zip"]


def test_any_zip_program_reads_a_bundle(tmp_path):
    write_archive(tmp_path / "b.zip", {"predictions/a.png": b"x" * 9})
    with zipfile.ZipFile(tmp_path / "b.zip") as packed:
        assert packed.testzip() is None
        assert packed.read("predictions/a.png") == b"x" * 9


def made(path, *members, compression=zipfile.ZIP_STORED):
    """An archive of (ZipInfo or name, content)."""
    with zipfile.ZipFile(path, "w", compression) as packed:
        for name, content in members:
            packed.writestr(name, content)
    return path


def link(name, target):
    member = zipfile.ZipInfo(name)
    member.create_system, member.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    return member, target


def refused(path, words):
    with pytest.raises(UserError, match=words), opened(path):
        pytest.fail("was opened")


@pytest.mark.parametrize(
    "name",
    [
        "../outside",
        "a/../../outside",
        "/etc/passwd",
        "a//b",
        "./a",
        "..\\outside",
        "C:outside",
        "a\x1b[2Jb",
        "a" * 300,
    ],
)
def test_a_name_that_leads_elsewhere_is_refused(tmp_path, name):
    refused(made(tmp_path / "b.zip", (name, b"x")), "holds a file named")
    assert [one.name for one in tmp_path.iterdir()] == ["b.zip"]


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("other", ["record.json", "Record.JSON"])
def test_two_files_of_one_name_are_refused(tmp_path, other):
    path = made(tmp_path / "b.zip", ("record.json", b"1"), (other, b"2"))
    refused(path, f"holds a file named '{other}'")


def test_a_link_is_refused(tmp_path):
    refused(made(tmp_path / "b.zip", link("record.json", "/etc/passwd")), "is a link or no file")


def test_a_folder_is_refused(tmp_path):
    refused(made(tmp_path / "b.zip", ("predictions/", b"")), "holds a file named 'predictions/'")


def test_a_bomb_is_refused(tmp_path):
    path = made(
        tmp_path / "b.zip", ("record.json", bytes(10_000_000)), compression=zipfile.ZIP_DEFLATED
    )
    assert path.stat().st_size < 20_000
    refused(path, "is compressed or encrypted")


def entries(content):
    """Where the entries of the directory begin."""
    place = content.find(b"PK\x01\x02")
    while place != -1:
        yield place
        place = content.find(b"PK\x01\x02", place + 1)


def patched(path, offset, form, value):
    """The archive with a field of every directory entry replaced."""
    content = bytearray(path.read_bytes())
    for place in entries(bytes(content)):
        struct.pack_into(form, content, place + offset, value)
    path.write_bytes(content)
    return path


def test_files_that_share_their_bytes_are_refused(tmp_path):
    """All entries of the directory point at the first file: ten times the content of one."""
    path = made(tmp_path / "b.zip", *((f"f{index}", b"x" * 5000) for index in range(10)))
    content = bytearray(path.read_bytes())
    first, *rest = entries(bytes(content))
    kernel = content[: content.find(b"PK\x03\x04", 1)]
    directory = bytearray()
    for place in (first, *rest):
        entry = bytearray(content[place : place + 46 + 2])
        struct.pack_into("<I", entry, 42, 0)
        directory += entry
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 10, 10, len(directory), len(kernel), 0)
    path.write_bytes(bytes(kernel) + bytes(directory) + end)
    refused(path, "its files overlap")


def test_an_encrypted_file_is_refused(tmp_path):
    refused(patched(made(tmp_path / "b.zip", ("a", b"x")), 8, "<H", 1), "compressed or encrypted")


def test_a_file_that_claims_another_size_is_refused(tmp_path):
    path = patched(made(tmp_path / "b.zip", ("a", b"x")), 24, "<I", 2**31)
    refused(path, "another size")


def test_a_file_with_changed_bytes_is_refused(tmp_path):
    path = made(tmp_path / "b.zip", ("a", b"content"))
    path.write_bytes(path.read_bytes().replace(b"content", b"contend"))
    refused(path, "cannot be read.*CRC")


def test_more_files_than_a_bundle_holds_are_refused(tmp_path, monkeypatch):
    path = made(tmp_path / "b.zip", ("a", b""), ("b", b""), ("c", b""))
    monkeypatch.setattr(archive, "MAX_MEMBERS", 2)
    refused(path, "holds 3 files")
    with pytest.raises(UserError, match="too many for a bundle"):
        write_archive(tmp_path / "c.zip", {"a": b"", "b": b"", "c": b""})
    assert not (tmp_path / "c.zip").exists()


def test_more_bytes_than_a_bundle_holds_are_refused(tmp_path, monkeypatch):
    path = made(tmp_path / "b.zip", ("a", b"x" * 5000))
    monkeypatch.setattr(archive, "MAX_BYTES", 4000)
    monkeypatch.setattr(archive, "MAX_DIRECTORY_BYTES", 1000)
    refused(path, "larger than 4,000 bytes")
    with pytest.raises(UserError, match="too many for a bundle"):
        write_archive(tmp_path / "c.zip", {"a": b"x" * 5000})


def test_a_directory_that_would_fill_the_memory_is_refused_unread(tmp_path):
    content = io.BytesIO()
    made(content, ("a", b"x"))
    changed = bytearray(content.getvalue())
    struct.pack_into("<I", changed, len(changed) - 10, 2**31)
    (tmp_path / "b.zip").write_bytes(changed)
    refused(tmp_path / "b.zip", "its directory has 2,147,483,648 bytes")


def test_the_long_form_of_the_format_is_refused_unread(tmp_path):
    path = made(tmp_path / "b.zip", ("a", b"x"))
    content = path.read_bytes()
    path.write_bytes(content[:-22] + b"PK\x06\x07" + bytes(16) + content[-22:])
    refused(path, "is larger than")


@pytest.mark.parametrize("keep", [0, 10, 60, -1])
def test_a_part_of_a_bundle_is_refused(tmp_path, keep):
    path = made(tmp_path / "b.zip", ("a", b"x" * 100))
    path.write_bytes(path.read_bytes()[:keep])
    refused(path, "neither a run's folder nor a bundle")


def test_a_directory_that_would_begin_before_the_archive_is_refused(tmp_path):
    content = bytearray(made(tmp_path / "b.zip", ("a", b"x")).read_bytes())
    struct.pack_into("<I", content, len(content) - 10, 2**20)
    (tmp_path / "b.zip").write_bytes(content)
    refused(tmp_path / "b.zip", "its directory leads nowhere|cannot be read")


def test_a_file_in_a_file_is_refused(tmp_path):
    path = made(tmp_path / "b.zip", ("a", b"x"), ("a/b", b"y"))
    with pytest.raises(UserError), opened(path):
        pass


@pytest.mark.parametrize("names", [["p/a:b.png"], ["p/a\u2028b"], ["p/A", "p/a"], ["p/a\nb"]])
def test_what_could_not_be_unpacked_is_not_packed(tmp_path, names):
    with pytest.raises(UserError, match="a bundle cannot hold a file named"):
        write_archive(tmp_path / "b.zip", dict.fromkeys(names, b""))
    assert not (tmp_path / "b.zip").exists()


@given(
    changes=st.dictionaries(st.integers(0, 270), st.integers(0, 255), min_size=1, max_size=4),
)
def test_a_damaged_bundle_is_refused_or_read(tmp_path_factory, changes):
    path = tmp_path_factory.mktemp("bundle") / "b.zip"
    write_archive(path, {"a": b"content", "b/c": b"other"})
    content = bytearray(path.read_bytes())
    for place, value in changes.items():
        content[-1 - place % len(content)] = value
    path.write_bytes(content)
    try:
        with opened(path) as folder:
            assert all(one.is_relative_to(folder) for one in folder.rglob("*"))
    except UserError as error:
        assert str(path) in str(error)


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_in_words(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("bundle") / "b.zip"
    path.write_bytes(content + b"PK\x05\x06" + bytes(18))
    try:
        with opened(path) as folder:
            assert not list(folder.iterdir())  # an archive of nothing
    except UserError as error:
        assert "refused" in str(error)


def test_a_path_to_nothing_is_named(tmp_path):
    refused(tmp_path / "none.zip", "no such run or bundle")
