"""The web application (ASGI): who may ask what, how much, and what becomes of errors.

Whatever comes in, an answer goes out that tells no more than its sentence: paths, tracebacks and
secrets stay here. What went wrong is told to whoever runs the server.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeVar

from pydantic import BaseModel
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from raytuner.answering import Query, Served
from raytuner.component import ConfigError
from raytuner.desk import BusyError, RefusedError
from raytuner.objective import ObjectiveFailure
from raytuner.printable import plain
from raytuner.serving import shapes
from raytuner.serving.bodies import ChatBody, QueryBody, RefusalError, read_body
from raytuner.strike import strike

_BODY_SECONDS = 20.0
"""How long a client may take to send its request."""
_SENDING_SECONDS = 30.0
"""How long it may take to read the answer."""
_HEADERS = [
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
]
_FAILURES: Mapping[str, tuple[int, str, str]] = {
    "rate_limit": (503, "overloaded", "the language model's limits are reached; ask again later"),
    "timeout": (504, "timeout", "a model or store did not answer in time"),
    "provider": (502, "provider", "a model or store could not answer"),
}
"""By kind of failure: status, code, and what whoever asked is told."""

_Body = TypeVar("_Body", bound=BaseModel)
_Handler = Callable[[Request], Awaitable[Response]]


class Asking(Protocol):
    """Who answers: a desk in this process, or one that passes queries on."""

    async def prepare(self) -> None:
        """Get ready."""

    async def ask(self, query: Query) -> Served:
        """Answer; raises as `raytuner.desk.Desk.ask` does."""

    def close(self) -> None:
        """Begin no more."""


@dataclass
class Service:
    """What is served, and on what terms.

    Attributes:
        desk: answers.
        model: what clients call it.
        about: the configuration and the verdict it came from, as plain JSON values, fit to be
            shown.
        timeout: seconds that a query may take, from the queue to the answer.
        max_body: bytes of a request, at most.
        token: what a client must show, or None.
        names: that a client may call this machine by; None: any.
        state: whether it answers yet, and still.
    """

    desk: Asking
    model: str
    about: Mapping[str, Any]
    timeout: float = 60.0
    max_body: int = 262_144
    token: str | None = None
    names: frozenset[str] | None = None
    state: Literal["loading", "ok", "stopping"] = "loading"
    created: int = field(default_factory=lambda: int(time.time()))

    def log(self, text: str) -> None:
        """Tell whoever runs the server."""
        hidden = [self.token] if self.token else []
        sys.stderr.write(f"raytuner serve: {plain(strike(strike(text), hidden))[:1000]}\n")


def application(service: Service) -> ASGIApp:
    """Make the application."""
    return _Application(service)


class _Application:
    def __init__(self, service: Service) -> None:
        self._service = service
        self._routes: dict[str, tuple[str, _Handler]] = {
            "/": ("GET", self._about),
            "/config": ("GET", self._about),
            "/healthz": ("GET", self._health),
            "/query": ("POST", self._query),
            "/v1/chat/completions": ("POST", self._chat),
            "/v1/models": ("GET", self._models),
            f"/v1/models/{service.model}": ("GET", self._model),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})
        if scope["type"] != "http":
            return
        call = _Call(receive, send)
        request = Request(scope, call.receive)
        seconds = _BODY_SECONDS + self._service.timeout + _SENDING_SECONDS
        try:
            async with asyncio.timeout(seconds):
                response = await self._respond(request)
                if request.method not in {"GET", "HEAD"} and not call.read:
                    response.headers["Connection"] = "close"  # what comes is not listened to
                await response(scope, call.receive, call.send)
        except (ClientDisconnect, TimeoutError):
            return  # nobody listens

    async def _respond(self, request: Request) -> Response:
        try:
            self._admit(request)
            return await self._handler(request)(request)
        except RefusalError as refusal:
            return _json(shapes.error(refusal), refusal.status, refusal.headers)
        except ClientDisconnect:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is not told
            self._service.log(f"{request.url.path}: {type(error).__name__}: {error}")
            nothing = RefusalError(500, "this could not be answered", kind="server_error")
            return _json(shapes.error(nothing), 500)

    # ---- who may ask what

    def _admit(self, request: Request) -> None:
        service, headers = self._service, request.headers
        if "content-length" in headers and "transfer-encoding" in headers:
            raise RefusalError(400, "a request has one length, not two")
        if service.names is not None and _host(headers.get("host", "")) not in service.names:
            raise RefusalError(403, "this server is for its own machine alone")
        if service.token is not None and request.url.path != "/healthz":
            given = headers.get("authorization", "").encode("latin-1", "replace")
            if not secrets.compare_digest(given, f"Bearer {service.token}".encode()):
                raise RefusalError(
                    401, "a bearer token is wanted, and this is not it",
                    kind="authentication_error", code="invalid_api_key", WWW_Authenticate="Bearer",
                )  # fmt: skip

    def _handler(self, request: Request) -> _Handler:
        method, handler = self._routes.get(request.url.path, ("", None))
        if handler is None:
            raise RefusalError(404, "there is nothing here", code="not_found")
        if request.method != method and (request.method, method) != ("HEAD", "GET"):
            raise RefusalError(405, f"this takes {method} only", Allow=method)
        return handler

    # ---- what there is

    async def _about(self, request: Request) -> Response:
        del request
        return _json(self._service.about)

    async def _health(self, request: Request) -> Response:
        del request
        state = self._service.state
        return _json({"status": state}, 200 if state == "ok" else 503)

    async def _models(self, request: Request) -> Response:
        del request
        return _json(shapes.models(self._service.model, self._service.created))

    async def _model(self, request: Request) -> Response:
        del request
        return _json(shapes.models(self._service.model, self._service.created)["data"][0])

    async def _query(self, request: Request) -> Response:
        body = await self._read(request, QueryBody)
        return _json(shapes.answered(await self._ask(body.query()), body.top_k))

    async def _chat(self, request: Request) -> Response:
        body = await self._read(request, ChatBody)
        model = self._service.model
        if body.model not in {model, "raytuner"}:
            reason = f"there is no model {body.model[:60]!r} here, but {model!r}"
            raise RefusalError(404, reason, code="model_not_found", field="model")
        served = await self._ask(body.query())
        if not body.stream:
            return _json(shapes.completion(served, model))
        events = shapes.chunks(served, model, usage=body.usage_wanted)
        return StreamingResponse(_each(events), media_type="text/event-stream")

    # ---- reading and answering

    async def _read(self, request: Request, shape: type[_Body]) -> _Body:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":  # which a form of another site cannot send unasked
            raise RefusalError(415, "Content-Type must be application/json")
        if request.headers.get("content-encoding", "identity") != "identity":
            raise RefusalError(415, "Content-Encoding: send the body as it is")
        most = self._service.max_body
        too_large = RefusalError(413, f"a request has {most} bytes at most", code="too_large")
        length = request.headers.get("content-length", "0")
        if len(length) > 18 or int(length) > most:
            raise too_large
        received = bytearray()
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                async for part in request.stream():
                    received += part
                    if len(received) > most:
                        raise too_large
        except TimeoutError:
            raise RefusalError(408, "the request did not come to its end in time") from None
        return read_body(bytes(received), shape)

    async def _ask(self, query: Query) -> Served:
        service = self._service
        if service.state != "ok":
            raise _unavailable(f"the server is {service.state}")
        try:
            async with asyncio.timeout(service.timeout):
                return await service.desk.ask(query)
        except TimeoutError:
            raise RefusalError(
                504, f"there was no answer within {service.timeout:g} s", kind="server_error",
                code="timeout",
            ) from None  # fmt: skip
        except BusyError:
            raise _unavailable("too many questions are waiting") from None
        except RefusedError as error:
            field = ".".join(map(str, error.field)) or None
            raise RefusalError(400, strike(error.message), field=field) from None
        except ConfigError as error:
            service.log(str(error))
            reason = "this server is not set up to answer"
            raise RefusalError(500, reason, kind="server_error") from None
        except ObjectiveFailure as error:
            service.log(f"{error.failure.kind}: {error}")
            nothing = (500, "failed", "this could not be answered")
            status, code, told = _FAILURES.get(error.failure.kind, nothing)
            later = {"Retry_After": "5"} if status == 503 else {}
            raise RefusalError(status, told, kind="server_error", code=code, **later) from None


class _Call:
    """One exchange: whether the request was read to its end; headers that every answer has."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self.read = False

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request" and not message.get("more_body", False):
            self.read = True
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], *_HEADERS]}
        await self._send(message)


def _json(data: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    body = json.dumps(data).encode()  # in ASCII, since documents may hold what UTF-8 cannot say
    known = dict(headers) if headers else None
    return Response(body, status, headers=known, media_type="application/json")


def _unavailable(reason: str) -> RefusalError:
    return RefusalError(503, reason, kind="server_error", code="overloaded", Retry_After="1")


def _host(value: str) -> str:
    """Give the name in a `Host` header, without the port."""
    if value.startswith("["):
        return value[1:].partition("]")[0].lower()
    return value.partition(":")[0].lower()


async def _each(events: Any) -> Any:
    for event in events:
        yield event
