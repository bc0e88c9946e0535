"""What a record says of the code that it was made with."""

import subprocess

import pytest

from rass_bench.evaluate.environment import git_state


@pytest.fixture
def checkout(tmp_path):
    """A checkout with a package in it."""
    (tmp_path / "rass_bench").mkdir()
    (tmp_path / "rass_bench/code.py").write_text("ONE = 1\n")
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    for command in (("init", "-q"), ("add", "."), (*identity, "commit", "-qm", "Begin")):
        subprocess.run(["git", "-C", tmp_path, *command], check=True)
    return tmp_path


def test_a_clean_checkout_is_its_commit(checkout):
    commit, is_dirty = git_state(checkout)
    head = subprocess.run(
        ["git", "-C", checkout, "rev-parse", "HEAD"], capture_output=True, text=True, check=True
    )
    assert (commit, is_dirty) == (head.stdout.strip(), False)


def test_what_a_user_puts_beside_the_package_changes_no_number(checkout):
    (checkout / "runs").mkdir()
    (checkout / "runs/checked.zip").write_bytes(b"")
    assert git_state(checkout)[1] is False


@pytest.mark.parametrize("file", ["code.py", "another.py"])
def test_a_change_of_the_package_may(checkout, file):
    (checkout / "rass_bench" / file).write_text("ONE = 2\n")
    assert git_state(checkout)[1] is True


def test_an_installed_package_has_no_checkout(tmp_path):
    assert git_state(tmp_path) == (None, None)
