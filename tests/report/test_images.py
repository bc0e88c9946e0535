"""The image browser of the report's page, in a browser, held against the pixels it was given."""

import base64
import io
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from rass_bench.report.page import write_page
from tests.report.samples import content

PLAIN = content(boards=2, models=6, images=20, pictures=4)
NAMED = content(boards=1, models=4, images=10, pictures=2, hostile=True)
BOARD = PLAIN.boards[0]
NONE = -1

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def window(kept_open, files):
    return kept_open(files["plain"])


@pytest.fixture
def tab(window):
    """The first image, as it is seen first."""
    window.tab.goto("about:blank")
    window.go("#/images/b0/0")
    expect(window.tab.locator(".view.right .mask")).to_be_visible()
    return window.tab


def pixels(picture, kind, place=0):
    """RGBA of the layer of a kind, (H, W, 4)."""
    layers = [layer for layer in picture.layers if layer.kind == kind]
    encoded = base64.b64decode(layers[place].uri.partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(encoded)).convert("RGBA"))


def class_ids(picture, kind, place=0):
    """Classes by pixel, NONE where there is none."""
    rgba = pixels(picture, kind, place)
    ids = np.full(rgba.shape[:2], NONE)
    for number, colour in enumerate(BOARD.classes.colours):
        ids[(rgba[:, :, :3] == list(bytes.fromhex(colour[1:]))).all(axis=2)] = number
    ids[rgba[:, :, 3] == 0] = NONE
    return ids


def over(mask, photo, opacity=1.0):
    alpha = opacity * mask[:, :, 3:] / 255
    return alpha * mask[:, :, :3] + (1 - alpha) * photo[:, :, :3]


def choose(tab, side, text):
    tab.get_by_label(f"{side} view").select_option(label=text)
    expect(tab.locator(f".view.{side.lower()}")).to_have_attribute("aria-label", re.compile("."))


def option(tab, side, kind, place=0):
    """Choose the view of a kind; with several lines, that of one in order."""
    texts = tab.get_by_label(f"{side} view").locator("option").all_text_contents()
    found = [text for text in texts if text.startswith(kind)]
    choose(tab, side, found[place])
    expect(tab.locator(f".view.{side.lower()} .caption")).to_contain_text(found[place][:12])


def opaque(tab, percent=100):
    tab.get_by_label("Opacity of masks").fill(str(percent))


def seen(view, size=(64, 96)):
    """The pixel in the middle of each of the picture's pixels, as the browser shows them."""
    shot = Image.open(io.BytesIO(view.screenshot())).convert("RGB")
    image = np.asarray(shot, dtype=float)
    height, width = image.shape[:2]
    rows = ((np.arange(size[0]) + 0.4) * height / size[0]).astype(int)
    columns = ((np.arange(size[1]) + 0.4) * width / size[1]).astype(int)
    return image[np.ix_(rows, columns)]


def assert_shown(view, wanted):
    """A view shows these pixels, but for its round corners and the caption in its lowest rows."""
    height, width = wanted.shape[:2]
    clear = np.ones((height, width), dtype=bool)
    clear[height - height // 8 - 1 :] = False
    clear[0, [0, -1]] = False
    difference = np.abs(seen(view, (height, width)) - wanted)
    assert difference[clear].max() <= 2


def divided(left, right, share):
    """What a divider at a share of the width must show, and where it hides nothing itself."""
    width = left.shape[1]
    centres = (np.arange(width) + 0.4) / width
    shown = np.where((centres < share)[None, :, None], left, right)
    clear = np.ones(left.shape[:2], dtype=bool)
    clear[:, np.abs(centres - share) < 1.5 / width] = False
    clear[28:36, np.abs(centres - share) < 4 / width] = False  # the grip
    clear[-8:] = False  # the captions
    return shown, clear


def assert_divided(tab, left, right, share):
    shown, clear = divided(left, right, share)
    found = seen(tab.locator(".stage"))
    assert clear.mean() > 0.8
    assert np.abs(found - shown)[clear].max() <= 2


@pytest.fixture
def compared(tab):
    """The clean photo left, a prediction right, and both as pixels."""
    option(tab, "Left", "clean")
    option(tab, "Right", "prediction")
    opaque(tab)
    picture = BOARD.pictures[0]
    clean = pixels(picture, "reference")[:, :, :3]
    return clean, over(pixels(picture, "prediction"), pixels(picture, "photo"))


def slider(tab):
    return tab.get_by_role("slider", name="Divider between the views")


def test_the_divider_follows_the_mouse(tab, compared):
    assert_divided(tab, *compared, 0.5)
    box = tab.locator(".stage").bounding_box()
    tab.mouse.move(box["x"] + box["width"] / 2, box["y"] + 40)
    tab.mouse.down()
    tab.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + 60, steps=4)
    tab.mouse.up()
    tab.mouse.move(1, 1)
    expect(slider(tab)).to_have_attribute("aria-valuenow", "25")
    assert_divided(tab, *compared, 0.25)


