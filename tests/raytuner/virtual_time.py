"""An event loop whose clock jumps to the next thing due, endpoints to live on it, and waiting."""

import asyncio
import bisect
import selectors

from raytuner.objective import Cost
from raytuner.ports.gate import Report


class _Jumping(selectors.DefaultSelector):
    """Waits for nobody: the time that it is asked to wait has passed."""

    def __init__(self):
        super().__init__()
        self.now = 0.0

    def select(self, timeout=None):
        if timeout is None:
            raise RuntimeError("everybody waits, and nothing is due any more")
        self.now += max(0.0, timeout)
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """Runs timers in their order, at once."""

    def __init__(self):
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self):
        return self._jumping.now


def live(main):
    """Run `main(clock)` to its end in virtual time."""
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(main(loop.time))
    finally:
        loop.close()


class Endpoint:
    """Serves calls in virtual time; refuses what is too much.

    Args:
        clock: of the loop.
        at_once: calls that it serves at the same time.
        requests: calls that it serves in any `window` seconds.
        latency: seconds a call takes; a refusal takes a hundredth.
        tell: gives the report of a refusal.
    """

    def __init__(
        self, clock, *, at_once=10**9, requests=10**9, window=60.0, latency=0.2, tell=None
    ):
        self.clock = clock
        self.at_once = at_once
        self.requests = requests
        self.window = window
        self.latency = latency
        self.tell = tell or (lambda: Report(throttled=True))
        self.serving = 0
        self.served = []  # times at which calls were taken in
        self.refused = []
        self.most = 0

    async def call(self, tokens=0):
        now = self.clock()
        recent = len(self.served) - bisect.bisect_right(self.served, now - self.window + 1e-6)
        if self.serving >= self.at_once or recent >= self.requests:
            self.refused.append(now)
            await asyncio.sleep(self.latency / 100)
            return self.tell()
        self.served.append(now)
        self.serving += 1
        self.most = max(self.most, self.serving)
        await asyncio.sleep(self.latency)
        self.serving -= 1
        return Report(cost=Cost(0.0, tokens, 0, 1))


async def persist(limiter, endpoint, tokens=0):
    """Call until the call is served."""
    while True:
        slot = await limiter.acquire(tokens)
        report = await endpoint.call(tokens)
        limiter.settle(slot, report)
        if not report.throttled:
            return


def busiest(times, window):
    """Count the starts in the fullest window."""
    ordered = sorted(times)
    return max(
        (i - bisect.bisect_right(ordered, t - window + 1e-6) + 1 for i, t in enumerate(ordered)),
        default=0,
    )


async def soon():
    """Let everybody run who can."""
    for _ in range(10):
        await asyncio.sleep(0)


def begin(gate, demand):
    """Ask a gate in a task of its own."""
    return asyncio.ensure_future(gate.admit(demand))
