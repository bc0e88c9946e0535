"""The gate: pixels are passed on under licences that are known to allow it, and under no other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rass_bench.data.spec import load_spec, spec_names
from rass_bench.release.licence import REDISTRIBUTABLE, redistribution_licence


@pytest.mark.parametrize(
    ("words", "spdx"),
    [
        ("Apache-2.0", "Apache-2.0"),
        ("apache-2.0", "Apache-2.0"),
        ("CC BY-NC 4.0", "CC-BY-NC-4.0"),
        (" CC0 1.0\n", "CC0-1.0"),
        ("MIT", "MIT"),
    ],
)
def test_an_identifier_is_known_in_any_case_and_with_spaces(words, spdx):
    assert redistribution_licence(words).spdx == spdx


@pytest.mark.parametrize(
    "words",
    [
        "",
        "not published; do not redistribute",
        "CC BY-NC 4.0, research use",
        "CC-BY-ND-4.0",
        "CC-BY",
        "proprietary",
        "MIT OR proprietary",
        "Not MIT",
        "Apache-2.0; photos for research",
        "unknown",
        "that of your photos",
        "no Apache-2.0",
    ],
)
def test_anything_else_forbids(words):
    assert redistribution_licence(words) is None


@given(words=st.text(), licence=st.sampled_from(REDISTRIBUTABLE))
def test_more_words_than_the_identifier_forbid(words, licence):
    added = f"{licence.spdx} {words}x"
    assert redistribution_licence(added) is None


def test_of_the_shipped_data_sets_only_scenes_may_be_passed_on():
    allowed = {name for name in spec_names() if redistribution_licence(load_spec(name).licence)}
    assert allowed == {"scenes"}


def test_every_identifier_leads_to_its_text():
    for licence in REDISTRIBUTABLE:
        assert licence.url == f"https://spdx.org/licenses/{licence.spdx}.html"
        assert licence.hub == licence.hub.lower()