def test_the_divider_follows_the_keyboard(tab, compared):
    slider(tab).focus()
    for _ in range(10):
        tab.keyboard.press("ArrowRight")
    expect(slider(tab)).to_have_attribute("aria-valuenow", "70")
    assert_divided(tab, *compared, 0.7)
    tab.keyboard.press("Shift+ArrowLeft")
    expect(slider(tab)).to_have_attribute("aria-valuenow", "60")
    assert_divided(tab, *compared, 0.6)
    tab.keyboard.press("Home")
    assert_divided(tab, *compared, 0.0)
    tab.keyboard.press("End")
    assert_divided(tab, *compared, 1.0)
    assert tab.url.endswith("#/images/b0/0")


def test_the_divider_follows_a_finger(opened, files):
    tab = opened(files["plain"], "#/images/b0/0", width=380, has_touch=True, is_mobile=True).tab
    box = tab.locator(".stage.split").bounding_box()
    tab.touchscreen.tap(box["x"] + 0.75 * box["width"], box["y"] + 20)
    expect(slider(tab)).to_have_attribute("aria-valuenow", "75")
    expect(tab.locator(".readout .class").first).to_be_visible()
    assert tab.evaluate("document.documentElement.scrollWidth") <= 380


def test_both_views_stand_side_by_side(tab, compared):
    tab.get_by_role("button", name="Side by side").click()
    for side, wanted in zip(("left", "right"), compared, strict=True):
        assert_shown(tab.locator(f".view.{side}"), wanted)


@pytest.mark.parametrize("percent", [0, 40, 100])
def test_masks_are_as_opaque_as_they_are_set(tab, percent):
    tab.get_by_role("button", name="Side by side").click()
    opaque(tab, percent)
    picture = BOARD.pictures[0]
    wanted = over(pixels(picture, "prediction"), pixels(picture, "photo"), percent / 100)
    assert_shown(tab.locator(".view.right"), wanted)


def outcomes(place):
    """Per pixel: 0 right, 1 wrong, 2 ignored."""
    truth = class_ids(BOARD.pictures[0], "truth")
    predicted = class_ids(BOARD.pictures[0], "prediction", place)
    return np.where(truth == NONE, 2, np.where(truth == predicted, 0, 1))


@pytest.mark.parametrize("place", [0, 1, 2])
def test_errors_are_counted_and_drawn(tab, place):
    option(tab, "Right", "errors", place)
    wanted = np.bincount(outcomes(place).ravel(), minlength=3)
    assert wanted.min() > 0
    errors = tab.locator(".errors")
    for outcome, count in zip(("right", "wrong", "ignored"), wanted, strict=True):
        expect(errors.locator(f"li.{outcome}")).to_have_attribute("data-pixels", str(count))
        expect(errors.locator(f"li.{outcome} b")).to_have_text(f"{100 * count / 6144:.1f} %")
    opaque(tab)
    tab.get_by_role("button", name="Side by side").click()
    shown = seen(tab.locator(".view.right"))[:-8]
    colours = [np.median(shown[outcomes(place)[:-8] == one], axis=0) for one in (0, 1)]
    assert np.abs(colours[0] - colours[1]).max() > 50
    nearest = np.argmin([np.abs(shown - colour).sum(axis=2) for colour in colours], axis=0)
    assert np.array_equal(nearest, outcomes(place)[:-8])


