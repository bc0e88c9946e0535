"""The plots of the report's page, in a browser."""

import re
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from playwright.sync_api import expect

from rass_bench.report.page import write_page
from tests.report.samples import HOSTILE, SCRIPT, content

PLAIN = content(boards=2, models=12, images=20, pictures=1)
NAMED = content(boards=1, models=8, images=20, pictures=1, hostile=True)
SEGMENTATION, RESTORATION = PLAIN.boards
MAIN = SEGMENTATION.metrics[0]

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def tab(kept_open, files):
    """The board of segmentation with all of its plots drawn; each test leaves it so."""
    return drawn(kept_open(files["plain"], "#/board/b0").tab)


def drawn(tab):
    expect(tab.locator(".graph").first).to_be_attached()
    for graph in tab.locator(".graph").all():
        graph.scroll_into_view_if_needed()
        expect(graph.locator(".main-svg").first).to_be_visible()
    return tab


def go_back(tab):
    """To the board of segmentation."""
    tab.go_back()
    expect(tab.get_by_role("heading", level=1)).to_have_text(SEGMENTATION.name)
    drawn(tab)


def plot(tab, title):
    return tab.locator(".plot").filter(has=tab.get_by_role("heading", name=title, exact=True))


def traces(graph):
    return graph.locator(".scatterlayer .trace").count()


def middles(marks):
    """Where the middles of marks lie, (N, 2), x to the right and y upwards, in pixels."""
    boxes = [mark.bounding_box() for mark in marks.all()]
    return np.array([[box["x"] + box["width"] / 2, -box["y"] - box["height"] / 2] for box in boxes])


def assert_linear(values, places, *, sign=1):
    """Places grow with values on one straight line, to a pixel."""
    slope, offset = np.polyfit(values, places, 1)
    assert sign * slope > 0
    assert np.abs(slope * np.array(values) + offset - places).max() < 1


def ranked(board, metric):
    return [line for line in board.lines if line.cells[metric].rank is not None]


def best_first(lines, metric=MAIN.id):
    return sorted(lines, key=lambda line: -line.cells[metric].value)


def row_of(plot):
    """The rows of the table behind a plot."""
    if plot.locator("details:not([open])").count():
        plot.locator("summary").click()
    expect(plot.locator("tbody tr").first).to_be_visible()
    return [row.locator("td").all_text_contents() for row in plot.locator("tbody tr").all()]


def test_nothing_is_unpacked_before_a_plot_comes_into_view(opened, files):
    tab = opened(files["plain"]).tab
    assert tab.evaluate("typeof Plotly") == "undefined"
    tab.set_viewport_size({"width": 1600, "height": 200})
    tab.evaluate("location.hash = '#/board/b0'")
    expect(tab.locator(".graph")).to_have_count(7)
    assert tab.evaluate("typeof Plotly") == "undefined"
    tab.locator(".graph").first.scroll_into_view_if_needed()
    expect(tab.locator(".graph .main-svg").first).to_be_visible()


@pytest.mark.parametrize(
    ("title", "cost"),
    [("Quality against speed", "fps"), ("Quality against size", "all_parameters")],
)
def test_quality_against_cost_shows_each_ranked_line_where_it_belongs(tab, title, cost):
    lines = [line for line in ranked(SEGMENTATION, MAIN.id) if getattr(line, cost) is not None]
    shown = plot(tab, title)
    fronts = [one for one in SEGMENTATION.fronts if one.axis == cost and len(one.best) > 1]
    assert traces(shown) == len(fronts) + 1
    on_front = {name for one in SEGMENTATION.fronts if one.axis == cost for name in one.best}
    lines = best_first(lines)
    lines.sort(key=lambda line: line.id not in on_front)
    rows = row_of(shown)
    assert [row[0] for row in rows] == [line.name for line in lines]
    assert [row[4] for row in rows] == [line.cells[MAIN.id].text for line in lines]
    assert [row[7] == "yes" for row in rows] == [line.id in on_front for line in lines]
    places = middles(shown.locator(".points path.point"))
    assert len(places) == len(lines)
    assert_linear([np.log10(getattr(line, cost)) for line in lines], places[:, 0])
    assert_linear([line.cells[MAIN.id].value for line in lines], places[:, 1])


def test_reported_speeds_are_said_to_hold_elsewhere(tab):
    expect(plot(tab, "Quality against speed")).to_contain_text("a group of their own")
    expect(plot(tab, "Quality against size")).not_to_contain_text("a group of their own")


