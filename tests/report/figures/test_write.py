"""Figures for papers: what they draw, what they say, and that nothing in them is alive."""

import math
import re
from dataclasses import replace
from itertools import pairwise
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from rass_bench.errors import UserError
from rass_bench.report.content import Content
from rass_bench.report.figures.write import file_names, write_figures
from tests.report.samples import HOSTILE, PROTOCOLS, board, content

SVG = "{http://www.w3.org/2000/svg}"
LINK = "{http://www.w3.org/1999/xlink}href"
HARMLESS = {
    *("svg", "g", "defs", "style", "clipPath", "path", "rect", "use", "text", "tspan"),
    *("metadata", "RDF", "Work", "type", "description", "format"),
}
SCENES, PHOTOS = "scenes-b0-1-0", "photos-b1-1-0"


def one(made):
    return Content("one board", PROTOCOLS, (made,))


def empty(name="scenes-b0@1.0"):
    made = board("b0", 1, 20, pictures=0)
    made = replace(made, name=name, lines=(), metrics=(), factors=(), fronts=(), scores=None)
    return replace(made, slopes=(), confirmations=())


def cell_of(line, metric, **changes):
    return replace(line, cells=line.cells | {metric: replace(line.cells[metric], **changes)})


@pytest.fixture(scope="module")
def two_boards():
    return content(boards=2, models=12, pictures=0)


@pytest.fixture(scope="module")
def written(two_boards, tmp_path_factory):
    folder = tmp_path_factory.mktemp("figures")
    return folder, write_figures(two_boards, folder)


def svg(folder, name):
    return ElementTree.parse(folder / f"{name}.svg").getroot()


def drawn(root, prefix):
    """Positions of markers by the rest of their group's id, in the SVG's units."""
    found = {}
    for group in root.iter(f"{SVG}g"):
        if group.get("id", "").startswith(prefix):
            uses = group.iter(f"{SVG}use")
            found[group.get("id").removeprefix(prefix)] = [
                (float(use.get("x")), float(use.get("y"))) for use in uses
            ]
    return found


def texts(root):
    return ["".join(text.itertext()) for text in root.iter(f"{SVG}text")]


def is_linear(drawn, values):
    """Whether places on paper are a linear image of the values."""
    fit = np.polyval(np.polyfit(values, drawn, 1), values)
    return np.abs(fit - drawn).max() < 0.02


def ranked(board):
    """Lines by id whose main number stands in a ranking."""
    main = board.metrics[0].id
    return {line.id: line for line in board.lines if line.cells[main].not_ranked is None}


def test_a_figure_is_a_png_an_svg_and_a_caption_and_each_board_has_a_table(written):
    folder, files = written
    expected = {f"{SCENES}.tex", f"{PHOTOS}.tex"}
    figures = {SCENES: ["fps", "strength", "slopes", "classes"], PHOTOS: ["perception"]}
    for name, kinds in figures.items():
        expected |= {
            f"{name}-{kind}.{ending}" for kind in kinds for ending in ("png", "svg", "txt")
        }
    names = [file.name for file in files]
    assert sorted(names) == sorted(set(names)) == sorted(file.name for file in folder.iterdir())
    assert expected <= set(names)


def test_speed_is_drawn_on_a_logarithmic_axis_with_a_point_for_each_line(written, two_boards):
    made = two_boards.boards[0]
    points = drawn(svg(written[0], f"{SCENES}-fps"), "point-")
    lines = ranked(made)
    for front in made.fronts:
        places = np.array([points.pop(line)[0] for line in front.lines])
        speeds = np.log([lines[line].fps for line in front.lines])
        values = [lines[line].cells["miou/gt-present"].value for line in front.lines]
        assert is_linear(places[:, 0], speeds)
        assert is_linear(places[:, 1], np.array(values))
    assert points == {}


def test_the_front_runs_through_the_best_lines_from_the_cheapest(written, two_boards):
    root = svg(written[0], f"{SCENES}-fps")
    points = drawn(root, "point-")
    paths = [
        path.get("d")
        for group in root.iter(f"{SVG}g")
        if group.get("id", "").startswith("front")
        for path in group.iter(f"{SVG}path")
    ]
    corners = [np.array(re.findall(r"[ML] (\S+) (\S+)", path), float) for path in paths]
    fronts = [[points[line][0] for line in front.best] for front in two_boards.boards[0].fronts]
    for found, best in zip(corners, fronts, strict=True):
        # Stairs: from each line along to the cost of the next, then up to it.
        stairs = [best[0]]
        for before, after in pairwise(best):
            stairs += [(after[0], before[1]), after]
        assert np.allclose(found, stairs, atol=1e-5)


def test_what_costs_nothing_has_a_place_left_of_the_rest(tmp_path):
    made = board("b0", 4, 20, pictures=0)
    first, *others = made.lines
    lines = (replace(first, all_parameters=0), *others)
    fronts = tuple(
        replace(front, axis="all_parameters", lines=tuple(x.id for x in made.lines[:4]))
        for front in made.fronts[:1]
    )
    write_figures(one(replace(made, lines=lines, fronts=fronts)), tmp_path)
    root = svg(tmp_path, f"{SCENES}-parameters")
    points = drawn(root, "point-")
    assert len(points) == 4
    assert all(points["b0l0"][0][0] < points[line][0][0] for line in points if line != "b0l0")
    assert "0" in texts(root)


