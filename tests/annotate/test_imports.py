"""Masks that were drawn elsewhere become one annotator's opinions in a project's folder."""

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from rass_bench.annotate.guidelines import GUIDELINES_FILE
from rass_bench.annotate.imports import (
    check_annotator,
    import_masks,
    imports_path,
    load_imports,
    read_mask,
)
from rass_bench.annotate.initialise import initialise
from rass_bench.annotate.interchange.formats import MaskFormat
from rass_bench.annotate.project import Project, Task, save_project
from rass_bench.errors import UserError
from rass_bench.files import alone_in, sha256_bytes, sha256_file
from rass_bench.labels import load_label_space
from tests.builders import labelled_set

ADE = load_label_space("ade20k-150")
HEIGHT, WIDTH = 12, 16
BOMB = {"size": [10**6, 10**6], "counts": [10**12]}


@pytest.fixture
def data(tmp_path):
    """Photos p0 to p3, and PNG masks that hold class ids plus 1."""
    return labelled_set(tmp_path / "data", size=(HEIGHT, WIDTH))


@pytest.fixture
def images(data):
    return data / "images/test"


@pytest.fixture
def masks(data):
    return data / "annotations/test"


@pytest.fixture
def project(tmp_path, data):
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / GUIDELINES_FILE).touch()
    initialise(folder, str(data))
    return folder


def raw_to_ids(path):
    raw = np.asarray(Image.open(path)).astype(int)
    return np.where(raw == 0, 255, raw - 1)


def save_raw(path, class_id, size=(HEIGHT, WIDTH)):
    Image.fromarray(np.full(size, class_id + 1, np.uint8)).save(path)


