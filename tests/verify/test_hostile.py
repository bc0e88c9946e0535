"""Run folders that were made to harm whoever checks them."""

import json
import os
import struct
import zlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rass_bench.errors import UserError
from rass_bench.evaluate import per_image
from rass_bench.record import load_record
from rass_bench.verify import stored
from rass_bench.verify.verdict import Level
from tests.verify.forging import (
    edit_record,
    failures,
    read_record,
    rehash,
    verdict_on,
    write_record,
)


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "predictions/../../x", "a\0b"])
def test_a_record_that_names_a_file_elsewhere_is_refused(segmented, name):
    edit_record(segmented, ("files",), lambda files: {**files, name: "0" * 64})
    with pytest.raises(
        UserError, match=r"leads out of the folder|can name no file|no file of a run"
    ):
        verdict_on(segmented)


def test_a_prediction_elsewhere_is_refused(segmented):
    key = "../../../etc/passwd"
    index = json.loads((segmented / "predictions.json").read_text())
    index["files"][key] = {"file": f"predictions/{key}.png", "sha256": "0" * 64}
    (segmented / "predictions.json").write_text(json.dumps(index))
    with pytest.raises(UserError, match="leads out of the folder"):
        verdict_on(segmented)


def test_an_absolute_path_of_a_prediction_stays_in_the_folder(segmented):
    index = json.loads((segmented / "predictions.json").read_text())
    index["files"]["/etc/passwd"] = {"file": "predictions//etc/passwd.png", "sha256": "0" * 64}
    (segmented / "predictions.json").write_text(json.dumps(index))
    assert "/etc/passwd: missing" in failures(verdict_on(segmented))["predictions"]


def test_a_prediction_under_another_name_is_named(segmented):
    index = json.loads((segmented / "predictions.json").read_text())
    index["files"]["scene_0001"]["file"] = "/etc/passwd"
    (segmented / "predictions.json").write_text(json.dumps(index))
    found = failures(verdict_on(segmented))["predictions"]
    assert "scene_0001: its file is called /etc/passwd" in found


def test_a_journal_that_names_a_file_elsewhere_is_refused(segmented):
    with (segmented / "journal.jsonl").open("a") as stream:
        line = {"id": "../../x", "image_sha256": "", "sha256": "", "seconds": 1, "timed": True}
        stream.write(json.dumps(line) + "\n")
    with pytest.raises(UserError, match="leads out of the folder"):
        verdict_on(segmented)


@pytest.mark.parametrize(
    "name", ["record.json", "per_image.parquet", "predictions.json", "journal.jsonl", "plan.json"]
)
def test_a_link_out_of_the_folder_is_refused(segmented, tmp_path, name):
    outside = tmp_path / "outside"
    (segmented / name).rename(outside)
    (segmented / name).symlink_to(outside)
    with pytest.raises(UserError, match="leads out of the folder"):
        verdict_on(segmented)


def test_a_folder_of_predictions_elsewhere_is_refused(segmented, tmp_path):
    (segmented / "predictions").rename(tmp_path / "outside")
    (segmented / "predictions").symlink_to(tmp_path / "outside")
    with pytest.raises(UserError, match="leads out of the folder"):
        verdict_on(segmented)


def test_a_pipe_is_no_prediction(segmented):
    path = segmented / "predictions/scene_0001.png"
    path.unlink()
    os.mkfifo(path)
    assert "scene_0001: missing" in failures(verdict_on(segmented))["predictions"]


def png_bomb(side):
    """A PNG of a few kilobytes that declares side x side grey pixels."""

    def chunk(kind, content):
        crc = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", crc)

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    pixels = zlib.compress(bytes(10_000_000))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


def test_a_picture_that_would_fill_the_memory_is_refused_undecoded(segmented):
    (segmented / "predictions/scene_0001.png").write_bytes(png_bomb(2**31 - 1))
    rehash(segmented)
    with pytest.raises(UserError, match=r"declares 2147483647 x 2147483647 pixels.*scene_0001"):
        verdict_on(segmented)


def test_a_smaller_bomb_is_told_by_its_photos_size(segmented):
    (segmented / "predictions/scene_0001.png").write_bytes(png_bomb(14_000))
    rehash(segmented)
    found = failures(verdict_on(segmented, Level.RESCORE))
    assert "scene_0001: 14000 x 14000, not 256 x 256" in found["sizes of the predictions"]
    assert "each image from its prediction" not in found  # nothing was decoded


@pytest.mark.parametrize("name", ["record.json", "predictions.json", "journal.jsonl"])
def test_a_text_that_would_fill_the_memory_is_refused_unread(segmented, monkeypatch, name):
    monkeypatch.setattr(stored, "MAX_TEXT_BYTES", 10_000)
    path = segmented / name
    path.write_bytes(path.read_bytes() + b" " * 20_000)
    with pytest.raises(UserError, match=f"{name} has more than"):
        verdict_on(segmented)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("record.json", "[" * 100_000),
        ("record.json", "[]"),
        ("predictions.json", '{"files": {"a": 3}}'),
        ("predictions.json", "[" * 100_000),
        ("plan.json", "{" * 100_000),
    ],
)
def test_a_text_that_no_run_writes_is_refused(segmented, name, content):
    (segmented / name).write_text(content)
    with pytest.raises(UserError, match=rf"no valid JSON|malformed {name}|no schema version"):
        verdict_on(segmented)


def test_a_table_that_declares_more_than_memory_is_refused_unread(segmented, monkeypatch):
    monkeypatch.setattr(per_image, "MAX_TABLE_BYTES", 1000)
    found = failures(verdict_on(segmented))
    assert "it declares" in found["rows of per_image.parquet"]


def test_a_table_whose_footer_contradicts_itself_is_refused(segmented):
    """Asked for a column of it, pyarrow 26 ends the process."""
    path = segmented / "per_image.parquet"
    # In the footer's Thrift: a list's items may be null (2), must not be (0).
    may_be_null, must_not = (b"\x25" + null + b"\x18\x07element" for null in (b"\x02", b"\x00"))
    content = path.read_bytes()
    assert may_be_null in content
    path.write_bytes(content.replace(may_be_null, must_not, 1))
    found = failures(verdict_on(segmented))
    assert "no readable parquet file" in found["rows of per_image.parquet"]


@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_damaged_table_is_refused_or_read(segmented, data):
    path = segmented / "per_image.parquet"
    whole = path.read_bytes()
    length = int.from_bytes(whole[-8:-4], "little")
    places = st.integers(len(whole) - 8 - length, len(whole) - 9)
    content = bytearray(whole)
    for place, value in data.draw(st.dictionaries(places, st.integers(0, 255), max_size=3)).items():
        content[place] = value
    path.write_bytes(content)
    try:
        table = per_image.read_per_image(path, load_record(segmented))
        assert len(table.ids) == len(table.seconds)
    except UserError as error:
        assert "per_image.parquet" in str(error)
    finally:
        path.write_bytes(whole)


def test_a_made_up_request_is_refused(segmented):
    record = read_record(segmented)
    record["arguments_resolved"]["seed"] = "not a number"
    write_record(segmented, record)
    with pytest.raises(UserError, match="malformed record: seed"):
        verdict_on(segmented)
