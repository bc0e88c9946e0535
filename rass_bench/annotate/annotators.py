"""Accounts for annotators, each with a password for the page and a token."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from rass_bench.annotate.client import TIMEOUT, Client
from rass_bench.annotate.credentials import (
    Account,
    load_credentials,
    new_account,
    save_credentials,
)
from rass_bench.errors import UserError

_EMAIL = re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")


def add_annotator(client: Client, folder: Path, email: str) -> Account:
    """Make an account on the server and note it in the project's file of accounts.

    Nothing is done when the project knows the account already.

    Args:
        client: a connection in the name of the admin.
        folder: the project's folder.
        email: the name to log in with; no mail is ever sent.

    Raises:
        UserError: no e-mail address, or the server has an account of that name that the project
            does not know.
    """
    if not _EMAIL.fullmatch(email) or len(email) > 200:
        raise UserError(
            f"{email!r} is no e-mail address", "annotator", "For example ann@example.org."
        )
    credentials = load_credentials(folder)
    for account in (credentials.admin, *credentials.annotators):
        if account.email.lower() == email.lower():
            return account
    account = _sign_up(client, new_account(email))
    save_credentials(folder, replace(credentials, annotators=(*credentials.annotators, account)))
    return account


def _sign_up(client: Client, account: Account) -> Account:
    """Sign up through the organisation's invitation, as a person would, and fetch the token.

    An account made through the interface for programs has no password, and the server's command
    line would show the password to everyone who lists the processes of the machine.
    """
    import httpx

    invitation = client.get("/api/invite")["token"]
    form = {"email": account.email, "password": account.password}
    try:
        # A session of its own: its cookies say who the annotator is.
        with httpx.Client(base_url=client.url, trust_env=False, timeout=TIMEOUT) as session:
            page = session.get("/user/signup/", params={"token": invitation})
            proof = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)
            answer = session.post(
                "/user/signup/",
                params={"token": invitation},
                data={**form, "csrfmiddlewaretoken": proof.group(1) if proof else ""},
            )
            if answer.status_code != httpx.codes.FOUND:
                raise UserError(
                    f"the server refused the account ({answer.status_code})",
                    account.email,
                    "Most often it has one of that name, made in the page; choose another.",
                )
            token = session.get("/api/current-user/token").json()["token"]
    except (httpx.HTTPError, KeyError, ValueError) as error:
        raise UserError(
            f"the account could not be made ({type(error).__name__})", client.url, "Try again."
        ) from None
    return Account(account.email, account.password, token)
