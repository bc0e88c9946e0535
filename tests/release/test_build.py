"""What a release holds: the files' own bytes, what is known of them, and nothing unlicensed."""

import io
import json
import os
import struct
import subprocess
import sys
import zlib
from dataclasses import replace

import datasets
import mlcroissant
import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import ExifTags, Image

from rass_bench.annotate.policy import load_policy
from rass_bench.annotate.provenance import Contribution, MaskProvenance, write_provenance
from rass_bench.data.dataset import build_manifest, open_dataset
from rass_bench.data.manifest import load_manifest
from rass_bench.data.spec import load_spec
from rass_bench.degrade.apply import apply
from rass_bench.degrade.dataset import degrade_dataset
from rass_bench.degrade.recipe import from_json
from rass_bench.errors import UserError
from rass_bench.files import canonical_json, sha256_bytes, sha256_file
from rass_bench.images import read_image
from rass_bench.release.build import build_release
from rass_bench.release.check import check_release
from rass_bench.release.shards import plan_shards, write_parquet
from rass_bench.release.source import open_source
from tests.builders import labelled_set


@pytest.fixture
def data(tmp_path):
    return labelled_set(tmp_path / "data")


def release(data, out, **options):
    return build_release(open_source(str(data)), out, **options)


def rows_of(folder, split="test"):
    """All rows by sample id, as a plain parquet reader sees them."""
    shards = sorted((folder / "data").glob(f"{split}-*.parquet"))
    return {row["id"]: row for shard in shards for row in pq.read_table(shard).to_pylist()}


def redefine(data, **entries):
    definition = data / "dataset.yaml"
    definition.write_text(yaml.safe_dump(yaml.safe_load(definition.read_text()) | entries))


