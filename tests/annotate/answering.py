"""A server in this process that gives prepared answers, for what no real one can be made to say."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from rass_bench.annotate.client import Client

ABSENT = (404, {"status_code": 404, "detail": "No Project matches the given query."})
"""What Label Studio says of a project that is not there."""


@contextmanager
def answering(answers):
    """A client of a server that gives a status and a value by method and path.

    A value may be a function of the query (lists of texts by name). Anything else is absent.
    """

    class Handler(BaseHTTPRequestHandler):
        def answer(self):
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            address = urlsplit(self.path)
            status, value = answers.get(f"{self.command} {address.path}", ABSENT)
            shown = value(parse_qs(address.query)) if callable(value) else value
            content = json.dumps(shown).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = answer  # noqa: N815

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        with Client(f"http://127.0.0.1:{server.server_port}", "0" * 40) as client:
            yield client
    finally:
        server.shutdown()
        server.server_close()
