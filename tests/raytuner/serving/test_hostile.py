"""Whatever is sent, the server answers in one sentence or hangs up, and goes on."""

import contextlib
import json
import socket

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from raytuner.serving import server as module
from tests.raytuner.serving.probes import serving, until

MOST = 4096
PLACES = ["/query", "/v1/chat/completions"]


@pytest.fixture(scope="module")
def server():
    with serving(max_body=MOST, names=frozenset({"127.0.0.1", "localhost"})) as running:
        yield running
        assert running.ask("still there?")[0] == 200


def chat(content, **more):
    return {"model": "study", "messages": [{"role": "user", "content": content}], **more}


QUERIES = [
    (b"", None, "not JSON"),
    (b"{", None, "line 1, column 2"),
    (b"[]", None, "must be a JSON object"),
    (b'"text"', None, "must be a JSON object"),
    (b"null", None, "must be a JSON object"),
    (b"\xff\xfe{}", None, "not UTF-8"),
    (b"[" * 4000, None, "nested too deeply"),
    (b'{"question": ' + b"[" * 2000 + b"]" * 2000 + b"}", None, "nested too deeply"),
    (b'{"question": "a", "top_k": NaN}', None, "no number"),
    (b'{"question": "a", "top_k": ' + b"9" * 3900 + b"}", "top_k", ""),
    ({}, "question", "missing or empty"),
    ({"question": " \n"}, "question", "missing or empty"),
    ({"question": None}, "question", "valid string"),
    ({"question": 5}, "question", "got 5"),
    ({"question": ["a"]}, "question", "valid string"),
    ({"question": "a\0b"}, "question", "NUL"),
    (b'{"question": "\\ud800"}', "question", "surrogate"),
    ({"question": "a", "top_k": 0}, "top_k", "greater than or equal to 1"),
    ({"question": "a", "top_k": "3"}, "top_k", "valid integer"),
    ({"question": "a", "top_k": True}, "top_k", "valid integer"),
    ({"question": "a", "topk": 3}, "topk", "no such field"),
    ({"question": "a", "fields": {"b": 1}}, "fields.b", "valid string"),
    ({"question": "a", "fields": {"b": "\0"}}, "fields", "NUL"),
]
CHATS = [
    ({}, "model", "required"),
    ({"model": "study"}, "messages", "required"),
    ({"model": 1, "messages": []}, "model", "valid string"),
    ({"model": "study", "messages": []}, "messages", "at least 1"),
    ({"model": "study", "messages": ["a"]}, "messages.0", ""),
    ({"model": "study", "messages": [{"role": "root", "content": "a"}]}, "messages.0.role", "user"),
    (chat(5), "messages.0.content", "valid string"),
    (chat(""), "messages", "hold a text"),
    (chat([{"type": "image_url", "image_url": {"url": "x"}}]), "messages.0.content", "type text"),
    (chat([{"type": "text"}]), "messages.0.content", "has a text"),
    (chat([5]), "messages.0.content", "type text"),
    (chat("\0"), "messages.0.content", "NUL"),
    ({"model": "study", "messages": [{"role": "assistant", "content": "a"}]}, "messages", "user"),
    (chat("a", stream="yes"), "stream", "valid boolean"),
    (chat("a", stream_options=5), "stream_options", ""),
    (chat("a", n=0), "n", "one answer"),
]


@pytest.mark.parametrize(("body", "field", "words"), QUERIES)
def test_a_query_that_is_none_is_one_sentence(server, body, field, words):
    status, found = server.post("/query", body)
    assert status == 400
    assert found["error"]["param"] == field
    assert words in found["error"]["message"]
    assert len(found["error"]["message"]) <= 300


@pytest.mark.parametrize(("body", "field", "words"), CHATS)
def test_a_chat_that_is_none_is_one_sentence(server, body, field, words):
    status, found = server.post("/v1/chat/completions", body)
    assert status == 400
    assert found["error"]["param"] == field
    assert words in found["error"]["message"]


@pytest.mark.parametrize("place", PLACES)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(body=st.binary(max_size=200) | st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["question", "fields", "top_k", "model", "messages", "role", "content"]),
        inner, max_size=4),
    max_leaves=8).map(lambda data: json.dumps(data).encode()))  # fmt: skip
def test_anything_is_answered_or_refused(server, place, body):
    assert server.post(place, body)[0] in {200, 400, 404, 413}


