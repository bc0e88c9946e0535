"""Bundles: what a reviewer needs, in equal bytes, and checked as a run's folder is."""

import json
import re
import shlex
import shutil
import zipfile

import numpy as np
import pytest
from PIL import Image

from rass_bench.cli.main import app
from rass_bench.data.manifest import load_manifest
from rass_bench.degrade.recipe import from_json
from rass_bench.errors import UserError
from rass_bench.verify.archive import write_archive
from rass_bench.verify.bundle import write_bundle
from rass_bench.verify.verdict import Level
from tests.verify.forging import change_pixel, edit_record, failures, rehash, verdict_on


@pytest.fixture
def bundle(segmented, tmp_path):
    path = tmp_path / "run.zip"
    write_bundle(segmented, path, data_root=None)
    return path


def unpacked(bundle, folder):
    with zipfile.ZipFile(bundle) as packed:
        packed.extractall(folder)
    return folder


def packed_again(folder, path):
    files = {one.relative_to(folder).as_posix(): one for one in folder.rglob("*") if one.is_file()}
    write_archive(path, files)
    return path


@pytest.mark.parametrize("level", Level)
def test_a_bundle_holds_at_every_level_packed_and_unpacked(bundle, tmp_path, level):
    for path in (bundle, unpacked(bundle, tmp_path / "unpacked")):
        verdict = verdict_on(path, level)
        assert failures(verdict) == {}
        assert all(check.holds for check in verdict.checks)


def test_equal_runs_give_equal_bytes(segmented, bundle, tmp_path):
    elsewhere = shutil.copytree(segmented, tmp_path / "elsewhere", copy_function=shutil.copyfile)
    (elsewhere / "verdict.json").write_text("{}")
    write_bundle(elsewhere, tmp_path / "again.zip", data_root=None)
    assert (tmp_path / "again.zip").read_bytes() == bundle.read_bytes()


def test_a_bundle_of_degraded_photos_holds_what_was_done_to_each(restored, tmp_path):
    write_bundle(restored, tmp_path / "run.zip", data_root=None)
    folder = unpacked(tmp_path / "run.zip", tmp_path / "unpacked")
    entries = load_manifest(folder / "manifest.json").entries
    assert [from_json(entry.recipe, entry.id).preset for entry in entries] == ["rass"] * 3
    commands = (folder / "COMMANDS.txt").read_text()
    assert "rass-bench degrade --dataset scenes --split val --preset rass --seed 0" in commands


def test_the_command_of_a_bundle_repeats_the_run(bundle, tmp_path, monkeypatch):
    folder = unpacked(bundle, tmp_path / "unpacked")
    (line,) = re.findall(r"^ +(rass-bench run .*)$", (folder / "COMMANDS.txt").read_text(), re.M)
    monkeypatch.chdir(tmp_path)
    app([*shlex.split(line)[1:], "--out", "again"], standalone_mode=False)
    for path in (folder / "predictions").iterdir():
        again = np.asarray(Image.open(tmp_path / "again/predictions" / path.name))
        assert np.array_equal(np.asarray(Image.open(path)), again)


def test_a_swapped_file_of_a_bundle_is_named(bundle, tmp_path):
    folder = unpacked(bundle, tmp_path / "unpacked")
    shutil.copy(folder / "predictions/scene_0000.png", folder / "predictions/scene_0001.png")
    found = failures(verdict_on(packed_again(folder, tmp_path / "b.zip")))
    assert "predictions/scene_0001.png: the file's hash is not that of" in found["SHA256SUMS"]
    assert "scene_0001: changed since the run" in found["predictions"]


def test_a_file_more_or_less_is_named(bundle, tmp_path):
    folder = unpacked(bundle, tmp_path / "unpacked")
    (folder / "COMMANDS.txt").unlink()
    (folder / "extra.py").write_text("print()")
    found = failures(verdict_on(packed_again(folder, tmp_path / "b.zip")))
    assert "COMMANDS.txt: missing" in found["SHA256SUMS"]
    assert "extra.py: not listed in SHA256SUMS" in found["SHA256SUMS"]


def test_a_manifest_of_other_data_is_named(bundle, tmp_path):
    folder = unpacked(bundle, tmp_path / "unpacked")
    document = json.loads((folder / "manifest.json").read_text())
    document["entries"][1]["label_sha256"] = "0" * 64
    (folder / "manifest.json").write_text(json.dumps(document))
    with pytest.raises(UserError, match="hash does not fit its entries"):
        verdict_on(folder)
    del document["entries"][1]
    entries = load_manifest(unpacked(bundle, tmp_path / "whole") / "manifest.json")
    shorter = type(entries)(
        entries.dataset, entries.split, (entries.entries[0], *entries.entries[2:])
    )
    shorter.save(folder / "manifest.json")
    found = failures(verdict_on(folder))
    assert "scene_0001: only on one side" in found["images of the manifest"]
    assert "data of the manifest" in found


def test_a_hostile_manifest_is_refused(bundle, tmp_path):
    folder = unpacked(bundle, tmp_path / "unpacked")
    document = json.loads((folder / "manifest.json").read_text())
    document["entries"][0]["image"] = "../../../etc/passwd"
    (folder / "manifest.json").write_text(json.dumps(document))
    with pytest.raises(UserError, match="leads out of the folder"):
        verdict_on(folder)


def test_malformed_sums_are_refused(bundle, tmp_path):
    folder = unpacked(bundle, tmp_path / "unpacked")
    (folder / "SHA256SUMS").write_text("no hash  a.png\n")
    with pytest.raises(UserError, match="malformed SHA256SUMS"):
        verdict_on(folder)


def test_a_run_that_does_not_hold_is_not_packed(segmented, tmp_path):
    change_pixel(segmented / "predictions/scene_0003.png")
    with pytest.raises(UserError, match="not whole: predictions: scene_0003: changed"):
        write_bundle(segmented, tmp_path / "run.zip", data_root=None)
    assert not (tmp_path / "run.zip").exists()


def test_a_record_alone_is_not_packed(segmented, tmp_path):
    shutil.rmtree(segmented / "predictions")
    (segmented / "predictions.json").unlink()
    with pytest.raises(UserError, match="no predictions are there"):
        write_bundle(segmented, tmp_path / "run.zip", data_root=None)


def test_a_run_of_other_data_is_not_packed(segmented, tmp_path):
    edit_record(segmented, ("dataset", "manifest_sha256"), lambda digest: "0" * 64)
    with pytest.raises(UserError, match="the data differ from those of the run"):
        write_bundle(segmented, tmp_path / "run.zip", data_root=None)


def test_a_file_that_is_there_is_not_written_over(segmented, bundle):
    before = bundle.read_bytes()
    with pytest.raises(UserError, match="there already"):
        write_bundle(segmented, bundle, data_root=None)
    assert bundle.read_bytes() == before


def test_a_forged_bundle_under_new_hashes_is_caught_by_its_predictions(segmented, tmp_path):
    change_pixel(segmented / "predictions/scene_0002.png")
    rehash(segmented)
    write_bundle(segmented, tmp_path / "run.zip", data_root=None)
    assert verdict_on(tmp_path / "run.zip").holds
    found = failures(verdict_on(tmp_path / "run.zip", Level.RESCORE))
    assert "scene_0002" in found["each image from its prediction"]
