"""A program that runs under limits: what goes in, the lines that come out, and how it ended."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, NamedTuple, Self

from raytuner.objective import Failure, ObjectiveFailure
from raytuner.printable import plain

GRACE = 2.0
"""Seconds between SIGTERM and SIGKILL."""
_TAIL = 4_000
_LAST_LINES = 5
_SUPERVISOR = Path(__file__).with_name("supervise.py")
_MEMORY_WORDS = (b"MemoryError", b"bad_alloc", b"annot allocate", b"ut of memory", b"ENOMEM")


class Limits(NamedTuple):
    """What a program may use.

    Attributes:
        timeout: seconds, or None.
        memory: bytes of address space of each of its processes, or None.
        output: bytes that it may print on standard output, and as many on standard error.
        retry_codes: exit codes that say that another try may go well.
    """

    timeout: float | None = None
    memory: int | None = None
    output: int = 10_000_000
    retry_codes: tuple[int, ...] = ()


class Program:
    """One run of a program; a context manager, after which nothing of it is left.

    Args:
        command: program and arguments; no shell sees them.
        folder: where it runs.
        environment: all variables that it gets.
        given: what it finds on its standard input.
        limits: what it may use.
    """

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        given: bytes,
        limits: Limits,
    ) -> None:
        self._limits = limits
        self._given = memoryview(given)
        self._errors = b""
        self._printed = {1: 0, 2: 0}
        lifeline, self._lifeline = os.pipe()
        supervisor = [sys.executable, "-I", "-S", str(_SUPERVISOR)]
        facts = [str(lifeline), str(limits.memory or 0), str(GRACE)]
        try:
            self._process = subprocess.Popen(  # noqa: S603 - what the user has named
                [*supervisor, *facts, *command],
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                pass_fds=(lifeline,),
                start_new_session=True,
            )
        except BaseException:
            os.close(self._lifeline)
            raise
        finally:
            os.close(lifeline)
        self._until = None if limits.timeout is None else time.monotonic() + limits.timeout

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- while it runs

    def lines(self, stop: Callable[[], bool]) -> Iterator[list[bytes]]:
        """Give what it prints, as it prints it, until it has ended or is to stop.

        Raises:
            ObjectiveFailure: it takes too long, or prints too much.
        """
        rest = bytearray()
        with selectors.DefaultSelector() as ready:
            self._watch(ready)
            while ready.get_map():
                printed = b"".join(self._exchange(ready))
                first, *more = printed.split(b"\n")
                rest += first
                if more:
                    found = [bytes(rest), *more[:-1]]
                    rest = bytearray(more[-1])
                    yield found
                if stop():
                    return
                self._check_time()
        if rest:
            yield [bytes(rest)]
        while not self._has_ended():  # it may have closed its output, and go on
            if stop():
                return
            self._check_time()

    def _has_ended(self) -> bool:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=0.1)
            return True
        return False

    def _watch(self, ready: selectors.BaseSelector) -> None:
        streams = ((self._process.stdin, 0), (self._process.stdout, 1), (self._process.stderr, 2))
        for stream, number in streams:
            if stream is not None and not stream.closed:
                os.set_blocking(stream.fileno(), False)
                event = selectors.EVENT_READ if number else selectors.EVENT_WRITE
                ready.register(stream, event, number)

    def _exchange(self, ready: selectors.BaseSelector) -> list[bytes]:
        """Write and read what can be, without waiting long; give what was printed."""
        printed = []
        for key, _ in ready.select(0.1):
            stream: IO[bytes] = key.fileobj  # type: ignore[assignment]
            if key.data == 0:
                self._write(ready, stream)
                continue
            part = os.read(stream.fileno(), 65_536)
            if not part:
                ready.unregister(stream)
                stream.close()
            self._count(key.data, len(part))
            if key.data == 1:
                printed.append(part)
            else:
                self._errors = (self._errors + part)[-_TAIL:]
        return printed

    def _write(self, ready: selectors.BaseSelector, stream: IO[bytes]) -> None:
        try:
            written = os.write(stream.fileno(), self._given[:65_536]) if self._given else 0
            self._given = self._given[written:]
        except BlockingIOError:
            return
        except OSError:  # it does not care for the rest
            self._given = self._given[:0]
        if not self._given:
            ready.unregister(stream)
            with contextlib.suppress(OSError):
                stream.close()

    def _count(self, stream: int, size: int) -> None:
        self._printed[stream] += size
        if self._printed[stream] > self._limits.output:
            where = "standard output" if stream == 1 else "standard error"
            raise ObjectiveFailure(
                "objective",
                f"the program printed more than max_output = {self._limits.output:,} bytes on "
                f"{where}, and was ended",
            )

    def _check_time(self) -> None:
        if self._until is not None and time.monotonic() > self._until:
            raise ObjectiveFailure(
                "timeout",
                f"the program took more than its timeout of {self._limits.timeout:g} seconds"
                f"{self._last_words()}",
                retryable=True,
            )

    # ---- how it ends

    def finish(self, seconds: float, stop: Callable[[], bool]) -> None:
        """Let it end by itself, whatever it prints, but not for long."""
        end = time.monotonic() + seconds
        with contextlib.suppress(ObjectiveFailure):
            for _ in self.lines(lambda: stop() or time.monotonic() > end):
                pass

    def failure(self) -> Failure | None:
        """Wait for its end; say what was wrong with that, or None. To be asked after `lines`."""
        code = self._process.wait()
        if code == 0:
            return None
        if code in self._limits.retry_codes:
            said = f"the program asked to be tried again (exit code {code})"
            return Failure("provider", f"{said}{self._last_words()}", retryable=True)
        memory = self._limits.memory
        if memory is not None and any(word in self._errors for word in _MEMORY_WORDS):
            said = f"the program needed more than memory_mb = {memory / 1e6:g}"
            return Failure("out_of_memory", f"{said}{self._last_words()}")
        if code == -signal.SIGKILL:
            said = "the program was killed (SIGKILL), perhaps for want of memory"
            return Failure("out_of_memory", f"{said}{self._last_words()}")
        said = f"ended with exit code {code}" if code > 0 else f"was ended by {_signal_name(-code)}"
        return Failure("objective", f"the program {said}{self._last_words()}")

    def _last_words(self) -> str:
        text = self._errors.decode("utf-8", errors="backslashreplace")
        rows = [plain(row.strip()) for row in text.splitlines() if row.strip()]
        return f"; its last words: {' / '.join(rows[-_LAST_LINES:])}" if rows else ""

    def close(self) -> None:
        """End it, and everything that it has started."""
        if self._lifeline < 0:
            return
        os.close(self._lifeline)
        self._lifeline = -1
        try:
            self._process.wait(timeout=GRACE + 10)
        except subprocess.TimeoutExpired:  # the supervisor hangs, which nothing should bring about
            self._process.kill()
            self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()


def _signal_name(number: int) -> str:
    with contextlib.suppress(ValueError):
        return signal.Signals(number).name
    return f"signal {number}"
