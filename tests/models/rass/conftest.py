"""The toy's official files, written once, and a copy for tests that spoil some."""

import shutil

import pytest

from rass_bench.models.rass.prompt import load_clip_tokenizer
from tests.models.rass.toy import Toy, write_official


@pytest.fixture(scope="session")
def toy(tmp_path_factory) -> Toy:
    return write_official(tmp_path_factory.mktemp("official"))


@pytest.fixture(scope="session")
def tokenizer():
    return load_clip_tokenizer(None)


@pytest.fixture
def folder(toy, tmp_path):
    """The official files, to be changed."""
    return shutil.copytree(toy.folder, tmp_path / "files")