def tree(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_folder_holds_what_a_reader_needs(data, tmp_path):
    release(data, tmp_path / "out")
    assert sorted(tree(tmp_path / "out")) == [
        "README.md",
        "SHA256SUMS",
        "croissant.json",
        "data/test-00000-of-00001.parquet",
        "dataset.yaml",
        "manifest-test.json",
    ]


def test_photos_and_masks_keep_their_own_bytes(data, tmp_path):
    release(data, tmp_path / "out")
    rows = rows_of(tmp_path / "out")
    assert sorted(rows) == ["p0", "p1", "p2", "p3"]
    for name, row in rows.items():
        assert row["image"]["bytes"] == (data / f"images/test/{name}.png").read_bytes()
        assert row["label"]["bytes"] == (data / f"annotations/test/{name}.png").read_bytes()
        assert row["image_sha256"] == sha256_file(data / f"images/test/{name}.png")
        assert (row["width"], row["height"]) == (16, 12)


def test_the_released_files_are_the_data_set_with_the_same_identity(data, tmp_path):
    release(data, tmp_path / "out")
    released = load_manifest(tmp_path / "out/manifest-test.json")
    assert released == build_manifest(open_dataset(str(data)))
    assert load_spec(str(tmp_path / "out")) == load_spec(str(data))


def test_the_package_datasets_decodes_the_pixels_that_were_drawn(data, tmp_path):
    """The oracle is how `labelled_set` draws: class 20 + i at the left, 40 at the right."""
    release(data, tmp_path / "out")
    loaded = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert list(loaded) == ["test"]
    for index, row in enumerate(loaded["test"]):
        ids = np.full((12, 16), 40)
        ids[:, :8] = 20 + index
        assert np.array_equal(np.asarray(row["image"]), np.stack([ids, ids // 2, 255 - ids], 2))
        ids[0] = -1
        assert np.array_equal(np.asarray(row["label"]), ids + 1)


def test_loading_refuses_another_number_of_samples(data, tmp_path):
    release(data, tmp_path / "out")
    card = tmp_path / "out/README.md"
    card.write_text(card.read_text().replace("num_examples: 4", "num_examples: 5"))
    with pytest.raises(datasets.exceptions.NonMatchingSplitsSizesError):
        datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))


def test_croissant_reads_the_same_bytes(data, tmp_path):
    release(data, tmp_path / "out", shard_bytes=500)
    described = mlcroissant.Dataset(jsonld=tmp_path / "out/croissant.json")
    assert not described.metadata.issues.errors
    records = {bytes(one["test/id"]).decode(): one for one in described.records("test")}
    assert sorted(records) == ["p0", "p1", "p2", "p3"]
    for name, record in records.items():
        expected = read_image(data / f"images/test/{name}.png")
        assert np.array_equal(np.asarray(record["test/image"]), expected)
        assert record["test/width"] == 16


def test_the_card_tells_licence_sizes_and_files(data, tmp_path):
    redefine(data, licence="cc by-sa 4.0", citation="Nobody, 2026")
    release(data, tmp_path / "out")
    _, front, body = (tmp_path / "out/README.md").read_text().split("---\n", 2)
    metadata = yaml.safe_load(front)
    assert metadata["license"] == "cc-by-sa-4.0"
    assert metadata["task_categories"] == ["image-segmentation"]
    assert metadata["size_categories"] == ["n<1K"]
    kinds = {one["name"]: one["dtype"] for one in metadata["dataset_info"]["features"]}
    assert (kinds["image"], kinds["label"], kinds["width"]) == ("image", "image", "int32")
    assert "Nobody, 2026" in body
    assert "https://spdx.org/licenses/CC-BY-SA-4.0.html" in body
    assert "21 car" in body, "ADE20K's car has id 20, and files that ignore 0 store 21"


def test_the_data_sets_own_card_goes_along_without_pictures_of_elsewhere(data, tmp_path):
    (data / "README.md").write_text("# tiny\n\nDrawn by hand.\n\n![all](../all.png)\n\nMore.\n")
    release(data, tmp_path / "out")
    assert "Drawn by hand.\n\nMore.\n" in (tmp_path / "out/README.md").read_text()


def test_words_of_a_definition_stay_words(data, tmp_path):
    redefine(data, title="<script>alert(1)</script>\n---\nlicense: mit", homepage="a: [b")
    release(data, tmp_path / "out")
    _, front, body = (tmp_path / "out/README.md").read_text().split("---\n", 2)
    assert yaml.safe_load(front)["license"] == "cc0-1.0"
    assert "<script>" not in body
    assert check_release(tmp_path / "out") == []


def test_all_splits_are_released_unless_one_is_named(data, tmp_path):
    for folder in ("images", "annotations"):
        (data / folder / "extra").mkdir()
        (data / folder / "extra/q.png").write_bytes((data / folder / "test/p0.png").read_bytes())
    redefine(data, splits={"test": 4, "extra": 1})
    release(data, tmp_path / "both")
    assert (len(rows_of(tmp_path / "both")), len(rows_of(tmp_path / "both", "extra"))) == (4, 1)
    build_release(open_source(str(data), splits=["extra"]), tmp_path / "one")
    assert [one.name for one in load_spec(str(tmp_path / "one")).splits] == ["extra"]
    assert check_release(tmp_path / "both", open_source(str(data))) == []
    assert check_release(tmp_path / "one", open_source(str(data))) == []


def test_a_turned_photo_keeps_its_bytes_and_is_described_upright(data, tmp_path):
    photo = data / "images/test/p0.png"
    with Image.open(photo) as image:
        sideways = image.transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    sideways.save(photo.with_suffix(".jpg"), exif=exif, quality=95)
    photo.unlink()
    release(data, tmp_path / "out")
    row = rows_of(tmp_path / "out")["p0"]
    assert row["image"]["bytes"] == photo.with_suffix(".jpg").read_bytes()
    assert (row["width"], row["height"]) == (16, 12)
    assert check_release(tmp_path / "out", open_source(str(data))) == []


@pytest.mark.parametrize("mode", ["L", "I;16"])
def test_a_mask_of_another_format_becomes_a_png_of_the_same_values(data, tmp_path, mode):
    mask = data / "annotations/test/p0.png"
    values = np.asarray(Image.open(mask))
    Image.fromarray(values.astype(np.uint16 if mode == "I;16" else np.uint8)).save(
        mask.with_suffix(".tif")
    )
    mask.unlink()
    release(data, tmp_path / "out")
    stored = rows_of(tmp_path / "out")["p0"]["label"]
    image = Image.open(io.BytesIO(stored["bytes"]))
    assert (image.format, image.mode) == ("PNG", "L")
    assert np.array_equal(np.asarray(image), values)
    assert stored["path"].endswith("p0.png")
    assert check_release(tmp_path / "out", open_source(str(data))) == []


def test_a_degraded_set_has_recipes_that_make_its_photos_from_its_clean_ones(data, tmp_path):
    degraded = tmp_path / "degraded"
    degrade_dataset(open_dataset(str(data)), "rass", 7, degraded)
    release(degraded, tmp_path / "out")
    for name, row in rows_of(tmp_path / "out").items():
        assert row["reference"]["bytes"] == (data / f"images/test/{name}.png").read_bytes()
        clean = np.asarray(Image.open(io.BytesIO(row["reference"]["bytes"])))
        rebuilt = apply(from_json(json.loads(row["recipe"]), name), clean)
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(row["image"]["bytes"]))), rebuilt)
    assert check_release(tmp_path / "out", open_source(str(degraded))) == []