@pytest.mark.parametrize("place", PLACES)
def test_a_body_that_is_too_large_is_not_read(server, place):
    kind = b"Content-Type: application/json\r\nHost: localhost\r\n"
    head = f"POST {place} HTTP/1.1\r\n".encode() + kind
    found = server.raw(head + b"Content-Length: 99999999999\r\n\r\n")
    assert found.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in found.lower()
    endless = head + b"Transfer-Encoding: chunked\r\n\r\n" + b"1000\r\n" + b"a" * 4096 + b"\r\n"
    assert server.raw(endless + b"1\r\na\r\n").startswith(b"HTTP/1.1 413 ")
    assert server.raw(head + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n")[:12] in {
        b"HTTP/1.1 413", b"HTTP/1.1 400",
    }  # fmt: skip
    body = json.dumps({"question": "a" * (MOST - 16)}).encode()
    assert len(body) == MOST
    assert server.post("/query", body)[0] == 200
    assert server.post("/query", body + b" ")[0] == 413


LINE = b"POST /query HTTP/1.1\r\nHost: localhost\r\n"
JSON = b"Content-Type: application/json\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
NO_HTTP = [
    LINE + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    LINE + b"Content-Length: -1\r\n\r\n",
    LINE + b"Content-Length: 1e2\r\n\r\n",
    LINE + CHUNKED + JSON + b"Content-Length: 9\r\n\r\n0\r\n\r\nGET /config HTTP/1.0\r\n\r\n",
    LINE + b"Transfer-Encoding: gzip\r\n\r\n",
    LINE + CHUNKED + JSON + b"\r\nXYZ\r\n",
    b"POST /query HTTP/1.1\r\nHost : localhost\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 2_000_000 + b"\r\n\r\n",
    b"GET /\xff HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: example.org\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"\0" * 100 + b"\r\n\r\n",
]


@pytest.mark.parametrize("head", NO_HTTP)
def test_what_is_no_http_is_refused_once(server, head):
    found = server.raw(head)
    assert found == b"" or found.startswith(b"HTTP/1.1 40")
    assert found.count(b"HTTP/1.1 ") <= 1
    assert b"study" not in found.lower()
    assert b"traceback" not in found.lower()


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "", "[::2]:80", "127.0.0.1.x"])
def test_other_names_for_this_machine_are_refused(server, host):
    assert server.send("GET", "/", headers={"Host": host})[0] == 403


def test_a_form_of_another_site_is_refused(server):
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""):
        found = server.send("POST", "/query", b'{"question": "a"}', {"Content-Type": kind})
        assert found[0] == 415
        assert "Access-Control-Allow-Origin" not in found[1]
    sent = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    assert server.send("POST", "/query", b"{}", sent)[0] == 415


def test_there_is_nothing_elsewhere(server):
    for path in ("/x", "/query/", "//query", "/../etc/passwd", "/%2e%2e/%00", "/v1/models/x"):
        status, _, body = server.send("GET", path)
        assert status == 404
        assert json.loads(body)["error"]["code"] == "not_found"
    for method in ("GET", "PUT", "DELETE", "OPTIONS", "TRACE"):
        status, headers, _ = server.send(method, "/query")
        assert (status, headers["Allow"]) == (405, "POST")
    assert server.send("POST", "/config", b"{}")[0] == 405


def test_a_client_that_leaves_disturbs_nobody(server):
    body = json.dumps({"question": "a"}).encode()
    head = (
        b"POST /query HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        + f"Content-Length: {len(body)}\r\n\r\n".encode()
    )
    for cut in range(0, len(head + body), 7):
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.sendall((head + body)[:cut])
    assert server.ask("a")[0] == 200


def test_slow_clients_are_cut_off(monkeypatch):
    monkeypatch.setattr(module, "_IDLE_SECONDS", 0.1)
    monkeypatch.setattr("raytuner.serving.app._BODY_SECONDS", 0.1)
    head = b"POST /query HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
    with serving() as running, contextlib.ExitStack() as stack:
        slow = [
            stack.enter_context(socket.create_connection(("127.0.0.1", running.port), timeout=60))
            for _ in range(40)
        ]
        for number, client in enumerate(slow):
            client.sendall(head if number % 2 else head + b'Content-Length: 9\r\n\r\n{"q')
        for number, client in enumerate(slow):
            found = client.recv(4096)
            assert found == b"" if number % 2 else found.startswith(b"HTTP/1.1 408 ")
        until(lambda: running.ask("a")[0] == 200)
