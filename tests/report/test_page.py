"""The report's page in a browser: its tables, views and copies, and deafness to names."""

import base64
import csv
import gzip
import hashlib
import io
import json
import re
import time
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from markdown_it import MarkdownIt
from playwright.sync_api import expect

from rass_bench.leaderboard.safe_text import csv_text, markdown_text, one_line
from rass_bench.report.content import Content
from rass_bench.report.page import render_page, write_page
from tests.report.samples import HOSTILE, PROTOCOLS, SCRIPT, content

PLAIN = content(boards=3, models=12, images=40)
NAMED = content(boards=2, models=12, images=30, hostile=True)
BOARD = PLAIN.boards[0]
MAIN = BOARD.metrics[0]
APART = BOARD.lines[-1]
TOGETHER = BOARD.lines[:-1]


# The file


class Scripts(HTMLParser):
    """The attributes and the text of each script element, as an HTML parser sees them."""

    def __init__(self, html):
        super().__init__()
        self.found, self._is_inside = [], False
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self._is_inside = tag == "script"
        if self._is_inside:
            self.found.append((dict(attributes), []))

    def handle_endtag(self, tag):
        self._is_inside = False

    def handle_data(self, data):
        if self._is_inside:
            self.found[-1][1].append(data)

    def text(self, name):
        return next("".join(text) for given, text in self.found if given.get("id") == name)


@pytest.fixture(scope="module")
def named_html():
    return render_page(NAMED)


def test_names_do_not_leave_the_elements_that_hold_them(named_html):
    scripts = Scripts(named_html)
    pictures = [f"picture-{one.id}-{i}" for one in NAMED.boards for i in range(len(one.pictures))]
    scores = [f"scores-{one.id}" for one in NAMED.boards]
    names = {given.get("id") for given, _ in scripts.found}
    assert names == {"content", "plotly", None, *pictures, *scores}
    held = json.loads(scripts.text("content"))
    names = [line["name"] for line in held["boards"][0]["lines"]]
    assert names == [line.name for line in NAMED.boards[0].lines]


def test_the_policy_lets_the_pages_own_scripts_run_and_nothing_else(named_html):
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', named_html)
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    scripts = Scripts(named_html)
    own = "".join(next(text for given, text in scripts.found if not given))
    plotly = gzip.decompress(base64.b64decode(scripts.text("plotly"))).decode()
    hashes = [hashlib.sha256(script.encode()).digest() for script in (own, plotly)]
    allowed = " ".join(f"'sha256-{base64.b64encode(one).decode()}'" for one in hashes)
    assert rules["script-src"] == allowed
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data:"


def with_values(values):
    values = np.array(values, dtype=np.float64)
    ids = tuple(f"i{number}" for number in range(values.shape[1]))
    scores = replace(BOARD.scores, values=values, ids=ids, lines=("b0l0", "b0l1"))
    return replace(PLAIN, boards=(replace(BOARD, scores=scores),))


@pytest.mark.parametrize(
    "values",
    [
        np.random.default_rng(0).uniform(-3, 40, size=(2, 500)),
        [[0.5, np.nan, 0.25], [np.nan, 1.0, 0.0]],
        [[np.inf, 30.0, 20.0], [25.0, -np.inf, np.nan]],
        [[0.7, 0.7], [0.7, np.nan]],
        [[np.nan], [np.nan]],
    ],
)
def test_scores_by_image_survive_to_half_a_step(values):
    scripts = Scripts(render_page(with_values(values)))
    described = json.loads(scripts.text("content"))["boards"][0]["scores"]
    packed = gzip.decompress(base64.b64decode(scripts.text("scores-b0")))
    codes = np.frombuffer(packed, dtype="<u2").reshape(2, -1)
    low, high = described["low"], described["high"]
    read = np.where(codes == 65535, np.nan, low + (high - low) * codes.astype(float) / 65534)
    expected = np.where(np.isfinite(values), values, np.nan)
    half = (high - low) / 65534 / 2
    np.testing.assert_allclose(read, expected, rtol=0, atol=half + 1e-12)


def test_the_same_content_gives_the_same_bytes(tmp_path):
    path = tmp_path / "reports/page.html"
    write_page(path, PLAIN)
    assert path.read_text("utf-8") == render_page(PLAIN)


