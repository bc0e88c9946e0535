"""The real server, one for each module that asks for it."""

import shutil

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


@pytest.fixture(scope="module")
def browser():
    """Chromium without a screen, which reaches nothing but this machine."""
    names = ("chromium", "chromium-browser", "google-chrome")
    program = next(filter(None, map(shutil.which, names)), None)
    if program is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    from tests.annotate.page import FLAGS

    with sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=program, args=FLAGS)
        yield started
        started.close()
