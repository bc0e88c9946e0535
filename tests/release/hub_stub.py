"""A Hugging Face Hub on loopback: the endpoints that an upload and a download ask for.

Files of ``data/`` go through LFS, others into the commit, as on the Hub. The stub keeps what it
was sent and how it was asked; it can refuse uploads from a number on, as a connection that breaks.
"""

import base64
import hashlib
import json
import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

TOKEN = "hf_a_secret_that_nobody_may_see"

FULL = 507
"""Insufficient Storage: a status that the client does not retry."""


class Hub:
    """What the stub holds.

    Attributes:
        files: content of each file of each repository, by ``ORG/NAME`` and path.
        objects: LFS content by SHA-256.
        uploads: SHA-256 of each LFS upload that arrived, in order.
        commits: message and changed paths of each commit.
        requests: method and path of each request.
        broken_after: how many uploads succeed before the rest fail; None for all.
        echo_token: whether refusals quote the Authorization header, as a careless proxy would.
    """

    def __init__(self):
        self.files = {}
        self.objects = {}
        self.uploads = []
        self.commits = []
        self.requests = []
        self.broken_after = None
        self.echo_token = False
        self.url = ""
        self.lock = threading.Lock()

    def commit_id(self):
        return hashlib.sha1(str(len(self.commits)).encode()).hexdigest()


@contextmanager
def serve():
    """Run a stub on a free port of loopback; yields its Hub."""
    hub = Hub()
    handler = type("Handler", (_Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def git_oid(content):
    """The hash that git gives a file."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, *arguments):
        pass

    def do_POST(self):
        self.answer("POST", self.body())

    def do_PUT(self):
        self.answer("PUT", self.body())

    def do_GET(self):
        self.answer("GET", b"")

    def do_HEAD(self):
        self.answer("HEAD", b"")

    def body(self):
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        content = b""
        while size := int(self.rfile.readline(), 16):
            content += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return content

    def answer(self, method, body):
        path = unquote(urlsplit(self.path).path)
        self.hub.requests.append((method, path))
        if path.startswith("/lfs/"):
            self.receive(path.removeprefix("/lfs/"), body)
            return
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            told = f" ({self.headers.get('Authorization')})" if self.hub.echo_token else ""
            self.send(401, {"error": f"Invalid credentials{told}"})
            return
        for pattern, act in _ROUTES:
            found = re.fullmatch(pattern, f"{method} {path}")
            if found:
                act(self, body, *found.groups())
                return
        self.send(404, {"error": f"the stub knows no {method} {path}"})

    def send(self, status, document=None, content=b"", **headers):
        if document is not None:
            content = json.dumps(document).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def create(self, body):
        asked = json.loads(body)
        repository = f"{asked['organization']}/{asked['name']}"
        address = {"url": f"{self.hub.url}/datasets/{repository}"}
        if repository in self.hub.files:
            self.send(409, {"error": "You already created this dataset repo", **address})
            return
        self.hub.files[repository] = {}
        self.send(200, address)

    def validate(self, body):
        is_card = json.loads(body)["content"].startswith("---\n")
        self.send(200 if is_card else 400, {"errors": [], "warnings": []})

    def preupload(self, body, repository):
        there = self.hub.files[repository]
        answers = []
        for one in json.loads(body)["files"]:
            path = one["path"]
            is_lfs = path.startswith("data/")
            oid = None
            if path in there:
                content = there[path]
                oid = hashlib.sha256(content).hexdigest() if is_lfs else git_oid(content)
            mode = "lfs" if is_lfs else "regular"
            answers.append({"path": path, "uploadMode": mode, "shouldIgnore": False, "oid": oid})
        self.send(200, {"files": answers})

    def batch(self, body, repository):
        objects = []
        for one in json.loads(body)["objects"]:
            answer = {"oid": one["oid"], "size": one["size"]}
            if one["oid"] not in self.hub.objects:
                address = f"{self.hub.url}/lfs/{one['oid']}"
                answer["actions"] = {"upload": {"href": address}}
            objects.append(answer)
        self.send(200, {"transfer": "basic", "objects": objects})

    def receive(self, digest, body):
        hub = self.hub
        if hashlib.sha256(body).hexdigest() != digest:
            self.send(400, {"error": "another hash"})
            return
        with hub.lock:  # the client sends several at once
            is_full = hub.broken_after is not None and len(hub.uploads) >= hub.broken_after
            if not is_full:
                hub.objects[digest] = body
                hub.uploads.append(digest)
        if is_full:
            self.send(FULL, {"error": "no space"})
        else:
            self.send(200)

    def commit(self, body, repository):
        files = self.hub.files[repository]
        lines = [json.loads(line) for line in body.splitlines()]
        message = lines[0]["value"]["summary"]
        for line in lines[1:]:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.hub.objects[value["oid"]]
            elif line["key"] == "deletedFile":
                del files[value["path"]]
        self.hub.commits.append((message, sorted(line["value"]["path"] for line in lines[1:])))
        oid = self.hub.commit_id()
        address = f"{self.hub.url}/datasets/{repository}/commit/{oid}"
        self.send(200, {"commitUrl": address, "commitOid": oid})

    def tree(self, body, repository, *_):
        listed = [
            {"type": "file", "path": path, "size": len(content), "oid": git_oid(content)}
            for path, content in sorted(self.hub.files[repository].items())
        ]
        self.send(200, listed)

    def info(self, body, repository, *_):
        siblings = [{"rfilename": path} for path in sorted(self.hub.files[repository])]
        self.send(200, {"id": repository, "sha": self.hub.commit_id(), "siblings": siblings})

    def resolve(self, body, repository, _revision, path):
        content = self.hub.files[repository][path]
        tag = f'"{hashlib.sha256(content).hexdigest()}"'
        self.send(200, None, content, ETag=tag, X_Repo_Commit=self.hub.commit_id())


_NAME = r"([^/]+/[^/]+)"
_ROUTES = [
    (r"POST /api/repos/create", _Handler.create),
    (r"POST /api/validate-yaml", _Handler.validate),
    (rf"POST /api/datasets/{_NAME}/preupload/main", _Handler.preupload),
    (rf"POST /datasets/{_NAME}\.git/info/lfs/objects/batch", _Handler.batch),
    (rf"POST /api/datasets/{_NAME}/commit/main", _Handler.commit),
    (rf"GET /api/datasets/{_NAME}/tree/([^/]+)", _Handler.tree),
    (rf"GET /api/datasets/{_NAME}/revision/([^/]+)", _Handler.info),
    (rf"GET /api/datasets/{_NAME}", _Handler.info),
    (rf"(?:GET|HEAD) /datasets/{_NAME}/resolve/([^/]+)/(.+)", _Handler.resolve),
]
