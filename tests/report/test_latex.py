"""LaTeX tables: every number in its column, and nothing of a stranger's name a command."""

import re
import shutil
import subprocess
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rass_bench.report.latex import latex_table
from rass_bench.report.latex_text import latex_comment, latex_text
from tests.report.samples import HOSTILE, board

COMMAND = re.compile(r"\\([a-zA-Z]+)")
HARMLESS = {
    *("textbackslash", "textasciicircum", "textasciitilde", "textless", "textgreater", "textbar"),
    *("char", "ldots", "rightarrow", "leftarrow", "uparrow", "downarrow", "times", "pm", "cdot"),
    *("circ", "mu", "ss", "ae", "AE", "oe", "OE", "o", "O", "l", "L", "u", "v", "H", "c", "r"),
}
NASTY = (
    *HOSTILE,
    r"\end{tabular}",
    "a & b \\\\ c",
    "[2em]",
    "*",
    "--",
    "?`",
    "é ł ß 模型 🙂",
    "%",
    "",
)


def without_comments(text):
    return re.sub(r"(?<!\\)%.*", "", text)


def depth_stays_balanced(text):
    depth = 0
    for brace in re.findall(r"\\.|([{}])", text, re.DOTALL):
        depth += {"{": 1, "}": -1, "": 0}[brace]
        if depth < 0:
            return False
    return depth == 0


def tabulars(source):
    """Each tabular's number of columns, and its rows as cells."""
    found = []
    pattern = r"\\begin\{tabular\}\{([lr]+)\}(.*?)\\end\{tabular\}"
    for columns, inside in re.findall(pattern, without_comments(source), re.DOTALL):
        body = re.sub(r"\\(toprule|midrule|bottomrule)\n", "", inside)
        rows = [row.strip() for row in re.split(r"\\\\(?:\[-?\d+pt\])?\n", body)]
        assert rows[-1] == ""
        found.append((len(columns), [re.split(r"(?<!\\)&", row) for row in rows[:-1]]))
    return found


def width(cells):
    """The columns that the cells of a row take."""
    spans = (re.match(r"\s*\\multicolumn\{(\d+)\}", cell) for cell in cells)
    return sum(1 if span is None else int(span[1]) for span in spans)


def rows_of(source, name):
    """The rows of that model, each as its cells."""
    return [
        [cell.strip() for cell in row]
        for _, rows in tabulars(source)
        for row in rows
        if re.match(rf"\\quad {re.escape(latex_text(name))}(\\textsuperscript|\s)", row[0])
    ]


def changed(made, index, metric, **changes):
    """The board with a cell of one of its lines changed."""
    lines = list(made.lines)
    cells = lines[index].cells
    lines[index] = replace(lines[index], cells=cells | {metric: replace(cells[metric], **changes)})
    return replace(made, lines=tuple(lines))


@pytest.mark.parametrize("hostile", [False, True])
@pytest.mark.parametrize("restores", [False, True])
def test_every_row_fills_every_column(hostile, restores):
    source = latex_table(board("b0", 12, 20, pictures=0, hostile=hostile, restores=restores))
    tables = tabulars(source)
    assert len(tables) == 2
    for columns, rows in tables:
        assert len(rows) > 3
        assert {width(row) for row in rows} == {columns}


@pytest.mark.parametrize("hostile", [False, True])
def test_braces_and_environments_are_balanced(hostile):
    source = without_comments(latex_table(board("b0", 12, 20, pictures=0, hostile=hostile)))
    assert depth_stays_balanced(source)
    assert (
        re.findall(r"\\(begin|end)\{(\w+)\}", source)
        == [("begin", "tabular"), ("end", "tabular")] * 2
    )


def test_the_file_says_first_what_it_needs():
    source = latex_table(board("b0", 2, 20, pictures=0))
    assert source.startswith(r"% Needs \usepackage{booktabs}")
    assert "\\usepackage" not in without_comments(source)