def test_scores_of_the_small_picture_are_said_to_be_that(tab):
    option(tab, "Right", "prediction", 1)
    picture = BOARD.pictures[0]
    truth, predicted = class_ids(picture, "truth"), class_ids(picture, "prediction", 1)
    judged = truth != NONE
    ious = [
        (judged & (truth == one) & (predicted == one)).sum()
        / (judged & ((truth == one) | (predicted == one))).sum()
        for one in np.unique(truth[judged])
    ]
    accuracy = (truth == predicted)[judged].mean()
    expect(tab.locator(".errors .measures")).to_have_text(
        f"accuracy {100 * accuracy:.1f} %, "
        f"mIoU over the 6 classes of the truth {100 * np.mean(ious):.1f} %"
    )
    expect(tab.locator(".errors")).to_contain_text("Counted on the small picture")
    rows = tab.locator(".classes tbody tr")
    expect(rows).to_have_count(6)
    for number in range(6):
        row = rows.filter(has_text=BOARD.classes.names[number])
        share = 100 * (truth == number).sum() / truth.size
        texts = row.locator("td").all_text_contents()
        assert texts == [f"{share:.1f} %", f"{100 * ious[number]:.1f} %"]


def test_the_recorded_scores_of_the_image_stand_beside_it(tab):
    scores = BOARD.scores
    place = scores.ids.index(BOARD.pictures[0].id)
    shown = dict.fromkeys(layer.line for layer in BOARD.pictures[0].layers if layer.line)
    values = [scores.values[scores.lines.index(line)][place] for line in shown]
    wanted = ["undefined" if np.isnan(value) else f"{100 * value:.2f} %" for value in values]
    assert tab.locator(".scores td").all_text_contents() == wanted


def test_the_class_under_the_pointer_is_read_off_truth_and_prediction(tab):
    picture = BOARD.pictures[0]
    names = [*BOARD.classes.names, "no class"]
    truth, predicted = class_ids(picture, "truth"), class_ids(picture, "prediction")
    tab.locator(".stage").evaluate("node => node.scrollIntoView()")
    box = tab.locator(".stage").bounding_box()
    for row, column in [(3, 3), (10, 17), (20, 40), (40, 95), (63, 70), (60, 2)]:
        tab.mouse.move(
            box["x"] + box["width"] * (column + 0.5) / 96,
            box["y"] + box["height"] * (row + 0.5) / 64,
        )
        read = tab.locator(".readout .class")
        wanted = [names[truth[row, column]], names[predicted[row, column]]]
        expect(read).to_have_text(wanted)


def test_zoom_shows_the_same_part_in_both_views(tab, compared):
    tab.get_by_role("button", name="Side by side").click()
    for _ in range(3):
        tab.get_by_role("button", name="Zoom in").click()
    for side, wanted in zip(("left", "right"), compared, strict=True):
        assert_shown(tab.locator(f".view.{side}"), wanted[24:40, 36:60])
    box = tab.locator(".view.left").bounding_box()
    tab.mouse.move(box["x"] + 30, box["y"] + 30)
    tab.mouse.down()
    tab.mouse.move(box["x"] + 30 + 2 * box["width"], box["y"] + 30, steps=5)
    tab.mouse.up()
    tab.mouse.move(1, 1)
    for side, wanted in zip(("left", "right"), compared, strict=True):
        assert_shown(tab.locator(f".view.{side}"), wanted[24:40, :24])
    tab.get_by_role("button", name="Fit the whole image").click()
    assert_shown(tab.locator(".view.left"), compared[0])


def test_ctrl_and_wheel_zoom_where_the_pointer_is(tab):
    stage = tab.locator(".stage")
    box = stage.bounding_box()
    tab.mouse.move(box["x"] + box["width"] / 4, box["y"] + box["height"] / 4)
    before = tab.locator(".readout").text_content()
    tab.mouse.wheel(0, -100)
    expect(stage).not_to_have_class(re.compile("zoomed"))
    tab.evaluate("scrollTo(0, 0)")
    tab.keyboard.down("Control")
    tab.mouse.move(box["x"] + box["width"] / 4, box["y"] + box["height"] / 4)
    tab.mouse.wheel(0, -100)
    tab.keyboard.up("Control")
    expect(stage).to_have_class(re.compile("zoomed"))
    tab.mouse.move(box["x"] + box["width"] / 4 + 1, box["y"] + box["height"] / 4)
    assert tab.locator(".readout").text_content() == before


def position(tab):
    return tab.locator(".position")


