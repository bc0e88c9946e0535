"""Failures of requests show neither token nor cookie nor header."""

import json
import logging
import socket
import threading
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from rass_bench.annotate import client as module
from rass_bench.annotate.client import Client, ServerError, list_tasks
from rass_bench.errors import UserError

TOKEN = "0123456789abcdef0123456789abcdef01234567"
COOKIE = "sessionid=secret-of-the-session"


@pytest.fixture
def server():
    """A server that does what the path says and remembers what it was sent."""
    seen, pages, refusals = [], [], []

    class Handler(BaseHTTPRequestHandler):
        def answer(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            seen.append((self.command, self.path, dict(self.headers), body))
            status, content = 200, b"{}"
            if self.path.startswith("/status/"):
                status = int(self.path.rsplit("/", 1)[1])
                content = f"no, {self.headers['Authorization']}".encode()
            elif self.path.startswith("/cut"):
                status = 500
                content = f"{180 * '.'} {self.headers['Authorization']} {400 * '.'}".encode()
            elif self.path.startswith("/page"):
                content = b"<html>"
            elif self.path.startswith("/long"):
                content = b"1" * 3000
            elif self.path.startswith("/api/tasks") and pages:
                content = json.dumps(pages.pop(0)).encode()
            elif self.path.startswith("/api/tasks"):
                page = int(self.path.split("page=")[1].split("&")[0])
                content = json.dumps({"total": 3, "tasks": [[{"id": 1}, {"id": 2}], [{"id": 3}]][page - 1]}).encode()  # fmt: skip  # noqa: E501
            elif self.path.startswith("/refused"):
                status, content = 400, refusals.pop(0)
            missing = 10 if self.path.startswith("/broken") else 0
            self.send_response(status)
            self.send_header("Set-Cookie", COOKIE)
            self.send_header("Content-Length", str(len(content) + missing))
            self.end_headers()
            self.wfile.write(content)

        do_GET = answer  # noqa: N815
        do_POST = answer  # noqa: N815

        def log_message(self, *arguments):
            pass

    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{made.server_port}"
    made.seen, made.pages, made.refusals = seen, pages, refusals
    threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


def failure(client, path):
    with pytest.raises(UserError) as caught:
        client.get(path)
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    assert TOKEN not in shown
    assert "secret-of-the-session" not in shown
    return caught.value


@pytest.mark.parametrize("status", [400, 403, 404, 500])
def test_a_refusal_tells_status_request_and_reason_only(server, status):
    error = failure(Client(server.url, TOKEN), f"/status/{status}")
    assert error.what == f"GET /status/{status} was answered with {status}: no, Token ***"
    assert (type(error), error.status) == (ServerError, status)


def test_a_reason_that_is_cut_short_shows_no_part_of_the_token(server):
    assert TOKEN[:8] not in failure(Client(server.url, TOKEN), "/cut").what


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            {
                "detail": "Validation error",
                "validation_errors": {"label_config": ["no such tag", "two names"], "title": "x"},
            },
            "label_config: no such tag, two names; title: x",
        ),
        ({"validation_errors": {"non_field_errors": ["item 0 is empty"]}}, "item 0 is empty"),
        ({"id": 3, "detail": "unclosed token: line 4", "exc_info": None}, "unclosed token: line 4"),
        ({"detail": "all of it", "validation_errors": {}}, "all of it"),
        ({"error": "another form"}, '{"error": "another form"}'),
        (["a list"], '["a list"]'),
    ],
)
def test_the_reason_is_what_the_servers_json_says_and_no_more(server, answer, words):
    server.refusals.append(json.dumps(answer).encode())
    error = failure(Client(server.url, TOKEN), "/refused")
    assert error.what == f"GET /refused was answered with 400: {words}"
    assert (error.reason, error.where) == (words, server.url)


@pytest.mark.parametrize(
    ("body", "words"),
    [(b"", "no reason given"), (b" <!doctype html>", "a page for people instead of a reason")],
)
def test_a_refusal_without_a_reason_is_told_as_one(server, body, words):
    server.refusals.append(body)
    assert failure(Client(server.url, TOKEN), "/refused").reason == words


