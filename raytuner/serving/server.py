"""Listens, loads, answers, and leaves in order: uvicorn with limits on slow clients."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from raytuner.component import ConfigError
from raytuner.serving.app import Service, application

_IDLE_SECONDS = 20.0
"""A connection on which no request begins for about so long is closed."""
_GRACE_SECONDS = 5.0
"""What is under way at the end gets its time limit, and so much more to be sent."""
_MOST_HEADER_BYTES = 32_768
_CONNECTIONS = 512
"""Beside those whose queries wait or are at work."""


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach an address."""
    if host == "localhost":
        return True
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return False


def bound(host: str, port: int) -> socket.socket:
    """Take a port; 0: any that is free.

    Raises:
        ConfigError: it is taken, or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    taken = socket.socket(family, socket.SOCK_STREAM)
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        taken.bind((host, port))
        taken.listen(1024)
    except (OSError, OverflowError) as error:
        taken.close()
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"--host {host} --port {port}: {reason}; give others") from None
    return taken


class WebServer:
    """Loads, serves, and leaves in order on SIGTERM, SIGINT or `leave`.

    Args:
        service: what is served.
        listening: a socket that listens.
        queries: at work and waiting together, at most.
        ready: called once it answers.
    """

    def __init__(
        self,
        service: Service,
        listening: socket.socket,
        *,
        queries: int,
        ready: Callable[[], None] = lambda: None,
    ) -> None:
        self._service, self._listening, self._ready = service, listening, ready
        self._config = uvicorn.Config(
            application(service),
            http=_Protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=queries + _CONNECTIONS,
            h11_max_incomplete_event_size=_MOST_HEADER_BYTES,
            timeout_keep_alive=int(_IDLE_SECONDS),
            timeout_graceful_shutdown=int(service.timeout + _GRACE_SECONDS),
        )
        self._server = _Server(self._config)

    def run(self) -> None:
        """Serve until it is told to leave, then finish what is under way.

        Raises:
            ConfigError, ObjectiveFailure: it cannot be loaded.
        """
        with asyncio.Runner(loop_factory=self._config.get_loop_factory()) as runner:
            runner.run(self._run())

    def leave(self) -> None:
        """Begin to end; from any thread."""
        self._service.state = "stopping"
        self._server.should_exit = True

    async def _run(self) -> None:
        loading = asyncio.create_task(self._load())
        loading.add_done_callback(self._loaded)
        with self._signals():
            try:
                await self._server.serve(sockets=[self._listening])
            finally:
                self._service.desk.close()
        if not loading.done():
            loading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await loading

    async def _load(self) -> None:
        await self._service.desk.prepare()
        if self._service.state == "loading":
            self._service.state = "ok"
            self._ready()

    def _loaded(self, done: asyncio.Task[None]) -> None:
        if not done.cancelled() and done.exception() is not None:
            self.leave()

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        loop = asyncio.get_running_loop()
        numbers = (signal.SIGTERM, signal.SIGINT)
        for number in numbers:
            loop.add_signal_handler(number, self.leave)
        try:
            yield
        finally:
            for number in numbers:
                loop.remove_signal_handler(number)


class _Server(uvicorn.Server):
    """Leaves signals to whoever runs it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        yield


class _Protocol(H11Protocol):
    """Closes connections on which no request begins: uvicorn waits for ever for a header's end."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._seen: Any = self
        self._watch = self.loop.call_later(_IDLE_SECONDS, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        self._watch.cancel()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        try:
            super().handle_events()
        except Exception:  # noqa: BLE001 - what is no HTTP in the middle of an answer
            self.transport.abort()

    def _look(self) -> None:
        idle = self.cycle is None or self.cycle.response_complete
        if idle and self._seen in {self, self.cycle}:
            self.transport.close()
            return
        self._seen = self.cycle
        self._watch = self.loop.call_later(_IDLE_SECONDS, self._look)
