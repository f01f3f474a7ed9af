"""A small OpenAI-compatible embeddings server on the loopback interface, for tests.

Vectors are a pure function of the text, so that a test can tell whose vector it got. `script`
holds answers to give instead, first come first served.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

WIDTH = 8
Reply = tuple[int, dict[str, str], bytes]


def vector_of(text: str, width: int = WIDTH) -> np.ndarray:
    """Give the vector that the server has for `text`: float32 [width], not normalised."""
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "little")
    return np.random.default_rng(seed).standard_normal(width).astype(np.float32) * 3


class Server:
    """Requests received (their JSON bodies) and answers still to give instead of embedding."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.script: list[Callable[[dict[str, Any]], Reply]] = []
        self.usual: Callable[[dict[str, Any]], Reply] = embedding_list
        self.url = ""
        self.delay = 0.0
        self.busy = 0
        self.most_busy = 0
        self.lock = threading.Lock()

    def answer(self, body: dict[str, Any], key: str) -> Reply:
        """Note the request and give its answer."""
        with self.lock:
            self.requests.append(body)
            self.keys.append(key)
            self.busy += 1
            self.most_busy = max(self.busy, self.most_busy)
            scripted = self.script.pop(0) if self.script else self.usual
        time.sleep(self.delay)
        reply = scripted(body)
        with self.lock:
            self.busy -= 1
        return reply


def as_json(status: int, body: Any, **headers: str) -> Reply:
    """Make a JSON reply; underscores in header names become hyphens."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return status, {"Content-Type": "application/json", **names}, json.dumps(body).encode()


def rows_of(body: dict[str, Any]) -> list[dict[str, Any]]:
    """Embed the texts of a request, in order."""
    rows = []
    for index, text in enumerate(body["input"]):
        vector: Any = vector_of(text, body.get("dimensions", WIDTH))
        if body.get("encoding_format") == "base64":
            vector = base64.b64encode(vector.tobytes()).decode()
        else:
            vector = vector.tolist()
        rows.append({"object": "embedding", "index": index, "embedding": vector})
    return rows


def embedding_list(body: dict[str, Any], rows: list[Any] | None = None) -> Reply:
    """Answer as the real service does, but with the rows in reverse order."""
    used = {"prompt_tokens": len(body["input"]) * 10, "total_tokens": len(body["input"]) * 10}
    data = list(reversed(rows_of(body))) if rows is None else rows
    return as_json(200, {"object": "list", "data": data, "model": body["model"], "usage": used})


def error(
    status: int, message: str, code: str | None = None, **headers: str
) -> Callable[..., Reply]:
    """Answer with an error as the real service spells it."""
    body = {"error": {"message": message, "type": "error", "param": None, "code": code}}
    return lambda _: as_json(status, body, **headers)


def _handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, headers, content = server.answer(body, self.headers["Authorization"])
            try:
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(content))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

        def log_message(self, *_: Any) -> None:
            """Keep quiet."""

    return Handler


@contextmanager
def running() -> Iterator[Server]:
    """Serve on a free port until the block ends."""
    server = Server()
    http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(server))
    http.daemon_threads = True
    http.block_on_close = False
    server.url = f"http://127.0.0.1:{http.server_address[1]}/v1"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()