def test_curves_have_a_marker_for_each_bin_with_a_value(written, two_boards):
    curves = drawn(svg(written[0], f"{SCENES}-strength"), "curve-")
    for factor in two_boards.boards[0].factors:
        by_line = {curve.line: curve for curve in factor.curves}
        shown = {key: at for key, at in curves.items() if key.startswith(f"{factor.name}-")}
        assert len(shown) == 9
        for key, places in shown.items():
            values = by_line[key.removeprefix(f"{factor.name}-")].values
            known = [
                (one.middle, value)
                for one, value in zip(factor.bins, values, strict=True)
                if value is not None
            ]
            x, y = np.array(places).T
            assert is_linear(x, np.array([middle for middle, _ in known]))
            assert is_linear(y, np.array([value for _, value in known]))
            # Harder is always to the right.
            assert (np.diff(x) < 0).all() == factor.harder_when_lower


def test_of_many_lines_the_best_three_of_each_protocol_have_curves(written, two_boards):
    made = two_boards.boards[0]
    best = set()
    for protocol in ("dt", "r2s", "ft"):
        rivals = [x for x in ranked(made).values() if x.protocol == protocol and x.details]
        rivals.sort(key=lambda line: line.cells["miou/gt-present"].value)
        best |= {line.id for line in rivals[-3:]}
    curves = drawn(svg(written[0], f"{SCENES}-strength"), "curve-blur-")
    assert set(curves) == best
    caption = (written[0] / f"{SCENES}-strength.txt").read_text()
    assert "9 of 12 lines" in caption
    for line in made.lines:
        if line.id in best:
            assert line.name in caption


def test_slopes_have_a_point_for_each_protocol_of_a_model(written, two_boards):
    made = two_boards.boards[0]
    points = drawn(svg(written[0], f"{SCENES}-slopes"), "point-")
    expected = [line for slope in made.slopes for _, line in slope.points]
    assert sorted(points) == sorted(expected)
    values = [ranked(made)[line].cells["miou/gt-present"].value for line in expected]
    assert is_linear(np.array([points[line][0][1] for line in expected]), np.array(values))
    for slope in made.slopes:
        places = [points[line][0][0] for _, line in slope.points]
        assert places == sorted(places)


def test_perception_has_a_point_for_each_line_with_both_numbers(written, two_boards):
    made = two_boards.boards[1]
    points = drawn(svg(written[0], f"{PHOTOS}-perception"), "point-")
    both = {
        line.id: (line.cells["psnr/y601"].value, line.cells["maniqa/pipal"].value)
        for line in made.lines
        if all(
            (cell := line.cells.get(metric)) and cell.value is not None and not cell.not_ranked
            for metric in ("psnr/y601", "maniqa/pipal")
        )
    }
    assert set(points) == set(both)
    places = np.array([points[line][0] for line in both])
    psnr, maniqa = np.array(list(both.values())).T
    assert is_linear(places[:, 0], psnr)
    assert is_linear(places[:, 1], maniqa)


def test_classes_are_those_of_the_best_line_of_each_protocol_the_best_on_top(written, two_boards):
    made = two_boards.boards[0]
    points = drawn(svg(written[0], f"{SCENES}-classes"), "classes-")
    lines = ranked(made)
    best = {}
    for line in lines.values():
        rival = best.setdefault(line.protocol, line)
        if line.details and line.cells["miou/gt-present"].value > (
            rival.cells["miou/gt-present"].value if rival.details else -1
        ):
            best[line.protocol] = line
    assert set(points) == {line.id for line in best.values()}
    per_class = np.array([line.details.per_class for line in best.values()], float)
    order = [i for i in np.argsort(-per_class.mean(axis=0)) if not np.isnan(per_class[0, i])]
    shown = texts(svg(written[0], f"{SCENES}-classes"))
    names = [made.classes.names[i] for i in order]
    assert [text for text in shown if text in made.classes.names] == names
    for row, line in zip(per_class, best.values(), strict=True):
        x, y = np.array(points[line.id]).T
        assert is_linear(x, row[order])
        assert (np.diff(y) > 0).all()


def test_pngs_have_the_width_of_a_column_or_a_page_at_300_dpi(written):
    for file in written[1]:
        if file.suffix == ".png":
            with Image.open(file) as image:
                image.load()
                assert all(math.isclose(dpi, 300, abs_tol=0.01) for dpi in image.info["dpi"])
                assert image.width in (990, 2070)


def test_text_in_an_svg_is_text(written):
    root = svg(written[0], f"{SCENES}-fps")
    assert {"DT", "R2S", "FT", "images a second"} <= set(texts(root))


