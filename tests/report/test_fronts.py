"""Pareto fronts hold what nothing beats, and slopes follow one model."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rass_bench.report.content import Cell, Line, Metric
from rass_bench.report.fronts import fronts, slopes

MIOU = Metric("miou/gt-present", "mIoU", higher_is_better=True, is_percent=True)
LPIPS = Metric("lpips/alex", "LPIPS", higher_is_better=False, is_percent=False)


def line(number, value, *, metric=MIOU, **changes):
    cell = Cell("", value, None, "–", (1, 1, 1) if value is not None else None, "1", None)
    values = {
        "id": f"b0l{number}",
        "name": "",
        "model": f"m{number}@1",
        "restorer": None,
        "protocol": "dt",
        "kind": "measured",
        "test_size": None,
        "prompt": None,
        "source": None,
        "fps": None,
        "device": "cpu",
        "parameters": None,
        "trainable_parameters": None,
        "all_parameters": None,
        "licence": None,
        "record": None,
        "link": None,
        "verdict": None,
        "note": None,
        "cells": {metric.id: cell},
        "details": None,
    }
    return Line(**(values | changes))


POINTS = st.lists(
    st.tuples(st.integers(1, 5), st.sampled_from([0.1, 0.2, 0.3, 0.4])), min_size=2, max_size=9
)


@given(POINTS, st.sampled_from(["fps", "all_parameters"]), st.sampled_from([MIOU, LPIPS]))
def test_a_front_holds_a_line_of_each_point_that_nothing_beats(points, axis, metric):
    """Against the definition: no other is at least as good in both and better in one."""
    lines = [
        line(number, value, metric=metric, **{axis: cost})
        for number, (cost, value) in enumerate(points)
    ]
    (front,) = fronts(lines, metric)
    cheap = 1 if axis == "fps" else -1
    good = 1 if metric.higher_is_better else -1

    def beats(one, other):
        ahead = (cheap * (one[0] - other[0]), good * (one[1] - other[1]))
        return min(ahead) >= 0 and max(ahead) > 0

    unbeaten = {one for one in points if not any(beats(other, one) for other in points)}
    on_front = [points[int(one.removeprefix("b0l"))] for one in front.best]
    assert len(on_front) == len(set(on_front))
    assert set(on_front) == unbeaten
    assert front.lines == tuple(one.id for one in lines)


def test_speed_is_compared_on_one_device_and_within_one_source():
    lines = [
        line(0, 0.5, fps=1.0, device="cpu"),
        line(1, 0.4, fps=2.0, device="cpu"),
        line(2, 0.6, fps=90.0, device="gpu"),
        line(3, 0.9, fps=99.0, kind="reported", source="A paper: Table 1", device=None),
        line(4, 0.8, fps=98.0, kind="reported", source="A paper: Table 2", device=None),
    ]
    assert [(one.group, one.best) for one in fronts(lines, MIOU)] == [
        ("cpu", ("b0l1", "b0l0")),
        ("A paper", ("b0l3",)),
    ]


def test_what_has_no_rank_or_no_cost_stands_on_no_front():
    lines = [line(0, 0.5, fps=1.0), line(1, None, fps=2.0), line(2, 0.7)]
    assert fronts(lines, MIOU) == ()


def test_a_model_is_followed_from_protocol_to_protocol():
    lines = [
        line(0, 0.3, model="net@1"),
        line(1, 0.4, model="net@1", protocol="r2s", restorer="a@1"),
        line(2, 0.5, model="net@1", protocol="r2s", restorer="b@1"),
        line(3, 0.6, model="net-ft@2", protocol="ft"),
        line(4, 0.7, model="alone@1", protocol="ft"),
        line(5, 0.8, model="net@1", protocol="restore"),
    ]
    (slope,) = slopes(lines, MIOU)
    assert slope.model == "net"
    assert slope.points == (("dt", "b0l0"), ("r2s", "b0l2"), ("ft", "b0l3"))


def test_a_reported_and_a_measured_model_of_one_name_are_two():
    lines = [
        line(0, 0.3, model="net@1"),
        line(1, 0.4, model="net", protocol="ft", kind="reported", source="A paper: Table 1"),
    ]
    assert slopes(lines, MIOU) == ()


@pytest.mark.parametrize("metric", [MIOU, LPIPS])
def test_the_best_line_of_a_protocol_is_the_models(metric):
    lines = [
        line(0, 0.3, metric=metric, model="net@1"),
        line(1, 0.4, metric=metric, model="net@1", protocol="r2s"),
        line(2, 0.5, metric=metric, model="net@1", protocol="r2s"),
    ]
    (slope,) = slopes(lines, metric)
    assert slope.points[1][1] == ("b0l2" if metric.higher_is_better else "b0l1")
