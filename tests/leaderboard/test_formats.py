"""The three forms of a table: alike in what they say, harmless whatever a model is named."""

import csv
import dataclasses
import io
import json
import re
from html import unescape

import hypothesis.strategies as st
import pytest
from hypothesis import given
from markdown_it import MarkdownIt
from rich.console import Console

from rass_bench.cli.leaderboard_tables import print_summary, print_table
from rass_bench.errors import UserError
from rass_bench.leaderboard.formats import CSV_COLUMNS, as_csv, as_json
from rass_bench.leaderboard.key import RowKey
from rass_bench.leaderboard.markdown import as_markdown
from rass_bench.leaderboard.ranking import Rank
from rass_bench.leaderboard.safe_text import (
    csv_text,
    markdown_code,
    markdown_text,
    one_line,
    terminal_text,
)
from rass_bench.leaderboard.table import Images, Kind, Row, Table, load_table

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "a | b",
    "=cmd()|' /C calc'!A0",
    "+1+1",
    "-1-1",
    "@SUM(A1)",
    "\uff1dcmd()",
    "\t=cmd()",
    "two\nlines",
    "two\r\n## lines",
    "[click](javascript:alert(1))",
    "![x](https://example.org/x.png)",
    "https://example.org",
    "www.example.org",
    "somebody@example.org",
    "`code` *bold* _it_ ~~gone~~ $x$",
    "&lt;b&gt;",
    "\x1b[31mred\x1b[0m\x07",
    "\u202etxt.exe",
    "line\u2028separator",
    "\\",
    "a\\| b",
    "",
]


def a_row(model, **changes):
    key = RowKey(model, "dt", None, "miou/gt-present", "1", "small", None, None, None, None)
    row = Row(
        key=key,
        kind=Kind.MEASURED,
        value=0.1 + 0.2,
        printed=None,
        ci95=(0.25, 1 / 3),
        images=7,
        higher_is_better=True,
        rank=Rank(2, 1, 3, 3),
        not_ranked=None,
        fps=12.5,
        device="cpu",
        parameters=1_234_567,
        trainable_parameters=None,
        licence=model,
        record="records/one",
        verdict=None,
        note=model,
    )
    return dataclasses.replace(row, **changes)


def a_table(*rows):
    images = Images("test", "ade20k-150", 7, "ab" * 32, None)
    return Table(1, "tiny@1.0", "1.2.3", "2026-01-31", "tiny@1.0", images, rows, ())


def read_csv(content):
    lines = csv.reader(io.StringIO(content.decode(), newline=""))
    header, *rows = lines
    return [dict(zip(header, row, strict=True)) for row in rows]


MARKDOWN = MarkdownIt("gfm-like", {"linkify": False})


def html(content):
    return MARKDOWN.render(content.decode() if isinstance(content, bytes) else content)


# What they say


def test_json_is_read_back_as_it_was(tmp_path):
    table = a_table(*(a_row(name) for name in HOSTILE))
    (tmp_path / "table.json").write_bytes(as_json(table))
    assert load_table(tmp_path) == table == load_table(tmp_path / "table.json")


def test_each_form_states_its_schema_and_the_boards_version():
    table = a_table(a_row("net@1"))
    assert json.loads(as_json(table))["schema_version"] == 1
    line = read_csv(as_csv(table))[0]
    assert (line["schema_version"], line["board"], line["version"]) == ("1", "tiny@1.0", "1.2.3")
    page = html(as_markdown(table))
    assert "Table schema 1." in page and "version 1.2.3" in page


def test_csv_has_every_number_in_full_and_nothing_where_there_is_nothing():
    line = read_csv(as_csv(a_table(a_row("net@1"))))[0]
    assert tuple(line) == CSV_COLUMNS
    assert float(line["value"]) == 0.1 + 0.2 and float(line["ci95_high"]) == 1 / 3
    assert [line[f"rank_{part}"] for part in ("first", "point", "last", "of")] == list("1233")
    assert line["trainable_parameters"] == line["restorer"] == line["not_ranked"] == ""


def test_a_page_shows_rank_value_interval_and_links_the_record():
    page = html(as_markdown(a_table(a_row("net@1"))))
    assert "<strong>1–3</strong>: 30.00 (25.0–33.3)" in page
    assert '<a href="records/one">measured</a>' in page