# In the browser


@pytest.fixture
def tab(opened, files):
    """The plain page with its first board in view."""
    return opened(files["plain"], "#/board/b0").tab


def shown(tab, column=None):
    """The rows of the table of lines without the titles of groups; or one column of it."""
    rows = tab.evaluate(
        """() => [...document.querySelector("table.lines").querySelectorAll("tr:not(.group)")]
        .map(row => [...row.cells].map(cell => {
            const value = cell.querySelector(".value, button, .words") ?? cell;
            return value.textContent;
        }))"""
    )
    if column is None:
        return rows
    return [row[rows[0].index(column)] for row in rows[1:]]


def names(lines):
    return [line.name for line in lines]


def head(tab, name):
    return tab.locator("table.lines").first.get_by_role("button", name=name, exact=True)


def wait_for(tab, script, value):
    """Ask again and again from outside: the page's policy lets nothing in it evaluate text."""
    for _ in range(100):
        if tab.evaluate(script) == value:
            return
        tab.wait_for_timeout(50)
    raise AssertionError(f"{script} is {tab.evaluate(script)}")


def choose(tab, label, value):
    tab.get_by_role("combobox", name=label).select_option(value)


def ungroup(tab):
    tab.get_by_label("Group what is ranked together").uncheck()


@pytest.mark.browser
def test_the_overview_names_the_best_measured_line_of_each_protocol(opened, files):
    tab = opened(files["plain"]).tab
    expect(tab.get_by_role("heading", level=1)).to_have_text("Overview")
    cards = tab.locator(".boards section")
    assert cards.count() == 3
    for card, board in zip(cards.all(), PLAIN.boards, strict=True):
        metric = board.metrics[0].id
        rows = card.locator("tr").all()
        protocols = [name for name in PROTOCOLS if name in {one.protocol for one in board.lines}]
        for row, protocol in zip(rows, protocols, strict=True):
            rivals = [
                line
                for line in board.lines[:-1]
                if line.protocol == protocol and line.kind != "reported"
            ]
            best = max(rivals, key=lambda line: line.cells[metric].value)
            expect(row).to_contain_text(best.name)
            expect(row.locator(".value")).to_have_text(best.cells[metric].text)
            expect(row.locator(".ci")).to_have_text(best.cells[metric].ci95_text)
        expect(card).to_contain_text(board.version)
        expect(card).to_contain_text(board.images)
        expect(card).to_contain_text(board.notice)
        expect(card).to_contain_text("3 verified · 10 measured · 3 reported")


@pytest.mark.browser
def test_models_stand_across_the_data_sets_that_share_a_metric(opened, files):
    tab = opened(files["plain"]).tab
    table = tab.locator("table.cross")
    assert table.count() == 1  # the third board is the only one with its metric
    first, _, third = PLAIN.boards
    expect(table.get_by_role("columnheader")).to_have_text(
        ["model", "protocol", "scenes-b0", "scenes-b2"]
    )
    line, other = first.lines[4], third.lines[4]
    row = table.get_by_role("row").filter(has_text=line.name)
    expect(row.locator(".value")).to_have_text(
        [line.cells[MAIN.id].text, other.cells[MAIN.id].text]
    )


@pytest.mark.browser
def test_views_follow_the_address(opened, files):
    one = opened(files["plain"])
    tab = one.tab
    tab.get_by_role("navigation").get_by_role("link", name="scenes-b0").click()
    heading = tab.get_by_role("heading", level=1)
    expect(heading).to_have_text(BOARD.name)
    expect(heading).to_be_focused()
    expect(tab).to_have_title(f"{BOARD.name} – {PLAIN.title}")
    expect(tab.locator("[aria-current=page]")).to_have_text("scenes-b0")
    tab.locator("table.lines").first.get_by_role("link", name=BOARD.lines[0].name).click()
    expect(heading).to_have_text(BOARD.lines[0].name)
    assert tab.url.endswith("#/model/b0l0")
    tab.reload()
    expect(heading).to_have_text(BOARD.lines[0].name)
    tab.go_back()
    expect(heading).to_have_text(BOARD.name)
    tab.go_back()
    expect(heading).to_have_text("Overview")
    one.go("#/model/__proto__")
    expect(heading).to_have_text("Nothing here")


