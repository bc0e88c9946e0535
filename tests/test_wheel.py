"""The wheel holds what the package needs at run time: a user has no checkout."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The wheel, unpacked where an installer would put it."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = folder.glob("*.whl")
    assert wheel.stat().st_size < 24 * 2**20
    site = folder / "site"
    zipfile.ZipFile(wheel).extractall(site)
    return site


def in_the_wheel(installed, code):
    script = f"import sys; sys.path.insert(0, {str(installed)!r})\n{code}"
    done = subprocess.run(
        [sys.executable, "-I", "-c", script],
        cwd=installed.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_definitions_travel_in_the_wheel(installed):
    code = (
        "from rass_bench.data.spec import definitions_dir, load_spec, spec_names\n"
        "print(definitions_dir().name, len([load_spec(name) for name in spec_names()]))"
    )
    shipped = len(list((ROOT / "datasets").glob("*/dataset.yaml")))
    assert in_the_wheel(installed, code) == f"_datasets {shipped}"


def test_label_spaces_travel_in_the_wheel(installed):
    code = (
        "import rass_bench\n"
        "from rass_bench.labels import load_label_space\n"
        "print(rass_bench.__file__, load_label_space('ade20k-150').size)"
    )
    printed = in_the_wheel(installed, code)
    assert printed.startswith(str(installed))
    assert printed.endswith(" 150")


def test_weights_travel_in_the_wheel(installed):
    """Every file of every folder, as it lies in the checkout."""
    inside = Path("rass_bench/models/weights")
    files = [path for path in (ROOT / inside).rglob("*") if path.is_file()]
    assert {path.parent.name for path in files} == {
        "rass-mini",
        "segformer-mini-scenes",
        "segformer-mini-scenes-ft",
    }
    for path in files:
        assert (installed / path.relative_to(ROOT)).read_bytes() == path.read_bytes()


def test_the_wheel_brings_no_package_named_datasets(installed):
    assert not (installed / "datasets").exists()


def test_the_licence_travels_in_the_wheel(installed):
    (licence,) = installed.glob("*.dist-info/licenses/LICENSE")
    assert "Apache License" in licence.read_text()


def test_the_annotation_policy_and_the_qa_page_travel_in_the_wheel(installed):
    code = (
        "from rass_bench.annotate.policy import default_policy_file, load_policy\n"
        "from rass_bench.annotate.qa.page import render_page\n"
        "from rass_bench.labels import load_label_space\n"
        "load_policy()\n"
        "space = load_label_space('ade20k-150')\n"
        "html = render_page('none', measures=[], verdicts=[], space=space, load=None)\n"
        "print(default_policy_file().parent.name, html.count('</html>'))"
    )
    assert in_the_wheel(installed, code) == "_annotation 1"