def test_a_page_tells_why_a_row_is_not_ranked():
    row = a_row("net@1", rank=None, value=None, ci95=None, not_ranked="partial: 3 of 7 images")
    page = html(as_markdown(a_table(row)))
    cells = re.findall(r"<td.*?>(.*?)</td>", page)
    assert "Not ranked" in page and "partial: 3 of 7 images" in cells and "–" in cells


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema_version": 2}, "table schema 2 is newer"),
        ({"schema_version": None}, "states no schema version"),
        ({"rows": [{}]}, "malformed table"),
    ],
)
def test_tables_of_another_schema_or_form_are_refused(tmp_path, change, message):
    document = json.loads(as_json(a_table(a_row("net@1")))) | change
    (tmp_path / "table.json").write_text(json.dumps(document))
    with pytest.raises(UserError, match=message):
        load_table(tmp_path)


# Hostile names

NAMES = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=30))


@given(NAMES)
def test_no_spreadsheet_takes_a_cell_for_a_formula(name):
    line = read_csv(as_csv(a_table(a_row(name))))[0]
    for cell in (line["model"], line["note"], line["licence"]):
        assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b"))
        assert cell.removeprefix("'") == one_line(name) or cell == one_line(name)


@given(NAMES)
def test_a_table_keeps_one_line_a_row_and_stays_rectangular(name):
    content = as_csv(a_table(a_row(name), a_row("net@1")))
    assert len(content.decode().splitlines()) == len(read_csv(content)) + 1 == 3


@given(NAMES)
def test_json_may_stand_in_a_pages_script(name):
    content = as_json(a_table(a_row(name)))
    assert b"<" not in content
    assert json.loads(content)["rows"][0]["key"]["model"] == name


@given(NAMES)
def test_markdown_shows_a_name_as_it_is_and_nothing_else(name):
    """An independent reader of GitHub's Markdown finds the name's letters, and no element."""
    rendered = html(f"| a | b |\n| --- | --- |\n| {markdown_text(name)} | end |\n")
    cells = re.findall(r"<td>(.*?)</td>", rendered, re.DOTALL)
    assert len(cells) == 2 and cells[1] == "end" and "<" not in cells[0]
    assert unescape(cells[0]) == one_line(name).strip()


@given(NAMES)
def test_a_changelog_shows_a_name_and_nothing_else(name):
    rendered = html(f"- Added {markdown_code(name)}: done.\n")
    if one_line(name).strip():
        (shown,) = re.findall(r"<li>Added <code>(.*?)</code>: done\.</li>", rendered)
        assert unescape(shown).strip() == one_line(name).replace("`", "'").strip()
    assert rendered.count("<") <= 6


@pytest.mark.parametrize("name", HOSTILE)
def test_a_page_keeps_its_columns_whatever_the_name(name):
    page = html(as_markdown(a_table(a_row(name), a_row("net@1"))))
    assert page.count("<tr>") == 3 and len(re.findall("<th[ >]", page)) == 7
    assert (
        "<script" not in page
        and "<img" not in page
        and "javascript:" not in page.replace("(javascript:", "")
    )


def test_github_makes_no_link_of_a_name():
    """Its autolinks look for these in the source text, entities not resolved."""
    for name in ("https://example.org", "www.example.org", "somebody@example.org", "net@1.0"):
        assert not re.search(r"://|www\.|\w@\w", markdown_text(name))


@pytest.mark.parametrize("name", HOSTILE)
def test_a_terminal_is_sent_no_control_code(name):
    console = Console(file=io.StringIO(), width=80, force_terminal=False)
    table = a_table(a_row(name), a_row("net@1", rank=None, not_ranked=name))
    print_summary(console, table, ())
    print_table(console, table)
    written = console.file.getvalue()
    assert all(letter.isprintable() or letter == "\n" for letter in written)
    assert all(len(line) <= 80 for line in written.splitlines())


@given(st.text())
def test_one_line_is_one_printable_line_and_leaves_printable_text_alone(text):
    shown = one_line(text)
    assert shown.isprintable()
    assert shown == text or not text.isprintable()


@given(st.text())
def test_a_terminal_gets_the_lines_and_no_control_code(text):
    shown = terminal_text(text)
    assert all(letter.isprintable() or letter == "\n" for letter in shown)
    assert shown.split("\n") == [one_line(line) for line in text.splitlines()] or not text


def test_only_what_begins_like_a_formula_gets_an_apostrophe():
    assert csv_text("a=b") == "a=b" and csv_text("=a") == "'=a" and csv_text("net@1") == "net@1"
