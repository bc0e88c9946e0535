"""The one exception that means "the user can mend this"."""

from __future__ import annotations

import difflib
import errno
import importlib.metadata
from collections.abc import Iterable


class UserError(Exception):
    """A mistake in input, arguments or environment, told in one paragraph.

    The command line prints it without a traceback and exits with code 2. Anything else that
    escapes is a bug and keeps its traceback.

    Args:
        what: what is wrong, as a short statement.
        where: the file, option or sample it was found in.
        do: what the user can do about it.
    """

    def __init__(self, what: str, where: str, do: str) -> None:
        super().__init__(what, where, do)
        self.what = what
        self.where = where
        self.do = do

    def __str__(self) -> str:
        return f"{self.what} ({self.where}). {self.do}"


def suggest(name: str, known: Iterable[str]) -> str:
    """Say which known names are near ``name``, or list them all when none is."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    if near:
        return f"Did you mean {' or '.join(near)}?"
    return f"Known names: {', '.join(names)}."


def require_package(distribution: str, extra: str) -> None:
    """Check that an optional distribution is installed, without importing it.

    The installed metadata is asked, not the import system: this project's own top-level folder
    ``datasets/`` would otherwise pass for the Hugging Face package of that name.

    Raises:
        UserError: the distribution is absent; the message names the extra that brings it.
    """
    try:
        importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        raise UserError(
            f"the package {distribution} is not installed",
            f"extra '{extra}'",
            f"Install it with: pip install 'rass-bench[{extra}]'.",
        ) from None


def from_os_error(error: OSError, where: str) -> UserError:
    """Put an operating-system failure (disk full, no permission) into the user's terms."""
    path = str(error.filename or where)
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return UserError(
            "the disk is full or a file-size limit was reached",
            path,
            "Free some space and repeat the command, with --resume where it has that; what is "
            "finished is kept.",
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return UserError("permission denied", path, "Choose a place you may read or write.")
    return UserError(error.strerror or str(error), path, "Check the path and the file system.")
