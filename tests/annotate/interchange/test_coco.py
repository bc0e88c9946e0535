"""COCO instance files, with pycocotools as oracle."""

import json
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from rass_bench.annotate.interchange.coco import read_coco, write_coco
from rass_bench.annotate.interchange.coco_masks import uncompress
from rass_bench.annotate.interchange.photos import Photo
from rass_bench.errors import UserError
from rass_bench.labels import LabelEncoding, decode_labels, load_label_space

coco = pytest.importorskip("pycocotools.mask")
COCO = pytest.importorskip("pycocotools.coco").COCO

ADE = load_label_space("ade20k-150")
PHOTO = Photo("a.jpg", 6, 8)
IMAGE = {"id": 7, "file_name": "a.jpg", "height": 6, "width": 8}
SKY = {"id": 40, "name": "sky"}


def annotation(segmentation, **changes):
    return {"id": 1, "image_id": 7, "category_id": 40, "segmentation": segmentation, **changes}


def runs(mask):
    encoded = coco.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {"size": list(mask.shape), "counts": encoded["counts"].decode()}


def read(folder, *annotations, photos=(PHOTO,), **changes):
    document = {"images": [IMAGE], "annotations": list(annotations), "categories": [SKY]}
    path = folder / "coco.json"
    path.write_text(json.dumps({**document, **changes}))
    return list(read_coco(path, photos, ADE))


def read_one(folder, *annotations, **changes):
    ((photo, labels),) = read(folder, *annotations, **changes)
    assert photo == PHOTO
    return labels


masks = hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=20))


@settings(deadline=None)
@given(masks)
def test_compressed_counts_are_read_as_pycocotools_reads_them(mask):
    counts = uncompress(runs(mask)["counts"], mask.size)
    inside = np.arange(len(counts)) % 2 == 1
    assert np.array_equal(np.repeat(inside, counts).reshape(mask.shape, order="F"), mask)


@settings(deadline=None)
@given(st.text(max_size=30), st.integers(1, 10**6))
def test_any_other_text_is_refused_or_read_within_the_photo(noise, pixels):
    try:
        counts = uncompress(noise, pixels)
    except ValueError:
        return
    assert all(0 <= count <= pixels for count in counts)


POLYGON = [1.0, 1.0, 7.0, 1.5, 5.0, 5.5, 0.5, 4.0]
MASK = np.zeros((6, 8), bool)
MASK[1:4, 2:7] = True


def test_polygons_are_drawn_as_pycocotools_draws_them(tmp_path):
    both = [POLYGON, [6, 4, 8, 4, 8, 6, 6, 6]]
    oracle = coco.decode(coco.merge(coco.frPyObjects(both, 6, 8)))
    assert np.array_equal(read_one(tmp_path, annotation(both)) == 2, oracle)


def test_run_lengths_are_read_compressed_or_not_and_for_crowds(tmp_path):
    down_the_columns = MASK.T.reshape(-1)
    ends = np.flatnonzero(np.diff(down_the_columns)) + 1
    counts = np.diff([0, *ends, MASK.size]).tolist()
    plain = {"size": [6, 8], "counts": counts}
    assert coco.frPyObjects(plain, 6, 8)["counts"].decode() == runs(MASK)["counts"]
    for segmentation in (runs(MASK), plain):
        labels = read_one(tmp_path, annotation(segmentation, iscrowd=1))
        assert np.array_equal(labels == 2, MASK)
        assert (labels[~MASK] == 255).all()


def test_later_annotations_lie_on_top_and_ignore_hides(tmp_path):
    whole = runs(np.ones((6, 8), bool))
    categories = [SKY, {"id": 0, "name": "building;edifice"}, {"id": 3, "name": "ignore"}]
    drawn = [annotation(whole), annotation(runs(MASK), category_id=0, id=2)]
    hidden = annotation(runs(np.eye(6, 8, dtype=bool)), category_id=3, id=3)
    labels = read_one(tmp_path, *drawn, hidden, categories=categories)
    assert np.array_equal(labels, np.where(np.eye(6, 8), 255, np.where(MASK, 1, 2)))


def test_an_image_without_annotations_is_ignore_and_a_photo_without_image_does_not_come_back(
    tmp_path,
):
    labels = read_one(tmp_path, photos=[Photo("other.jpg", 2, 2), PHOTO])
    assert (labels == 255).all()


label_maps = hnp.arrays(
    np.uint8,
    hnp.array_shapes(min_dims=2, max_dims=2, max_side=9),
    elements=st.sampled_from([0, 1, 114, 130, 149, 255]),
)


@settings(deadline=None, max_examples=30)
@given(st.lists(label_maps, min_size=1, max_size=3))
def test_what_is_written_comes_back(tmp_path_factory, maps):
    path = tmp_path_factory.mktemp("coco") / "coco.json"
    photos = [Photo(f"f/{index}.jpg", *labels.shape) for index, labels in enumerate(maps)]
    write_coco(path, zip(photos, maps, strict=True), ADE)
    read_back = list(read_coco(path, photos, ADE))
    assert [photo for photo, _ in read_back] == photos
    assert all(
        np.array_equal(found, labels) for (_, found), labels in zip(read_back, maps, strict=True)
    )


