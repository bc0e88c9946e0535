"""The committed reported numbers against the collected facts, and what reported.csv may hold."""

import csv
import re
from collections import defaultdict
from itertools import combinations
from pathlib import Path
from statistics import median

import pytest

from rass_bench.errors import UserError
from rass_bench.leaderboard.reported import COLUMNS, NOT_IMPLEMENTED, read_reported
from rass_bench.leaderboard.tolerance import TOLERANCES
from rass_bench.metrics.catalog import get_metric
from tests.conftest import SHARED
from tests.leaderboard.runs import make_board, put_reported

BOARDS = Path(__file__).resolve().parents[2] / "leaderboards"
RESTORATION = {
    "DIV2K-Val": "div2k-val@1.0",
    "RealSR": "realsr@1.0",
    "DRealSR": "drealsr@1.0",
}
METRICS = {
    "psnr_y": "psnr/y601",
    "ssim_y": "ssim/y601-rounded",
    "lpips": "lpips/alex",
    "dists": "dists",
    "fid": "fid/clean",
    "niqe": "niqe",
    "musiq": "musiq/koniq",
    "maniqa_pipal": "maniqa/pipal",
    "clipiqa": "clipiqa",
}


def fact(name):
    path = SHARED / "facts" / name
    if not path.is_file():
        pytest.skip(f"needs {name} of the collected facts, which are not beside this checkout")
    return path.read_text("utf-8")


@pytest.fixture(scope="module")
def restoration_facts():
    return list(csv.DictReader(fact("reported_restoration.csv").splitlines()))


# The committed numbers


@pytest.mark.parametrize(("dataset", "board"), RESTORATION.items())
def test_every_restoration_number_is_there_digit_by_digit_and_none_else(
    restoration_facts, dataset, board
):
    expected = sorted(
        (row["method"], row["steps"], METRICS[column], row[column])
        for row in restoration_facts
        if row["dataset"] == dataset
        for column in METRICS
        if row[column]
    )
    found = sorted(
        (number.method, number.steps, number.metric, number.printed)
        for number in read_reported(BOARDS / board)
    )
    assert found == expected and len(found) > 200


def test_the_restoration_rows_are_all_89(restoration_facts):
    def lines(board):
        return {
            (n.method, n.steps, n.source, n.column.rpartition(", ")[0])
            for n in read_reported(BOARDS / board)
        }

    assert len(restoration_facts) == 89
    assert sum(len(lines(board)) for board in RESTORATION.values()) == 89


def test_a_restoration_numbers_source_is_the_facts(restoration_facts):
    """Source and table join to the words of the facts, where these name a paper."""
    for row in restoration_facts:
        if row["source_kind"] == "seed":
            continue
        words = re.sub(r", via notes$", "", row["source"])
        numbers = [
            number
            for number in read_reported(BOARDS / RESTORATION[row["dataset"]])
            if (number.method, number.steps) == (row["method"], row["steps"])
            and words in (number.source, f"{number.source} {number.column.rpartition(', ')[0]}")
        ]
        given = sorted(METRICS[column] for column in METRICS if row[column])
        assert sorted(number.metric for number in numbers) == given, row


TABLE_1 = re.compile(
    r"^  (?P<method>[\w+]+) (?P<ade>[-\d./ ]+)\| (?P<lq>[-\d./ ]+)\| (?P<fps>[-\d.]+) "
    r"\| (?P<parameters>[\d.]+)M \| (?P<trainable>[\d.]+)M",
    re.MULTILINE,
)


@pytest.mark.parametrize(("group", "board"), [("ade", "ade20k-degraded@1.0"), ("lq", "reallq@1.0")])
def test_table_1_of_rass_is_there_with_speed_and_parameters(group, board):
    lines = list(TABLE_1.finditer(fact("protocols.md")))
    assert len(lines) == 6
    expected = {
        (line["method"], protocol, value.strip(), *figures)
        for line in lines
        for figures in [(line["fps"].replace("-", ""), line["parameters"], line["trainable"])]
        for protocol, value in zip(("dt", "r2s", "ft"), line[group].split("/"), strict=True)
        if value.strip() != "-"
    }
    numbers = [one for one in read_reported(BOARDS / board) if one.column.startswith("Table 1")]
    assert expected == {
        (n.method, n.protocol, n.printed, n.fps, n.parameters_millions, n.trainable_millions)
        for n in numbers
    }
    assert {(n.metric, n.unit) for n in numbers} == {("miou/gt-present", "%")}
    assert all((n.restorer == "SCR") == (n.protocol == "r2s") for n in numbers)