@pytest.mark.browser
def test_going_back_leads_to_the_same_place_and_the_same_table(tab):
    tab.get_by_label("Find").fill("pem")
    expect(tab.locator("table.lines").first.locator("tbody tr:not(.group)")).to_have_count(2)
    tab.evaluate("scrollTo(0, 300)")
    wait_for(tab, "history.state?.scrolled", 300)
    tab.evaluate("location.hash = '#/model/b0l3'")
    expect(tab.get_by_role("heading", level=1)).to_have_text(BOARD.lines[3].name)
    assert tab.evaluate("scrollY") == 0
    tab.go_back()
    expect(tab.get_by_role("heading", level=1)).to_have_text(BOARD.name)
    assert tab.get_by_label("Find").input_value() == "pem"
    assert len(shown(tab, "model")) == 2
    wait_for(tab, "scrollY", 300)


@pytest.mark.browser
def test_what_is_ranked_together_stands_together(tab):
    groups = tab.locator("table.lines").first.locator(".group")
    expect(groups).to_have_text(
        [
            "DT, measured",
            "R2S, measured",
            "FT, measured",
            "FT, reported by Guan et al., IJCV 2026 (arXiv 2602.14042)",
        ]
    )
    by_rank = {}
    for line in TOGETHER:
        by_rank.setdefault(
            (list(PROTOCOLS).index(line.protocol), line.kind == "reported"), []
        ).append(line)
    expected = []
    for key in sorted(by_rank):
        expected += sorted(by_rank[key], key=lambda line: -line.cells[MAIN.id].value)
    assert shown(tab, "model") == names(expected)
    assert shown(tab, "rank") == [line.cells[MAIN.id].rank_text for line in expected]


def by_number(value, lines, *, falls):
    """Sorted with undefined values last; lines of one value as they were."""
    known = [line for line in lines if value(line) is not None]
    unknown = [line for line in lines if value(line) is None]
    return sorted(known, key=lambda line: -value(line) if falls else value(line)) + unknown


COLUMNS = {
    "fps": lambda line: line.fps,
    "parameters, M": lambda line: line.all_parameters,
    "aacc@1 ↑ %": lambda line: line.cells["aacc"].value if "aacc" in line.cells else None,
}


@pytest.mark.browser
def test_columns_sort_by_value_with_the_undefined_last(tab):
    ungroup(tab)
    tab.get_by_text("Columns", exact=True).click()
    tab.get_by_label("aacc@1 ↑ %").check()
    tab.get_by_text("Columns", exact=True).click()
    for name, value in COLUMNS.items():
        best_first = name != "parameters, M"
        for falls in (best_first, not best_first):
            head(tab, name).click()
            direction = "descending" if falls else "ascending"
            expect(tab.locator("[aria-sort]")).to_have_attribute("aria-sort", direction)
            assert shown(tab, "model") == names(by_number(value, TOGETHER, falls=falls)), name
    head(tab, "model").click()
    assert shown(tab, "model") == sorted(names(TOGETHER), key=natural)


def natural(name):
    """As people sort: letters without regard to punctuation, numbers by value."""
    parts = re.split(r"(\d+)", name.replace(" ", ""))
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


@pytest.mark.browser
def test_the_keyboard_sorts_and_focus_stays(tab):
    head(tab, "fps").focus()
    tab.keyboard.press("Enter")
    expect(head(tab, "fps")).to_be_focused()
    expect(tab.locator("[aria-sort]")).to_have_text("fps")
    expect(tab.locator("#said")).to_have_text("Sorted by fps, falling")
    tab.keyboard.press("Space")
    expect(tab.locator("[aria-sort]")).to_have_attribute("aria-sort", "ascending")


FILTERS = [
    ("Protocol", "r2s", lambda line: line.protocol == "r2s"),
    ("Kind", "reported", lambda line: line.kind == "reported"),
    ("Licence", "mit", lambda line: line.licence == "mit"),
]