def annotate(data, **changes):
    """Give each mask of a data set its provenance, as `annotate build` does."""
    work = Contribution(
        annotator="annotator-1",
        sha256="0" * 64,
        annotation_id=7,
        updated_at="2026-01-01T00:00:00Z",
        seconds=60.0,
        origins={"manual": 1.0},
        untouched=False,
        source=None,
    )
    masks = tuple(
        MaskProvenance(
            sample=path.stem,
            mask_sha256=sha256_file(path),
            source_sha256=sha256_file(data / "images/test" / path.name),
            made_by="single",
            prelabel=None,
            contributions=(work,),
            overruled=(),
        )
        for path in sorted((data / "annotations/test").iterdir())
    )
    facts = {"dataset": "tiny@1.0", **changes}
    write_provenance(data, facts["dataset"], None, load_policy(), masks=masks, left_out=())


def test_an_annotated_set_tells_where_each_mask_comes_from(data, tmp_path):
    annotate(data)
    release(data, tmp_path / "out")
    for name, row in rows_of(tmp_path / "out").items():
        told = json.loads(row["provenance"])
        assert told["sample"] == name
        assert told["mask_sha256"] == row["label_sha256"]
        assert told["contributions"][0]["annotator"] == "annotator-1"
    copied = (tmp_path / "out/provenance.json").read_bytes()
    assert copied == (data / "provenance.json").read_bytes()
    assert check_release(tmp_path / "out", open_source(str(data))) == []


def test_a_mask_that_was_changed_since_its_provenance_is_refused(data, tmp_path):
    annotate(data)
    masks = data / "annotations/test"
    (masks / "p0.png").write_bytes((masks / "p2.png").read_bytes())
    with pytest.raises(UserError, match=r"changed since its provenance.*p0\.png"):
        release(data, tmp_path / "out")


def test_provenance_of_another_data_set_is_refused(data):
    annotate(data, dataset="huge@3.0")
    with pytest.raises(UserError, match=r"that of 'huge@3\.0', not of tiny@1\.0"):
        open_source(str(data))


def test_without_a_licence_that_allows_it_no_pixel_is_released(data, tmp_path):
    redefine(data, licence="research only", obtain="Ask the authors.")
    degraded = tmp_path / "degraded"
    degrade_dataset(open_dataset(str(data)), "rass", 7, degraded)
    made = release(degraded, tmp_path / "out")
    assert made.licence is None
    released = b"".join(tree(tmp_path / "out").values())
    assert b"\x89PNG" not in released
    schema = pq.read_schema(next((tmp_path / "out/data").iterdir()))
    assert not [field for field in schema if "binary" in str(field.type)]
    row = rows_of(tmp_path / "out")["p0"]
    assert row["image_sha256"] == sha256_file(degraded / "images/test/p0.png")
    assert row["label_sha256"] == sha256_file(data / "annotations/test/p0.png")
    assert json.loads(row["recipe"])["seed"] == 7
    card = (tmp_path / "out/README.md").read_text()
    assert "license: other" in card
    assert "rass-bench degrade --dataset ./tiny --split test --preset rass --seed 7" in card


def test_the_described_files_can_be_made_again_from_the_release_without_pixels(data, tmp_path):
    """Clean photos and the recipes of the release give the files that its hashes describe."""
    redefine(data, licence="research only")
    degraded = tmp_path / "degraded"
    degrade_dataset(open_dataset(str(data)), "rass", 7, degraded)
    release(degraded, tmp_path / "out")
    again = tmp_path / "again"
    degrade_dataset(open_dataset(str(data)), "rass", 7, again)
    files = open_source(str(tmp_path / "out"), again)
    assert check_release(tmp_path / "out", files) == []


