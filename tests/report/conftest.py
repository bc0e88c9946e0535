"""Pages of the report in a browser that notices whatever they do besides."""

from contextlib import ExitStack

import pytest

from rass_bench.report.page import write_page
from tests.browser import watched


@pytest.fixture(scope="module")
def files(request, tmp_path_factory):
    """The pages of a module's contents: PLAIN, and NAMED with names that do harm elsewhere."""
    folder = tmp_path_factory.mktemp("pages")
    paths = {"plain": folder / "plain.html", "named": folder / "named.html"}
    write_page(paths["plain"], request.module.PLAIN)
    write_page(paths["named"], request.module.NAMED)
    return paths


@pytest.fixture
def opened(browser):
    """Open a page for one test."""
    with ExitStack() as stack:

        def open_page(path, view="", **options):
            return stack.enter_context(watched(browser, path, view, **options))

        yield open_page


@pytest.fixture(scope="module")
def kept_open(browser):
    """Open a page for the tests of a module, which leave it as they found it."""
    with ExitStack() as stack:

        def open_page(path, view="", **options):
            return stack.enter_context(watched(browser, path, view, **options))

        yield open_page
