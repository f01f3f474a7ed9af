"""The openai package's clients of this process, one per server and key, closed when it ends.

They belong to the loop of `raytuner.ports.gate.background`. Over aiohttp: with 64 calls at a time
the package's default transport spends some 10 ms of CPU on each, five times as much.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import threading
from typing import Any

from raytuner.ports.gate import background

_CLOSING_SECONDS = 2.0
_lock = threading.Lock()
_clients: dict[tuple[Any, ...], Any] = {}


def connected(url: str, key: str, timeout: float, azure: str | None) -> Any:
    """Give the client for a server.

    Args:
        url: of the server.
        key: what it wants to see.
        timeout: seconds for one attempt.
        azure: version of Azure's API, or None.
    """
    place = (os.getpid(), url, key, timeout, azure)
    with _lock:
        if place not in _clients:
            if not _clients:
                atexit.register(_close_all)
            _clients[place] = _made(url, key, timeout, azure)
        return _clients[place]


def _made(url: str, key: str, timeout: float, azure: str | None) -> Any:
    import openai

    common: dict[str, Any] = {
        "api_key": key,
        "timeout": timeout,
        "max_retries": 0,  # the gate is asked before every attempt
        "http_client": openai.DefaultAioHttpClient(timeout=timeout),
    }
    if azure is None:
        return openai.AsyncOpenAI(base_url=url, **common)
    return openai.AsyncAzureOpenAI(azure_endpoint=url, api_version=azure, **common)


def _close_all() -> None:
    """Close what is open in this process, so that nobody complains at its end."""
    mine = [client for place, client in _clients.items() if place[0] == os.getpid()]
    _clients.clear()
    if not mine:
        return

    async def close() -> None:
        for client in mine:
            with contextlib.suppress(Exception):
                await client.close()

    with contextlib.suppress(Exception):
        future = asyncio.run_coroutine_threadsafe(close(), background())
        future.result(_CLOSING_SECONDS)