def test_a_line_has_its_numbers_speed_and_parameters_in_order_and_its_intervals_below():
    made = board("b0", 1, 20, pictures=0, reported=0)
    line = made.lines[0]
    (_, rows), *_ = tabulars(latex_table(made))
    at = next(i for i, row in enumerate(rows) if "segformer" in row[0])
    numbers = [cell.strip() for cell in rows[at]]
    assert numbers[1:4] == [line.cells[metric.id].text for metric in made.metrics]
    assert float(numbers[4]) == pytest.approx(line.fps, rel=0.005)
    assert float(numbers[5].removesuffix(" M")) == pytest.approx(line.parameters / 1e6, rel=1e-3)
    for metric, cell in zip(made.metrics, rows[at + 1][1:4], strict=True):
        assert line.cells[metric.id].ci95_text.replace("–", "--") in cell


def test_the_heading_names_metric_variant_version_direction_and_unit():
    (_, rows), *_ = tabulars(latex_table(board("b0", 1, 20, pictures=0)))
    assert rows[0][1].strip() == r"miou $\uparrow$ \%"
    assert "gt-present@1" in rows[1][1]


def test_bold_is_what_has_or_shares_the_first_place_of_several():
    made = board("b0", 12, 20, pictures=0)
    main = made.metrics[0].id
    source = latex_table(made)
    for line in made.lines:
        cell = line.cells[main]
        if cell.not_ranked is None:
            (row,) = [
                row
                for row in rows_of(
                    source, line.name.replace("@mini-0123456789ab", "").split("@")[0]
                )
                if cell.text in row[1] and "textsuperscript" not in row[1]
            ]
            is_first = cell.rank[0] == 1 and cell.rank[2] > 1
            assert (row[1] == rf"\textbf{{{cell.text}}}") == is_first


def test_the_only_one_of_a_ranking_is_not_bold():
    made = changed(board("b0", 1, 20, pictures=0, reported=0), 0, "miou/gt-present", rank=(1, 1, 1))
    assert r"\textbf{" + made.lines[0].cells["miou/gt-present"].text not in latex_table(made)


def test_a_reported_line_is_marked_and_stands_below_its_source():
    made = board("b0", 2, 20, pictures=0, reported=1)
    (_, rows), *_ = tabulars(latex_table(made))
    firsts = [row[0] for row in rows]
    source = next(i for i, cell in enumerate(firsts) if "Guan et al., IJCV 2026" in cell)
    assert r"\textsuperscript{a}" in firsts[source]
    assert firsts[source + 1].strip() == rf"\quad {made.lines[2].name}\textsuperscript{{r}}"
    assert r"\textsuperscript{a} Guan et al., IJCV 2026 (arXiv 2602.14042): Table 1" in latex_table(
        made
    )


def test_a_verified_line_is_marked():
    made = board("b0", 6, 20, pictures=0, reported=0)
    source = latex_table(made)
    for line in made.lines[:6]:
        name = line.name.replace("@mini-0123456789ab", "").split("@")[0]
        assert (rf"{latex_text(name)}\textsuperscript{{v}}" in source) == (line.kind == "verified")


def test_lines_that_stand_apart_have_a_table_of_their_own_with_the_reason():
    made = board("b0", 6, 20, pictures=0)
    source = latex_table(made)
    first, second = source.split(r"\end{tabular}")[:2]
    assert "other photos" not in first
    assert r"\textsuperscript{a} other photos: scenes@1.0" in source.rpartition(r"\bottomrule")[2]
    text = made.lines[-1].cells["miou/gt-present"].text
    assert rf"{text}\textsuperscript{{a}}" in second


def test_a_number_that_is_not_ranked_among_ranked_ones_has_its_reason_as_a_note():
    made = changed(
        board("b0", 2, 20, pictures=0, reported=0), 0, "miou/union", not_ranked="other version"
    )
    source = latex_table(made)
    assert rf"{made.lines[0].cells['miou/union'].text}\textsuperscript{{a}}" in source
    assert r"\textsuperscript{a} other version." in source


