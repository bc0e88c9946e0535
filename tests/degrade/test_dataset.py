"""Degrading a data set: the same bytes however it is run, and a folder that can be used."""

import os
import resource
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rass_bench.data.dataset import open_dataset
from rass_bench.data.manifest import load_manifest
from rass_bench.data.spec import Layout
from rass_bench.degrade.apply import apply
from rass_bench.degrade.dataset import (
    JOURNAL_FILE,
    ORIGIN_FILE,
    degrade_command,
    degrade_dataset,
    degraded_spec,
    redraw_recipes,
)
from rass_bench.degrade.preset import PRESETS
from rass_bench.degrade.recipe import from_json
from rass_bench.degrade.recipe import sample as sample_recipe
from rass_bench.degrade.workers import map_in_processes
from rass_bench.errors import UserError
from rass_bench.images import read_image
from rass_bench.labels import LabelEncoding, load_label_space, read_label_map
from tests.builders import accept_interrupts

DEFINITION = """
name: yard
version: "2.1"
title: A few made-up photos
layout: {layout}
splits: {{validation: {count}}}
licence: CC0-1.0
homepage: https://example.org/yard
obtain: Make them.
"""
LABELS = "label_space: ade20k-150\nlabel_encoding: zero-is-ignore\n"


def make_photo(number, height, width):
    rng = np.random.Generator(np.random.Philox(number))
    coarse = rng.integers(0, 256, (5, 7, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def make_source(root, count, size=(40, 56)):
    (root / "images/validation").mkdir(parents=True)
    (root / "annotations/validation").mkdir(parents=True)
    root.joinpath("dataset.yaml").write_text(DEFINITION.format(layout="ade", count=count) + LABELS)
    for i in range(count):
        make_photo(i, *size).save(root / f"images/validation/photo{i:02}.jpg", quality=92)
        labels = np.full(size, i % 151, dtype=np.uint8)
        Image.fromarray(labels).save(root / f"annotations/validation/photo{i:02}.png")
    return open_dataset(str(root))


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return make_source(tmp_path_factory.mktemp("yard"), count=6)


@pytest.fixture(scope="module")
def degraded(source, tmp_path_factory):
    out = tmp_path_factory.mktemp("degraded") / "yard-rass"
    return out, degrade_dataset(source, "rass", 0, out)


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_folder_is_a_data_set_by_itself(source, degraded):
    out, result = degraded
    opened = open_dataset(str(out))
    assert opened.spec.key == "yard-rass@2.1-preset1.0-seed0"
    assert opened.spec.licence == source.spec.licence
    assert opened.spec.label_encoding is LabelEncoding.ZERO_IS_IGNORE
    assert (opened.split.name, opened.split.count, opened.missing) == ("validation", 6, 0)
    assert [sample.id for sample in opened.samples] == [sample.id for sample in source.samples]
    assert result.manifest == load_manifest(out / "manifest-validation.json")
    assert result.skipped == ()


def test_the_folder_is_read_as_degraded_ade20k(degraded):
    opened = open_dataset("ade20k-degraded", degraded[0], "validation")
    assert len(opened.samples) == 6
    assert opened.missing == 1994
    labels = read_label_map(
        opened.samples[3].label, load_label_space("ade20k-150"), opened.spec.label_encoding
    )
    assert np.unique(labels).tolist() == [2]


def test_clean_photos_and_labels_are_copied_byte_for_byte(source, degraded):
    opened = open_dataset(str(degraded[0]))
    for ours, original in zip(opened.samples, source.samples, strict=True):
        assert ours.reference.read_bytes() == original.image.read_bytes()
        assert ours.label.read_bytes() == original.label.read_bytes()


def test_the_saved_recipe_and_the_clean_photo_give_the_stored_pixels(degraded):
    opened = open_dataset(str(degraded[0]))
    for sample in opened.samples:
        recipe = from_json(opened.recipes[sample.id], sample.id)
        rebuilt = apply(recipe, read_image(sample.reference))
        np.testing.assert_array_equal(read_image(sample.image), rebuilt)


def test_workers_and_order_change_no_byte(source, degraded, tmp_path):
    backwards = replace(source, samples=source.samples[::-1])
    degrade_dataset(backwards, "rass", 0, tmp_path / "again", workers=3)
    assert contents(tmp_path / "again") == contents(degraded[0])


def test_another_seed_changes_every_image(source, degraded, tmp_path):
    degrade_dataset(source, "rass", 1, tmp_path / "other")
    ours, other = contents(degraded[0]), contents(tmp_path / "other")
    images = [name for name in ours if name.startswith("images/")]
    assert len(images) == 6
    assert all(ours[name] != other[name] for name in images)


SCRIPT = textwrap.dedent("""
    import sys
    from pathlib import Path
    from rass_bench.data.dataset import open_dataset
    from rass_bench.degrade.dataset import degrade_dataset

    if __name__ == "__main__":
        workers = int(sys.argv[3])
        degrade_dataset(open_dataset(sys.argv[1]), "rass", 0, Path(sys.argv[2]), workers=workers)
""")


def start_and_stop(source, out, workers, signal_number):
    """Run in a process of its own, and send it a signal once some images are finished."""
    script = out.parent / "degrade_yard.py"
    script.write_text(SCRIPT)
    package = str(Path(__file__).resolve().parents[2])
    process = subprocess.Popen(
        [sys.executable, script, source.root, out, str(workers)],
        env={**os.environ, "PYTHONPATH": package},
        stderr=subprocess.PIPE,
        preexec_fn=accept_interrupts,
    )
    deadline = time.monotonic() + 120
    journal = out / JOURNAL_FILE
    while not journal.is_file() or journal.read_bytes().count(b"\n") < 3:
        assert process.poll() is None, process.stderr.read().decode()
        assert time.monotonic() < deadline, "no image was finished"
        time.sleep(0.005)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    helpers = children.read_text().split() if children.is_file() else []
    process.send_signal(signal_number)
    process.communicate(timeout=60)
    while any(Path(f"/proc/{helper}").exists() for helper in helpers):
        assert time.monotonic() < deadline, "a worker outlived the run"
        time.sleep(0.01)
    return process.returncode


@pytest.mark.parametrize(
    ("workers", "signal_number"), [(1, signal.SIGKILL), (2, signal.SIGKILL), (2, signal.SIGINT)]
)
def test_a_stopped_run_resumes_to_the_same_bytes(tmp_path, workers, signal_number):
    source = make_source(tmp_path / "yard", count=40, size=(200, 260))
    out = tmp_path / "stopped"
    assert start_and_stop(source, out, workers, signal_number) != 0
    finished = sorted((out / "images/validation").glob("*.png"))
    assert 3 <= len(finished) < 40
    assert not (out / "manifest-validation.json").exists()
    # As if the machine had lost power while writing: an image and the journal are cut short.
    finished[0].write_bytes(finished[0].read_bytes()[:100])
    with (out / JOURNAL_FILE).open("ab") as journal:
        journal.write(b'{"id": ["no text"]}\n\xff\n' + b"[" * 100_000 + b'\n{"id": "photo')
    steps = []
    degrade_dataset(source, "rass", 0, out, resume=True, advance=lambda: steps.append(1))
    degrade_dataset(source, "rass", 0, tmp_path / "whole", workers=2)
    assert len(steps) == 40
    assert contents(out) == contents(tmp_path / "whole")


def test_a_full_disk_leaves_a_folder_that_resumes(tmp_path):
    source = make_source(tmp_path / "yard", count=4)
    make_photo(9, 300, 400).save(source.samples[2].image, quality=92)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            degrade_dataset(source, "noise-5", 0, tmp_path / "out", on_error="skip")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not (tmp_path / "out/images/validation/photo02.png").exists()
    degrade_dataset(source, "noise-5", 0, tmp_path / "out", resume=True)
    degrade_dataset(source, "noise-5", 0, tmp_path / "whole")
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_a_killed_worker_is_told_as_such():
    with pytest.raises(UserError, match="a worker process was killed"):
        list(map_in_processes(signal.raise_signal, [signal.SIGKILL] * 2, workers=2))


def test_resuming_a_finished_folder_mends_it(source, degraded, tmp_path):
    degrade_dataset(source, "rass", 0, tmp_path / "out")
    (tmp_path / "out/images/validation/photo02.png").unlink()
    (tmp_path / "out/clean/validation/photo04.jpg").write_bytes(b"")
    degrade_dataset(source, "rass", 0, tmp_path / "out", resume=True)
    assert contents(tmp_path / "out") == contents(degraded[0])


def test_a_limited_folder_grows_but_does_not_shrink(source, degraded, tmp_path):
    first = degrade_dataset(source, "rass", 0, tmp_path / "out", limit=2)
    assert [entry.id for entry in first.manifest.entries] == ["photo00", "photo01"]
    assert open_dataset(str(tmp_path / "out")).missing == 4
    degrade_dataset(source, "rass", 0, tmp_path / "out", resume=True)
    assert contents(tmp_path / "out") == contents(degraded[0])
    with pytest.raises(UserError, match="4 images that this command would not make"):
        degrade_dataset(source, "rass", 0, tmp_path / "out", resume=True, limit=2)


def test_a_folder_in_the_way_is_left_alone(source, tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    for resume in (False, True):
        with pytest.raises(UserError, match="not empty"):
            degrade_dataset(source, "rass", 0, tmp_path, resume=resume)
    assert contents(tmp_path) == {"thesis.txt": b"years of work"}


@pytest.mark.parametrize(
    ("preset", "seed", "message"),
    [("rass", 1, "another seed .*seed 0, now 1"), ("blur-3", 0, "another preset .*rass@1.0, now")],
)
def test_resume_names_what_differs(source, degraded, preset, seed, message):
    before = contents(degraded[0])
    with pytest.raises(UserError, match=message):
        degrade_dataset(source, preset, seed, degraded[0], resume=True)
    assert contents(degraded[0]) == before


def test_an_origin_that_is_none_is_named(source, tmp_path):
    (tmp_path / ORIGIN_FILE).write_text("[]")
    with pytest.raises(UserError, match=f"damaged.*{ORIGIN_FILE}"):
        degrade_dataset(source, "rass", 0, tmp_path, resume=True)


def test_pairs_are_refused(source, tmp_path):
    pairs = replace(source, spec=replace(source.spec, layout=Layout.PAIRS))
    with pytest.raises(UserError, match="pairs of low- and high-resolution photos"):
        degrade_dataset(pairs, "rass", 0, tmp_path / "out")


def test_an_unreadable_photo_fails_or_is_skipped_by_name(tmp_path):
    source = make_source(tmp_path / "yard", count=4)
    photo = source.samples[1].image
    photo.write_bytes(photo.read_bytes()[:300])
    source.samples[2].label.unlink()
    with pytest.raises(UserError, match=r"photo01\.jpg"):
        degrade_dataset(source, "rass", 0, tmp_path / "failed", workers=2)
    result = degrade_dataset(source, "rass", 0, tmp_path / "out", on_error="skip")
    assert [sample.id for sample in result.skipped] == ["photo01", "photo02"]
    assert "photo01.jpg" in result.skipped[0].reason
    assert "photo02.png" in result.skipped[1].reason
    assert [entry.id for entry in result.manifest.entries] == ["photo00", "photo03"]
    assert open_dataset(str(tmp_path / "out")).missing == 2


def test_photos_of_every_form_keep_their_bytes_and_their_upright_size(tmp_path):
    source = make_source(tmp_path / "yard", count=1)
    folder = source.samples[0].image.parent
    photo = make_photo(9, 30, 50)
    turned = Image.Exif()
    turned[0x0112] = 6  # to be turned by 90 degrees
    photo.save(folder / "exif.jpg", exif=turned)
    photo.convert("P").save(folder / "palette.png")
    photo.convert("CMYK").save(folder / "cmyk.jpg")
    photo.convert("L").save(folder / "grey.png")
    photo.convert("RGBA").save(folder / "alpha.png")
    deep = np.linspace(0, 65535, 1500).astype(np.uint16).reshape(30, 50)
    Image.fromarray(deep).save(folder / "deep.png")
    labels = folder.parents[1] / "annotations/validation"
    for name in ("exif", "palette", "cmyk", "grey", "alpha", "deep"):
        (labels / f"{name}.png").write_bytes(source.samples[0].label.read_bytes())
    result = degrade_dataset(open_dataset(str(source.root)), "noise-1", 0, tmp_path / "out")
    sizes = {entry.id: (entry.width, entry.height) for entry in result.manifest.entries}
    assert sizes.pop("photo00") == (56, 40)
    assert sizes.pop("exif") == (30, 50)
    assert set(sizes.values()) == {(50, 30)}
    for sample in open_dataset(str(tmp_path / "out")).samples:
        clean, degraded = read_image(sample.reference), read_image(sample.image)
        assert sample.reference.read_bytes() == next(folder.glob(f"{sample.id}.*")).read_bytes()
        assert 2 < np.abs(clean.astype(int) - degraded).mean() < 8, sample.id


def test_photos_without_labels_stay_without(tmp_path):
    folder = tmp_path / "photos/trip"
    folder.mkdir(parents=True)
    definition = DEFINITION.format(layout="lq", count="null")
    folder.parent.joinpath("dataset.yaml").write_text(definition)
    make_photo(1, 30, 50).save(folder / "lake.jpg")
    source = open_dataset(str(tmp_path / "photos"))
    degrade_dataset(source, "jpeg-5", 0, tmp_path / "out")
    opened = open_dataset(str(tmp_path / "out"))
    assert [sample.id for sample in opened.samples] == ["trip/lake"]
    assert opened.recipes.keys() == {"trip/lake"}
    clean = (tmp_path / "out/clean/trip/lake.jpg").read_bytes()
    assert clean == (folder / "lake.jpg").read_bytes()
    assert not (tmp_path / "out/annotations").exists()


@pytest.mark.parametrize("seed", [-7, 10**30, -(10**4299)], ids=["-7", "1e30", "-1e4299"])
def test_a_degraded_sets_name_says_how_it_was_made(source, seed):
    """As its definition has it, and to the same recipes, for every seed that --seed takes."""
    spec = degraded_spec(source, PRESETS.get("noise-3"), seed)
    command = degrade_command(spec.name, spec.version, spec.splits[0].name)
    assert spec.obtain == f"Make it with `{command}`."
    ids = [sample.id for sample in source.samples]
    assert redraw_recipes(spec.name, spec.version, ids) == {
        one: sample_recipe(PRESETS.get("noise-3"), seed, one) for one in ids
    }


@pytest.mark.parametrize(
    ("name", "version", "shown"),
    [("scenes", "1.0", "scenes"), ("scenes", "9.0", "./scenes"), ("yard", "2.1", "./yard")],
)
def test_only_a_shipped_data_set_is_called_by_its_name(source, name, version, shown):
    """The shipped one wins over a folder of its name: it would be degraded in its place."""
    own = replace(source, spec=replace(source.spec, name=name, version=version))
    spec = degraded_spec(own, PRESETS.get("noise-3"), 0)
    command = degrade_command(spec.name, spec.version, "val")
    assert f"--dataset {shown} --split val" in command


def test_a_shell_takes_a_data_sets_name_in_the_command_for_one_word(source, tmp_path):
    name = "x $(touch pwned) `y` 'z'"
    hostile = replace(
        source,
        spec=replace(source.spec, name=name),
        split=replace(source.split, name="a; b"),
    )
    obtain = degraded_spec(hostile, PRESETS.get("noise-3"), 0).obtain
    command = obtain.removeprefix("Make it with `").removesuffix("`.")
    shown = subprocess.run(
        ["sh", "-c", command.replace("rass-bench", "printf '%s\\n'", 1)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    words = shown.stdout.splitlines()
    assert words[words.index("--dataset") + 1] == f"./{name}"
    assert words[words.index("--split") + 1] == "a; b"


@pytest.mark.parametrize(
    "version",
    ["1.0", "1.0-preset0.9-seed0", "1.0-preset1.0-seed" + "9" * 4301],
    ids=["clean", "another preset", "no number"],
)
def test_another_name_says_nothing(version):
    assert degrade_command("photos-noise-3", version, "val") is None
    assert redraw_recipes("photos-noise-3", version, ["a"]) is None
