"""The doctor knows every extra, and no package that is not one of its extra's."""

import re
import tomllib
from pathlib import Path

from rass_bench.evaluate.doctor import EXTRAS, examine

PROJECT = tomllib.loads(
    (Path(__file__).resolve().parents[2] / "pyproject.toml").read_text("utf-8")
)["project"]["optional-dependencies"]


def test_every_extra_is_looked_at():
    assert set(EXTRAS) == set(PROJECT) - {"all", "dev"}
    assert {f"extra {name}" for name in EXTRAS} <= {one.what for one in examine()}


def test_its_packages_are_those_of_the_project():
    for name, packages in EXTRAS.items():
        declared = {re.split(r"[>=<]", one, maxsplit=1)[0] for one in PROJECT[name]}
        assert set(packages) <= declared