def test_every_figure_says_the_notice_and_carries_its_caption(written, two_boards):
    notice = two_boards.boards[0].notice
    for file in written[1]:
        if file.suffix != ".svg":
            continue
        root = ElementTree.parse(file).getroot()
        caption = file.with_suffix(".txt").read_text().strip()
        assert notice in " ".join(texts(root))
        assert notice in caption
        description = next(root.iter("{http://purl.org/dc/elements/1.1/}description"))
        assert description.text == caption
        with Image.open(file.with_suffix(".png")) as image:
            assert image.info["Description"] == caption


def test_the_same_content_gives_the_same_bytes_whatever_matplotlib_is_set_to(
    written, two_boards, tmp_path
):
    with mpl.rc_context({"font.size": 20, "axes.grid": True, "svg.fonttype": "path"}):
        again = write_figures(two_boards, tmp_path)
    assert [file.name for file in again] == [file.name for file in written[1]]
    for first, second in zip(written[1], again, strict=True):
        assert first.read_bytes() == second.read_bytes(), first.name


def test_the_settings_of_matplotlib_are_left_as_they_were(tmp_path):
    before = dict(mpl.rcParams)
    write_figures(one(board("b0", 2, 20, pictures=0)), tmp_path)
    assert dict(mpl.rcParams) == before


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    return write_figures(content(boards=2, models=12, pictures=0, hostile=True), folder)


def test_names_of_strangers_bring_nothing_alive_into_an_svg(hostile):
    for file in hostile:
        if file.suffix == ".svg":
            for element in ElementTree.parse(file).iter():
                assert element.tag.partition("}")[2] in HARMLESS
                assert not any(name.lower().startswith("on") for name in element.attrib)
                assert element.get(LINK, "#").startswith("#")


def test_dollar_signs_hold_no_formula(tmp_path):
    made = board("b0", 3, 20, pictures=0)
    lines = tuple(replace(line, name=f"{line.protocol}$x_2$") for line in made.lines)
    write_figures(one(replace(made, lines=lines)), tmp_path)
    for kind, text in (("fps", "dt$x_2$"), ("classes", "DT: dt$x_2$"), ("strength", "FT: ft$x_2$")):
        assert text in texts(svg(tmp_path, f"{SCENES}-{kind}"))


def test_any_name_can_be_drawn(tmp_path):
    names = [*HOSTILE, "$\\frac{1}{0}$", "a\x00b\x1b[31m", "\ud800", "$", ""]
    made = board("b0", len(names), 20, pictures=0, reported=0)
    lines = tuple(
        replace(line, name=name, device=name)
        for line, name in zip(made.lines, [*names, "apart"], strict=True)
    )
    named = dict(zip((line.id for line in lines), names, strict=False))
    slopes = tuple(replace(one, model=named[one.points[0][1]]) for one in made.slopes)
    fronts = tuple(replace(one, group=named[one.lines[0]]) for one in made.fronts)
    made = replace(made, lines=lines, slopes=slopes, fronts=fronts, notice="".join(names))
    drawn_files = [file for file in write_figures(one(made), tmp_path) if file.suffix == ".svg"]
    assert len(drawn_files) == 4
    for file in drawn_files:
        assert any("script" in text for text in texts(ElementTree.parse(file).getroot()))


@pytest.mark.parametrize("name", ["../../etc/passwd", "/", "", "a" * 300, "CON", "b\x00", *HOSTILE])
def test_files_stay_in_their_folder_whatever_a_board_is_called(name, tmp_path):
    folder = tmp_path / "figures"
    files = write_figures(one(empty(name)), folder)
    assert [file.parent.resolve() for file in files] == [folder.resolve()] * len(files)
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == files
    assert re.fullmatch(r"[a-z0-9-]+\.tex", files[-1].name)


def test_boards_of_like_names_do_not_overwrite_each_other():
    made = board("b0", 1, 20, pictures=0)
    names = ("Photos@1.0", "photos-1.0", "photos@1/0", "photos-1-0-2")
    boards = tuple(replace(made, name=name) for name in names)
    assert len(set(file_names(Content("", PROTOCOLS, boards)))) == 4


def test_there_is_no_figure_of_what_is_not_there(tmp_path):
    made = board("b0", 6, 20, pictures=0)
    made = replace(made, factors=(), fronts=(), slopes=(), classes=None)
    assert [file.name for file in write_figures(one(made), tmp_path)] == [f"{SCENES}.tex"]


def test_numbers_outside_of_rankings_are_not_drawn(tmp_path):
    made = board("b0", 6, 20, pictures=0)
    main = made.metrics[0].id
    lines = tuple(cell_of(line, main, rank=None, not_ranked="partial") for line in made.lines)
    files = write_figures(one(replace(made, lines=lines)), tmp_path)
    assert [file.name for file in files] == [f"{SCENES}.tex"]


def test_a_board_without_lines_has_a_table_alone(tmp_path):
    assert [file.name for file in write_figures(one(empty()), tmp_path)] == [f"{SCENES}.tex"]


def test_a_folder_that_cannot_be_made_is_the_users_to_mend(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="file"):
        write_figures(one(board("b0", 2, 20, pictures=0)), tmp_path / "file" / "figures")
