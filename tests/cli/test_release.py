"""`rass-bench release` as users meet it: build, check, push; from the repository's root, too."""

import shutil
import subprocess
import sys

import pytest

from tests.builders import labelled_set
from tests.cli.command import ROOT, in_a_process, rass_bench
from tests.release import hub_stub
from tests.release.edits import edit_rows


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return labelled_set(tmp_path_factory.mktemp("data") / "tiny")


@pytest.fixture(scope="module")
def built(data, tmp_path_factory):
    """What `release build` printed, and the folder it made; not to be changed."""
    out = tmp_path_factory.mktemp("out") / "tiny"
    return in_a_process("release", "build", data, "--out", out), out


def test_build_says_what_it_wrote(built):
    done, out = built
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"4 samples of tiny@1.0 written to {out}: 1 parquet files")


def test_check_compares_with_the_source_by_name_or_by_its_files(built, data):
    for option in (["--dataset", data], ["--data-root", data]):
        done = rass_bench("release", "check", built[1], *option)
        told = "The release is whole and fits the files of tiny@1.0.\n"
        assert (done.returncode, done.stdout) == (0, told), done.stderr


def test_check_asks_no_network(built, tmp_path):
    """In a network namespace of its own there is nobody to ask, and no user's cache is touched."""
    alone = ["unshare", "--map-root-user", "--net"]
    if shutil.which("unshare") is None or subprocess.run([*alone, "true"], check=False).returncode:
        pytest.skip("needs the right to make a network namespace")
    home = tmp_path / "home"
    home.mkdir()
    own = {"HOME": str(home), "HF_HOME": str(home / "hf")}
    done = in_a_process("release", "check", built[1], before=alone, **own)
    told = "The release is whole and fits its manifests.\n"
    assert (done.returncode, done.stdout) == (0, told), done.stderr
    assert list(home.rglob("*")) == []


def test_check_names_the_sample_that_differs_and_exits_with_1(built, tmp_path):
    own = shutil.copytree(built[1], tmp_path / "own")
    edit_rows(
        own, "data/test-00000-of-00001.parquet", lambda rows: rows[2].update(label=rows[1]["label"])
    )
    done = rass_bench("release", "check", own)
    assert done.returncode == 1
    assert done.stdout == "test/p2: the hash of its label is not the manifest's\n"


def test_a_damaged_manifest_is_a_difference_and_no_error(built, tmp_path):
    own = shutil.copytree(built[1], tmp_path / "own")
    (own / "manifest-test.json").write_text("{")
    done = rass_bench("release", "check", own)
    assert done.returncode == 1
    assert done.stdout.startswith("manifest-test.json: the file's hash is not that of SHA256SUMS\n")


def test_a_folder_that_is_no_release_is_a_users_mistake(tmp_path):
    done = rass_bench("release", "check", tmp_path)
    assert done.returncode == 2
    assert "Give a folder of `release build`" in done.stderr
    assert "Traceback" not in done.stderr


def test_build_says_when_the_licence_keeps_the_pixels_back(data, tmp_path):
    own = shutil.copytree(data, tmp_path / "own")
    definition = own / "dataset.yaml"
    definition.write_text(definition.read_text().replace("CC0-1.0", "research [only]"))
    done = rass_bench("release", "build", own, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert 'Without pixels: the licence "research [only]" is not known to allow' in done.stdout


def test_push_tells_sends_and_never_shows_the_token(built):
    with hub_stub.serve() as hub:
        environment = {
            "HF_ENDPOINT": hub.url,
            "HF_TOKEN": hub_stub.TOKEN,
            "HF_HUB_DISABLE_XET": "1",
        }
        rehearsed = in_a_process(
            "release", "push", built[1], "--repo", "lq/tiny", "--dry-run", **environment
        )
        assert rehearsed.returncode == 0, rehearsed.stderr
        assert "Would go to lq/tiny:" in rehearsed.stdout
        assert "  data/test-00000-of-00001.parquet  " in rehearsed.stdout
        assert hub.requests == []
        pushed = in_a_process("release", "push", built[1], "--repo", "lq/tiny", **environment)
        assert pushed.returncode == 0, pushed.stderr
        assert pushed.stdout == f"Pushed: {hub.url}/datasets/lq/tiny/commit/{hub.commit_id()}\n"
        hub.echo_token = True
        environment["HF_TOKEN"] = "hf_wrong_secret"
        refused = in_a_process("release", "push", built[1], "--repo", "lq/tiny", **environment)
        assert refused.returncode == 2
        assert "the Hub answered 401" in refused.stderr
        for done in (rehearsed, pushed, refused):
            assert hub_stub.TOKEN not in done.stdout + done.stderr
            assert "hf_wrong_secret" not in done.stdout + done.stderr


def test_without_the_extra_the_user_hears_its_name(data, tmp_path):
    """The folder datasets/ at the root must not pass for the package that is missing."""
    script = (
        "import importlib.metadata as metadata, sys\n"
        "from rass_bench.cli.main import main\n"
        "found = metadata.version\n"
        "def version(name):\n"
        "    if name == 'datasets':\n"
        "        raise metadata.PackageNotFoundError(name)\n"
        "    return found(name)\n"
        "metadata.version = version\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "release", "build", data, "--out", tmp_path / "out"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 2
    assert "pip install 'rass-bench[hub]'" in done.stderr


@pytest.mark.parametrize("command", ["build", "check", "push"])
def test_every_command_has_help_with_worked_examples(command):
    done = rass_bench("release", command, "--help")
    assert done.returncode == 0
    assert f"rass-bench release {command}" in done.stdout.split("Examples", 1)[1]


def test_help_loads_nothing_heavy():
    script = (
        "import sys, rass_bench.cli.main\n"
        "heavy = {'datasets', 'pyarrow', 'huggingface_hub', 'mlcroissant', 'numpy'}\n"
        "print(heavy & set(sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout == "set()\n"


def test_check_compares_the_released_splits_alone(tmp_path):
    """A split that is neither released nor there is not asked for."""
    data = labelled_set(tmp_path / "tiny")
    definition = data / "dataset.yaml"
    definition.write_text(definition.read_text().replace("test: 4", "test: 4\n  train: 9"))
    out = tmp_path / "out"
    assert rass_bench("release", "build", data, "--split", "test", "--out", out).returncode == 0
    done = rass_bench("release", "check", out, "--dataset", data)
    assert done.returncode == 0, done.stdout + done.stderr