def test_arrow_keys_change_the_image_and_its_address(tab):
    expect(position(tab)).to_have_text("1 of 4")
    tab.keyboard.press("ArrowLeft")
    expect(position(tab)).to_have_text("1 of 4")
    tab.keyboard.press("ArrowRight")
    expect(position(tab)).to_have_text("2 of 4")
    expect(tab.locator(".photo-id")).to_have_text(BOARD.pictures[1].id)
    assert tab.url.endswith("#/images/b0/1")
    tab.keyboard.press("ArrowRight")
    expect(position(tab)).to_have_text("3 of 4")
    tab.go_back()
    expect(position(tab)).to_have_text("2 of 4")
    tab.reload()
    expect(position(tab)).to_have_text("2 of 4")
    expect(tab.locator(".photo-id")).to_have_text(BOARD.pictures[1].id)


def test_the_photo_stands_beside_the_best_prediction_at_first(opened, tmp_path):
    """Whatever the order in which runs were named."""
    pictures = tuple(replace(one, layers=one.layers[::-1]) for one in BOARD.pictures)
    page = tmp_path / "reversed.html"
    write_page(page, replace(PLAIN, boards=(replace(BOARD, pictures=pictures),)))
    one = opened(page, "#/images/b0/0").tab
    main = BOARD.metrics[0].id
    made = {layer.line for layer in BOARD.pictures[0].layers if layer.kind == "prediction"}
    ranked = [one for one in BOARD.lines if one.id in made and one.cells[main].rank is not None]
    best = max(ranked, key=lambda line: line.cells[main].value)
    expect(one.get_by_label("Left view")).to_have_value("photo ")
    expect(one.get_by_label("Right view")).to_have_value(f"prediction {best.id}")


def test_the_choice_of_views_stays_from_image_to_image(tab):
    option(tab, "Left", "truth")
    option(tab, "Right", "errors", 2)
    chosen = tab.get_by_label("Right view").input_value()
    tab.get_by_role("button", name="Next image").click()
    expect(position(tab)).to_have_text("2 of 4")
    assert tab.get_by_label("Right view").input_value() == chosen
    expect(tab.get_by_role("button", name="Next image")).to_be_focused()


def test_an_image_is_chosen_from_the_list_and_from_the_strip(tab):
    tab.get_by_label("Image", exact=True).select_option(index=2)
    expect(tab.locator(".photo-id")).to_have_text(BOARD.pictures[2].id)
    assert tab.url.endswith("#/images/b0/2")
    tab.get_by_role("button", name="Image 4").click()
    expect(position(tab)).to_have_text("4 of 4")
    expect(tab.get_by_role("button", name="Next image")).to_be_disabled()
    expect(tab.locator(".thumbnail[aria-current] img")).to_have_attribute(
        "src", BOARD.pictures[3].layers[0].uri
    )


def test_it_is_said_how_an_image_was_degraded_and_how_many_are_not_here(tab):
    assert tab.locator(".recipe li").all_text_contents() == list(BOARD.pictures[0].recipe)
    expect(tab.locator(".images")).to_contain_text("4 of 20 images with predictions are here")
    expect(tab.locator(".images")).to_contain_text("16 were left out")


def test_names_are_text(opened, files):
    tab = opened(files["named"], "#/images/b0/1").tab
    expect(tab.locator(".photo-id")).to_have_text(NAMED.boards[0].pictures[1].id)
    classes = tab.locator(".classes tbody th")
    expect(classes).to_have_count(6)
    assert set(classes.all_text_contents()) == set(NAMED.boards[0].classes.names)
    box = tab.locator(".stage").bounding_box()
    tab.mouse.move(box["x"] + 3, box["y"] + 3)
    expect(tab.locator(".readout .class").first).to_have_text(NAMED.boards[0].classes.names[0])
    assert tab.locator(".images script, .images svg, .images [onerror]").count() == 0


def test_images_without_classes_are_compared_as_photos(opened, files):
    tab = opened(files["plain"], "#/images/b1/0").tab
    option(tab, "Right", "clean")
    tab.get_by_role("button", name="Side by side").click()
    wanted = pixels(PLAIN.boards[1].pictures[0], "reference")[:, :, :3]
    assert_shown(tab.locator(".view.right"), wanted)
    assert tab.get_by_label("Opacity of masks").count() == 0
