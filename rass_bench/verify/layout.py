"""The files of a bundle beside those of a run's folder, and the list of their hashes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from rass_bench.errors import UserError

MANIFEST = "manifest.json"
"""The data that were scored, with their hashes and recipes."""

DEFINITION = "dataset.yaml"
"""The definition of the data set."""

COMMANDS = "COMMANDS.txt"
"""How to get the code and the data, and to repeat and check the run."""

SUMS = "SHA256SUMS"
"""The hashes of all other files, as ``sha256sum --check`` reads them."""

_LINE = re.compile(r"([0-9a-f]{64})  (\S.*)")


def sums_text(hashes: Mapping[str, str]) -> str:
    """``SHA256SUMS`` of files by name, sorted."""
    return "".join(f"{hashes[name]}  {name}\n" for name in sorted(hashes))


def read_sums(path: Path) -> dict[str, str]:
    """The hashes of ``SHA256SUMS`` by file name.

    Raises:
        UserError: a line of another form, or no UTF-8.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except UnicodeDecodeError:
        lines = [""]
    matches = [_LINE.fullmatch(line) for line in lines]
    if not all(matches):
        raise UserError("malformed SHA256SUMS", str(path), "Pack or fetch the bundle again.")
    return {match[2]: match[1] for match in matches if match is not None}