@pytest.mark.browser
def test_filters_leave_the_lines_that_are_like_that(tab):
    for label, value, holds in FILTERS:
        choose(tab, label, value)
        left = [line for line in TOGETHER if holds(line)]
        assert sorted(shown(tab, "model")) == sorted(names(left))
        count = sum(map(holds, BOARD.lines))
        expect(tab.get_by_text(f"{count} of {len(BOARD.lines)} lines")).to_be_visible()
        choose(tab, label, "")
    tab.get_by_label("Find").fill("SCR mask2former")
    assert shown(tab, "model") == [
        line.name for line in TOGETHER if line.restorer and "mask2" in line.name
    ]
    tab.get_by_label("Find").fill("nothing like that")
    assert tab.get_by_text("No line is like that.").is_visible()


@pytest.mark.browser
def test_a_line_says_its_record_and_is_found_by_it(tab):
    line = TOGETHER[2]
    tab.get_by_label("Find").fill(line.record)
    row = tab.locator("table.lines tbody tr:not(.group)")
    expect(row).to_have_count(1)
    expect(row.locator(".c-name")).to_have_text(line.name + line.record)
    expect(row.get_by_role("link", name=line.record, exact=True)).to_have_attribute(
        "href", line.link
    )


@pytest.mark.browser
def test_columns_can_be_chosen(tab):
    assert "device" not in shown(tab)[0]
    assert "fps" in shown(tab)[0]
    tab.get_by_text("Columns", exact=True).click()
    tab.get_by_label("device").check()
    tab.get_by_label("fps").uncheck()
    assert "fps" not in shown(tab)[0]
    assert set(shown(tab, "device")) == {"–", *(line.device for line in TOGETHER if line.device)}
    expect(tab.get_by_label("model", exact=True)).to_be_disabled()


@pytest.mark.browser
def test_each_measured_number_leads_to_its_record(tab):
    links = tab.locator("a[href]:has(> .value)").evaluate_all(
        "links => links.map(one => [one.getAttribute('href'), one.textContent])"
    )
    measured = {
        (line.link, cell.text) for line in BOARD.lines if line.link for cell in line.cells.values()
    }
    assert measured <= {tuple(one) for one in links}


@pytest.mark.browser
def test_lines_that_stand_apart_are_shown_with_the_reason(tab):
    assert APART.name in names(TOGETHER)  # the same model on other photos
    assert len(shown(tab)) == 1 + len(TOGETHER)
    table = tab.get_by_role("table", name=f"Lines of {BOARD.name} that stand apart")
    row = table.get_by_role("row").nth(1)
    expect(row).to_contain_text(APART.name)
    expect(row).to_contain_text("other photos: scenes@1.0")
    expect(row).to_contain_text(APART.cells[MAIN.id].text)


@pytest.mark.browser
def test_reported_numbers_stand_beside_measured_ones(tab):
    section = tab.get_by_role("group", name="Reported beside measured")
    for row, one in zip(section.get_by_role("row").all()[1:], BOARD.confirmations, strict=True):
        answer = {True: "yes", False: "no", None: "not known"}[one.within]
        expect(row.locator("td, th")).to_have_text(
            [
                one.reported,
                one.measured,
                one.metric,
                one.reported_text,
                one.measured_text,
                one.difference_text,
                one.tolerance_text or "–",
                answer,
            ]
        )


# Copies


def copied(one, name):
    """What a button puts on the clipboard."""
    one.tab.get_by_role("button", name=name, exact=True).click()
    expect(one.tab.locator("#said")).to_contain_text(f"lines as {name}")
    return one.tab.evaluate("navigator.clipboard.readText()")


@pytest.fixture
def hostile(opened, files):
    """The page of hostile names, filtered and sorted, whose copies can be read."""
    one = opened(files["named"], "#/board/b0", permissions=["clipboard-read", "clipboard-write"])
    choose(one.tab, "Kind", "measured")
    head(one.tab, "fps").click()
    return one


@pytest.mark.browser
def test_csv_holds_what_is_shown(hostile):
    ungroup(hostile.tab)
    table = shown(hostile.tab)
    rows = list(csv.DictReader(io.StringIO(copied(hostile, "CSV"))))
    heads = [name for name in rows[0] if not name.endswith(" 95 % interval")]
    assert heads == table[0]
    found = {line.name: line for line in NAMED.boards[0].lines[:-1]}
    assert [row["model"] for row in rows] == [
        csv_text(name) for name in shown(hostile.tab, "model")
    ]
    assert len(rows) > 8
    for row, name in zip(rows, shown(hostile.tab, "model"), strict=True):
        line = found[name]
        assert row[MAIN.heading] == line.cells[MAIN.id].text
        assert row[f"{MAIN.heading} 95 % interval"] == line.cells[MAIN.id].ci95_text
        assert (row["fps"] == "") == (line.fps is None)
        assert line.fps is None or float(row["fps"]) == pytest.approx(line.fps, abs=0.006)
        assert not any(row[key].startswith(("=", "+", "-", "@")) for key in row)


