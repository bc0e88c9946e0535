"""What an annotator does on Label Studio's page is what a pull brings, to the pixel."""

import shutil

import numpy as np
import pytest
from playwright.sync_api import sync_playwright

from rass_bench.annotate.annotators import add_annotator
from rass_bench.annotate.compose import compose
from rass_bench.annotate.pull import pull
from rass_bench.annotate.push import push
from rass_bench.annotate.raw import read_annotation
from rass_bench.annotate.regions import read_regions
from rass_bench.data.manifest import Sample
from rass_bench.images import read_image
from rass_bench.labels import load_label_space
from tests.annotate.builders import Stripes
from tests.annotate.page import BRUSH, FLAGS, log_in

pytestmark = [pytest.mark.server, pytest.mark.browser]

ADE = load_label_space("ade20k-150")
PREDICTED = ("wall", "armchair", "river", "airplane", "food")
"""Classes that the model sees, by id."""

OWN = ("tasks.json", "pull.json", "annotations", "history", "unassigned", "labeling_config.xml")

HOSTILE = "<script>alert(1)</script><img src=nowhere onerror=alert(1)>"


@pytest.fixture(scope="module")
def browser():
    names = ("chromium", "chromium-browser", "google-chrome")
    program = next(filter(None, map(shutil.which, names)), None)
    if program is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    with sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=program, args=FLAGS)
        yield started
        started.close()


@pytest.fixture(scope="module")
def people(client, served):
    """The accounts of two annotators."""
    return [add_annotator(client, served, f"{name}@example.org") for name in ("ann", "bob")]


@pytest.fixture
def folder(served):
    """The served folder without what an earlier test noted in it: a project of its own."""
    for name in OWN:
        path = served / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    return served


@pytest.fixture
def enter(browser, client):
    """Log an annotator in, with a window that closes when the test ends."""
    opened = []

    def entered(account):
        opened.append(log_in(browser, client.url, account))
        return opened[-1]

    yield entered
    for one in opened:
        one.page.context.close()


@pytest.fixture
def photo(shared_data):
    """A real photo of 320 x 320 pixels."""
    return Sample("set/dog", shared_data("lq_realsrset") / "images/dog.png")


def predicted(sample):
    return Stripes.labels(read_image(sample.image))


def pulled(folder, state_entry, sample):
    """The regions of an annotation that was pulled."""
    height, width = read_image(sample.image).shape[:2]
    result = read_annotation(folder, state_entry)["result"]
    return read_regions(result, height, width, "test")


def composed(regions, sample):
    height, width = read_image(sample.image).shape[:2]
    return compose(regions, height, width, ADE, "test").labels


def distance_to_line(shape, start, end):
    """Distance of each pixel's centre to a horizontal line between two shares of the sides."""
    height, width = shape
    y, x = np.mgrid[:height, :width] + 0.5
    beside = np.maximum(start[0] * width - x, x - end[0] * width).clip(min=0)
    return np.hypot(beside, y - start[1] * height)


def shown_towards(pixels, sample, class_id):
    """How far the page moves the colours of a class's stripes towards the colour of the class."""
    rows, columns = pixels.shape[:2]
    image, labels = read_image(sample.image), predicted(sample)
    row = np.arange(rows) * image.shape[0] // rows
    column = np.arange(columns) * image.shape[1] // columns
    plain, inside = image[np.ix_(row, column)], labels[np.ix_(row, column)] == class_id
    moved = pixels[inside].astype(float) - plain[inside]
    wanted = np.array(ADE.classes[class_id].colour) - plain[inside].astype(float)
    return np.sum(moved * wanted) / np.sum(wanted * wanted)


def test_a_stroke_changes_its_own_pixels_and_no_others(client, folder, people, enter, photo):
    number = push(client, folder, [photo], ADE, segmenter=Stripes()).project_id
    page = enter(people[0])
    page.open_stream(number)
    assert page.regions == list(PREDICTED)
    before = page.pixels()
    for class_id in range(0, 150, 30):
        assert shown_towards(before, photo, class_id) > 0.3

    page.choose_by_filter("sea")
    assert page.chosen == ["sea"]
    start, end = (0.3, 0.6), (0.7, 0.6)
    page.draw(start, end)
    painted = page.pixels()
    page.take_eraser()
    page.draw((0.5, 0.5), (0.5, 0.7))
    erased = page.pixels()
    page.undo()
    restored = page.pixels()
    middle = tuple(int(share * side) for share, side in zip((0.6, 0.5), before.shape, strict=False))
    assert np.array_equal(erased[middle], before[middle])
    assert not np.array_equal(painted[middle], before[middle])
    half = len(before) // 2  # the slider of the tool in hand covers a corner of the upper half
    assert np.array_equal(restored[half:], painted[half:])
    page_pixels = before.shape[1] / read_image(photo.image).shape[1]
    page.submit()

    (entry,) = pull(client, folder).state.usable
    regions = pulled(folder, entry, photo)
    *untouched, drawn = regions
    assert [one.origin for one in untouched] == ["prediction"] * 5
    assert (drawn.origin, drawn.label) == ("manual", str(ADE.id_of("sea")))
    labels = predicted(photo)
    assert np.array_equal(composed(untouched, photo), labels)
    away, radius = distance_to_line(labels.shape, start, end), BRUSH / 2 / page_pixels
    final = composed(regions, photo)
    assert np.all(final[away < radius - 1] == ADE.id_of("sea"))
    assert np.array_equal(final[away > radius + 1], labels[away > radius + 1])
