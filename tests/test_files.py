"""Files that are whole or absent, and paths that stay inside their root."""

import math
import os
import signal
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rass_bench.errors import UserError
from rass_bench.files import (
    alone_in,
    canonical_json,
    inside,
    read_json,
    read_text,
    read_yaml,
    sha256_bytes,
    write_bytes,
    write_json,
)


def test_a_write_replaces_the_old_content_and_leaves_nothing_else(tmp_path):
    path = tmp_path / "new" / "file"
    write_bytes(path, b"old")
    write_bytes(path, b"new")
    assert path.read_bytes() == b"new"
    assert [entry.name for entry in path.parent.iterdir()] == ["file"]


def test_a_failed_write_leaves_the_old_file_and_no_temporary_one(tmp_path):
    path = tmp_path / "file"
    write_bytes(path, b"old")
    script = (
        "import pathlib, resource, signal, sys\n"
        "from rass_bench.files import write_bytes\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "write_bytes(pathlib.Path(sys.argv[1]), b'x' * 5000)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=False
    )
    assert f"File too large: {str(path)!r}" in done.stderr
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_a_failed_write_names_the_file(tmp_path):
    (tmp_path / "file").mkdir()
    with pytest.raises(OSError) as caught:
        write_bytes(tmp_path / "file", b"new")
    assert caught.value.filename == str(tmp_path / "file")


def test_a_name_as_long_as_the_file_system_allows_can_be_written(tmp_path):
    path = tmp_path / ("n" * os.pathconf(tmp_path, "PC_NAME_MAX"))
    write_bytes(path, b"new")
    assert path.read_bytes() == b"new"


def test_what_is_no_file_is_not_replaced_by_one(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(UserError, match="a device or a pipe"):
        write_bytes(pipe, b"new")
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs Linux's /proc")
def test_a_place_that_takes_no_files_is_told():
    with pytest.raises(UserError, match="no file can be made here"):
        write_bytes(Path("/proc/page.html"), b"new")


def test_threads_may_write_the_same_file(tmp_path):
    contents = [bytes([number]) * 10_000 for number in range(100)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda content: write_bytes(tmp_path / "file", content), contents))
    assert (tmp_path / "file").read_bytes() in contents
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_a_kill_in_the_middle_of_many_writes_never_leaves_half_a_file(tmp_path):
    script = (
        "import pathlib, sys\n"
        "from rass_bench.files import write_bytes\n"
        "path = pathlib.Path(sys.argv[1])\n"
        "print('ready', flush=True)\n"
        "while True:\n"
        "    for letter in (b'a', b'b'):\n"
        "        write_bytes(path, letter * 300_000)\n"
    )
    path = tmp_path / "file"
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE, text=True
    )
    process.stdout.readline()
    while not path.exists():
        assert process.poll() is None
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert path.read_bytes() in (b"a" * 300_000, b"b" * 300_000)


def test_a_folder_is_one_process_own_until_it_ends(tmp_path):
    folder = tmp_path / "new"
    script = (
        "import pathlib, sys\n"
        "from rass_bench.files import alone_in\n"
        "with alone_in(pathlib.Path(sys.argv[1])):\n"
        "    print('in', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", script, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert other.stdout.readline() == "in\n"
    with pytest.raises(UserError, match="another process is writing here"), alone_in(folder):
        pytest.fail("two processes in one folder")
    other.kill()
    other.wait()
    with alone_in(folder):
        assert not list(folder.iterdir())
    with alone_in(folder):
        pass


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="file"), alone_in(tmp_path / "file"):
        pytest.fail("inside a file")


@pytest.mark.parametrize("hostile", ["../x", "/etc/passwd", "a/../../x"])
def test_a_path_that_leaves_the_root_is_refused(tmp_path, hostile):
    with pytest.raises(UserError, match="leads out of the folder"):
        inside(tmp_path, hostile)


def test_a_link_that_leaves_the_root_is_refused(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    (root / "link").symlink_to(tmp_path)
    with pytest.raises(UserError, match="leads out of the folder"):
        inside(root, "link/secret")


@pytest.mark.parametrize("impossible", ["a\0b", "lone surrogate \ud800"])
def test_a_path_that_no_file_can_have_is_refused(tmp_path, impossible):
    with pytest.raises(UserError, match="can name no file"):
        inside(tmp_path, impossible)


def test_links_that_lead_in_a_circle_are_refused(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(UserError, match="can name no file"):
        inside(tmp_path, "loop")


def test_a_path_inside_is_joined(tmp_path):
    assert inside(tmp_path, "a/b.png") == tmp_path / "a" / "b.png"


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_nan_and_infinity_never_reach_a_file(tmp_path, value):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "x.json", {"value": value})
    assert list(tmp_path.iterdir()) == []


def test_broken_json_is_named(tmp_path):
    (tmp_path / "x.json").write_text("{")
    with pytest.raises(UserError, match=r"no valid JSON.*x\.json"):
        read_json(tmp_path / "x.json")


@pytest.mark.parametrize(
    "content", [b"\xff", b"[" * 100_000, b"9" * 5000], ids=["no UTF-8", "deep", "huge number"]
)
def test_hostile_json_is_named(tmp_path, content):
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(UserError, match=r"no valid JSON.*x\.json"):
        read_json(tmp_path / "x.json")


@pytest.mark.parametrize(
    "text",
    [
        "key: [",
        "\0",
        "key: " + "[" * 3000 + "]" * 3000,
        "key: 2020-13-45",  # a date that the YAML library fails at
        "key: " + "9" * 5000,
        "a: &a [x, x]\nb: &b [*a, *a]\ntitle: [*b, *b]",
        "key: &key [*key]",
        "key: !!python/object/apply:os.getcwd []",
    ],
)
def test_hostile_yaml_is_named(tmp_path, text):
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(UserError, match=r"(?s)no valid YAML.*x\.yaml"):
        read_yaml(tmp_path / "x.yaml")


@pytest.mark.parametrize("text", ["", "- a", "word"])
def test_yaml_without_a_mapping_is_named(tmp_path, text):
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(UserError, match="a mapping was expected"):
        read_yaml(tmp_path / "x.yaml")


def test_canonical_json_does_not_depend_on_the_order_of_keys():
    assert canonical_json({"b": 1, "a": "é"}) == canonical_json({"a": "é", "b": 1})


def test_sha256_is_the_published_one():
    # FIPS 180-2, appendix B.1
    assert sha256_bytes(b"abc").startswith("ba7816bf8f01cfea414140de5dae2223")


def test_text_is_read_with_its_line_ends(tmp_path):
    (tmp_path / "x").write_bytes("ä\r\nb\n".encode())
    assert read_text(tmp_path / "x") == "ä\r\nb\n"


def test_text_of_another_encoding_is_named(tmp_path):
    (tmp_path / "x").write_bytes("ä".encode("latin-1"))
    with pytest.raises(UserError, match=r"no UTF-8 text.*/x\)"):
        read_text(tmp_path / "x")