def cells_of_markdown(text):
    """The text of each cell as a Markdown reader shows it."""
    rendered = MarkdownIt("commonmark").enable("table").render(text)

    class Cells(HTMLParser):
        rows = []  # noqa: RUF012

        def handle_starttag(self, tag, attributes):
            assert tag in {"table", "thead", "tbody", "tr", "th", "td"}, tag
            if tag == "tr":
                self.rows.append([])
            elif tag in {"th", "td"}:
                self.rows[-1].append("")

        def handle_data(self, data):
            if self.rows and self.rows[-1]:
                self.rows[-1][-1] += data.strip("\n")

    reader = Cells()
    reader.feed(rendered)
    return reader.rows


@pytest.mark.browser
def test_markdown_shows_every_name_as_it_is(hostile):
    text = copied(hostile, "Markdown")
    head_row, *rows = cells_of_markdown(text)
    assert head_row[:3] == ["ranking", "rank", "model"]
    assert [row[2] for row in rows] == [one_line(name) for name in shown(hostile.tab, "model")]
    assert all(f"| {markdown_text(name)} |" in text for name in shown(hostile.tab, "model"))
    assert {row[0] for row in rows} == {"DT, measured", "R2S, measured", "FT, measured"}


LATEX = {
    r"\textbackslash{}": "\\", r"\{": "{", r"\}": "}", r"\textasciitilde{}": "~",
    r"\textasciicircum{}": "^", r"\&": "&", r"\%": "%", r"\$": "$", r"\#": "#", r"\_": "_",
    r"\textless{}": "<", r"\textgreater{}": ">", r"\textbar{}": "|", r"\textasciigrave{}": "`",
    "{[}": "[", "{]}": "]", "{*}": "*", "{-}": "-", r"$\rightarrow$": "→", r"$\uparrow$": "↑",
    "--": "–",
}  # fmt: skip
LATEX_TOKEN = re.compile(
    "|".join(map(re.escape, sorted(LATEX, key=len, reverse=True))) + "|.", re.S
)


def read_latex(text):
    """The text that LaTeX prints; no letter that means something to LaTeX is left."""
    tokens = LATEX_TOKEN.findall(text)
    assert not [token for token in tokens if token in set("\\{}~^&%$#_<>|`[]*")], text
    return "".join(LATEX.get(token, token) for token in tokens)


@pytest.mark.browser
def test_latex_prints_every_name_as_it_is(hostile):
    lines = copied(hostile, "LaTeX").splitlines()
    assert lines[0] == r"% \usepackage{booktabs}"
    columns = len(shown(hostile.tab)[0])
    assert re.fullmatch(rf"\\begin{{tabular}}{{[lr]{{{columns}}}}}", lines[1])
    assert lines[2] == r"\toprule"
    assert lines[-2:] == [r"\bottomrule", r"\end{tabular}"]
    rows = [line.removesuffix(r" \\").split(" & ") for line in lines if " & " in line]
    assert {len(row) for row in rows} == {columns}
    read = [read_latex(row[1]) for row in rows]
    assert read == ["model", *map(one_line, shown(hostile.tab, "model"))]
    titles = [line for line in lines if line.startswith(rf"\multicolumn{{{columns}}}")]
    assert len(titles) == 3
    value = rows[1][3]
    assert re.fullmatch(r"\d+\.\d\d \{\\scriptsize \([\d.]+--[\d.]+\)\}", value), value


@pytest.mark.browser
def test_without_a_clipboard_the_text_is_selected_in_a_dialog(tab):
    tab.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    button = tab.get_by_role("button", name="CSV", exact=True)
    button.click()
    area = tab.get_by_role("dialog").get_by_role("textbox")
    expect(area).to_be_focused()
    text = area.input_value()
    assert tab.evaluate("getSelection().toString()") == text
    assert len(list(csv.reader(io.StringIO(text)))) == 1 + len(TOGETHER)
    tab.keyboard.press("Escape")
    expect(tab.get_by_role("dialog")).to_have_count(0)
    expect(button).to_be_focused()


