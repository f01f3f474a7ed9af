"""Who may read the live report, over real HTTP, and what is there."""

import contextlib
import re
import socket

import pytest

from raytuner.live import Live
from tests.raytuner.live_probes import ask, listed, place, ran, serving, state

__all__ = ["ran"]


@pytest.fixture
def server(ran):
    with serving(Live(ran, listed)) as server:
        yield server


# ---- who may read it


def test_page_and_state_are_behind_the_token(server):
    page = ask(server, place(server))
    assert page.status == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "trial 0:" in page.text
    found = state(server)
    assert found["version"] in page.text
    assert (found["running"], found["event"]) == (False, "closed")


@pytest.mark.parametrize(
    "path", ["/", "/state", "/wrong/", "/wrong/state", "//", "/..", "/%00/", "/?", "*"]
)
def test_without_the_token_nothing_is_told(server, path):
    refused = ask(server, path)
    assert (refused.status, refused.text) == (403, "Forbidden\n")


def test_almost_the_token_is_not_the_token(server):
    token = place(server).strip("/")
    for wrong in (token[:-1], token + "a", token.swapcase(), token[1:]):
        assert ask(server, f"/{wrong}/").status == 403


def test_every_server_has_a_token_of_its_own(ran):
    with serving(Live(ran, listed)) as one, serving(Live(ran, listed)) as other:
        assert ask(one, place(other)).status == 403
        assert len(place(one)) > 40


def test_only_this_machine_can_reach_it(server):
    assert server.server_address[0] == "127.0.0.1"
    assert server.socket.family == socket.AF_INET


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "[::1]:{port}", "",
             "127.0.0.1:{port}.evil.example", None, ["127.0.0.1:{port}", "127.0.0.1:{port}"]],
)  # fmt: skip
def test_other_names_of_this_machine_are_refused(server, host):
    port = server.server_address[1]
    given = [
        each and each.format(port=port) for each in (host if isinstance(host, list) else [host])
    ]
    refused = ask(server, place(server), headers={"Host": given})
    assert refused.status in {400, 403}
    assert server.url not in refused.text


def test_localhost_is_this_machine(server):
    host = f"localhost:{server.server_address[1]}"
    assert ask(server, place(server), headers={"Host": host}).status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "SPAM"])
def test_it_can_only_be_read(server, method, ran):
    before = {path: path.read_bytes() for path in ran.iterdir()}
    refused = ask(server, place(server), method, body=b"GET / HTTP/1.1\r\n\r\n")
    assert refused.status == 405
    assert refused.headers["Allow"] == "GET, HEAD"
    assert {path: path.read_bytes() for path in ran.iterdir()} == before


def test_head_gives_the_headers_alone(server):
    page, head = ask(server, place(server)), ask(server, place(server), "HEAD")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Length"] == str(len(page.body))


@pytest.mark.parametrize(
    "rest",
    ["journal.jsonl", "../journal.jsonl", "../../../etc/passwd", "%2e%2e/journal.jsonl",
     "/etc/passwd", "..%2f..%2fstudy.yaml", "state/",
     "state?x", "?x", "./", "live.js", "\\..\\journal.jsonl"],
)  # fmt: skip
def test_no_files_are_served(server, rest):
    assert (found := ask(server, place(server, rest))).status == 404
    assert found.text == "Not Found\n"


@pytest.mark.parametrize("path", ["page", "state", "nothing", "refused"])
def test_every_answer_is_private_and_inert(server, path):
    paths = {"page": place(server), "state": place(server, "state"),
             "nothing": place(server, "nothing"), "refused": "/"}  # fmt: skip
    headers = ask(server, paths[path]).headers
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["Server"] == "raytuner"


def test_the_page_may_ask_its_own_server_and_nobody_else(server):
    policy = ask(server, place(server)).headers["Content-Security-Policy"]
    rules = dict(rule.strip().partition(" ")[::2] for rule in policy.split(";"))
    assert rules["connect-src"] == "'self'"
    assert re.fullmatch(r"'sha256-[A-Za-z0-9+/=]+'", rules["script-src"])


def test_nonsense_is_refused_and_the_server_lives_on(server):
    for sent in (
        b"\x16\x03\x01\x02\x00",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"",
        b"G" * 70_000,
        "GET /é/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode(),
    ):
        with socket.create_connection(server.server_address, timeout=10) as raw:
            raw.sendall(sent)
            raw.shutdown(socket.SHUT_WR)
            with contextlib.suppress(ConnectionError):
                assert b"Traceback" not in raw.recv(65_536)
    assert ask(server, place(server)).status == 200
