"""A data set's masks go out as COCO files, with pycocotools as oracle, and come back."""

import json

import numpy as np
import pytest
from PIL import Image

from rass_bench.annotate.export import export_masks
from rass_bench.annotate.guidelines import GUIDELINES_FILE
from rass_bench.annotate.imports import import_masks, load_imports, read_mask
from rass_bench.annotate.initialise import initialise
from rass_bench.annotate.interchange.formats import ExportFormat, MaskFormat
from rass_bench.data.dataset import open_dataset
from rass_bench.errors import UserError
from rass_bench.labels import load_label_space
from tests.builders import labelled_set

COCO = pytest.importorskip("pycocotools.coco").COCO

ADE = load_label_space("ade20k-150")


@pytest.fixture
def data(tmp_path):
    return labelled_set(tmp_path / "data", count=3)


def raw_masks(folder):
    """ADE20K's files, which hold class ids plus 1, by sample id."""
    return {
        path.relative_to(folder).with_suffix("").as_posix(): np.asarray(Image.open(path))
        for path in folder.rglob("*.png")
    }


def pycocotools_masks(path):
    """What COCO's own reader makes of a file: category ids by file name without suffix."""
    theirs = COCO(path)
    found = {}
    for image in theirs.loadImgs(theirs.getImgIds()):
        labels = np.zeros((image["height"], image["width"]), np.uint8)
        for one in theirs.loadAnns(theirs.getAnnIds(imgIds=image["id"])):
            mask = theirs.annToMask(one).astype(bool)
            assert not labels[mask].any()  # no pixel has two classes
            assert one["area"] == mask.sum()
            labels[mask] = one["category_id"]
        found[image["file_name"].rpartition(".")[0]] = labels
    return found


def assert_equal(found, expected):
    assert found.keys() == expected.keys()
    for key, labels in found.items():
        assert np.array_equal(labels, expected[key])


def test_pycocotools_reads_the_masks_of_a_data_set(data, tmp_path):
    count = export_masks(open_dataset(str(data)), ExportFormat.COCO, tmp_path / "out.json")
    assert count == 3
    assert_equal(pycocotools_masks(tmp_path / "out.json"), raw_masks(data / "annotations/test"))


def test_pycocotools_reads_real_masks(shared_data, tmp_path):
    root = shared_data("ade20k150")
    dataset = open_dataset("ade20k", root, "validation")
    export_masks(dataset, ExportFormat.COCO, tmp_path / "out.json")
    assert_equal(
        pycocotools_masks(tmp_path / "out.json"), raw_masks(root / "annotations/validation")
    )


def test_panoptic_colours_are_category_ids_and_the_file_says_so(data, tmp_path):
    out = tmp_path / "made" / "panoptic.json"
    assert export_masks(open_dataset(str(data)), ExportFormat.PANOPTIC, out) == 3
    document = json.loads(out.read_text())
    found = {}
    for image, annotation in zip(document["images"], document["annotations"], strict=True):
        assert annotation["image_id"] == image["id"]
        colours = np.asarray(Image.open(out.with_suffix("") / annotation["file_name"])).astype(int)
        numbers = colours @ [1, 256, 65536]
        labels = np.zeros_like(numbers)
        for segment in annotation["segments_info"]:
            assert segment["area"] == (numbers == segment["id"]).sum()
            labels[numbers == segment["id"]] = segment["category_id"]
        found[image["file_name"].removesuffix(".png")] = labels
    assert_equal(found, raw_masks(data / "annotations/test"))
    assert [path.name for path in sorted(out.parent.iterdir())] == ["panoptic", "panoptic.json"]


@pytest.mark.parametrize("name", ["coco", "panoptic"])
def test_what_went_out_comes_in_again(data, tmp_path, name):
    for folder in ("images/test", "annotations/test"):
        (data / folder / "more").mkdir()
        (data / folder / "p1.png").rename(data / folder / "more/p1.png")
    export_masks(open_dataset(str(data)), ExportFormat(name), tmp_path / "out.json")
    project = tmp_path / "project"
    project.mkdir()
    (project / GUIDELINES_FILE).touch()
    initialise(project, str(data))
    out = tmp_path / "out.json"
    report = import_masks(project, data / "images/test", out, MaskFormat(name), "ann")
    assert (report.added, report.without_mask) == (3, ())
    found = {one.sample: read_mask(project, one, ADE) for one in load_imports(project)}
    expected = raw_masks(data / "annotations/test")
    assert set(found) == {"p0", "more/p1", "p2"}
    assert_equal(found, {key: raw - np.uint8(1) for key, raw in expected.items()})


def test_photos_are_read_one_by_one_and_told(data, tmp_path):
    told = []
    (data / "annotations/test/p2.png").write_bytes(b"")  # not read before the others are told
    with pytest.raises(UserError):
        export_masks(
            open_dataset(str(data)),
            ExportFormat.COCO,
            tmp_path / "out.json",
            lambda: told.append(None),
        )
    assert len(told) == 2


@pytest.mark.parametrize("mask_format", ExportFormat)
@pytest.mark.parametrize("is_missing", [True, False])
def test_a_mask_that_cannot_be_used_is_named_and_nothing_is_left(
    data, tmp_path, mask_format, is_missing
):
    last = data / "annotations/test/p2.png"
    if is_missing:
        last.unlink()
    else:
        Image.fromarray(np.zeros((3, 3), np.uint8)).save(last)
    out = tmp_path / "out" / "masks.json"
    with pytest.raises(UserError, match=r"p2\.png"):
        export_masks(open_dataset(str(data)), mask_format, out)
    assert not out.parent.exists() or not list(out.parent.iterdir())


@pytest.mark.parametrize("mask_format", ExportFormat)
def test_a_file_that_exists_is_never_written_over(data, tmp_path, mask_format):
    out = tmp_path / "out.json"
    out.write_text("mine")
    with pytest.raises(UserError, match="exists already"):
        export_masks(open_dataset(str(data)), mask_format, out)
    assert out.read_text() == "mine"


def test_a_folder_in_the_place_of_the_segments_is_never_written_into(data, tmp_path):
    (tmp_path / "out").mkdir()
    dataset = open_dataset(str(data))
    with pytest.raises(UserError, match="exists already") as caught:
        export_masks(dataset, ExportFormat.PANOPTIC, tmp_path / "out.json")
    assert caught.value.where == str(tmp_path / "out")
    assert export_masks(dataset, ExportFormat.COCO, tmp_path / "out.json") == 3


@pytest.mark.parametrize("name", ["out", "out.png", "out.json.d"])
def test_another_suffix_is_refused(data, tmp_path, name):
    with pytest.raises(UserError, match=r"a \.json file"):
        export_masks(open_dataset(str(data)), ExportFormat.COCO, tmp_path / name)


def test_a_data_set_without_labels_is_refused(data, tmp_path):
    photos = open_dataset("photos", data / "images/test")
    with pytest.raises(UserError, match="no labels to export"):
        export_masks(photos, ExportFormat.COCO, tmp_path / "out.json")
    assert not (tmp_path / "out.json").exists()