def content(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def import_png(project, images, masks, annotator="ann"):
    return import_masks(project, images, masks, MaskFormat.PNG, annotator)


def imported(project, annotator="ann"):
    """An annotator's masks by sample id."""
    return {
        one.sample: read_mask(project, one, ADE)
        for one in load_imports(project)
        if one.annotator == annotator
    }


def coco_document(images, annotations, category="sky"):
    """A COCO file of all photos."""
    return {
        "images": [
            {"id": index, "file_name": path.name, "height": HEIGHT, "width": WIDTH}
            for index, path in enumerate(sorted(images.iterdir()))
        ],
        "annotations": annotations,
        "categories": [{"id": 1, "name": category}],
    }


def square(image_id, segmentation=None):
    """An annotation: the first 4 x 4 pixels of an image, unless it is said otherwise."""
    polygon = [[0, 0, 4, 0, 4, 4, 0, 4]]
    return {
        "id": image_id,
        "image_id": image_id,
        "category_id": 1,
        "segmentation": polygon if segmentation is None else segmentation,
    }


def test_png_masks_come_in_by_the_projects_encoding(project, images, masks):
    report = import_png(project, images, masks)
    assert (report.added, report.replaced, report.unchanged) == (4, 0, 0)
    assert report.without_mask == ()
    found = imported(project)
    assert sorted(found) == ["p0", "p1", "p2", "p3"]
    for sample, labels in found.items():
        assert labels.dtype == np.uint8
        assert np.array_equal(labels, raw_to_ids(masks / f"{sample}.png"))


def test_a_project_that_counts_from_zero_reads_the_same_file_otherwise(project, images, masks):
    definition = project / "dataset.yaml"
    definition.write_text(definition.read_text().replace("zero-is-ignore", "contiguous"))
    import_png(project, images, masks)
    assert np.array_equal(imported(project)["p1"], np.asarray(Image.open(masks / "p1.png")))


def test_what_is_noted_leads_to_mask_and_photo_and_to_no_folder_of_the_machine(
    project, images, masks, tmp_path
):
    import_png(project, images, masks)
    first = load_imports(project)[0]
    assert (first.sample, first.annotator, first.source) == ("p0", "ann", "png test")
    assert (first.width, first.height) == (WIDTH, HEIGHT)
    assert first.mask == "imported/ann/p0.png"
    assert first.mask_sha256 == sha256_file(project / first.mask)
    assert first.source_sha256 == sha256_file(images / "p0.png")
    shown = np.asarray(Image.open(project / "files" / first.photo))
    assert np.array_equal(shown, np.asarray(Image.open(images / "p0.png")))
    assert str(tmp_path) not in imports_path(project).read_text()


def test_coco_polygons_come_in_and_photos_that_the_file_does_not_name_are_told(
    project, images, tmp_path
):
    document = coco_document(images, [square(0), square(2)])
    document["images"] = document["images"][:3]
    (tmp_path / "instances.json").write_text(json.dumps(document))
    report = import_masks(project, images, tmp_path / "instances.json", MaskFormat.COCO, "bob")
    assert (report.added, report.without_mask) == (3, ("p3",))
    found = imported(project, "bob")
    assert (found["p0"][:4, :4] == ADE.id_of("sky")).all()
    assert (found["p0"] != 255).sum() == 16
    assert (found["p1"] == 255).all()
    assert {one.source for one in load_imports(project)} == {"coco instances.json"}


def panoptic(path, folder, images, name="{}.png"):
    """A panoptic file in which every photo is one segment of sky."""
    folder.mkdir()
    document = coco_document(images, [])
    for image in document["images"]:
        png = name.format(image["id"])
        colours = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        colours[..., 1] = 1
        if (folder / png).parent == folder:
            Image.fromarray(colours).save(folder / png)
        segments = [{"id": 256, "category_id": 1}]
        entry = {"image_id": image["id"], "file_name": png, "segments_info": segments}
        document["annotations"].append(entry)
    path.write_text(json.dumps(document))


@pytest.mark.parametrize("folder", ["panoptic", "elsewhere"])
def test_panoptic_segments_lie_beside_their_file_or_where_it_is_said(
    project, images, tmp_path, folder
):
    path, segments = tmp_path / "panoptic.json", tmp_path / folder
    panoptic(path, segments, images)
    said = segments if folder == "elsewhere" else None
    import_masks(project, images, path, MaskFormat.PANOPTIC, "ann", segments=said)
    assert all((labels == ADE.id_of("sky")).all() for labels in imported(project).values())
    assert len(imported(project)) == 4


def labelme(folder, label="sky", **changes):
    """labelme's file of p0."""
    folder.mkdir()
    points = [[0, 0], [8, 0], [8, 4], [0, 4]]
    shape = {"label": label, "points": points, "shape_type": "polygon"}
    document = {"imageHeight": HEIGHT, "imageWidth": WIDTH, "shapes": [shape], **changes}
    (folder / "p0.json").write_text(json.dumps(document))


def test_labelme_polygons_come_in(project, images, tmp_path):
    labelme(tmp_path / "drawn")
    report = import_masks(project, images, tmp_path / "drawn", MaskFormat.LABELME, "eve")
    assert report.without_mask == ("p1", "p2", "p3")
    expected = np.full((HEIGHT, WIDTH), 255)
    expected[:4, :8] = ADE.id_of("sky")
    assert np.array_equal(imported(project, "eve")["p0"], expected)


def test_real_masks_come_in_as_they_are(project, shared_data):
    images = shared_data("ade20k150/images/validation")
    masks = shared_data("ade20k150/annotations/validation")
    report = import_png(project, images, masks)
    found = imported(project)
    assert report.added == len(found) == len(list(masks.glob("*.png")))
    for sample, labels in found.items():
        assert np.array_equal(labels, raw_to_ids(masks / f"{sample}.png"))


def test_a_photo_that_exif_turns_is_labelled_upright(project, tmp_path):
    (tmp_path / "turned").mkdir()
    (tmp_path / "drawn").mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6
    sideways = Image.fromarray(np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    sideways.save(tmp_path / "turned/a.jpg", exif=exif)
    save_raw(tmp_path / "drawn/a.png", 3, (WIDTH, HEIGHT))
    import_png(project, tmp_path / "turned", tmp_path / "drawn")
    (only,) = load_imports(project)
    assert (only.width, only.height) == (HEIGHT, WIDTH)
    assert Image.open(project / "files" / only.photo).size == (HEIGHT, WIDTH)


def test_photos_in_subfolders_keep_their_path_as_id(project, images, masks):
    for folder in (images, masks):
        (folder / "day 1").mkdir()
        (folder / "p0.png").rename(folder / "day 1/p0.png")
    import_png(project, images, masks)
    assert sorted(imported(project)) == ["day 1/p0", "p1", "p2", "p3"]


def test_importing_the_same_again_changes_nothing(project, images, masks):
    import_png(project, images, masks)
    before = content(project)
    report = import_png(project, images, masks)
    assert (report.added, report.replaced, report.unchanged) == (0, 0, 4)
    assert content(project) == before


def test_changed_masks_of_an_annotator_replace_the_earlier_ones_and_are_counted(
    project, images, masks
):
    import_png(project, images, masks)
    save_raw(masks / "p1.png", 5)
    (masks / "p3.png").unlink()
    report = import_png(project, images, masks)
    assert (report.added, report.replaced, report.unchanged) == (0, 1, 2)
    assert report.without_mask == ("p3",)
    found = imported(project)
    assert (found["p1"] == 5).all()
    assert "p3" in found  # what was imported earlier is kept


def test_two_annotators_stand_side_by_side_whoever_came_first(project, images, masks, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(project, other)
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    save_raw(theirs / "p0.png", 7)
    calls = [("ann", masks), ("bob", theirs)]
    for folder, order in ((project, calls), (other, calls[::-1])):
        for annotator, drawn in order:
            import_png(folder, images, drawn, annotator)
    assert imports_path(project).read_bytes() == imports_path(other).read_bytes()
    assert (imported(project, "bob")["p0"] == 7).all()
    assert np.array_equal(imported(project, "ann")["p0"], raw_to_ids(masks / "p0.png"))
    pairs = [(one.sample, one.annotator) for one in load_imports(project)]
    assert pairs == [("p0", "ann"), ("p0", "bob"), ("p1", "ann"), ("p2", "ann"), ("p3", "ann")]


def test_the_progress_is_told_once_for_each_mask(project, images, masks):
    told = []
    import_masks(project, images, masks, MaskFormat.PNG, "ann", advance=lambda: told.append(None))
    assert len(told) == 4


def hostile_png_of_no_photo(images, folder):
    folder.mkdir()
    save_raw(folder / "p0.png", 3)
    save_raw(folder / "stranger.png", 3)
    return MaskFormat.PNG, folder, "no photo is named 'stranger'"


def hostile_png_of_another_size(images, folder):
    folder.mkdir()
    save_raw(folder / "p0.png", 3)
    save_raw(folder / "p1.png", 3, (HEIGHT, WIDTH + 1))
    return MaskFormat.PNG, folder, "its photo 16 x 12"


def hostile_png_of_no_class(images, folder):
    folder.mkdir()
    save_raw(folder / "p0.png", 3)
    save_raw(folder / "p3.png", 150)
    return MaskFormat.PNG, folder, "label value 151"


def hostile_coco_bomb(images, path):
    path.write_text(json.dumps(coco_document(images, [square(0), square(3, BOMB)])))
    return MaskFormat.COCO, path, "run lengths of size"


def hostile_coco_path(images, path):
    document = coco_document(images, [])
    document["images"][3]["file_name"] = "../../p3.png"
    path.write_text(json.dumps(document))
    return MaskFormat.COCO, path, "no photo is named '../../p3'"


def hostile_coco_class(images, path):
    path.write_text(json.dumps(coco_document(images, [square(0)], category="<script>")))
    return MaskFormat.COCO, path, "no class of ade20k-150"


def hostile_panoptic_path(images, path):
    panoptic(path.with_suffix(".json"), path, images, name="../{}.png")
    return MaskFormat.PANOPTIC, path.with_suffix(".json"), "leads out of the folder"


def hostile_labelme_label(images, folder):
    labelme(folder, label="[red]")
    return MaskFormat.LABELME, folder, "no class of ade20k-150"


@pytest.mark.parametrize(
    "make",
    [
        hostile_png_of_no_photo,
        hostile_png_of_another_size,
        hostile_png_of_no_class,
        hostile_coco_bomb,
        hostile_coco_path,
        hostile_coco_class,
        hostile_panoptic_path,
        hostile_labelme_label,
    ],
)
@pytest.mark.parametrize("is_first", [True, False])
def test_what_is_refused_leaves_the_project_untouched(project, data, tmp_path, make, is_first):
    images = data / "images/test"
    if not is_first:
        import_png(project, images, data / "annotations/test")
    before = content(project)
    mask_format, path, match = make(images, tmp_path / "hostile")
    with pytest.raises(UserError, match=match):
        import_masks(project, images, path, mask_format, "ann")
    assert content(project) == before
    assert not (project / ".import").exists()


def test_a_photo_that_cannot_be_decoded_is_refused_though_its_size_can_be_read(
    project, images, masks
):
    noise = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    (images / "p3.png").unlink()
    Image.fromarray(noise).save(images / "p3.jpg")
    whole = (images / "p3.jpg").read_bytes()
    (images / "p3.jpg").write_bytes(whole[: len(whole) // 2])
    before = content(project)
    with pytest.raises(UserError, match="cannot be decoded") as caught:
        import_png(project, images, masks)
    assert caught.value.where.endswith("p3.jpg")
    assert content(project) == before


def test_another_photo_under_the_name_of_an_imported_one_is_refused(project, images, masks):
    import_png(project, images, masks)
    before = content(project)
    save_raw(images / "p2.png", 9)
    with pytest.raises(UserError, match="the photo differs") as caught:
        import_png(project, images, masks, "bob")
    assert caught.value.where == "sample p2"
    assert content(project) == before


def test_another_photo_under_the_name_of_a_pushed_one_is_refused(project, images, masks):
    pushed = Task("p2", 1, "photos/x.png", sha256_file(images / "p2.png"), WIDTH, HEIGHT)
    save_project(project, Project(1, "title", "0", 1, (pushed,)))
    import_png(project, images, masks)
    save_project(project, Project(1, "title", "0", 1, (replace(pushed, source_sha256="0"),)))
    imports_path(project).unlink()
    with pytest.raises(UserError, match="the photo differs"):
        import_png(project, images, masks)


def test_killed_while_masks_are_read_the_next_import_makes_it_whole(project, images, masks):
    script = (
        "import os, sys; from pathlib import Path\n"
        "from rass_bench.annotate.imports import import_masks\n"
        "from rass_bench.annotate.interchange.formats import MaskFormat\n"
        "die = lambda: os.kill(os.getpid(), 9)\n"
        "folders = map(Path, sys.argv[1:])\n"
        "import_masks(*folders, MaskFormat.PNG, 'ann', advance=die)\n"
    )
    command = [sys.executable, "-c", script, str(project), str(images), str(masks)]
    done = subprocess.run(command, check=False, cwd=Path(__file__).resolve().parents[2])
    assert done.returncode == -signal.SIGKILL
    assert load_imports(project) == ()
    assert import_png(project, images, masks).added == 4
    assert not (project / ".import").exists()
    assert len(imported(project)) == 4


def test_killed_before_changed_masks_are_noted_the_next_import_makes_it_whole(
    project, images, masks
):
    import_png(project, images, masks)
    noted = imports_path(project).read_bytes()
    save_raw(masks / "p1.png", 5)
    import_png(project, images, masks)
    imports_path(project).write_bytes(noted)
    with pytest.raises(UserError, match="was changed since it was imported"):
        imported(project)
    import_png(project, images, masks)
    assert (imported(project)["p1"] == 5).all()


def test_two_imports_at_a_time_are_refused(project, images, masks):
    with alone_in(project), pytest.raises(UserError, match="another process"):
        import_png(project, images, masks)


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", ".ann", "a/b", "../ann", "a b", "a\n", "é", "x" * 65, "[red]", "annotator-1"],
)
def test_a_name_that_is_no_annotators_is_refused(project, images, masks, name):
    before = content(project)
    with pytest.raises(UserError, match="annotator"):
        import_png(project, images, masks, name)
    assert content(project) == before


@given(st.text(max_size=70) | st.from_regex(r"[\w.-]{1,64}", fullmatch=True))
def test_a_name_that_is_accepted_is_a_folder_of_its_own(tmp_path_factory, name):
    try:
        check_annotator(name)
    except UserError:
        return
    parent = tmp_path_factory.getbasetemp()
    assert (parent / name).resolve().parent == parent.resolve()
    assert not name.startswith((".", "annotator-"))


@pytest.mark.parametrize("name", ["a", "ann.b-c_D9", "x" * 64, "annotator", "_", "-"])
def test_common_names_are_accepted(name):
    check_annotator(name)


def test_segments_of_other_formats_are_refused(project, images, masks):
    with pytest.raises(UserError, match="have no folder of segments"):
        import_masks(project, images, masks, MaskFormat.PNG, "ann", segments=masks)


def test_a_folder_that_is_no_project_is_refused_and_not_made(tmp_path, images, masks):
    with pytest.raises(UserError, match="no annotation project was begun"):
        import_png(tmp_path / "absent", images, masks)
    assert not (tmp_path / "absent").exists()


def test_a_project_without_labels_is_refused(project, images, masks):
    definition = project / "dataset.yaml"
    lines = definition.read_text().splitlines(keepends=True)
    definition.write_text("".join(line for line in lines if not line.startswith("label_")))
    with pytest.raises(UserError, match="has no label maps to make"):
        import_png(project, images, masks)


def test_a_name_that_no_json_file_can_hold_is_refused(project, images, masks, tmp_path):
    renamed = tmp_path / os.fsdecode(b"masks\xff")
    masks.rename(renamed)
    with pytest.raises(UserError, match="no UTF-8 file can hold"):
        import_png(project, images, renamed)


def edit(project, **changes):
    """Change what is noted of the first mask, as somebody with an editor could."""
    document = json.loads(imports_path(project).read_text())
    document["masks"][0] |= changes
    imports_path(project).write_text(json.dumps(document))


@pytest.mark.parametrize("mask", ["../secret.png", "/etc/hostname", "a\0"])
def test_a_mask_outside_the_project_is_not_read(project, images, masks, tmp_path, mask):
    import_png(project, images, masks)
    save_raw(tmp_path / "secret.png", 3)
    edit(project, mask=mask, mask_sha256=sha256_file(tmp_path / "secret.png"))
    with pytest.raises(UserError, match=r"leads out of the folder|can name no file"):
        imported(project)


def test_a_mask_of_another_size_or_of_no_class_is_not_read(project, images, masks):
    import_png(project, images, masks)
    first = load_imports(project)[0]
    with pytest.raises(UserError, match="the mask is 16 x 12 pixels, its photo 17 x 12"):
        read_mask(project, replace(first, width=17), ADE)
    save_raw(project / first.mask, 199)
    digest = sha256_bytes((project / first.mask).read_bytes())
    with pytest.raises(UserError, match="label value 200"):
        read_mask(project, replace(first, mask_sha256=digest), ADE)


def test_a_missing_mask_is_named(project, images, masks):
    import_png(project, images, masks)
    (project / "imported/ann/p2.png").unlink()
    with pytest.raises(UserError, match="is missing or was changed") as caught:
        imported(project)
    assert caught.value.where.endswith("imported/ann/p2.png")


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("[]", "states no schema version"),
        ('{"schema_version": 1, "masks": [{}]}', "malformed.*lacks the key 'sample'"),
        ('{"schema_version": 1, "masks": [], "more": 1}', "unknown key 'more'"),
        ('{"schema_version": 2, "masks": []}', "schema 2 is newer"),
        ("{", "no valid JSON"),
    ],
)
def test_a_list_that_cannot_be_used_is_refused(project, text, match):
    imports_path(project).write_text(text)
    with pytest.raises(UserError, match=match):
        load_imports(project)


def test_before_any_import_there_is_nothing(project):
    assert load_imports(project) == ()
