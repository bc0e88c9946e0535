"""Who may log in to a project's server: accounts in a file that only its owner can read."""

from __future__ import annotations

import os
import secrets
import stat
from dataclasses import asdict, dataclass
from pathlib import Path

from rass_bench.errors import UserError
from rass_bench.files import read_json
from rass_bench.structure import build

ADMIN = "admin@localhost.localdomain"
"""The account that `push` and `pull` act for."""


@dataclass(frozen=True, repr=False)
class Account:
    """One account. Its text form shows the name alone, so that no message can show more.

    Attributes:
        email: the name to log in with.
        password: for the page.
        token: for programs; 40 hexadecimal digits.
    """

    email: str
    password: str
    token: str

    def __repr__(self) -> str:
        return f"Account({self.email!r})"


@dataclass(frozen=True)
class Credentials:
    """All accounts of a project's server."""

    admin: Account
    annotators: tuple[Account, ...] = ()

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every password and token."""
        accounts = (self.admin, *self.annotators)
        return tuple(text for one in accounts for text in (one.password, one.token))


def new_account(email: str) -> Account:
    """An account with a password and a token that nobody can guess."""
    return Account(email=email, password=secrets.token_urlsafe(15), token=secrets.token_hex(20))


def load_or_create_credentials(folder: Path) -> Credentials:
    """The accounts of a project; a new project gets its admin.

    Raises:
        UserError: the file is malformed, or others can read it.
    """
    if not credentials_path(folder).exists():
        save_credentials(folder, Credentials(admin=new_account(ADMIN)))
    return load_credentials(folder)


def load_credentials(folder: Path) -> Credentials:
    """The accounts of a project.

    Raises:
        UserError: no such file, malformed, or others can read it.
    """
    path = credentials_path(folder)
    if not path.is_file():
        raise UserError(
            "the project has no accounts yet", str(path), "Start `rass-bench annotate serve` once."
        )
    others = stat.S_IMODE(path.stat().st_mode) & 0o077
    if others:
        raise UserError(
            "other users of this machine may read the passwords and tokens",
            str(path),
            f"Run `chmod 600 {path}`; if they may have been read, start with a new folder.",
        )
    try:
        return build(Credentials, read_json(path), "the file")
    except ValueError:
        # The reason may quote a password.
        raise UserError(
            "the file of accounts is malformed", str(path), "Restore it from a backup."
        ) from None


def save_credentials(folder: Path, credentials: Credentials) -> None:
    """Write the accounts, atomically, readable by the owner alone from the first byte on.

    Raises:
        OSError: the write failed; the old file is untouched.
    """
    import json

    path = credentials_path(folder)
    temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")
    content = json.dumps(asdict(credentials), indent=2).encode()
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def credentials_path(folder: Path) -> Path:
    """Where a project's accounts lie."""
    return folder / "credentials.json"
