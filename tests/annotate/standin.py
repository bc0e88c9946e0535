"""A small program in the server's place, for what a real server cannot be made to do quickly."""

import sys

from rass_bench.annotate.installation import Installation

LISTENING = """
import json, os, sys
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        known = self.headers["Authorization"] == "Token " + os.environ["LABEL_STUDIO_USER_TOKEN"]
        body = {"status": "UP", "email": os.environ["LABEL_STUDIO_USERNAME"] if known else ""}
        content = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

HTTPServer(("127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1])), Handler).serve_forever()
"""


def standin(folder, script):
    """An installation whose server is a Python script."""
    bin_folder = folder / "venv" / "bin"
    bin_folder.mkdir(parents=True)
    # A wrapper, not a link: a virtual environment finds its packages by the link's place.
    python = bin_folder / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    command = bin_folder / "label-studio"
    command.write_text(f"#!{sys.executable}\n{script}")
    for path in (python, command):
        path.chmod(0o755)
    (folder / "empty.sqlite3").write_bytes(b"")
    return Installation(folder)
