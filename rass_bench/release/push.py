"""A release's folder goes to the Hugging Face Hub, in one commit, without its token being seen."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from rass_bench.errors import UserError, require_package
from rass_bench.release.contents import read_release
from rass_bench.release.shards import DATA_FOLDER
from rass_bench.release.sums import NO_RELEASE, check_release_sums
from rass_bench.sums import SUMS, read_sums

if TYPE_CHECKING:
    from huggingface_hub import HfApi

T = TypeVar("T")


@dataclass(frozen=True)
class Push:
    """What was, or would be, sent.

    Attributes:
        repository: ``ORG/NAME``.
        files: path and bytes of each file.
        url: of the commit; None where nothing was sent.
    """

    repository: str
    files: tuple[tuple[str, int], ...]
    url: str | None


def push_release(folder: Path, repository: str, *, dry_run: bool = False) -> Push:
    """Upload a release into a data-set repository, which is made when absent.

    Everything appears in one commit, shards of an earlier release that are no longer part of it
    disappear with it. Files that the Hub has received are not sent again: an upload that broke is
    resumed by calling this once more.

    Args:
        folder: the release's folder.
        repository: ``ORG/NAME``.
        dry_run: check the folder and tell what would be sent; nothing is asked of the Hub.

    Raises:
        UserError: the folder is not as it was built, the name is malformed, there is no token, or
            the Hub or the way to it fails. No message holds the token.
    """
    require_package("huggingface-hub", "hub")
    _refuse_damaged(folder)
    _refuse_name(repository)
    names = sorted([*read_sums(folder, NO_RELEASE), SUMS])
    files = tuple((name, (folder / name).stat().st_size) for name in names)
    if dry_run:
        return Push(repository, files, None)
    token = _token()
    url = _without_token(token, lambda: _upload(_hub(token), folder, repository, names))
    return Push(repository, files, url)


def _refuse_damaged(folder: Path) -> None:
    differences = check_release_sums(folder)
    if differences:
        more = f" and {len(differences) - 1} more" if len(differences) > 1 else ""
        raise UserError(
            f"the release is not as it was built: {differences[0]}{more}",
            str(folder),
            "See `rass-bench release check`, or build it again. Nothing was sent.",
        )
    read_release(folder)


def _refuse_name(repository: str) -> None:
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(repository)
    except HFValidationError as error:
        raise UserError(str(error), "--repo", "For example --repo my-org/scenes.") from None
    if "/" not in repository:
        raise UserError(
            f"{repository!r} names no owner", "--repo", f"For example --repo my-org/{repository}."
        )


def _token() -> str:
    """The token of the environment or of the Hub's own login.

    Raises:
        UserError: there is none, or one that no request can carry.
    """
    from huggingface_hub import get_token

    token: str | None = get_token()
    do = "Set HF_TOKEN, or log in with `hf auth login`; the token needs the right to write."
    if not token:
        raise UserError("there is no token for the Hub", "HF_TOKEN", do)
    if not (token.isascii() and token.isprintable() and " " not in token):
        # The error of the package that sends it would quote it.
        raise UserError("the token holds a character that no token has", "HF_TOKEN", do)
    return token


def _hub(token: str) -> HfApi:
    from huggingface_hub import HfApi

    # At a lower level these show the headers of requests.
    for name in ("httpcore", "httpcore2"):
        logging.getLogger(name).setLevel(logging.INFO)
    return HfApi(token=token)


def _upload(hub: HfApi, folder: Path, repository: str, names: list[str]) -> str:
    """Make the repository where it is missing, send what the Hub lacks, and commit."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    hub.create_repo(repository, repo_type="dataset", exist_ok=True)
    there = hub.list_repo_files(repository, repo_type="dataset")
    stale = [name for name in there if name.startswith(f"{DATA_FOLDER}/") and name not in names]
    commit = hub.create_commit(
        repository,
        [
            *(CommitOperationAdd(name, folder / name) for name in names),
            *(CommitOperationDelete(name) for name in stale),
        ],
        commit_message=f"Release {read_release(folder).spec.key}",
        repo_type="dataset",
    )
    return str(commit.commit_url)


def _without_token(token: str, send: Callable[[], T]) -> T:
    """Call ``send``; whatever it raises becomes a UserError in which the token is not.

    Any exception, because any of a library's texts, notes and tracebacks may show a request. It
    is raised outside the handler, so that the exception does not travel along as its context.
    """
    try:
        return send()
    except Exception as error:
        status, failure = _told(error)
    do = "Repeat the command: what the Hub has received is not sent again."
    if status in (401, 403):
        do = "Set HF_TOKEN to a token that may write there, or log in with `hf auth login`."
    raise UserError(failure.replace(token, "***"), "Hugging Face Hub", do)


def _told(error: BaseException) -> tuple[int | None, str]:
    """The Hub's status and words where it answered, or what broke."""
    from huggingface_hub.errors import HfHubHTTPError

    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, HfHubHTTPError):
            status = cause.response.status_code
            return status, f"the Hub answered {status}: {cause.server_message or error}"
        cause = cause.__cause__
    return None, f"the upload broke: {type(error).__name__}: {error}"