def test_what_stands_in_no_ranking_is_named_beside_the_plot(tab):
    apart = SEGMENTATION.lines[-1]
    note = f"{apart.name} ({apart.cells[MAIN.id].not_ranked})"
    expect(plot(tab, "Quality against size")).to_contain_text(note)


def strengths(tab):
    return plot(tab, "Quality against the strength of the degradation")


def chips(tab, pressed):
    return strengths(tab).locator(f".chip[aria-pressed={'true' if pressed else 'false'}]")


def test_of_many_lines_the_best_two_of_each_protocol_are_shown(tab):
    measured = [one for one in ranked(SEGMENTATION, MAIN.id) if one.kind != "reported"]
    expected = set()
    for protocol in ("dt", "r2s", "ft"):
        lines = best_first(one for one in measured if one.protocol == protocol)
        expected |= {line.name for line in lines[:2]}
    titles = {chip.get_attribute("title") for chip in chips(tab, pressed=True).all()}
    assert titles == expected
    graphs = strengths(tab).locator(".graph")
    assert graphs.count() == len(SEGMENTATION.factors)
    assert [traces(graph) for graph in graphs.all()] == [2 * len(expected)] * graphs.count()


def test_harder_is_always_to_the_right(tab):
    for factor, graph in zip(
        SEGMENTATION.factors, strengths(tab).locator(".graph").all(), strict=True
    ):
        (first, *_) = chips(tab, pressed=True).all()
        line = next(one for one in SEGMENTATION.lines if one.name == first.get_attribute("title"))
        places = [one for one in graph.locator(".trace").all() if one.locator(".point").count()]
        curves = [one for one in factor.curves if one.line == line.id]
        assert len(curves) == 1
        known = [bin_.middle for bin_, v in zip(factor.bins, curves[0].values, strict=True) if v]
        assert_linear(
            known,
            middles(places[0].locator(".point"))[:, 0],
            sign=-1 if factor.harder_when_lower else 1,
        )


def test_a_toggled_line_is_hidden_everywhere_and_stays_so(tab):
    graphs = strengths(tab).locator(".graph")
    before = traces(graphs.first)
    chip = chips(tab, pressed=True).nth(1)
    name = chip.get_attribute("title")
    chip.press("Enter")
    for graph in graphs.all():
        expect(graph.locator(".scatterlayer .trace")).to_have_count(before - 2)
    assert name not in {row[1] for row in row_of(strengths(tab))}
    tab.evaluate("location.hash = '#/board/b1'")
    expect(tab.get_by_role("heading", level=1)).to_have_text(RESTORATION.name)
    go_back(tab)
    graphs = strengths(tab).locator(".graph")
    expect(graphs.first.locator(".scatterlayer .trace")).to_have_count(before - 2)
    strengths(tab).locator(f".chip[title='{name}']").click()
    for graph in graphs.all():
        expect(graph.locator(".scatterlayer .trace")).to_have_count(before)


def test_lines_are_found_by_their_names(opened, tmp_path):
    path = tmp_path / "page.html"
    write_page(path, content(boards=1, models=30, images=10, pictures=0))
    tab = opened(path, "#/board/b0").tab
    tab.get_by_label("Find a line").fill("PEM")
    visible = [one for one in tab.locator(".chip").all() if one.is_visible()]
    assert len(visible) == 5
    assert all("pem" in one.get_attribute("title") for one in visible)


def test_a_slope_joins_the_protocols_of_a_model(tab):
    shown = plot(tab, "From protocol to protocol")
    assert traces(shown) == len(SEGMENTATION.slopes)
    lines = {line.id: line for line in SEGMENTATION.lines}
    places, values = [], []
    for slope, trace in zip(SEGMENTATION.slopes, shown.locator(".trace").all(), strict=True):
        points = middles(trace.locator(".point"))
        assert np.all(np.diff(points[:, 0]) > 10)
        places += list(points[:, 1])
        values += [lines[name].cells[MAIN.id].value for _, name in slope.points]
    assert_linear(values, np.array(places))
    labels = [one.bounding_box() for one in shown.locator(".annotation text").all()]
    assert len(labels) == len(SEGMENTATION.slopes)
    assert not any(overlap(*pair) for pair in combinations(labels, 2))


def overlap(a, b, slack=2):
    return (
        a["x"] + slack < b["x"] + b["width"]
        and b["x"] + slack < a["x"] + a["width"]
        and a["y"] + slack < b["y"] + b["height"]
        and b["y"] + slack < a["y"] + a["height"]
    )


