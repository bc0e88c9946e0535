"""Requests to a Label Studio server, whose failures never show a token, a cookie or a header."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from rass_bench.errors import UserError, require_package
from rass_bench.files import canonical_json, parse_json

if TYPE_CHECKING:
    import httpx

MAX_ANSWER = 1 << 27
"""Bytes of the longest answer that is read. A very ragged annotation of 6 megapixels has 4 MB, and
JSON made for it (empty lists in empty lists) takes 37 times its length in memory."""

PAGE = 20
"""Tasks asked for at once. Whatever fields are wanted, the server reads all annotations and
predictions of a page: 50 tasks with 14 ragged regions twice take it 1.7 seconds and 300 MB."""

_LISTINGS = 10
"""How often all tasks are listed until none came or went meanwhile."""

TIMEOUT = 600.0
"""Seconds that the server may think about one request: an import of 50 MB takes minutes where
other programs keep the processors busy."""

_DETAIL = 400
"""Characters of a refusal's reason that a message shows."""

_LOG = "server.log in the project's folder"


class ServerError(UserError):
    """The server refused a request, or gave an answer that is of no use.

    Attributes:
        status: the HTTP status.
        reason: the server's, in words.
    """

    def __init__(self, status: int, request: str, reason: str, where: str, do: str) -> None:
        super().__init__(f"{request} was answered with {status}: {reason}", where, do)
        self.status = status
        self.reason = reason


