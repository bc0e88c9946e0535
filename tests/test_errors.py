"""Errors that a user can act on."""

import errno

import pytest

from rass_bench.errors import UserError, from_os_error, require_package, suggest


def test_a_user_error_says_what_where_and_what_to_do():
    error = UserError("label map missing", "annotations/a.png", "Add the file.")
    assert str(error) == "label map missing (annotations/a.png). Add the file."


def test_a_near_name_is_suggested():
    assert suggest("biqubic", ["bicubic", "identity"]) == "Did you mean bicubic?"


def test_without_a_near_name_all_are_listed():
    assert suggest("xyz", ["b", "a"]) == "Known names: a, b."


def test_a_missing_package_names_the_extra_that_brings_it():
    with pytest.raises(UserError, match=r"pip install 'rass-bench\[iqa\]'"):
        require_package("no-such-distribution-here", "iqa")


def test_an_installed_package_passes():
    require_package("numpy", "core")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.ENOSPC, "disk is full"),
        (errno.EFBIG, "disk is full"),
        (errno.EACCES, "permission denied"),
        (errno.ENOTDIR, "Not a directory"),
    ],
)
def test_operating_system_failures_are_put_into_words(code, words):
    import os

    error = from_os_error(OSError(code, os.strerror(code), "some/file"), "elsewhere")
    assert words in str(error)
    assert "some/file" in str(error)