def test_the_same_data_give_the_same_bytes_in_another_process(data, tmp_path):
    release(data, tmp_path / "one", shard_bytes=500)
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from rass_bench.release.build import build_release\n"
        "from rass_bench.release.source import open_source\n"
        "build_release(open_source(sys.argv[1]), Path(sys.argv[2]), shard_bytes=500)\n"
    )
    subprocess.run(
        [sys.executable, "-c", script, str(data), str(tmp_path / "other")],
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "123", "TZ": "Asia/Tokyo"},
    )
    assert tree(tmp_path / "one") == tree(tmp_path / "other")


def test_shards_are_cut_before_they_are_too_large(data, tmp_path):
    samples = open_dataset(str(data)).samples
    sizes = [one.image.stat().st_size + one.label.stat().st_size for one in samples]
    assert [len(part) for part in plan_shards(samples, sum(sizes))] == [4]
    assert [len(part) for part in plan_shards(samples, sum(sizes[:2]))] == [2, 2]
    assert [len(part) for part in plan_shards(samples, 1)] == [1, 1, 1, 1]
    release(data, tmp_path / "out", shard_bytes=sum(sizes[:2]))
    names = sorted(path.name for path in (tmp_path / "out/data").iterdir())
    assert names == ["test-00000-of-00002.parquet", "test-00001-of-00002.parquet"]


def test_rows_are_written_in_groups_as_they_come(tmp_path, monkeypatch):
    """Memory holds one group: no row is asked for before those of full groups are written."""
    monkeypatch.setattr("rass_bench.release.shards.GROUP_BYTES", 1_000_000)
    schema = datasets.Features({"image": datasets.Image()}).arrow_schema
    path = tmp_path / "shard.parquet"
    written = []

    def rows():
        for _ in range(12):
            written.append(path.stat().st_size)
            yield {"image": {"bytes": os.urandom(300_000), "path": "a"}}

    write_parquet(path, rows(), schema)
    assert pq.read_metadata(path).num_row_groups == 3
    assert written[4] > 1_200_000, "the first four rows were on disk before the fifth was read"


def test_a_build_that_fails_leaves_nothing(data, tmp_path):
    (data / "images/test/p3.png").write_bytes(b"torn")
    out = tmp_path / "releases/out"
    with pytest.raises(UserError, match=r"p3\.png"):
        release(data, out)
    assert list(out.parent.iterdir()) == []


