"""A release on its way to the Hub: whole, resumed, refused, and its token in no text."""

import logging
import os
import shutil
import subprocess
import sys
import traceback

import pytest

from rass_bench.errors import UserError
from rass_bench.release.check import check_release
from rass_bench.release.push import push_release
from rass_bench.release.source import open_source
from tests.release.hub_stub import TOKEN

REPOSITORY = "lq/tiny"


@pytest.fixture
def own_release(release, tmp_path):
    """A copy of the release that a test may change."""
    return shutil.copytree(release, tmp_path / "tiny")


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def run(script, *arguments, **environment):
    """Run a script in a process of its own, whose packages read the environment anew."""
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def shards(folder):
    return sorted(name for name in contents(folder) if name.startswith("data/"))


def test_the_repository_holds_the_folder_after_one_commit(hub, release):
    pushed = push_release(release, REPOSITORY)
    assert hub.files[REPOSITORY] == contents(release)
    assert hub.commits == [("Release tiny@1.0", sorted(contents(release)))]
    assert pushed.url == f"{hub.url}/datasets/{REPOSITORY}/commit/{hub.commit_id()}"


def test_what_was_pushed_can_be_downloaded_and_holds(hub, release, tiny, tmp_path):
    push_release(release, REPOSITORY)
    run(
        "import sys, huggingface_hub\n"
        "repository, folder = sys.argv[1:]\n"
        "kind = {'repo_type': 'dataset', 'local_dir': folder}\n"
        "huggingface_hub.snapshot_download(repository, **kind)\n",
        REPOSITORY,
        tmp_path / "download",
    )
    assert contents(release).items() <= contents(tmp_path / "download").items()
    assert check_release(tmp_path / "download", open_source(str(tiny))) == []


def test_a_broken_upload_resumes_with_what_is_missing(hub, release):
    hub.broken_after = 1
    with pytest.raises(UserError, match=r"507.*Repeat the command"):
        push_release(release, REPOSITORY)
    assert len(hub.uploads) == 1
    assert hub.files[REPOSITORY] == {}, "nothing appears before everything is there"
    hub.broken_after = None
    push_release(release, REPOSITORY)
    assert hub.files[REPOSITORY] == contents(release)
    assert len(hub.uploads) == len(set(hub.uploads)) == len(shards(release))


def test_pushing_again_sends_and_commits_nothing(hub, release):
    push_release(release, REPOSITORY)
    push_release(release, REPOSITORY)
    assert len(hub.uploads) == len(shards(release))
    assert len(hub.commits) == 1


def test_shards_of_an_earlier_release_disappear_and_other_files_stay(hub, release):
    hub.files[REPOSITORY] = {"data/test-00007-of-00009.parquet": b"old", "paper.pdf": b"theirs"}
    push_release(release, REPOSITORY)
    assert hub.files[REPOSITORY] == {**contents(release), "paper.pdf": b"theirs"}


def test_a_dry_run_tells_every_file_and_asks_nobody(hub, release, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    pushed = push_release(release, REPOSITORY, dry_run=True)
    sizes = {name: len(content) for name, content in contents(release).items()}
    assert (dict(pushed.files), pushed.url) == (sizes, None)
    assert hub.requests == []


@pytest.mark.parametrize("harm", ["change", "remove", "add"])
def test_a_folder_that_was_changed_is_refused_before_anything_is_sent(hub, own_release, harm):
    victim = own_release / shards(own_release)[0]
    if harm == "change":
        victim.write_bytes(victim.read_bytes()[:-1] + b"X")
    elif harm == "remove":
        victim.unlink()
    else:
        (own_release / "data/test-00002-of-00003.parquet").write_bytes(b"more")
    with pytest.raises(UserError, match=r"not as it was built: data/test-0000.*Nothing was sent"):
        push_release(own_release, REPOSITORY)
    assert hub.requests == []


@pytest.mark.parametrize("name", ["tiny", "a/b/c", "lq/", "lq/..", "lq/ti ny", "../tiny"])
def test_a_name_that_is_no_repository_is_refused_before_anything_is_sent(hub, release, name):
    with pytest.raises(UserError, match="--repo"):
        push_release(release, name)
    assert hub.requests == []


def test_without_a_token_the_user_hears_how_to_get_one(hub, release, monkeypatch, tmp_path):
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "no-login"))
    with pytest.raises(UserError, match=r"no token.*hf auth login"):
        push_release(release, REPOSITORY)
    assert hub.requests == []


def test_the_token_of_the_hubs_own_login_is_taken(hub, release, monkeypatch, tmp_path):
    monkeypatch.delenv("HF_TOKEN")
    login = tmp_path / "token"
    login.write_text(TOKEN)
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(login))
    assert push_release(release, REPOSITORY).url is not None


@pytest.fixture
def failure(release, caplog, capfd):
    """Push in vain; gives the message, and all there is to read: traceback, logs, streams."""

    def push():
        caplog.set_level(logging.DEBUG)
        with pytest.raises(UserError) as caught:
            push_release(release, REPOSITORY)
        error = caught.value
        assert error.__context__ is error.__cause__ is None
        told = "".join(traceback.format_exception(error))
        streams = capfd.readouterr()
        return str(error), told + caplog.text + streams.out + streams.err

    return push


def test_a_token_that_the_hub_refuses_is_in_no_text(hub, failure, monkeypatch):
    secret = "hf_another_secret"
    monkeypatch.setenv("HF_TOKEN", secret)
    hub.echo_token = True
    message, everything = failure()
    assert "401" in message
    assert "Bearer ***" in message
    assert secret not in everything


def test_the_token_is_in_no_text_when_the_upload_breaks(hub, failure):
    hub.broken_after = 0
    message, everything = failure()
    assert "507" in message
    assert TOKEN not in everything


def test_the_token_is_in_no_text_when_nobody_answers(hub, failure, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    message, everything = failure()
    assert "ConnectError" in message
    assert TOKEN not in everything


@pytest.mark.parametrize("letter", ["\x01", "\u00fc", " "])
def test_a_token_that_no_request_can_carry_is_in_no_text(hub, failure, monkeypatch, letter):
    monkeypatch.setenv("HF_TOKEN", f"hf_top{letter}secret")
    message, everything = failure()
    assert "character" in message
    assert "secret" not in everything.replace("-secret", "")
    assert hub.requests == []


def test_the_token_is_in_no_text_when_it_works(hub, release, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    push_release(release, REPOSITORY)
    streams = capfd.readouterr()
    assert TOKEN not in caplog.text + streams.out + streams.err


def test_the_hubs_debug_output_holds_no_token(hub, release):
    """HF_DEBUG makes the package log each request as a curl command."""
    done = run(
        "import logging, sys\n"
        "logging.basicConfig(level=logging.DEBUG)\n"
        "from pathlib import Path\n"
        "from rass_bench.release.push import push_release\n"
        "push_release(Path(sys.argv[1]), sys.argv[2])\n",
        release,
        REPOSITORY,
        HF_DEBUG="1",
    )
    assert "curl -X POST" in done.stderr, "the log is on"
    assert TOKEN not in done.stdout + done.stderr