@pytest.mark.parametrize(
    ("board", "printed", "reason"),
    [
        ("drealsr@1.0", "0.6689", "variant unknown"),
        ("ade20k@1.0", "53.76", "not documented"),
        ("ade20k-degraded@1.0", "47.42", "repeats Table 1"),
        ("reallq@1.0", "39.8", "repeats Table 1"),
    ],
)
def test_numbers_of_unknown_meaning_and_repeated_ones_are_kept_and_not_ranked(
    board, printed, reason
):
    numbers = [
        one
        for one in read_reported(BOARDS / board)
        if one.printed == printed and one.source_kind == "list"
    ]
    assert len(numbers) == 1 and reason in numbers[0].not_ranked


# Tolerances


@pytest.mark.parametrize("column", METRICS)
def test_a_tolerance_is_the_median_distance_of_two_papers_numbers(restoration_facts, column):
    found = defaultdict(list)
    for row in restoration_facts:
        if row[column] and row["source_kind"] != "seed":
            found[row["dataset"], row["method"], row["steps"]].append(float(row[column]))
    distances = [abs(a - b) for values in found.values() for a, b in combinations(values, 2)]
    assert len(distances) == 21
    assert TOLERANCES[METRICS[column]].value == pytest.approx(median(distances), abs=1e-9)


def test_a_tolerance_is_of_a_metric_that_exists():
    for metric in TOLERANCES.keys() - NOT_IMPLEMENTED.keys():
        assert get_metric(metric).info.id == metric


# The file


def test_a_number_is_read_as_it_is_printed(tmp_path):
    board = make_board(tmp_path)
    put_reported(board, {"printed": "39.80"}, {"metric": "fid/clean", "printed": "9", "unit": ""})
    percent, fid = read_reported(board)
    assert (percent.printed, percent.value, percent.higher_is_better) == ("39.80", 0.398, True)
    assert (fid.value, fid.higher_is_better) == (9.0, False)


def test_steps_tell_methods_of_one_name_apart(tmp_path):
    board = make_board(tmp_path)
    put_reported(board, {"steps": "1"}, {"steps": "4"}, {})
    assert [one.label for one in read_reported(board)] == [
        "Method, 1 step",
        "Method, 4 steps",
        "Method",
    ]


@pytest.mark.parametrize(
    ("number", "message"),
    [
        ({"source": ""}, "the cell 'source' is empty"),
        ({"column": ""}, "the cell 'column' is empty"),
        ({"printed": "n/a"}, "the cell 'printed' is 'n/a', no number"),
        ({"printed": "nan"}, "the cell 'printed' is 'nan', no number"),
        ({"printed": "1e999999999"}, "the cell 'printed' is '1e999999999', no number"),
        ({"printed": "sNaN"}, "the cell 'printed' is 'sNaN', no number"),
        ({"printed": "-Infinity"}, "the cell 'printed' is '-Infinity', no number"),
        ({"printed": "=1+1"}, "the cell 'printed' is '=1+1', no number"),
        ({"printed": "1_000"}, "the cell 'printed' is '1_000', no number"),
        ({"printed": "٣"}, "the cell 'printed' is '٣', no number"),
        ({"printed": "9" * 400}, "the cell 'printed' is '9999"),
        ({"parameters_millions": "1e305"}, "the cell 'parameters_millions' is '1e305', no number"),
        ({"trainable_millions": "-1"}, "the cell 'trainable_millions' is -1"),
        ({"fps": "-0.5"}, "the cell 'fps' is -0.5"),
        ({"fps": "fast"}, "the cell 'fps' is 'fast', no number"),
        ({"metric": "miou"}, "unknown metric 'miou'"),
        ({"protocol": "rts"}, "unknown protocol 'rts'"),
        ({"unit": "dB"}, "unknown unit 'dB'"),
    ],
)
def test_a_number_without_source_or_sense_is_refused(tmp_path, number, message):
    board = make_board(tmp_path)
    put_reported(board, {}, number)
    with pytest.raises(UserError, match=re.escape(message)) as caught:
        read_reported(board)
    assert caught.value.where == f"{board / 'reported.csv'}:3"


def test_a_number_given_twice_is_refused(tmp_path):
    board = make_board(tmp_path)
    put_reported(board, {}, {"printed": "51.0"})
    with pytest.raises(UserError, match="is given twice from Table 1"):
        read_reported(board)


@pytest.mark.parametrize("text", ["", "method,value\nA,1\n", ",".join(COLUMNS) + "\nA,1\n", '"'])
def test_a_file_of_another_form_is_refused(tmp_path, text):
    board = make_board(tmp_path)
    (board / "reported.csv").write_text(text)
    with pytest.raises(UserError):
        read_reported(board)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "utf-8-sig"])
def test_a_file_of_another_encoding_is_refused(tmp_path, encoding):
    board = make_board(tmp_path)
    put_reported(board, {"method": "Größe"})
    path = board / "reported.csv"
    path.write_text(path.read_text("utf-8"), encoding)
    with pytest.raises(UserError, match=r"no UTF-8 text|the columns are"):
        read_reported(board)
