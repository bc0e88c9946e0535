"""The QA page: complete, self-contained, and deaf to what strangers write into names."""

import base64
import hashlib
import io
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from rass_bench.annotate.policy import judge_all, load_policy
from rass_bench.annotate.qa.measures import Opinion, measure
from rass_bench.annotate.qa.page import draw_difference, render_page, write_page
from rass_bench.labels import load_label_space
from tests.browser import watched

SPACE = load_label_space("ade20k-150")
HOSTILE = (
    "\"><script>document.title='pwned'</script><img src=https://evil.example/x onerror=y>{{7*7}}"
)
HEIGHT, WIDTH = 60, 90


class Elements(HTMLParser):
    """Tags with their attributes, and the text outside scripts and styles."""

    def __init__(self, html):
        super().__init__()
        self.found, self.text, self._inside = [], [], ""
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))
        self._inside = tag

    def handle_data(self, data):
        if self._inside not in ("script", "style"):
            self.text.append(data)

    def all(self, tag, css_class=""):
        return [
            attributes
            for name, attributes in self.found
            if name == tag and css_class in ["", *(attributes.get("class") or "").split()]
        ]


def photo(seed):
    return np.random.default_rng(seed).integers(256, size=(HEIGHT, WIDTH, 3), dtype=np.uint8)


def labels(seed):
    coarse = np.random.default_rng(seed).choice([0, 2, 4, 6, 255], size=(6, 9))
    return coarse.repeat(10, axis=0).repeat(10, axis=1).astype(np.uint8)


def opinions(seed, names=("ann", "ben")):
    return tuple(
        Opinion(name, labels(seed + i), np.ones((HEIGHT, WIDTH), dtype=bool), seconds=75.0)
        for i, name in enumerate(names)
    )


def page(samples, names=("ann", "ben"), title="A set", **more):
    given = {sample: (photo(i), opinions(i, names)) for i, sample in enumerate(samples)}
    measures = [
        measure(sample, given[sample][1], SPACE, speck_share=5e-5, boundary_tolerance=0.0075)
        for sample in samples
    ]
    return render_page(
        title,
        measures=measures,
        verdicts=judge_all(measures, load_policy(), SPACE),
        space=SPACE,
        load=given.__getitem__,
        **more,
    )


@pytest.fixture(scope="module")
def html():
    return page([f"photo-{i}" for i in range(5)], shown=3)


def test_every_photo_is_in_the_table_and_the_worst_ones_have_pictures(html):
    elements = Elements(html)
    cards = elements.all("article", "card")
    assert len(cards) == 3
    ranked = re.findall(r'<th scope="row" data-v="(photo-\d)">', html)
    assert sorted(ranked) == [f"photo-{i}" for i in range(5)]
    assert [card["data-sample"] for card in cards] == ranked[:3]
    kappas = [float(card["data-kappa"]) for card in cards]
    assert kappas == sorted(kappas)


def test_nothing_is_asked_of_any_network(html):
    elements = Elements(html)
    for _, attributes in elements.found:
        for name in ("src", "href", "action", "srcset", "data", "poster"):
            assert attributes.get(name, "#").startswith(("#", "data:")), attributes
    assert "@import" not in html
    assert set(re.findall(r"url\((?!data:)[^)]*", html)) == set()
    assert "http://" not in html
    assert "https://" not in html


def test_the_policy_of_the_page_allows_its_own_script_and_no_other(html):
    (policy,) = (
        one["content"]
        for one in Elements(html).all("meta")
        if one.get("http-equiv") == "Content-Security-Policy"
    )
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    script = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    assert len(script) == 1
    digest = base64.b64encode(hashlib.sha256(script[0].encode()).digest()).decode()
    assert rules["script-src"] == f"'sha256-{digest}'"
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data:"


def test_hostile_names_are_shown_as_text():
    html = page([HOSTILE, "plain"], names=(HOSTILE, "ben"), title=HOSTILE)
    elements = Elements(html)
    assert len(elements.all("script")) == 2
    assert not [one for _, one in elements.found if any(name.startswith("on") for name in one)]
    assert not [one for one in elements.all("img") if not one["src"].startswith("data:")]
    assert HOSTILE in "".join(elements.text)
    assert "{{7*7}}" in html
    assert "49" not in elements.text


def test_masks_hold_the_exact_colour_of_every_class_and_nothing_where_there_is_none(html):
    (listed,) = re.findall(r'<script id="classes" type="application/json">(.*?)</script>', html)
    colours = json.loads(listed)["colours"]
    assert len(set(colours)) == SPACE.size
    masks = Elements(html).all("img", "mask")
    assert len(masks) == 6
    first = next(one for one in Elements(html).all("article", "card"))
    number = int(first["data-sample"].removeprefix("photo-"))
    content = base64.b64decode(masks[0]["src"].removeprefix("data:image/png;base64,"))
    shown = np.asarray(Image.open(io.BytesIO(content)).convert("RGBA"))
    truth = labels(number)
    assert shown.shape == (HEIGHT, WIDTH, 4)
    assert (shown[truth == 255, 3] == 0).all()
    for class_id in set(np.unique(truth)) - {255}:
        (colour,) = np.unique(shown[truth == class_id], axis=0)
        assert "#" + bytes(colour[:3]).hex() == colours[class_id]


