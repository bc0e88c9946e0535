"""One name, one entry; messages that help; plug-ins from files."""

import pytest

from rass_bench.errors import UserError
from rass_bench.registry import Registry, load_from_file


def test_an_entry_is_found_by_its_name():
    registry = Registry[int]("number")
    assert registry.add("one", 1) == 1
    assert registry.get("one") == 1
    assert dict(registry) == {"one": 1}


def test_the_decorator_returns_what_it_registers():
    registry = Registry("thing")

    @registry.register("f")
    def function():
        return 7

    assert registry.get("f") is function
    assert function() == 7


def test_a_second_entry_of_a_name_is_refused_and_changes_nothing():
    registry = Registry[int]("number")
    registry.add("one", 1)
    with pytest.raises(ValueError, match=r"two number entries are named 'one': 1 and 2"):
        registry.add("one", 2)
    assert registry.get("one") == 1


def test_an_unknown_name_brings_a_suggestion():
    registry = Registry[int]("number")
    registry.add("seven", 7)
    with pytest.raises(UserError, match=r"unknown number 'sevn'.*Did you mean seven"):
        registry.get("sevn")


def test_a_plugin_is_loaded_from_a_file(tmp_path):
    (tmp_path / "plugin.py").write_text("class Model:\n    answer = 42\n")
    assert load_from_file(f"{tmp_path}/plugin.py:Model").answer == 42


def test_a_missing_plugin_file_is_named():
    with pytest.raises(UserError, match=r"plug-in file not found.*nowhere\.py"):
        load_from_file("nowhere.py:Model")


def test_a_missing_name_in_a_plugin_brings_a_suggestion(tmp_path):
    (tmp_path / "plugin.py").write_text("class Model: ...\n")
    with pytest.raises(UserError, match="Did you mean Model"):
        load_from_file(f"{tmp_path}/plugin.py:Modell")
