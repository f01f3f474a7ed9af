"""An OpenAI-compatible server on loopback for tests and benchmarks, with scripted faults.

In a test process, as a context manager or the fixture `endpoint` of tests/endpoint/fixtures.py:

    from tests.endpoint.server import Endpoint, Fault

    with Endpoint(facts={"capital of France": "Paris"}, latency=0.01) as endpoint:
        endpoint.fault("status", status=429, retry_after=0.1, first=2)
        client = openai.OpenAI(base_url=endpoint.url, api_key=endpoint.key)
        ...
        assert endpoint.calls("chat", status=429) == 2
        assert not endpoint.repeated()

As a process of its own, for tests that kill their own process and for benchmarks:

    with started(latency=0.2, concurrency=64) as remote:
        remote.url, remote.pid, remote.stats(), remote.fault("hang", containing="POISON")

or by hand from the repository root, which prints the port and serves until it is killed:

    python -m tests.endpoint.server --port 0 --settings '{"latency": 0.2}' --faults '[]'

Keyword arguments are the fields of tests/endpoint/settings.py; kinds of faults and their fields
are in tests/endpoint/faults.py; what it answers, in tests/endpoint/answers.py and schemas.py.

It charges for what it answers, also when an answer is strange or breaks off on the wire; not for
refusals, nor where the client left before the answer. Its own addresses: GET /_stats and
/_requests; POST and DELETE /_faults; POST /_settings.
"""

import argparse
import asyncio
import contextlib
import json
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

from aiohttp import web

from tests.endpoint.app import Service
from tests.endpoint.faults import Fault
from tests.endpoint.settings import KEY, Settings

ROOT = Path(__file__).resolve().parents[2]
HOST = "127.0.0.1"

__all__ = ["KEY", "Endpoint", "Fault", "Remote", "Settings", "started"]


class _Addressed:
    port: int

    @property
    def root(self):
        """The address for Azure's client."""
        return f"http://{HOST}:{self.port}"

    @property
    def url(self):
        """The base URL for OpenAI's client."""
        return f"{self.root}/v1"


class Endpoint(_Addressed):
    """Serves from a thread of this process until the block ends.

    Attributes:
        port: that it listens on.
        service: what answers.
    """

    def __init__(self, **settings):
        self.service = Service(Settings().with_(**settings))
        self.port = 0
        self._ready = threading.Event()
        self._error = None
        self._thread = threading.Thread(target=self._run, name="endpoint", daemon=True)

    def __enter__(self):
        self._thread.start()
        self._ready.wait()
        if self._error is not None:
            raise self._error
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self):
        try:
            asyncio.run(self._serve())
        except Exception as error:
            self._error = error
        finally:
            self._ready.set()

    async def _serve(self):
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        async with _listening(self.service, 0) as self.port:
            self._ready.set()
            await self._stop.wait()

    @property
    def key(self):
        """The key that it accepts."""
        return self.service.settings.api_key or "none"

    def configure(self, **changes):
        """Change settings while it runs."""
        self.service.configure(**changes)

    def fault(self, kind, **rule):
        """Let something go wrong from now on; see Fault."""
        self.service.faults.add(Fault(kind, **rule))

    def clear_faults(self):
        """Let nothing go wrong any more."""
        self.service.faults.clear()

    @property
    def requests(self):
        """Every request so far, as Records in order of arrival."""
        return list(self.service.ledger.requests)

    @property
    def tokens(self):
        """Tokens charged: sent, received, total."""
        return self.service.ledger.tokens

    @property
    def in_flight_max(self):
        """Most requests there were at a time, refused ones included."""
        return self.service.ledger.in_flight_max

    def calls(self, kind=None, **which):
        """Count requests by kind (chat, embeddings), model, status, fault, containing."""
        return self.service.ledger.calls(kind, **which)

    def usd(self, price_in, price_out, model=None):
        """Give dollars charged, at dollars per million tokens of prompt and answer."""
        return self.service.ledger.usd(price_in, price_out, model)

    def repeated(self):
        """Give bodies that were answered, and so paid for, more than once."""
        return self.service.ledger.repeated()

    def repeated_samples(self):
        """Give bodies with a seeded sample that was paid for before, whatever n was."""
        return self.service.ledger.repeated_samples()

    def repeated_texts(self):
        """Give texts that were embedded more than once."""
        return self.service.ledger.repeated_texts()

    def stats(self):
        """Sum up, as GET /_stats does."""
        return self.service.ledger.stats()


class Remote(_Addressed):
    """An endpoint in a process of its own."""

    def __init__(self, process, port, key):
        self._process = process
        self.port = port
        self.pid = process.pid
        self.key = key

    def stats(self):
        """Give counts, tokens and repetitions; see Ledger.stats."""
        return self._ask("/_stats")

    def requests(self):
        """Give every request as plain data."""
        return self._ask("/_requests")

    def usd(self, price_in, price_out):
        """Give dollars charged, at dollars per million tokens of prompt and answer."""
        tokens = self.stats()["tokens"]
        return (tokens["sent"] * price_in + tokens["received"] * price_out) / 1_000_000

    def fault(self, kind, **rule):
        """Let something go wrong from now on; see Fault."""
        self._ask("/_faults", "POST", Fault(kind, **rule).as_json())

    def clear_faults(self):
        """Let nothing go wrong any more."""
        self._ask("/_faults", "DELETE")

    def configure(self, **changes):
        """Change settings while it runs."""
        self._ask("/_settings", "POST", changes)

    def stop(self):
        """End the process."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._process.communicate()

    def _ask(self, path, method="GET", body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.root}{path}", data, method=method)
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response)


@contextlib.contextmanager
def started(faults=(), **settings):
    """Serve from a process of its own until the block ends, or this process does."""
    wanted = Settings().with_(**settings)
    command = [sys.executable, "-m", "tests.endpoint.server", "--port", "0", "--end-with-stdin"]
    command += ["--settings", json.dumps(wanted.as_json())]
    command += ["--faults", json.dumps([fault.as_json() for fault in faults])]
    process = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    line = process.stdout.readline()
    if not line.strip().isdigit():
        process.kill()
        raise RuntimeError(f"the endpoint did not start: {line!r}")
    remote = Remote(process, int(line), wanted.api_key or "none")
    try:
        yield remote
    finally:
        remote.stop()


@contextlib.asynccontextmanager
async def _listening(service, port):
    runner = web.AppRunner(
        service.application(), handler_cancellation=True, access_log=None, shutdown_timeout=0.1
    )
    await runner.setup()
    try:
        site = web.TCPSite(runner, HOST, port, backlog=1024)
        await site.start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def _serve_process(service, port, end_with_stdin):
    async with _listening(service, port) as own:
        print(own, flush=True)
        if end_with_stdin:
            await asyncio.to_thread(sys.stdin.read)
        else:
            await asyncio.Event().wait()


def main():
    """Serve from this process."""
    parser = argparse.ArgumentParser(description="OpenAI-compatible test endpoint on loopback")
    parser.add_argument("--port", type=int, default=0, help="0: any free one, printed")
    parser.add_argument("--settings", type=json.loads, default={}, help="JSON of Settings")
    parser.add_argument("--faults", type=json.loads, default=[], help="JSON list of Faults")
    parser.add_argument("--end-with-stdin", action="store_true", help="end when stdin does")
    given = parser.parse_args()
    service = Service(Settings().with_(**given.settings), [Fault(**one) for one in given.faults])
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve_process(service, given.port, given.end_with_stdin))


if __name__ == "__main__":
    main()