def test_a_large_photo_is_shown_small():
    size = 700, 1000
    shape = np.zeros(size, dtype=np.uint8)
    one = Opinion("ann", shape, np.ones(size, dtype=bool))
    measures = [measure("s", [one], SPACE, speck_share=5e-5, boundary_tolerance=0.0075)]
    html = render_page(
        "large",
        measures=measures,
        verdicts=judge_all(measures, load_policy(), SPACE),
        space=SPACE,
        load=lambda _: (np.zeros((*size, 3), dtype=np.uint8), [one]),
    )
    (mask,) = Elements(html).all("img", "mask")
    content = base64.b64decode(mask["src"].removeprefix("data:image/png;base64,"))
    assert Image.open(io.BytesIO(content)).size == (480, 336)


def test_the_difference_tells_another_class_from_a_missing_one():
    grey = np.full((1, 5, 3), 100, dtype=np.uint8)
    maps = [np.array([row], np.uint8) for row in ([0, 0, 0, 255, 255], [0, 3, 255, 0, 255])]
    same, differ, *one_only, nobody = draw_difference(grey, maps)[0].astype(int)
    assert same.tolist() == nobody.tolist() == [55, 55, 55]
    assert differ[0] > differ[1] > differ[2]
    for pixel in one_only:
        assert pixel[2] > pixel[1] > pixel[0]


def test_a_third_annotator_s_gap_does_not_hide_that_two_differ():
    grey = np.full((1, 1, 3), 100, dtype=np.uint8)
    maps = [np.array([[value]], np.uint8) for value in (0, 255, 3)]
    red, _, blue = draw_difference(grey, maps)[0, 0].astype(int)
    assert red > blue


def test_a_set_without_a_photo_has_a_page():
    assert "0 photos" in page([])


def test_one_annotator_has_no_difference_to_show():
    html = page(["alone"], names=("ann",))
    assert "difference" not in [text.strip() for text in Elements(html).text]
    assert len(Elements(html).all("img", "mask")) == 1


# In a browser


def written(html, folder):
    path = folder / "page.html"
    path.write_text(html)
    return path


@pytest.mark.browser
def test_a_browser_runs_no_script_that_was_slipped_in(browser, tmp_path):
    slipped = page([HOSTILE, "plain"], names=(HOSTILE, "ben"))
    slipped = slipped.replace("<footer>", "<footer><script>document.title='pwned'</script>")
    tab = browser.new_page()
    said = []
    tab.on("console", lambda message: said.append(message.text))
    tab.goto(written(slipped, tmp_path).as_uri())
    assert tab.title() == "Annotation QA: A set"
    assert tab.locator("article.card").count() == 2
    assert any("Content Security Policy" in one for one in said)
    tab.close()


def shown_values(table, column=0):
    """What a column of the shown rows sorts by, from the top."""
    cells = table.locator(f"tbody tr:visible > :nth-child({column + 1})")
    return cells.evaluate_all("cells => cells.map(cell => cell.dataset.v)")


@pytest.mark.browser
def test_the_table_is_sorted_and_searched(browser, html, tmp_path):
    with watched(browser, written(html, tmp_path)) as opened:
        table = opened.tab.locator("#all")
        by_kappa = table.get_by_role("button", name="κ")
        by_kappa.click()
        kappas = [float(value) for value in shown_values(table, 2)]
        assert kappas == sorted(kappas, reverse=True)
        by_kappa.click()
        assert [float(value) for value in shown_values(table, 2)] == kappas[::-1]
        table.get_by_role("button", name="photo").click()
        assert shown_values(table) == [f"photo-{i}" for i in range(5)]
        opened.tab.get_by_label("Find").fill("PHOTO-3")
        assert shown_values(table) == ["photo-3"]


@pytest.mark.browser
def test_the_cards_are_sorted_and_filtered(browser, html, tmp_path):
    with watched(browser, written(html, tmp_path)) as opened:
        cards = opened.tab.locator("article.card:visible")
        opened.tab.get_by_label("Sort by").select_option("name")
        names = cards.evaluate_all("cards => cards.map(card => card.dataset.sample)")
        assert names == sorted(names) and len(names) == 3
        opened.tab.get_by_label("Show").select_option("pass")
        assert cards.count() == 0
        opened.tab.get_by_label("Show").select_option("all")
        assert cards.count() == 3


@pytest.mark.browser
def test_a_mask_is_made_fainter_and_names_the_class_that_is_pointed_at(browser, html, tmp_path):
    with watched(browser, written(html, tmp_path), width=700) as opened:
        opened.tab.get_by_label("opacity of the masks").fill("25")
        card = opened.tab.locator("article.card").first
        mask = card.get_by_alt_text("mask of ann")
        assert mask.evaluate("mask => getComputedStyle(mask).opacity") == "0.25"
        row, column = 35, 45
        box = mask.bounding_box()
        beside = (column + 0.5) / WIDTH * box["width"], (row + 0.5) / HEIGHT * box["height"]
        mask.hover(position={"x": beside[0], "y": beside[1]})
        number = int(card.get_attribute("data-sample").removeprefix("photo-"))
        class_id = labels(number)[row, column]
        word = "no class" if class_id == 255 else SPACE.names[class_id]
        expect(card.locator("output").first).to_have_text(word)
        assert not opened.tab.evaluate("document.documentElement.scrollWidth > innerWidth")


def test_the_page_is_written_whole(tmp_path):
    path = tmp_path / "reports/qa.html"
    write_page(path, "none", measures=[], verdicts=[], space=SPACE, load=lambda _: None)
    assert path.read_text("utf-8").rstrip().endswith("</html>")
