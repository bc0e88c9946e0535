"""Releases and a Hub to push them to."""

import pytest

from rass_bench.release.build import build_release
from rass_bench.release.source import open_source
from tests.builders import labelled_set
from tests.release import hub_stub


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A labelled data set of four photos; not to be changed."""
    return labelled_set(tmp_path_factory.mktemp("source") / "tiny")


@pytest.fixture(scope="module")
def release(tiny, tmp_path_factory):
    """That data set, released in two shards; not to be changed."""
    folder = tmp_path_factory.mktemp("release") / "tiny"
    build_release(open_source(str(tiny)), folder, shard_bytes=500)
    return folder


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A Hub on loopback that the environment points to, with its token, by LFS uploads."""
    from huggingface_hub import constants

    # The constant is read from HF_HUB_DISABLE_XET when the package is first imported.
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setenv("HF_TOKEN", hub_stub.TOKEN)
    with hub_stub.serve() as stub:
        monkeypatch.setenv("HF_ENDPOINT", stub.url)
        yield stub