def test_pycocotools_reads_real_masks_as_they_were_written(tmp_path, shared_data, capsys):
    folder = shared_data("ade20k150/annotations/validation")
    stored = {path.stem: np.asarray(Image.open(path)) for path in sorted(folder.glob("*.png"))[:3]}
    maps = [
        (Photo(f"{key}.jpg", *raw.shape), decode_labels(raw, LabelEncoding.ZERO_IS_IGNORE))
        for key, raw in stored.items()
    ]
    write_coco(tmp_path / "coco.json", maps, ADE)
    theirs = COCO(tmp_path / "coco.json")
    for image in theirs.dataset["images"]:
        raw = stored[image["file_name"].removesuffix(".jpg")]
        found = np.zeros_like(raw)
        for one in theirs.loadAnns(theirs.getAnnIds(image["id"])):
            mask = theirs.annToMask(one).astype(bool)
            found[mask] = one["category_id"]
            assert one["area"] == mask.sum()
            left, top, width, height = map(int, one["bbox"])
            assert mask[top : top + height, left : left + width].sum() == mask.sum()
        assert np.array_equal(found, raw)  # ADE20K's files hold class ids plus 1, too


@pytest.mark.parametrize(
    ("segmentation", "match"),
    [
        ({"size": [6, 8], "counts": ""}, "sum to 0, not to 48"),
        ({"size": [6, 8], "counts": "O"}, "a count is -1"),
        ({"size": [6, 8], "counts": "o" * 40}, "not compressed|unfinished"),
        ({"size": [6, 8], "counts": "é\x00"}, "not compressed"),
        ({"size": [6, 8], "counts": [40]}, "sum to 40"),
        ({"size": [6, 8], "counts": [50, -2]}, "whole numbers"),
        ({"size": [6, 8], "counts": [10**30]}, "whole numbers"),
        ({"size": [6, 8], "counts": [48.0]}, "whole numbers"),
        ({"size": [8, 6], "counts": [48]}, r"of size \[8, 6\], not \[6, 8\]"),
        ({"size": [10**5, 10**5], "counts": [10**10]}, "of size"),
        ({"counts": [48]}, "of size None"),
        ([], "0 polygons"),
        ([[1, 1, 2, 2]], "a polygon is"),
        ([[1, 1, 2, 2, 3]], "a polygon is"),
        ([[1, 1, 2, 2, 3, 1e9]], "y of a point"),
        ([[1, 1, 2, 2, float("nan"), 3]], "x of a point"),
        (["AAAAAA"], "a polygon is"),
        ([[0] * 20_002], "more than 10,000 points"),
        ([POLYGON] * 1001, "1001 polygons"),
        (None, "not a mapping"),
        ("rle", "not a mapping"),
    ],
)
def test_a_segmentation_that_does_not_fit_is_refused_with_its_annotation(
    tmp_path, segmentation, match
):
    with pytest.raises(UserError, match=match) as caught:
        read(tmp_path, annotation(segmentation, id=93))
    assert caught.value.where.endswith("coco.json, annotation 93")


@pytest.mark.parametrize(
    ("image", "match"),
    [
        ({"file_name": "../../etc/passwd"}, "no photo is named '../../etc/passwd'"),
        ({"file_name": "/a.jpg"}, "no photo is named '/a'"),
        ({"file_name": None}, "no photo is named"),
        ({"height": 8, "width": 6}, "the mask is 6 x 8 pixels, its photo 8 x 6"),
        ({"height": 10**9}, "the mask is 8 x 1000000000"),
        ({"height": None}, "the mask is 8 x None"),
        ({"id": "7"}, "the id '7'"),
    ],
)
def test_an_image_that_is_no_photo_is_refused(tmp_path, image, match):
    with pytest.raises(UserError, match=re.escape(match)) as caught:
        read(tmp_path, images=[{**IMAGE, **image}])
    assert "image 0" in caught.value.where


@pytest.mark.parametrize(
    ("category", "match"),
    [
        ({"id": 1, "name": "skyy"}, "no class of ade20k-150 is named 'skyy'"),
        ({"id": 1, "name": "screen"}, "means the classes"),
        ({"id": 1}, "the name is None"),
        ({"id": None, "name": "sky"}, "the id None"),
        ({"id": 40, "name": "sky"}, "the id 40 is no whole number of its own"),
    ],
)
def test_a_category_that_is_no_class_is_refused(tmp_path, category, match):
    with pytest.raises(UserError, match=match) as caught:
        read(tmp_path, categories=[SKY, category])
    assert "category 1" in caught.value.where


@pytest.mark.parametrize("category_id", [41, None, "40", [40], 40.5])
def test_an_unknown_category_id_is_refused_by_name(tmp_path, category_id):
    with pytest.raises(UserError, match=r"the category .* is not in the file") as caught:
        read(tmp_path, annotation([POLYGON], id=5, category_id=category_id))
    assert "annotation 5" in caught.value.where


@pytest.mark.parametrize("image_id", [8, None, "7", [7]])
def test_an_annotation_of_no_image_is_refused(tmp_path, image_id):
    with pytest.raises(UserError, match="which is not in the file"):
        read(tmp_path, annotation([POLYGON], image_id=image_id))


def test_two_images_of_one_photo_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"a second image of a\.jpg"):
        read(tmp_path, images=[IMAGE, {**IMAGE, "id": 8}])


def test_10_000_annotations_of_one_photo_are_refused(tmp_path):
    with pytest.raises(UserError, match="10000 annotations of one photo"):
        read(tmp_path, *[annotation(None)] * 10_000)


@pytest.mark.parametrize("key", ["images", "annotations", "categories"])
@pytest.mark.parametrize("value", [None, {}, [1], "x"])
def test_a_missing_or_malformed_list_is_refused(tmp_path, key, value):
    with pytest.raises(UserError, match=key):
        read(tmp_path, **{key: value})
