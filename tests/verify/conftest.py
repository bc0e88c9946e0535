"""Real runs on the embedded scenes, made once, and copies of them to tamper with."""

import shutil

import pytest

from rass_bench.data.dataset import open_dataset
from rass_bench.degrade.dataset import degrade_dataset
from rass_bench.evaluate.resolve import RunRequest
from rass_bench.evaluate.run import run
from tests.verify.forging import quiet


def measured(folder, **request):
    run(RunRequest(**request), folder, resume=False, arguments_given={}, progress=quiet)
    return folder


@pytest.fixture(scope="session")
def segmented_once(tmp_path_factory):
    """Four scenes through the shipped network."""
    folder = tmp_path_factory.mktemp("runs") / "segmented"
    return measured(folder, model="segformer-mini-scenes", dataset="scenes", limit=4)


@pytest.fixture(scope="session")
def restored_once(tmp_path_factory):
    """Three degraded scenes, left as they are, beside the clean ones."""
    folder = tmp_path_factory.mktemp("runs")
    degrade_dataset(open_dataset("scenes"), "rass", 0, folder / "degraded", limit=3)
    return measured(
        folder / "restored",
        model="identity",
        dataset=str(folder / "degraded"),
        protocol="restore",
    )


@pytest.fixture
def segmented(segmented_once, tmp_path):
    return shutil.copytree(segmented_once, tmp_path / "segmented")


@pytest.fixture
def restored(restored_once, tmp_path):
    return shutil.copytree(restored_once, tmp_path / "restored")