# Models


def facts(tab):
    terms = tab.locator("dl.facts dt").all_text_contents()
    return dict(zip(terms, tab.locator("dl.facts dd").all_text_contents(), strict=True))


@pytest.mark.browser
def test_a_model_has_its_numbers_and_facts(opened, files):
    line = BOARD.lines[1]
    tab = opened(files["plain"], "#/model/b0l1").tab
    expect(tab.get_by_role("heading", level=1)).to_have_text(line.name)
    told = facts(tab)
    assert told["weights, SHA-256"] == line.details.weights_sha256
    assert told["licence"] == line.licence
    assert told["test size"] == line.test_size
    assert told["on"] == line.device
    assert told["torch"] == dict(line.details.environment)["torch"]
    assert tab.locator("pre").text_content() == line.details.command
    assert tab.get_by_role("link", name="record.json").get_attribute("href") == line.link
    paper = tab.get_by_role("link", name=line.details.paper)
    assert paper.get_attribute("href") == line.details.paper
    row = tab.locator(".numbers tbody tr").first
    cell = line.cells[MAIN.id]
    expect(row).to_contain_text(cell.text)
    expect(row).to_contain_text(cell.ci95_text)
    expect(row.locator(".rank")).to_have_text(f"{cell.rank_text} of {cell.rank[2]}")
    elsewhere = tab.get_by_role("group", name="The same model elsewhere")
    expect(elsewhere.get_by_role("row")).to_have_count(1 + 2)


@pytest.mark.browser
def test_classes_with_a_value_have_bars_in_their_order(opened, files):
    tab = opened(files["plain"], "#/model/b0l0").tab
    values = BOARD.lines[0].details.per_class
    known = [
        (value, name) for value, name in zip(values, BOARD.classes.names, strict=True) if value
    ]
    bars = tab.locator(".classes li")
    expect(bars.locator(".what")).to_have_text([name for _, name in sorted(known)])
    widths = bars.locator("i").evaluate_all("bars => bars.map(bar => parseFloat(bar.style.width))")
    np.testing.assert_allclose(widths, [100 * value for value, _ in sorted(known)], rtol=1e-4)
    tab.get_by_label("Sort").select_option("class number")
    expect(bars.locator(".what")).to_have_text([name for _, name in known])
    expect(tab.get_by_text("5 classes, 1 without a value")).to_be_visible()


@pytest.mark.browser
def test_the_hardest_images_lead_to_their_pictures(opened, files):
    tab = opened(files["plain"], "#/model/b0l1").tab
    values = BOARD.scores.values[1]
    hardest = [BOARD.scores.ids[place] for place in np.argsort(values, kind="stable")[:10]]
    items = tab.locator(".hardest li bdi")
    expect(items).to_have_text(hardest)
    pictured = {picture.id for picture in BOARD.pictures}
    linked = tab.locator(".hardest li a").all_text_contents()
    assert set(linked) == pictured & set(hardest)
    heights = tab.locator(".hist i").evaluate_all(
        "bars => bars.map(bar => parseFloat(bar.style.height))"
    )
    counts, _ = np.histogram(values, bins=len(heights), range=(0, 1))
    np.testing.assert_allclose(heights, 100 * counts / counts.max(), rtol=1e-4)


@pytest.mark.browser
def test_where_lower_is_better_the_highest_are_hardest(opened, tmp_path):
    board = PLAIN.boards[1]
    metric = replace(board.metrics[0], higher_is_better=False)
    path = tmp_path / "page.html"
    write_page(path, replace(PLAIN, boards=(replace(board, metrics=(metric,)),)))
    tab = opened(path, "#/model/b1l1").tab
    values = board.scores.values[1]
    hardest = [board.scores.ids[place] for place in np.argsort(-values, kind="stable")[:10]]
    expect(tab.locator(".hardest li bdi")).to_have_text(hardest)


# Everybody


