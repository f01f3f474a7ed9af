"""The HTTP side of the test endpoint: addresses, keys, limits, faults, one answer at a time."""

import asyncio
import json
import math
import socket
import struct
import time

from aiohttp import web

from tests.endpoint import completions
from tests.endpoint.completions import Refused
from tests.endpoint.faults import ANSWERS, Book, Fault, changing, strange
from tests.endpoint.ledger import Ledger, Record
from tests.endpoint.limits import Limits

_RESET = struct.pack("ii", 1, 0)
_HTML = "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"


class Service:
    """Answers requests; all of it runs on one event loop."""

    def __init__(self, settings, faults=()):
        self.settings = settings
        self.limits = Limits(settings)
        self.faults = Book(faults)
        self.ledger = Ledger()
        self._served = 0

    def configure(self, **changes):
        """Change settings; limits begin anew if they are among them."""
        before = self.settings
        self.settings = before.with_(**changes)
        names = ("requests_per_minute", "tokens_per_minute", "window")
        if any(getattr(before, name) != getattr(self.settings, name) for name in names):
            self.limits = Limits(self.settings)

    def application(self):
        """Give the aiohttp application."""
        app = web.Application(client_max_size=256 * 2**20)
        for base in ("/v1", "/openai/deployments/{model}", "/openai/v1"):
            app.router.add_post(f"{base}/chat/completions", self._serving("chat"))
            app.router.add_post(f"{base}/embeddings", self._serving("embeddings"))
        for base in ("/v1", "/openai", "/openai/v1"):
            app.router.add_get(f"{base}/models", self._serving("models"))
            app.router.add_get(f"{base}/models/{{model}}", self._serving("models"))
        app.router.add_get("/_stats", self._stats)
        app.router.add_get("/_requests", self._requests)
        app.router.add_post("/_faults", self._add_faults)
        app.router.add_delete("/_faults", self._clear_faults)
        app.router.add_post("/_settings", self._change_settings)
        return app

    # ---- for whoever runs it

    async def _stats(self, _):
        return web.json_response(self.ledger.stats())

    async def _requests(self, _):
        return web.json_response(self.ledger.as_json())

    async def _add_faults(self, request):
        given = await request.json()
        for one in given if isinstance(given, list) else [given]:
            self.faults.add(Fault(**one))
        return web.json_response({})

    async def _clear_faults(self, _):
        self.faults.clear()
        return web.json_response({})

    async def _change_settings(self, request):
        self.configure(**await request.json())
        return web.json_response(self.settings.as_json())

    # ---- for clients

    def _serving(self, kind):
        async def serve(request):
            raw = await request.read()
            body, record = self._recorded(kind, request, raw)
            self.ledger.begin(record)
            try:
                return await self._reply(request, record, body)
            except Refused as error:
                record.status = error.status
                headers = {**self.limits.headers(), **error.headers}
                return web.json_response(error.body, status=error.status, headers=headers)
            finally:
                self.ledger.end(record, time.monotonic())

        return serve

    def _recorded(self, kind, request, raw):
        try:
            body = json.loads(raw) if kind != "models" else None
        except ValueError:
            body = None
        body = body if isinstance(body, dict) else None
        model = request.match_info.get("model", "")
        if body is not None:
            body.setdefault("model", model)
            model = str(body["model"])
        key = _key(request)
        return body, Record(
            number=len(self.ledger.requests),
            kind=kind,
            path=request.path,
            model=model,
            body=body,
            key_ok=self.settings.api_key in (None, key),
            began=time.monotonic(),
        )

    async def _reply(self, request, record, body):
        if not record.key_ok:
            raise _wrong_key(_key(request))
        if record.kind == "models":
            return self._models(record)
        if not body:
            raise Refused(400, "We could not parse the JSON body of your request.")
        fault = self.faults.of(record.path, body)
        record.fault = fault and fault.kind
        early = await self._early(request, record, fault) if fault is not None else None
        if early is not None:
            return early
        self._known(record.model)
        if self.settings.concurrency is not None and self._served >= self.settings.concurrency:
            raise _too_many("Too many requests at a time.", None)
        self._served += 1
        try:
            return await self._usual(request, record, body, fault)
        finally:
            self._served -= 1

    def _models(self, record):
        named = [record.model] if record.model else self.settings.models or self.settings.skills
        found = [{"id": n, "object": "model", "created": 0, "owned_by": "loopback"} for n in named]
        if record.model:
            self._known(record.model)
        record.status = 200
        return web.json_response(found[0] if record.model else {"object": "list", "data": found})

    def _known(self, model):
        if not model:
            raise Refused(400, "you must provide a model parameter")
        if self.settings.models is not None and model not in self.settings.models:
            raise Refused(
                404, f"The model `{model}` does not exist or you do not have access to it.",
                "model_not_found",
            )  # fmt: skip

    async def _early(self, request, record, fault):
        """Do what a fault does before there is an answer; None: go on."""
        if fault.kind == "status":
            raise _refusal(fault)
        if fault.kind == "quota":
            raise Refused(
                429, "You exceeded your current quota, please check your plan and billing details.",
                "insufficient_quota", "insufficient_quota",
            )  # fmt: skip
        if fault.kind == "hang":
            await asyncio.Event().wait()
        if fault.kind == "drop":
            return _dropped(request)
        if fault.kind == "slow":
            await asyncio.sleep(fault.seconds)
        body = {
            "html": _HTML,
            "object": "{}",
            "error-object": '{"error": {"message": "overloaded", "code": null}}',
        }.get(fault.kind)
        if body is None:
            return None
        record.status = 200
        kind = "text/html" if fault.kind == "html" else "application/json"
        return web.Response(text=body, content_type=kind)

    async def _usual(self, request, record, body, fault):
        made = self._made(record, body)
        real = made["usage"]
        if fault is not None and fault.kind in ANSWERS:
            made = strange(fault.kind, fault.text, made, record.number)
        elif self.settings.usage == "changing":
            made = {**made, "usage": changing(real, record.number)}
        elif self.settings.usage == "missing":
            made = {name: value for name, value in made.items() if name != "usage"}
        billed = completions.billed(made, real)
        reserve = self.settings.reserve_tokens and record.kind == "chat"
        self._limited(completions.reserved_tokens(body) if reserve else billed.total)
        await asyncio.sleep(self.settings.latency)
        record.billed = billed
        content = json.dumps(made, ensure_ascii=False).encode("utf-8", "replace")
        kind = fault.kind if fault is not None else None
        if kind in ("drop-body", "cut-body"):
            return await _broken(request, content, reset=kind == "drop-body")
        whole = kind != "malformed"
        response = web.Response(
            body=content if whole else content[: len(content) // 2],
            content_type="application/json",
            headers=self.limits.headers(),
        )
        record.status, record.answered = 200, whole  # before the client can look
        try:
            await response.prepare(request)
            await response.write_eof()
        except BaseException:  # the client has left
            record.status, record.answered = None, False
            raise
        return response

    def _made(self, record, body):
        if record.kind == "chat":
            completions.check_chat(self.settings, body)
            return completions.chat(self.settings, body, record.number)
        completions.check_embeddings(body)
        return completions.embeddings(self.settings, body, record.number)

    def _limited(self, tokens):
        refused = self.limits.refused(tokens)
        if refused is not None:
            name, seconds = refused
            raise _too_many(f"Rate limit reached for {name} per min.", seconds)


def _key(request):
    bearer = request.headers.get("Authorization", "").removeprefix("Bearer ").strip()
    return request.headers.get("api-key", "") or bearer


def _wrong_key(key):
    if not key:
        return Refused(401, "You didn't provide an API key.", None)
    shown = f"{key[:8]}{'*' * 8}{key[-4:]}"  # as OpenAI does
    return Refused(401, f"Incorrect API key provided: {shown}.", "invalid_api_key")


def _refusal(fault):
    headers = {}
    if fault.retry_after is not None:
        headers["retry-after"] = f"{fault.retry_after:g}"
    if fault.retry_after_ms is not None:
        headers["retry-after-ms"] = f"{fault.retry_after_ms:g}"
    kind = "server_error" if fault.status >= 500 else "invalid_request_error"
    code = fault.code or ("rate_limit_exceeded" if fault.status == 429 else None)
    return Refused(fault.status, f"scripted refusal ({fault.status})", code, kind, headers)


def _too_many(message, seconds):
    headers = {}
    if seconds is not None and math.isfinite(seconds):
        headers["retry-after"] = str(math.ceil(seconds))
        headers["retry-after-ms"] = str(math.ceil(seconds * 1000))
    return Refused(429, message, "rate_limit_exceeded", "requests", headers)


def _dropped(request):
    transport = request.transport
    if transport is not None:
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        transport.abort()
    return web.Response()


async def _broken(request, content, *, reset):
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    response.content_length = len(content)
    await response.prepare(request)
    await response.write(content[: len(content) // 2])
    await asyncio.sleep(0.02)  # the client has the first half before the connection goes
    if reset:
        _dropped(request)
    elif request.transport is not None:
        request.transport.close()
    return response
