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
def hub(monkeypatch):
    """A Hub on loopback that the environment points to, with its token, by LFS uploads."""
    with hub_stub.serve() as stub:
        settings = {"HF_ENDPOINT": stub.url, "HF_TOKEN": hub_stub.TOKEN, "HF_HUB_DISABLE_XET": "1"}
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        # The package reads two of them when it is first imported, which may be long ago.
        from huggingface_hub import constants

        monkeypatch.setattr(constants, "ENDPOINT", stub.url)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        yield stub