def test_perception_stands_against_distortion_where_both_are_known(opened, tmp_path):
    psnr, maniqa = "psnr/y601", "maniqa/pipal"
    lines = [
        replace(line, cells=line.cells | {maniqa: replace(line.cells[maniqa], rank=(1, 1, 1))})
        for line in RESTORATION.lines
        if line.cells[psnr].rank is not None and line.kind != "reported"
    ]
    unsure = replace(lines[2].cells[maniqa], rank=None, not_ranked="variant unknown")
    lines[2] = replace(lines[2], cells=lines[2].cells | {maniqa: unsure})
    path = tmp_path / "page.html"
    board = replace(RESTORATION, lines=(*lines, RESTORATION.lines[-2]), factors=(), fronts=())
    write_page(path, replace(PLAIN, boards=(replace(board, slopes=()),)))
    shown = plot(opened(path, "#/board/b1").tab, "Perception against distortion")
    shown.scroll_into_view_if_needed()
    expect(shown.locator(".point").first).to_be_visible()
    places = middles(shown.locator(".point"))
    known = best_first([*lines[:2], *lines[3:]], maniqa)
    assert_linear([line.cells[psnr].value for line in known], places[:, 0])
    assert_linear([line.cells[maniqa].value for line in known], places[:, 1])
    expect(shown).to_contain_text(f"{lines[2].name} (variant unknown)")


def test_it_is_said_why_a_plot_is_missing(opened, tmp_path):
    reported = [line for line in SEGMENTATION.lines if line.kind == "reported"]
    bare = replace(
        SEGMENTATION,
        lines=tuple(replace(line, fps=None) for line in reported),
        factors=(),
        fronts=(),
        slopes=(),
        scores=None,
        pictures=(),
        confirmations=(),
    )
    path = tmp_path / "page.html"
    write_page(path, replace(PLAIN, boards=(bare,)))
    tab = opened(path, "#/board/b0").tab
    said = tab.locator(".plots > .small")
    expect(said).to_contain_text("no line in a ranking states its speed")
    expect(said).to_contain_text("papers print no numbers of each image")
    expect(said).to_contain_text("no model stands under two")
    assert tab.locator(".plot h2").all_text_contents() == ["Quality against size"]


def test_labels_do_not_cover_each_other(tab):
    for title in ("Quality against speed", "Quality against size"):
        texts = plot(tab, title).locator(".textpoint text").all()
        boxes = [one.bounding_box() for one in texts if one.text_content()]
        assert len(boxes) > 3
        assert not any(overlap(*pair) for pair in combinations(boxes, 2))


def hover(tab, graph, place=0):
    point = graph.locator(".points path.point").nth(place)
    text = graph.locator(".hoverlayer .hovertext")
    # As a hand and an eye do: Plotly overlooks a single move while it draws, and plots above this
    # one push it down when they are drawn.
    for nudge in range(100):
        point.scroll_into_view_if_needed()
        box = point.bounding_box()
        tab.mouse.move(box["x"] + box["width"] / 2 + nudge % 2, box["y"] + box["height"] / 2)
        if text.count() and text.is_visible():
            break
        tab.wait_for_timeout(50)
    expect(text).to_be_visible()
    return re.sub("[\u2068\u2069]", "", text.text_content())


def test_hovering_says_name_value_interval_and_device(tab):
    lines = best_first(line for line in SEGMENTATION.lines[:-1] if line.fps is not None)
    front = {name for one in SEGMENTATION.fronts for name in one.best if one.axis == "fps"}
    lines.sort(key=lambda line: line.id not in front)
    (place, line) = next((i, one) for i, one in enumerate(lines) if one.device)
    shown = plot(tab, "Quality against speed")
    text = hover(tab, shown, place)
    cell = line.cells[MAIN.id]
    for part in (line.model, line.device, cell.text, cell.ci95_text):
        assert part.replace(" ", "") in text.replace(" ", "")


def test_names_are_text_in_every_plot(opened, files):
    one = opened(files["named"], "#/board/b0")
    tab = drawn(one.tab)
    shown = plot(tab, "Quality against speed")
    texts = "".join(hover(tab, shown, place) for place in range(2))
    assert SCRIPT.replace(" ", "") in texts.replace(" ", "")
    names = {chip.get_attribute("title") for chip in tab.locator(".chip").all()}
    assert any(HOSTILE[0] in name for name in names)
    for title in ("Quality against speed", "Quality against the strength of the degradation"):
        assert any(HOSTILE[0] in cell for row in row_of(plot(tab, title)) for cell in row)
    assert tab.locator(".plots script, .plots img, .plots a, .plots [onerror]").count() == 0


