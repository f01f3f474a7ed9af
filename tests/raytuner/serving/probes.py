"""Answerers of the port for tests of the server, and a server of them in a thread."""

import contextlib
import http.client
import json
import socket
import threading
import time

from raytuner.answering import Answerer, Served
from raytuner.component import ConfigError
from raytuner.desk import Desk
from raytuner.objective import Failure, ObjectiveFailure
from raytuner.ports.cost import Cost
from raytuner.serving.app import Service
from raytuner.serving.server import WebServer, bound

TIMEOUT = 60


class Echo(Answerer):
    """Says what it was asked; some words make it do something else.

    HOLD waits until `release` is set; BREAK raises; REFUSE is refused; RATE, LATE and LOST are
    failures of one query; DOWN is one of all.
    """

    def __init__(self):
        self.release = threading.Event()
        self.batches = []
        self.histories = []
        self.prepared = threading.Event()
        self.may_load = threading.Event()
        self.may_load.set()

    def about(self):
        return {"kind": "echo"}

    def prepare(self):
        assert self.may_load.wait(TIMEOUT)
        self.prepared.set()

    def check(self, query):
        if "REFUSE" in query.question:
            raise ConfigError("question: it says REFUSE", ("question",))

    def answers(self, queries):
        asked = [query.question for query in queries]
        self.batches.append(asked)
        self.histories += [query.history for query in queries]
        if any("BREAK" in text for text in asked):
            raise ZeroDivisionError("/secret/path sk-0123456789abcdefghij")
        if any("DOWN" in text for text in asked):
            raise ObjectiveFailure("provider", "http://user:pass@host is down")
        if any("CONFIG" in text for text in asked):
            raise ConfigError("OPENAI_API_KEY is not set")
        yield ()
        if any("HOLD" in text for text in asked):
            assert self.release.wait(TIMEOUT)
        yield [(number, self._one(text)) for number, text in enumerate(asked)]

    def _one(self, text):
        kinds = {"RATE": "rate_limit", "LATE": "timeout", "LOST": "lost_worker"}
        for word, kind in kinds.items():
            if word in text:
                return Failure(kind, f"{word} in /secret/path")
        passage = {"document": "a.md", "start": 0, "end": 3, "text": "abc", "score": 0.5}
        usage = Cost(0.25, 7, 5, 1)
        label = "truncated" if "LONG" in text else None
        return Served(f"echo {text}", (passage, {**passage, "start": 1}), usage, label)


class Running:
    """A server that answers on loopback."""

    def __init__(self, service, server, port, answerer):
        self.service, self.server, self.port, self.answerer = service, server, port, answerer
        self.url = f"http://127.0.0.1:{port}"

    def send(self, method, path, body=None, headers=None):
        """Give status, headers and body of one exchange."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)
        with contextlib.closing(connection):
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return response.status, response.headers, response.read()

    def post(self, path, data, **headers):
        """Send JSON; give status and JSON."""
        body = data if isinstance(data, bytes) else json.dumps(data).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {"Content-Type": "application/json", **named}
        status, _, found = self.send("POST", path, body, sent)
        return status, json.loads(found)

    def ask(self, question, **more):
        return self.post("/query", {"question": question, **more})

    def raw(self, data, *, patience=TIMEOUT):
        """Send bytes as they are; give all that comes until the server closes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=patience) as client:
            received = b""
            with contextlib.suppress(ConnectionResetError, BrokenPipeError):
                client.sendall(data)
            with contextlib.suppress(ConnectionResetError):
                while part := client.recv(65_536):
                    received += part
            return received


@contextlib.contextmanager
def serving(answerer=None, *, concurrency=4, waiting=4, **terms):
    """Serve an answerer from a thread until the block ends."""
    answerer = answerer or Echo()
    desk = Desk(answerer, concurrency=concurrency, waiting=waiting)
    service = Service(desk=desk, model="study", about={"study": "study"}, **terms)
    listening = bound("127.0.0.1", 0)
    port = listening.getsockname()[1]
    server = WebServer(service, listening, queries=concurrency + waiting)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    running = Running(service, server, port, answerer)
    if not hasattr(answerer, "may_load") or answerer.may_load.is_set():
        until(lambda: service.state == "ok")
    try:
        yield running
    finally:
        if isinstance(answerer, Echo):
            answerer.release.set()
            answerer.may_load.set()
        server.leave()
        thread.join(TIMEOUT)
        assert not thread.is_alive()


def until(true):
    """Wait for a condition."""
    end = time.monotonic() + TIMEOUT
    while not true():
        assert time.monotonic() < end
        time.sleep(0.005)
