"""The real server, one for each module that asks for it."""

import os
from pathlib import Path

import pytest

from rass_bench.annotate.installation import LABEL_STUDIO, Installation
from rass_bench.annotate.server import connect, running_server


@pytest.fixture(scope="session")
def installation():
    """The user's own installation: one of 850 MB is enough for a machine."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    made = Installation(cache / "rass-bench" / "label-studio" / LABEL_STUDIO)
    if not made.empty_database.is_file():
        pytest.skip("needs Label Studio: start `rass-bench annotate serve` once, which installs it")
    return made


@pytest.fixture(scope="module")
def served(installation, tmp_path_factory):
    """The folder of a project whose server runs."""
    folder = tmp_path_factory.mktemp("project")
    with running_server(folder, installation=installation):
        yield folder


@pytest.fixture(scope="module")
def client(served):
    """A connection in the name of the admin."""
    with connect(served) as made:
        yield made
