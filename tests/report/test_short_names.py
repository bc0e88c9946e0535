"""Short names tell apart what the full ones do."""

from hypothesis import given
from hypothesis import strategies as st

from rass_bench.report.short_names import ARROW, cut, short_names

PART = st.builds(
    lambda model, revision: f"{model}@{revision}" if revision else model,
    st.text(min_size=1, max_size=50),
    st.text("abc0-", max_size=20),
)
NAME = st.one_of(PART, st.tuples(PART, PART).map(ARROW.join))


@given(st.lists(NAME, max_size=12))
def test_no_two_names_are_shortened_to_the_same(names):
    shorts = short_names(names)
    assert set(shorts) == set(names)
    assert len(set(shorts.values())) == len(shorts)


def test_the_only_revision_of_a_model_is_left_out():
    assert short_names(["rass@mini-3fd61b454222"]) == {"rass@mini-3fd61b454222": "rass"}


def test_revisions_are_cut_where_they_differ():
    names = ["rass@mini-3fd61b454222", "rass@mini-3fd61c000000", "rass@v1"]
    assert list(short_names(names).values()) == ["rass@mini-3fd61b", "rass@mini-3fd61c", "rass@v1"]


def test_a_restorer_and_its_model_are_shortened_each():
    name = "scr@mini-3fd61b454222 → segformer@9bbb349e66c5"
    assert short_names([name]) == {name: "scr → segformer"}


def test_a_long_name_loses_its_middle():
    assert cut("a" * 30 + "b" * 30, 9) == "aaaa…bbbb"


def test_what_does_not_print_is_spelled_out():
    assert cut("a\nb\u202e") == r"a\nb\u202e"


def test_where_revisions_alone_tell_models_apart_records_do_it():
    names = ["rass@mini-3fd61b454222", "rass@mini-714ace2b6662", "segformer@9bbb349e66c5"]
    records = {names[0]: "rass-seed-1", names[2]: "dt"}
    assert list(short_names(names, records).values()) == [
        "rass-seed-1",
        "rass@mini-714",
        "segformer",
    ]
