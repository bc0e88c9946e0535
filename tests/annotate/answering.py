"""A server in this process that gives prepared answers, for what no real one can be made to say."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from rass_bench.annotate.client import Client
from rass_bench.annotate.photos import photo_url
from rass_bench.annotate.project import load_config, load_project

ABSENT = (404, {"status_code": 404, "detail": "No Project matches the given query."})
"""What Label Studio says of a project that is not there."""

FAILED = (500, {"detail": "database is locked"})
TASKS = "GET /api/tasks"


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


def project_answers(folder, numbers):
    """Answers of a server that has these tasks, each changed on a later day than the one before."""
    own = {task.task_id: task for task in load_project(folder).tasks}
    tasks = [
        {
            "id": number,
            "data": {"image": photo_url(own[number].photo), "sample": own[number].sample}
            if number in own
            else {},
            "updated_at": f"2026-02-{day:02d}T00:00:00Z",
            "total_annotations": 1,
            "cancelled_annotations": 0,
        }
        for day, number in enumerate(numbers, start=1)
    ]

    def listed(query):
        """The tasks that changed after the time which a pull names, if it names one."""
        items = json.loads(query["query"][0])["filters"]["items"] if "query" in query else []
        times = [item["value"] for item in items if item["filter"] == "filter:tasks:updated_at"]
        found = [one for one in tasks if all(one["updated_at"] > time for time in times)]
        return {"total": len(found), "tasks": found}

    return {
        "GET /api/projects/1": (200, {"label_config": load_config(folder)}),
        TASKS: (200, listed),
        "GET /api/version": (200, {"release": "1.23.2"}),
    }