def test_a_folder_that_exists_is_left_alone(data, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(UserError, match="the folder exists"):
        release(data, out)


def test_a_folder_that_could_not_be_loaded_by_its_name_is_refused(data, tmp_path):
    with pytest.raises(UserError, match=r"for a pattern.*out\[1\]"):
        release(data, tmp_path / "out[1]")


def test_an_incomplete_data_set_is_refused(data):
    (data / "images/test/p3.png").unlink()
    with pytest.raises(UserError, match=r"1 of 4 photos of the split test are missing"):
        open_source(str(data))


def test_a_photo_without_its_mask_is_refused_by_name(data, tmp_path):
    (data / "annotations/test/p2.png").unlink()
    with pytest.raises(UserError, match=r"not found.*annotations/test/p2\.png"):
        release(data, tmp_path / "out")


def test_a_mask_of_another_size_is_refused_by_name(data, tmp_path):
    Image.new("L", (15, 12)).save(data / "annotations/test/p2.png")
    with pytest.raises(UserError, match=r"15 x 12 pixels, the photo 16 x 12.*p2\.png"):
        release(data, tmp_path / "out")


def huge_png(width, height):
    """A PNG that declares many pixels and holds none."""

    def chunk(kind, content):
        return (
            struct.pack(">I", len(content))
            + kind
            + content
            + struct.pack(">I", zlib.crc32(kind + content))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize("side", [14_000, 60_000])
def test_a_huge_image_is_refused_by_name(data, tmp_path, side):
    (data / "images/test/p1.png").write_bytes(huge_png(side, side))
    with pytest.raises(UserError, match=rf"{side * side} pixels.*p1\.png"):
        release(data, tmp_path / "out")


def test_a_huge_file_is_refused_by_name(data, tmp_path):
    with (data / "images/test/p1.png").open("r+b") as photo:
        photo.truncate((1 << 30) + 1)  # sparse: it takes no room
    with pytest.raises(UserError, match=r"has 1,073,741,825 bytes.*p1\.png"):
        release(data, tmp_path / "out")


def test_a_link_that_leads_out_of_the_data_set_is_refused_by_name(data, tmp_path):
    photo = data / "images/test/p1.png"
    photo.rename(tmp_path / "private.png")
    photo.symlink_to(tmp_path / "private.png")
    with pytest.raises(UserError, match=r"images/test/p1\.png' leads out of the folder"):
        release(data, tmp_path / "out")


@pytest.mark.parametrize("name", ["../p1", "a/../../p1", "/etc/p1"])
def test_a_sample_id_that_leads_out_is_refused_by_name(data, tmp_path, name):
    """Ids come from file names, which cannot say so; a caller's samples can."""
    source = open_source(str(data))
    (opened,) = source.splits
    samples = (replace(opened.samples[0], id=name), *opened.samples[1:])
    hostile = replace(source, splits=(replace(opened, samples=samples),))
    with pytest.raises(UserError, match=rf"the sample id '{name}' leads out"):
        build_release(hostile, tmp_path / "out")


def test_a_split_that_the_hub_does_not_take_is_refused(data):
    for folder in ("images", "annotations"):
        (data / folder / "test").rename(data / folder / "my test")
    redefine(data, splits={"my test": 4})
    with pytest.raises(UserError, match=r"no split named 'my test'"):
        open_source(str(data))


def test_the_identity_in_the_manifest_is_that_of_its_hashes(data, tmp_path):
    release(data, tmp_path / "out")
    stated = json.loads((tmp_path / "out/manifest-test.json").read_text())
    rows = rows_of(tmp_path / "out")
    facts = [
        [name, row["image_sha256"], row["label_sha256"], None] for name, row in sorted(rows.items())
    ]
    assert stated["sha256"] == sha256_bytes(canonical_json(facts))


def test_pairs_are_released_with_their_references(tmp_path, data):
    low, high = tmp_path / "pairs/test_LR", tmp_path / "pairs/test_HR"
    low.mkdir(parents=True)
    high.mkdir()
    Image.new("RGB", (4, 3), "red").save(low / "a.png")
    Image.new("RGB", (16, 12), "red").save(high / "a.png")
    entries = yaml.safe_load((data / "dataset.yaml").read_text())
    entries |= {"layout": "pairs", "scale": 4, "splits": {"test": 1}}
    del entries["label_space"], entries["label_encoding"]
    (tmp_path / "pairs/dataset.yaml").write_text(yaml.safe_dump(entries))
    release(tmp_path / "pairs", tmp_path / "out")
    (row,) = rows_of(tmp_path / "out").values()
    assert "label" not in row
    assert row["reference"]["bytes"] == (high / "a.png").read_bytes()
    assert check_release(tmp_path / "out", open_source(str(tmp_path / "pairs"))) == []


def test_memory_does_not_grow_with_the_data(tmp_path):
    """100 photos of 0.8 MB take no more memory than 10, with groups of 1 MB."""
    generator = np.random.default_rng(0)
    noise = generator.integers(0, 256, (520, 520, 3), dtype=np.uint8)
    for name, count in (("few", 10), ("many", 100)):
        folder = tmp_path / name / "images"
        folder.mkdir(parents=True)
        for index in range(count):
            Image.fromarray(np.roll(noise, index, axis=0)).save(folder / f"{index:03}.bmp")
        (folder.parent / "dataset.yaml").write_text(
            "{name: noise, version: '1', title: noise, layout: lq, splits: {test: null}, "
            "licence: MIT, homepage: none, obtain: none}"
        )
    script = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from rass_bench.release import shards\n"
        "from rass_bench.release.build import build_release\n"
        "from rass_bench.release.source import open_source\n"
        "shards.GROUP_BYTES = 1_000_000\n"
        "for data in sys.argv[1:]:\n"
        "    build_release(open_source(data), Path(data) / 'out')\n"
        "    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "few"), str(tmp_path / "many")],
        check=True,
        capture_output=True,
        text=True,
    )
    few, many = (int(line) * 1024 for line in done.stdout.split())
    assert (tmp_path / "many/out/data/test-00000-of-00001.parquet").stat().st_size > 80e6
    assert many - few < 30e6
