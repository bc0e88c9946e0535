"""Fixtures shared by all tests: real inputs where they are at hand, and a cache of our own."""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from rass_bench.annotate.installation import Installation, default_installation, install
from rass_bench.errors import UserError

# A first example may compile or load what the others use, and CI's machines are busy. The same
# examples each time, so that only a change turns a run red; --hypothesis-profile=search draws new.
settings.register_profile("search", deadline=None)
settings.register_profile("repeated", deadline=None, derandomize=True)
settings.load_profile("repeated")

# One thread a worker: two workers with two threads each are slower than one.
os.environ.setdefault("OMP_NUM_THREADS", "1")

SHARED = Path(__file__).resolve().parents[2] / "shared"


ORACLE = Path(os.environ.get("RASS_BENCH_ORACLE", SHARED / "oracle"))
"""Fixtures made with the official code."""


def _find(folder: Path, name: str) -> Path:
    path = folder / name
    if not path.exists():
        pytest.skip(f"needs {name} of the shared real inputs, which are not beside this checkout")
    return path


@pytest.fixture(scope="session")
def shared_data() -> Callable[[str], Path]:
    """Path of a real photo set, label set or weights file; skips when it is absent."""
    return lambda name: _find(SHARED / "data", name)


@pytest.fixture(scope="session")
def oracle_file() -> Callable[[str], Path]:
    """Path of a fixture made with the official code; skips when it is absent."""
    return lambda name: _find(ORACLE, name)


OWN_INSTALLATION = default_installation()
"""The user's own Label Studio: one of 850 MB is enough for a machine."""


@pytest.fixture(scope="session")
def installation(_private_cache: None) -> Installation:
    """The real Label Studio, installed when it is missing; commands find it, too."""
    try:
        install(OWN_INSTALLATION, print)
    except UserError as error:
        pytest.skip(f"needs Label Studio, which could not be installed here: {error}")
    link = default_installation().folder
    link.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):  # another worker was here first
        link.symlink_to(OWN_INSTALLATION.folder)
    return OWN_INSTALLATION


@pytest.fixture(autouse=True, scope="session")
def _private_cache(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> None:
    """Keep the tests out of the user's cache; one folder for all workers, rendered once."""
    base = tmp_path_factory.getbasetemp()
    shared_base = base if worker_id == "master" else base.parent
    os.environ["RASS_BENCH_CACHE"] = str(shared_base / "cache")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium without a screen, which reaches nothing but this machine."""
    names = ("chromium", "chromium-browser", "google-chrome")
    program = next(filter(None, map(shutil.which, names)), None)
    if program is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    from tests.browser import FLAGS

    with sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=program, args=FLAGS)
        yield started
        started.close()