class Client:
    """A connection to one server in the name of one account.

    Args:
        url: such as ``http://127.0.0.1:8080``.
        token: the account's token.
    """

    def __init__(self, url: str, token: str) -> None:
        require_package("httpx", "annotate")
        import httpx

        # Its debug lines show the headers of requests and answers.
        logging.getLogger("httpcore").setLevel(logging.INFO)
        self.url = url
        self._token = token
        self._http = httpx.Client(
            base_url=url,
            headers={"Authorization": f"Token {token}"},
            timeout=TIMEOUT,
            trust_env=False,  # a proxy has no business between this program and its server
            follow_redirects=False,
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.close()

    def __repr__(self) -> str:
        return f"Client({self.url!r})"

    def get(self, path: str, **parameters: Any) -> Any:
        """The JSON answer of a GET request.

        Raises:
            UserError: no server answers, or (a :class:`ServerError`) it refuses.
        """
        return self._request("GET", path, parameters=parameters)

    def post(self, path: str, body: Any, **parameters: Any) -> Any:
        """The JSON answer of a POST request; see :meth:`get`.

        Args:
            path: where to.
            body: what becomes JSON, or bytes that are JSON already.
            parameters: of the address.
        """
        return self._request("POST", path, body=body, parameters=parameters)

    def patch(self, path: str, body: Any) -> Any:
        """The JSON answer of a PATCH request with a JSON body; see :meth:`get`."""
        return self._request("PATCH", path, body=body)

    def delete(self, path: str) -> None:
        """A DELETE request; see :meth:`get`."""
        self._request("DELETE", path)

    def _request(
        self, method: str, path: str, *, body: Any = None, parameters: dict[str, Any] | None = None
    ) -> Any:
        import httpx

        name = f"{method} {path}"
        content = body if body is None or isinstance(body, bytes) else canonical_json(body)
        headers = {} if body is None else {"Content-Type": "application/json"}
        try:
            with self._http.stream(
                method, path, params=parameters, content=content, headers=headers
            ) as answer:
                received = _read(answer, name)
        except httpx.HTTPError as error:
            # The exception holds the request with its headers: only its kind is told.
            raise self._broken(error, name) from None
        if answer.is_success:
            return _parsed(received, name, self.url) if received else None
        raise self._refused(answer.status_code, name, received)

    def _broken(self, error: httpx.HTTPError, name: str) -> UserError:
        """Why no whole answer came."""
        import httpx

        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            return UserError(
                f"no Label Studio server answers ({type(error).__name__})",
                self.url,
                "Start it with `rass-bench annotate serve`.",
            )
        if isinstance(error, httpx.TimeoutException):
            return UserError(
                f"the server did not answer {name} within {TIMEOUT:.0f} seconds",
                self.url,
                f"See {_LOG}; a repeated command goes on where this one stopped.",
            )
        return UserError(
            f"the connection broke before {name} was answered ({type(error).__name__})",
            self.url,
            "See whether the server still runs, and if not, why: the end of "
            f"{_LOG}. A repeated command goes on where this one stopped.",
        )

    def _refused(self, status: int, name: str, body: bytes) -> UserError:
        """What an answer that is no success says."""
        reason = self._reason(body)
        if status == 401:
            return UserError(
                f"the server does not accept the token: {reason}",
                self.url,
                "credentials.json in the project's folder must hold the one that the server's page "
                "shows the account; in the organization's settings, legacy tokens must be on.",
            )
        do = f"Correct what the reason names; {_LOG} may say more."
        if status >= 500:
            do = (
                f"The server failed: the end of {_LOG} says why. A repeated command goes on where "
                "this one stopped."
            )
        return ServerError(status, name, reason, self.url, do)

    def _reason(self, body: bytes) -> str:
        """Why the server refused, as a message may show it."""
        # The token is taken out first: a cut through it would leave its beginning.
        text = " ".join(_told(body).replace(self._token, "***").split())
        if len(text) <= _DETAIL:
            return text
        # The server quotes what it was sent, and only then says what is wrong with it.
        return f"{text[: _DETAIL // 2]} ... {text[-_DETAIL // 2 :]}"


def _told(body: bytes) -> str:
    """The words of a refusal: those of Label Studio's JSON, or the body itself."""
    text = body.decode(errors="replace").strip()
    if text.startswith("<"):
        return "a page for people instead of a reason"
    try:
        answer = parse_json(body)
    except ValueError:
        return text or "no reason given"
    if not isinstance(answer, dict):
        return text
    fields = answer.get("validation_errors")
    if isinstance(fields, dict) and fields:
        return "; ".join(_field_told(name, reasons) for name, reasons in fields.items())
    detail = answer.get("detail")
    return detail if isinstance(detail, str) and detail.strip() else text


def _field_told(name: str, reasons: object) -> str:
    """What the server has against one field of a request."""
    listed = reasons if isinstance(reasons, list) else [reasons]
    told = ", ".join(str(reason) for reason in listed)
    return told if name == "non_field_errors" else f"{name}: {told}"


def _read(answer: httpx.Response, name: str) -> bytes:
    """The body, as far as a sane server would send one.

    Raises:
        ServerError: it is longer.
    """
    parts, total = [], 0
    for part in answer.iter_bytes():
        total += len(part)
        if total > MAX_ANSWER:
            raise ServerError(
                answer.status_code,
                name,
                f"more than {MAX_ANSWER:,} bytes, which is the most that is read at once",
                str(answer.url.copy_with(query=None)),
                "Look at it on the server's page: annotations there that nobody needs can be "
                "deleted, and one alone of that length drawn again with fewer specks.",
            )
        parts.append(part)
    return b"".join(parts)


def _parsed(body: bytes, name: str, url: str) -> Any:
    try:
        return parse_json(body)
    except ValueError:
        raise ServerError(
            200,
            name,
            "no JSON, so this is no Label Studio server",
            url,
            "Stop the program that listens there, and start the project's own server: "
            "rass-bench annotate serve.",
        ) from None


def list_tasks(
    client: Client, project_id: int, fields: Sequence[str], **parameters: str
) -> list[dict[str, Any]]:
    """All tasks of a project, in the server's order.

    Args:
        client: the connection.
        project_id: the project.
        fields: which of a task's fields are wanted.
        parameters: further ones of the request, such as a filter.

    Raises:
        ServerError: no such project.
    """
    for _ in range(_LISTINGS):
        tasks, totals = _list_once(client, project_id, fields, parameters)
        if totals == {len({task["id"] for task in tasks})}:
            return tasks
    raise UserError(
        "tasks come and go faster than they can be listed",
        f"project {project_id} at {client.url}",
        "Try again when nobody pushes or deletes tasks.",
    )


def _list_once(
    client: Client, project_id: int, fields: Sequence[str], parameters: dict[str, str]
) -> tuple[list[dict[str, Any]], set[int]]:
    """The tasks page by page, and how many there were on each page's word.

    A task that is deleted meanwhile moves the later ones a place forward, one of them onto a page
    that was read already.
    """
    tasks: list[dict[str, Any]] = []
    totals: set[int] = set()
    page = 1
    while True:
        answer = client.get(
            "/api/tasks",
            project=project_id,
            include=",".join(fields),
            page=page,
            page_size=PAGE,
            **parameters,
        )
        tasks += answer["tasks"]
        totals.add(int(answer["total"]))
        if len(tasks) >= answer["total"] or not answer["tasks"]:
            return tasks, totals
        page += 1
