"""The real server, one for each module that asks for it."""

import pytest

from rass_bench.annotate.server import connect, running_server


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
