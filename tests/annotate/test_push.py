"""What is pushed: photos as browsers show them, predictions as regions, in bounded requests."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from rass_bench.annotate import on_server as module
from rass_bench.annotate.compose import compose
from rass_bench.annotate.labeling_config import labeling_config
from rass_bench.annotate.on_server import batches
from rass_bench.annotate.photos import photo_url, serve_photo
from rass_bench.annotate.project import Task, load_config, load_project, new_project, save_project
from rass_bench.annotate.push import prediction_result, push
from rass_bench.annotate.regions import read_regions
from rass_bench.data.manifest import Sample
from rass_bench.errors import UserError
from rass_bench.files import alone_in
from rass_bench.images import read_image
from rass_bench.labels import load_label_space
from tests.annotate.answering import answering
from tests.annotate.builders import Stripes, photos
from tests.annotate.projects import begin

ADE = load_label_space("ade20k-150")
CAMVID = load_label_space("camvid-11")


def saved(path, mode="RGB", size=(6, 4), orientation=None, **options):
    rng = np.random.Generator(np.random.PCG64(1))
    image = Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), np.uint8)).convert(mode)
    if orientation:
        options["exif"] = Image.Exif()
        options["exif"][0x0112] = orientation
    image.save(path, **options)
    return Sample("a", path)


@pytest.mark.parametrize("name", ["p.jpg", "p.png", "p.webp"])
def test_a_plain_photo_is_served_byte_for_byte(tmp_path, name):
    sample = saved(tmp_path / name)
    served = serve_photo(sample, tmp_path / "files")
    assert (tmp_path / "files" / served.path).read_bytes() == sample.image.read_bytes()
    assert served.path.endswith(name[1:])
    assert (served.width, served.height) == (6, 4)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("turned.jpg", {"orientation": 6}),
        ("mirrored.png", {"orientation": 2}),
        ("print.jpg", {"mode": "CMYK"}),
        ("palette.png", {"mode": "P"}),
        ("clear.png", {"mode": "RGBA"}),
        ("scan.tif", {}),
        ("old.bmp", {}),
    ],
)
def test_any_other_photo_is_served_as_the_pixels_that_we_read(tmp_path, name, options):
    sample = saved(tmp_path / name, **options)
    served = serve_photo(sample, tmp_path / "files")
    shown = Image.open(tmp_path / "files" / served.path)
    assert (shown.format, shown.mode) == ("PNG", "RGB")
    assert not shown.getexif()
    pixels = read_image(sample.image)
    assert np.array_equal(np.asarray(shown), pixels)
    assert (served.height, served.width) == pixels.shape[:2]


def test_a_file_name_never_becomes_part_of_an_address(tmp_path):
    names = ["../../etc/passwd", '"><script>', "a?d=b#c", "%2e%2e"]
    path = tmp_path / "p.png"
    saved(path)
    for name in names:
        served = serve_photo(Sample(name, path), tmp_path / "files")
        assert served.url.startswith("/data/local-files/?d=photos/")
        assert (
            served.url.removeprefix("/data/local-files/?d=photos/").removesuffix(".png").isalnum()
        )
    assert len(list((tmp_path / "files").rglob("*.png"))) == 1
    assert photo_url("a b&c") == "/data/local-files/?d=a%20b%26c"


def test_a_photo_is_written_once(tmp_path):
    sample = saved(tmp_path / "p.png")
    served = serve_photo(sample, tmp_path / "files")
    before = (tmp_path / "files" / served.path).stat()
    assert serve_photo(sample, tmp_path / "files") == served
    assert (tmp_path / "files" / served.path).stat() == before


@given(
    hnp.arrays(
        np.uint8,
        st.tuples(st.integers(1, 9), st.integers(1, 9)),
        elements=st.sampled_from([0, 1, 7, 149, 255]),
    )
)
def test_a_prediction_comes_back_as_the_map_it_was(labels):
    result = prediction_result(labels, ADE)
    regions = read_regions(result, *labels.shape, "test")
    assert [region.label for region in regions] == [
        str(value) for value in sorted(set(labels.ravel().tolist()) - {255})
    ]
    composed = compose(regions, *labels.shape, ADE, "test")
    assert np.array_equal(composed.labels, labels)
    assert prediction_result(labels, ADE) == result


def test_label_studio_accepts_a_prediction():
    interface = pytest.importorskip("label_studio_sdk.label_interface")
    config = interface.LabelInterface(labeling_config(ADE))
    labels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    prediction = {"result": prediction_result(labels, ADE), "model_version": "m@1"}
    assert not config.validate_prediction(prediction, return_errors=True)


@given(st.lists(st.integers(0, 60), max_size=30))
def test_batches_are_whole_json_in_order_and_no_longer_than_allowed(lengths):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BATCH_BYTES", 50)
        patch.setattr(module, "BATCH_ITEMS", 4)
        items = [
            (str(index), json.dumps("x" * size).encode()) for index, size in enumerate(lengths)
        ]
        made = list(batches(iter(items)))
    assert [name for names, _ in made for name in names] == [name for name, _ in items]
    assert [value for _, body in made for value in json.loads(body)] == [
        json.loads(text) for _, text in items
    ]
    for names, body in made:
        assert len(names) <= 4
        assert len(body) <= 50 or len(names) == 1


def test_a_project_is_read_back(tmp_path):
    project = new_project(tmp_path, "name", labeling_config(CAMVID))
    task = Task("b", 2, "photos/x.png", "0" * 64, 4, 3)
    project = project.with_tasks([task, Task("a", 1, "photos/y.png", "1" * 64, 4, 3, "m@1")])
    save_project(tmp_path, project)
    assert load_project(tmp_path) == project
    assert [one.sample for one in project.tasks] == ["a", "b"]
    assert load_config(tmp_path) == labeling_config(CAMVID)


def test_two_projects_of_a_name_have_titles_of_their_own(tmp_path):
    config = labeling_config(CAMVID)
    titles = {new_project(tmp_path / str(index), "name", config).title for index in range(2)}
    assert len(titles) == 2


def test_damaged_or_missing_tasks_are_told(tmp_path):
    with pytest.raises(UserError, match="nothing was pushed"):
        load_project(tmp_path)
    (tmp_path / "tasks.json").write_text('{"schema_version": 1, "tasks": 3}')
    with pytest.raises(UserError, match="malformed"):
        load_project(tmp_path)


def test_a_model_of_other_classes_is_refused_before_anything_is_done(tmp_path):
    samples = photos(tmp_path / "photos", 1)
    with pytest.raises(UserError, match="predicts camvid-11, the project labels ade20k-150"):
        push(None, tmp_path / "p", samples, ADE, segmenter=Stripes(label_space="camvid-11"))
    assert not (tmp_path / "p").exists()


@pytest.mark.parametrize("pushed", [slice(2), slice(2, 3)], ids=["again", "new photos alone"])
def test_a_second_models_predictions_are_refused_before_anything_is_sent(tmp_path, pushed):
    samples = photos(tmp_path / "photos", 3)
    folder = begin(tmp_path / "project", samples[:2], prelabel="stripes@1")
    tasks = (folder / "tasks.json").read_bytes()
    with pytest.raises(UserError, match=r"predictions of stripes@1, not of stripes@2") as caught:
        push(None, folder, samples[pushed], ADE, segmenter=Stripes(revision="2"))
    assert "rass-bench annotate init --dir NEW" in caught.value.do
    assert (folder / "tasks.json").read_bytes() == tasks
    with answering({}) as client, pytest.raises(UserError, match="is gone from the server"):
        push(client, folder, samples[pushed], ADE, segmenter=Stripes(revision="1"))


def test_a_folder_labels_one_thing(tmp_path):
    new_project(tmp_path, "name", labeling_config(CAMVID))
    with pytest.raises(UserError, match="other labels than those of ade20k-150"):
        push(None, tmp_path, [], ADE)


def test_two_pushes_do_not_work_in_one_folder(tmp_path):
    with alone_in(tmp_path), pytest.raises(UserError, match="another process is writing here"):
        push(None, tmp_path, [], ADE)


def test_a_configuration_that_is_no_text_is_named(tmp_path):
    (tmp_path / "labeling_config.xml").write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match=r"no UTF-8 text .*labeling_config\.xml"):
        push(None, tmp_path, [], ADE)
