"""What an annotator does on Label Studio's page is what a pull brings, to the pixel."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from playwright.sync_api import expect

from rass_bench.annotate.annotators import add_annotator
from rass_bench.annotate.client import Client
from rass_bench.annotate.compose import compose
from rass_bench.annotate.project import load_project
from rass_bench.annotate.pull import pull
from rass_bench.annotate.push import push
from rass_bench.annotate.raw import read_annotation
from rass_bench.annotate.regions import read_regions
from rass_bench.data.manifest import Sample
from rass_bench.images import read_image
from rass_bench.labels import load_label_space
from tests.annotate.builders import Stripes, region
from tests.annotate.page import BRUSH, log_in

pytestmark = [pytest.mark.server, pytest.mark.browser]

ADE = load_label_space("ade20k-150")
PREDICTED = ("wall", "armchair", "river", "airplane", "food")
"""Classes that the model sees, by id."""

OWN = ("tasks.json", "pull.json", "annotations", "history", "unassigned", "labeling_config.xml")

HOSTILE = "<script>alert(1)</script><img src=nowhere onerror=alert(1)>"


@pytest.fixture(scope="module")
def people(client, served):
    """The accounts of two annotators."""
    names = ("ann", "bob")
    return {name: add_annotator(client, served, f"{name}@example.org") for name in names}


@pytest.fixture
def folder(served):
    """The served folder without what an earlier test noted in it: a project of its own."""
    for name in OWN:
        path = served / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    return served


@pytest.fixture
def enter(browser, client, people):
    """Log an annotator in, with a window that closes when the test ends."""
    opened = []

    def entered(name):
        opened.append(log_in(browser, client.url, people[name]))
        return opened[-1]

    yield entered
    for one in opened:
        one.tab.context.close()


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


def test_a_stroke_changes_its_own_pixels_and_no_others(client, folder, enter, photo):
    number = push(client, folder, [photo], ADE, segmenter=Stripes()).project_id
    page = enter("ann")
    page.open_stream(number)
    expect(page.regions).to_have_text(PREDICTED)
    before = page.pixels()
    for class_id in range(0, 150, 30):
        assert shown_towards(before, photo, class_id) > 0.3

    page.choose_by_filter("sea")
    expect(page.chosen).to_have_text("sea")
    start, end = (0.3, 0.6), (0.7, 0.6)
    page.draw(start, end)
    painted = page.pixels()
    page.take_eraser()
    page.draw((0.5, 0.5), (0.5, 0.7))
    erased = page.pixels()
    page.undo()
    restored = page.pixels()
    middle = int(0.6 * before.shape[0]), int(0.5 * before.shape[1])
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


def test_a_second_annotator_sees_no_work_of_the_first(client, folder, people, enter, photo):
    number = push(client, folder, [photo], ADE, annotators=2, segmenter=Stripes()).project_id
    (task,) = load_project(folder).tasks
    first = region("20", predicted(photo) == 0, id="of the first")
    with Client(client.url, people["ann"].token) as own:
        body = {"result": [first], "lead_time": 9.0}
        own.post(f"/api/tasks/{task.task_id}/annotations/", body)

    page = enter("bob")
    page.open_stream(number)
    assert (page.task["id"], page.task["annotations"]) == (task.task_id, [])
    expect(page.regions).to_have_text(PREDICTED)
    page.press("a")
    expect(page.chosen).to_have_text("person")
    page.draw((0.2, 0.2), (0.2, 0.4))
    page.submit()

    entries = pull(client, folder).state.usable
    assert len({one.annotator for one in entries} - {None}) == 2
    works = [pulled(folder, one, photo) for one in entries]
    assert [[one.label for one in work if one.origin != "prediction"] for work in works] == [
        ["20"],
        [str(ADE.id_of("person"))],
    ]


def test_the_page_asks_nobody_but_the_server(client, folder, enter, photo):
    number = push(client, folder, [photo], ADE, segmenter=Stripes()).project_id
    page = enter("ann")
    page.open_stream(number)
    page.skip()
    (entry,) = pull(client, folder).state.annotations
    assert entry.is_skipped
    assert [url for url in page.requests if "/data/local-files/" in url]
    assert page.strangers == []
    # What is asked would have been seen, though it gets no answer.
    page.tab.evaluate("() => fetch('https://example.org/').catch(() => null)")
    assert page.strangers == ["https://example.org/"]


def test_names_that_hold_scripts_are_shown_as_text(client, folder, enter, photo, tmp_path):
    sample = Sample(f"set/{HOSTILE}", tmp_path / f"{HOSTILE}.png")
    sample.image.parent.mkdir()
    sample.image.write_bytes(photo.image.read_bytes())
    hostile = replace(ADE.classes[0], name=HOSTILE, synonyms=(HOSTILE * 2,))
    space = replace(ADE, classes=(hostile, *ADE.classes[1:]))
    number = push(client, folder, [sample], space, segmenter=Stripes()).project_id
    (task,) = load_project(folder).tasks

    page = enter("ann")
    page.open_task(number, task.task_id)
    expect(page.tab.get_by_role("heading", name=sample.id, exact=True)).to_be_visible()
    expect(page.regions.first).to_have_text(HOSTILE)
    page.label(HOSTILE).hover()
    expect(page.tab.get_by_text(HOSTILE * 2, exact=True)).to_be_visible()
    page.press("1")
    expect(page.chosen).to_have_text(HOSTILE)
    page.draw((0.2, 0.2), (0.2, 0.4))
    expect(page.regions.last).to_have_text(HOSTILE)
    assert page.tab.locator("[onerror]").count() == 0
    assert page.dialogs == []
    # The page's own policy would not have stopped it.
    with page.tab.expect_event("dialog"):
        page.tab.evaluate("html => document.body.insertAdjacentHTML('beforeend', html)", HOSTILE)
    assert page.dialogs == ["1"]


def test_the_keys_of_the_tools_leave_the_class_alone(client, folder, enter, photo):
    number = push(client, folder, [photo], ADE, segmenter=Stripes()).project_id
    page = enter("ann")
    page.open_stream(number)
    page.press("a")
    page.draw((0.2, 0.2), (0.2, 0.4))
    for key, tool in {"e": "eraser", "h": "pan", "v": "move-tool", "b": "brush-tool"}.items():
        page.press(key)
        expect(page.tool).to_have_attribute("aria-label", tool)
        assert page.regions.all_text_contents() == [*PREDICTED, "person"]