def test_the_notice_stands_below_every_table():
    made = board("b0", 3, 20, pictures=0)
    assert without_comments(latex_table(made)).count(made.notice) == len(
        tabulars(latex_table(made))
    )


def test_segmentation_and_restoration_do_not_share_a_table():
    made = board("b0", 3, 20, pictures=0, reported=0)
    photos = board("b1", 3, 20, pictures=0, restores=True, reported=0)
    both = replace(made, metrics=made.metrics + photos.metrics, lines=made.lines + photos.lines)
    tables = tabulars(latex_table(both))
    headings = [" ".join(rows[0]) for _, rows in tables]
    assert ["miou" in heading for heading in headings] == ["psnr" not in one for one in headings]
    assert len(tables) == 4


def test_columns_that_no_line_has_numbers_for_are_left_out():
    made = board("b0", 2, 20, pictures=0)
    lines = tuple(replace(line, fps=None, parameters=None) for line in made.lines)
    source = latex_table(replace(made, lines=lines))
    assert "images/s" not in source
    assert [columns for columns, _ in tabulars(source)] == [4, 4]


def test_a_board_without_lines_is_a_comment():
    made = replace(board("b0", 1, 20, pictures=0), lines=(), metrics=())
    assert without_comments(latex_table(made)).strip() == ""


@given(st.text())
@example("".join(NASTY))
def test_text_is_ascii_without_an_open_brace_a_bare_special_or_a_strange_command(text):
    written = latex_text(text)
    assert written.isascii()
    assert written.isprintable()
    assert depth_stays_balanced(written)
    assert set(COMMAND.findall(written)) <= HARMLESS
    assert not re.search(r"(?<!\\)[&%#_]", re.sub(r"\\\\", "", written))
    assert len(re.findall(r"(?<!\\)\$", written)) % 2 == 0
    assert r"\\" not in written


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126)))
def test_text_of_ascii_can_be_read_back(text):
    back = latex_text(text)
    names = {
        "textbackslash": "\x01",
        "textasciicircum": "^",
        "textasciitilde": "~",
        "textless": "<",
        "textgreater": ">",
        "textbar": "|",
    }
    for name, sign in names.items():
        back = back.replace(f"\\{name}{{}}", sign)
    back = back.replace(r"{\char34}", '"')
    back = re.sub(r"\{([\[\]*])\}", r"\1", back)
    back = back.replace("{}", "")
    back = re.sub(r"\\([{}$&#%_])", r"\1", back)
    assert back.replace("\x01", "\\") == text


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("é", r"\'{e}"),
        ("Š", r"\v{S}"),
        ("ß", r"\ss{}"),
        ("模", "U+6A21"),
        ("a--b", "a-{}-b"),
        ("27.1–39.3", "27.1--39.3"),
        ("scr → x", r"scr $\rightarrow$ x"),
    ],
)
def test_signs_outside_ascii_are_set_without_a_package(text, written):
    assert latex_text(text) == written


@given(st.text())
def test_a_comment_stays_one_line(text):
    written = latex_comment(text)
    assert written.isascii()
    assert len(written.splitlines()) <= 1


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
@pytest.mark.parametrize("restores", [False, True])
def test_it_compiles_with_booktabs_alone(tmp_path, restores):
    made = board("b0", 12, 20, pictures=0, hostile=True, restores=restores)
    lines = tuple(replace(line, name=name) for line, name in zip(made.lines, NASTY, strict=False))
    (tmp_path / "table.tex").write_text(latex_table(replace(made, lines=lines)))
    (tmp_path / "paper.tex").write_text(
        r"\documentclass{article}\usepackage{booktabs}\begin{document}"
        r"\input{table}\end{document}"
    )
    command = [
        "pdflatex",
        "-no-shell-escape",
        "-halt-on-error",
        "-interaction=nonstopmode",
        "paper",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
