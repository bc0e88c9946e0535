"""A file that is no weights file is called by its name before anything tries to load it."""

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from rass_bench.errors import UserError
from rass_bench.weights import check_weights_file


def _safetensors(path):
    save_file({"weight": np.arange(100, dtype=np.float32)}, path)
    return path


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"<!DOCTYPE html><html><title>Quota exceeded</title>", "a web page"),
        (b"\n  <html lang=en>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", "Git LFS pointer"),
        (b"\xff" * 300, "truncated"),  # a header length beyond the file's end
        (b"\x04" + b"\x00" * 7 + b"[1]\n", "header is malformed"),
        (b"\x08" + b"\x00" * 7 + b'{"a": 1}', "header is malformed"),
        ((50_000).to_bytes(8, "little") + b"[" * 50_000, "header is malformed"),
    ],
)
def test_what_often_lies_where_weights_should_be(tmp_path, content, message):
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message):
        check_weights_file(path)


def test_a_missing_file(tmp_path):
    with pytest.raises(UserError, match="not found"):
        check_weights_file(tmp_path / "absent.pth")


def test_a_truncated_file_is_told_with_both_lengths(tmp_path):
    path = _safetensors(tmp_path / "model.safetensors")
    whole = path.read_bytes()
    path.write_bytes(whole[:-40])
    with pytest.raises(UserError, match=f"{len(whole) - 40} of at least {len(whole)} bytes"):
        check_weights_file(path)


def test_whole_files_pass(tmp_path):
    path = _safetensors(tmp_path / "model.safetensors")
    check_weights_file(path)
    header = json.loads(path.read_bytes()[8 : 8 + int.from_bytes(path.read_bytes()[:8], "little")])
    assert header["weight"]["data_offsets"] == [0, 400]