MARKUP = '<b>a</b><br><a href="https://example.org">b</a> &lt;i&gt; <sub>c</sub>'
"""What Plotly takes for markup in its texts."""


def test_markup_that_plotly_knows_is_text(opened, tmp_path):
    lines = tuple(
        replace(line, name=f"{MARKUP}{number}", note=MARKUP)
        for number, line in enumerate(SEGMENTATION.lines)
    )
    slopes = tuple(replace(slope, model=MARKUP) for slope in SEGMENTATION.slopes[:1])
    board = replace(SEGMENTATION, lines=lines, slopes=slopes, factors=())
    path = tmp_path / "page.html"
    write_page(path, replace(PLAIN, boards=(board,)))
    tab = drawn(opened(path, "#/board/b0").tab)
    shown = plot(tab, "Quality against size")
    text = hover(tab, shown)
    assert text.replace(" ", "").count(MARKUP.replace(" ", "")) == 2
    beside = [one.text_content() for one in shown.locator(".textpoint text").all()]
    assert [one for one in beside if one.startswith("\u2068<b>a</b><br>")]
    slope = plot(tab, "From protocol to protocol").locator(".annotation text")
    assert slope.text_content().startswith("\u2068<b>a</b>")
    assert tab.locator(".graph a").count() == 0


def test_a_point_leads_to_its_model(tab):
    shown = plot(tab, "Quality against size")
    name = row_of(shown)[0][0]
    hover(tab, shown)
    # Where the pointer rests: Plotly takes the click of the point that it says the name of.
    tab.mouse.down()
    tab.mouse.up()
    expect(tab.get_by_role("heading", level=1)).to_have_text(name)
    go_back(tab)


def test_plots_change_with_the_theme(tab):
    point = plot(tab, "Quality against size").locator(".points path.point").first
    before = point.evaluate("node => getComputedStyle(node).stroke")
    tab.locator("#theme").click()
    expect(point).not_to_have_css("stroke", before)
    tab.locator("#theme").click()
    expect(point).to_have_css("stroke", before)


def test_plots_follow_the_width(tab):
    for width in (380, 1600):
        tab.set_viewport_size({"width": width, "height": 900})
        for graph in tab.locator(".graph").all():
            wanted = graph.evaluate("node => node.clientWidth")
            expect(graph.locator(".main-svg").first).to_have_attribute("width", str(wanted))
        assert tab.evaluate("document.documentElement.scrollWidth") <= width


def test_a_plot_is_saved_as_svg_and_leads_to_no_cloud(tab):
    shown = plot(tab, "Quality against size")
    shown.scroll_into_view_if_needed()
    buttons = shown.locator(".modebar-btn")
    titles = [one.get_attribute("data-title") for one in buttons.all()]
    assert len(titles) == 2
    assert not [title for title in titles if "loud" in title or "Plotly" in title]
    with tab.expect_download() as waiting:
        buttons.first.click()
    assert waiting.value.suggested_filename == "plot.svg"
    image = waiting.value.path().read_text("utf-8")
    assert image.startswith("<svg")
    assert "parameters of all that runs" in image


def test_what_costs_nothing_is_named_beside_the_logarithmic_axis(opened, tmp_path):
    """As no restoration does: its network has no parameter."""
    board = PLAIN.boards[1]
    first, *others = board.lines
    free = replace(first, all_parameters=0)
    fronts = tuple(
        replace(one, best=(free.id, *(two for two in one.best if two != free.id)))
        if one.axis == "all_parameters" and free.id in one.lines
        else one
        for one in board.fronts
    )
    made = replace(PLAIN, boards=(replace(board, lines=(free, *others), fronts=fronts),))
    write_page(tmp_path / "free.html", made)
    tab = drawn(opened(tmp_path / "free.html", f"#/board/{board.id}").tab)
    shown = plot(tab, "Quality against size")
    expect(shown).to_contain_text(f"as the axis is logarithmic: {free.name}, at 0")
    known = [one for one in ranked(made.boards[0], board.metrics[0].id) if one.all_parameters]
    expect(shown.locator(".points path.point")).to_have_count(len(known))
