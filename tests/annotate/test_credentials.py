"""Passwords and tokens stay in a file of the owner's."""

import pytest

from rass_bench.annotate.credentials import (
    Credentials,
    load_credentials,
    load_or_create_credentials,
    new_account,
    save_credentials,
)
from rass_bench.errors import UserError


def test_accounts_are_made_once_and_read_back(tmp_path):
    made = load_or_create_credentials(tmp_path)
    assert load_or_create_credentials(tmp_path) == made == load_credentials(tmp_path)
    more = Credentials(made.admin, (new_account("ann@example.org"),))
    save_credentials(tmp_path, more)
    assert load_credentials(tmp_path) == more
    assert [path.name for path in tmp_path.iterdir()] == ["credentials.json"]


def test_no_two_accounts_share_a_secret():
    secrets = Credentials(new_account("a@b.c"), (new_account("a@b.c"),)).secrets
    assert len(set(secrets)) == 4
    assert min(len(secret) for secret in secrets) >= 20


def test_the_file_is_never_open_to_others(tmp_path):
    load_or_create_credentials(tmp_path)
    path = tmp_path / "credentials.json"
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o640)
    with pytest.raises(UserError, match=r"other users .* may read"):
        load_credentials(tmp_path)


def test_text_forms_show_no_secret():
    credentials = Credentials(new_account("ann@example.org"))
    for secret in credentials.secrets:
        assert secret not in repr(credentials) + str(credentials.admin)


def test_a_damaged_file_is_told_without_what_it_holds(tmp_path):
    load_or_create_credentials(tmp_path)
    path = tmp_path / "credentials.json"
    secret = load_credentials(tmp_path).admin.token
    path.write_text(path.read_text().replace('"email"', '"name"'))
    with pytest.raises(UserError, match="malformed") as caught:
        load_credentials(tmp_path)
    assert secret not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_project_without_accounts_says_how_to_get_them(tmp_path):
    with pytest.raises(UserError, match="annotate serve"):
        load_credentials(tmp_path)