@pytest.mark.browser
def test_hostile_names_are_text_in_every_view(opened, files):
    one = opened(files["named"])
    tab = one.tab
    expect(tab.locator("header .title")).to_have_text(SCRIPT)
    for view in ("#/board/b0", "#/board/b1"):
        one.go(view)
        assert (
            set(names(NAMED.boards[0].lines[:8])) <= {*shown(tab, "model")} or view != "#/board/b0"
        )
        expect(tab.locator(".notice")).to_contain_text(SCRIPT)
    for number in range(len(HOSTILE)):
        one.go(f"#/model/b0l{number}")
        expect(tab.get_by_role("heading", level=1)).to_have_text(NAMED.boards[0].lines[number].name)
        expect(tab.locator(".hardest li")).to_have_count(10)
    # An address that would run a script is no link.
    assert tab.get_by_text("javascript:alert(1)").get_attribute("href") is None
    assert tab.locator("main script, main img[src=nowhere], main svg[onload]").count() == 0


@pytest.mark.browser
def test_a_narrow_page_scrolls_tables_and_nothing_else(opened, files):
    one = opened(files["named"], width=380)
    views = ["", "#/board/b0", "#/board/b1", "#/model/b0l0", "#/model/b0l5", "#/model/b1l1", "#/x"]
    for view in views:
        tab = one.go(view)
        assert tab.evaluate("document.documentElement.scrollWidth") == 380, view
    tab = one.go("#/board/b0")
    assert shown(tab)[0] == ["rank", "model", MAIN.heading]
    box = tab.get_by_role("group", name="Table of lines")
    tab.get_by_text("Columns", exact=True).click()
    tab.get_by_label("device").check()
    box.evaluate("box => { box.scrollLeft = 200; }")
    name = tab.locator("table.lines tbody .c-name").first
    assert abs(name.bounding_box()["x"] - box.bounding_box()["x"]) <= 2


@pytest.mark.browser
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_button_wins_over_the_systems_theme(opened, files, theme):
    tab = opened(files["plain"], theme=theme).tab

    def is_dark():
        colour = tab.evaluate("getComputedStyle(document.body).backgroundColor")
        return sum(map(int, re.findall(r"\d+", colour))) < 200

    assert is_dark() == (theme == "dark")
    tab.evaluate("onThemeChange(() => { window.told = cssColour('--paper'); })")
    tab.locator("#theme").click()
    assert is_dark() != (theme == "dark")
    assert tab.evaluate("told") == ("#fbfbfa" if theme == "dark" else "#131417")
    tab.reload()
    assert is_dark() != (theme == "dark")


@pytest.mark.browser
def test_the_keyboard_skips_to_the_content(tab):
    tab.keyboard.press("Tab")
    expect(tab.get_by_role("link", name="Skip to the content")).to_be_focused()
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("heading", level=1)).to_be_focused()
    assert tab.url.endswith("#/board/b0")


@pytest.mark.browser
def test_without_scripts_the_page_leads_to_the_tables(opened, files):
    tab = opened(files["plain"], java_script_enabled=False).tab
    link = tab.get_by_role("link", name=BOARD.name)
    assert link.get_attribute("href") == f"{BOARD.link}/table.md"


@pytest.mark.browser
def test_a_report_of_nothing_opens(opened, tmp_path):
    path = tmp_path / "page.html"
    write_page(path, Content("Empty", PROTOCOLS, ()))
    expect(opened(path).tab.get_by_role("heading", level=1)).to_have_text("Overview")


@pytest.mark.browser
def test_a_hundred_models_on_ten_data_sets_open_at_once(opened, tmp_path):
    path = tmp_path / "large.html"
    write_page(path, content(boards=10, models=100, images=2000))
    assert path.stat().st_size < 25_000_000
    started = time.perf_counter()
    one = opened(path)
    expect(one.tab.locator(".boards section")).to_have_count(10)
    overview = time.perf_counter() - started
    started = time.perf_counter()
    one.tab.get_by_role("navigation").get_by_role("link", name="scenes-b3").click()
    expect(one.tab.locator("table.lines").first.locator("tbody tr:not(.group)")).to_have_count(103)
    board = time.perf_counter() - started
    print(f"overview {overview:.2f} s, board {board:.2f} s, {path.stat().st_size / 1e6:.1f} MB")
    assert overview < 3
    assert board < 3
