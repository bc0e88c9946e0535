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


class ServerError(UserError):
    """The server refused a request.

    Attributes:
        status: the HTTP status.
    """

    def __init__(self, status: int, request: str, detail: str) -> None:
        super().__init__(
            f"{request} was answered with {status}: {detail}",
            "Label Studio",
            "Its log, server.log in the project's folder, may say more.",
        )
        self.status = status


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
        except httpx.TimeoutException:
            raise UserError(
                f"the server did not answer {name} within {TIMEOUT:.0f} seconds",
                self.url,
                "See its log; a repeated command goes on where this one stopped.",
            ) from None
        except httpx.HTTPError as error:
            # The exception holds the request with its headers: only its kind is told.
            raise UserError(
                f"no Label Studio server answers ({type(error).__name__})",
                self.url,
                "Start it with `rass-bench annotate serve`.",
            ) from None
        if answer.is_success:
            return _parsed(received, name) if received else None
        if answer.status_code == 401:
            raise UserError(
                "the server does not know the token", self.url, "Is it another project's server?"
            )
        raise ServerError(answer.status_code, name, self._detail(received))

    def _detail(self, body: bytes) -> str:
        """The beginning of a body as a message may show it."""
        # The token is taken out first: a cut through it would leave its beginning.
        text = body[: 10 * _DETAIL].decode(errors="replace").replace(self._token, "***")
        if text.lstrip().startswith("<"):
            return "a page for people instead of a reason"
        text = " ".join(text.split())
        return text if len(text) <= _DETAIL else text[:_DETAIL] + " ..."


def _read(answer: httpx.Response, name: str) -> bytes:
    """The body, as far as a sane server would send one.

    Raises:
        UserError: it is longer.
    """
    parts, total = [], 0
    for part in answer.iter_bytes():
        total += len(part)
        if total > MAX_ANSWER:
            raise UserError(
                f"the answer to {name} is longer than {MAX_ANSWER:,} bytes",
                str(answer.url.copy_with(query=None)),
                "No annotation is that large; look at it on the server.",
            )
        parts.append(part)
    return b"".join(parts)


def _parsed(body: bytes, name: str) -> Any:
    try:
        return parse_json(body)
    except ValueError:
        raise ServerError(200, name, "no JSON, so this is no Label Studio server") from None


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