def test_a_long_reason_keeps_its_end_where_the_server_says_what_is_wrong(server):
    server.refusals.append(json.dumps({"detail": f"{3000 * '1,'} is no task"}).encode())
    reason = failure(Client(server.url, TOKEN), "/refused").reason
    assert reason.endswith("1, is no task")
    assert len(reason) < 500


def test_a_failure_of_the_server_itself_points_to_its_log(server):
    assert "the end of server.log" in failure(Client(server.url, TOKEN), "/status/500").do


def test_an_unknown_token_is_told_in_words(server):
    error = failure(Client(server.url, TOKEN), "/status/401")
    assert error.what == "the server does not accept the token: no, Token ***"
    assert "credentials.json" in error.do


def test_an_answer_that_breaks_off_is_not_told_as_a_missing_server(server):
    error = failure(Client(server.url, TOKEN), "/broken")
    assert error.what.startswith("the connection broke before GET /broken was answered")
    assert "server.log" in error.do


def test_a_server_that_says_nothing_is_given_up(monkeypatch):
    monkeypatch.setattr(module, "TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert "did not answer GET /health within" in str(
            failure(Client(address, TOKEN), "/health")
        )


def test_a_redirection_is_not_followed_with_the_token(server):
    assert failure(Client(server.url, TOKEN), "/status/302").status == 302


def test_no_server_says_how_to_start_one():
    assert "annotate serve" in str(failure(Client("http://127.0.0.1:9", TOKEN), "/health"))


def test_a_page_is_no_answer(server):
    assert "no Label Studio server" in str(failure(Client(server.url, TOKEN), "/page"))


def test_an_endless_answer_is_cut_short(server, monkeypatch):
    monkeypatch.setattr(module, "MAX_ANSWER", 2000)
    error = failure(Client(server.url, TOKEN), "/long?a=b")
    assert "more than 2,000 bytes" in error.what
    assert error.where == f"{server.url}/long"
    assert "can be deleted" in error.do


def test_no_log_line_holds_a_secret(server, caplog):
    with caplog.at_level(logging.DEBUG), Client(server.url, TOKEN) as client:
        client.get("/health")
    text = caplog.text + repr(client)
    assert TOKEN not in text
    assert "secret-of-the-session" not in text


def test_a_proxy_of_the_environment_is_left_aside(server, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    assert Client(server.url, TOKEN).get("/health") == {}


def test_bodies_are_json(server):
    with Client(server.url, TOKEN) as client:
        client.post("/made", {"ö": [1]}, a="b c")
        client.post("/made", b'{"kept":  1}')
    (_, path, headers, first), (*_, second) = server.seen
    assert path in {"/made?a=b+c", "/made?a=b%20c"}
    assert headers["Content-Type"] == "application/json"
    assert headers["Authorization"] == f"Token {TOKEN}"
    assert json.loads(first) == {"ö": [1]}
    assert second == b'{"kept":  1}'


def test_tasks_are_read_page_by_page(server):
    with Client(server.url, TOKEN) as client:
        assert [task["id"] for task in list_tasks(client, 1, ("id",))] == [1, 2, 3]


def test_tasks_are_listed_again_when_one_was_deleted_meanwhile(server):
    """The deleted task moved the third onto the page that was read already."""
    server.pages += [
        {"total": 3, "tasks": [{"id": 1}, {"id": 2}]},
        {"total": 2, "tasks": []},
        {"total": 2, "tasks": [{"id": 2}, {"id": 3}]},
    ]
    with Client(server.url, TOKEN) as client:
        assert [task["id"] for task in list_tasks(client, 1, ("id",))] == [2, 3]


def test_a_list_that_never_holds_still_is_given_up(server):
    server.pages += [{"total": 2, "tasks": [{"id": 1}]}, {"total": 2, "tasks": []}] * 10
    with Client(server.url, TOKEN) as client, pytest.raises(UserError, match="come and go"):
        list_tasks(client, 1, ("id",))
