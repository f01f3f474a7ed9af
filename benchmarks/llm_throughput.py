"""Measure how near calls of a language model come to what an endpoint allows: 64 at a time, 200 ms.

The endpoint of tests/endpoint runs in a process of its own and answers at most 64 calls at a time,
each after 200 ms: at best 320 a second. What comes above is refused (429). Measured by its own
clock, from its first request to its last answer, so that the start of workers counts for nobody:

- raytuner: our client in one process, with its cache on disk and a gate;
- ray: a study with `backend: ray`, four trials on four workers, the gate in the driver;
- plain: the openai client over aiohttp, `asyncio.gather` and a semaphore: no cache, no retries;
- plain-httpx: the same over the transport that the openai client has by default;
- adapting, ray-adapting: ours, told that 128 calls at a time are allowed.

Each runs in a process of its own. They take turns, and the best run of each counts: on a machine
that others use too, a worse one says more about them.

    python benchmarks/llm_throughput.py                 # some five minutes
    python benchmarks/llm_throughput.py --repeats 1 --only raytuner plain
    python benchmarks/llm_throughput.py --latency 1     # as most models take; less CPU a second
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.endpoint.server import ROOT, Remote, started

LATENCY, CONCURRENCY = 0.2, 64
TOO_MANY = 2 * CONCURRENCY
"""What the study says where it does not know better."""
CALLS = 2_560
TRIALS = 4
MODEL = "good-1"
MAX_TOKENS = 32
TARGETS = {"raytuner": 0.95, "ray": 0.90}
TITLES = {
    "raytuner": "raytuner, one process",
    "ray": "raytuner, 4 Ray workers",
    "plain": "`asyncio.gather`, semaphore, aiohttp",
    "plain-httpx": "`asyncio.gather`, semaphore, httpx (openai's default)",
    "adapting": "raytuner, one process, told 128",
    "ray-adapting": "raytuner, 4 Ray workers, told 128",
}
Run = dict[str, float]


def question(number: int) -> str:
    """Give one of many distinct questions."""
    return f"What is {number} + {7 * number % 19} * {number % 7 + 2}? Answer with a number."


# ---- the systems: each makes CALLS calls and gives seconds of CPU, where it knows them


def ours(url: str, concurrency: int) -> float:
    """Ask with our client, as a trial does."""
    from pipelines.cache.responses import ResponseCache
    from pipelines.llm.batch import Ask
    from pipelines.llm.client import client_of
    from pipelines.llm.models import OpenAIModel
    from pipelines.llm.types import ChatRequest, Message, Sampling
    from raytuner.budget import Purse
    from raytuner.objective import Tally
    from raytuner.paying.turnstile import LocalGate

    model = OpenAIModel(model=MODEL, base_url=url, concurrency=concurrency)
    sampling = Sampling(max_tokens=MAX_TOKENS)
    asks = [
        Ask(model, ChatRequest((Message("user", question(number)),), sampling))
        for number in range(CALLS)
    ]
    with tempfile.TemporaryDirectory() as folder:
        client = client_of(ResponseCache(Path(folder)))
        _load()
        began = time.process_time()
        replies = client.complete(asks, Tally(gate=LocalGate(Purse(None))), "answer")
        cpu = time.process_time() - began
    if not all(reply.samples for reply in replies):
        raise SystemExit(f"a call failed: {next(r.failure for r in replies if r.failure)}")
    return cpu


def on_ray(url: str, concurrency: int) -> float:
    """Run a study: TRIALS configurations on as many workers."""
    from raytuner import Study, run

    def score(responses: list[str], **_: Any) -> dict[str, float]:
        return {"length": float(len(responses[0]))}

    with tempfile.TemporaryDirectory() as folder:
        study = Study(
            objective={
                "kind": "completion",
                "instances": [{"q": question(n)} for n in range(CALLS // TRIALS)],
                "eval_func": score,
                "models": {
                    "m": {
                        "kind": "openai",
                        "model": MODEL,
                        "base_url": url,
                        "concurrency": concurrency,
                        "free": True,
                    }
                },
                "completion": {"model": "m", "prompt": "{q}", "max_tokens": MAX_TOKENS},
                "cache": folder,
            },
            space={"temperature": [0.0, 0.3, 0.6, 0.9]},
            metric="length",
            baseline=False,
            backend="ray",
            address="local",
            workers=TRIALS,
            resources={"cpu": 0.25},
        )
        results = run(study, Path(folder) / "run")
    if not all(trial.complete for trial in results.record.current):
        raise SystemExit("a trial is not complete")
    return 0.0


def plain(url: str, transport: str) -> float:
    """Ask with the openai package's client and nothing else."""
    import openai

    async def all_of_them() -> float:
        http = openai.DefaultAioHttpClient() if transport == "aiohttp" else None
        client = openai.AsyncOpenAI(base_url=url, max_retries=0, http_client=http)
        free = asyncio.Semaphore(CONCURRENCY)

        async def one(number: int) -> str:
            async with free:
                answer = await client.chat.completions.create(
                    model=MODEL,
                    messages=[{"role": "user", "content": question(number)}],
                    max_tokens=MAX_TOKENS,
                )
            return answer.choices[0].message.content or ""

        _load()
        began = time.process_time()
        async with client:
            await asyncio.gather(*map(one, range(CALLS)))
        return time.process_time() - began

    return asyncio.run(all_of_them())


def _load() -> None:
    """Import what the openai package imports at the first call only; it is no call's CPU."""
    import openai
    from openai.resources import chat

    del openai, chat


SYSTEMS: dict[str, Callable[[str], float]] = {
    "raytuner": lambda url: ours(url, CONCURRENCY),
    "ray": lambda url: on_ray(url, CONCURRENCY),
    "plain": lambda url: plain(url, "aiohttp"),
    "plain-httpx": lambda url: plain(url, "httpx"),
    "adapting": lambda url: ours(url, TOO_MANY),
    "ray-adapting": lambda url: on_ray(url, TOO_MANY),
}

# ---- how they are measured


def measure(system: str, latency: float) -> Run:
    """Run one system in a process of its own, against an endpoint of its own."""
    with started(latency=latency, concurrency=CONCURRENCY) as remote:
        environment = {**os.environ, "OPENAI_API_KEY": remote.key, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, __file__, "--worker", system, "--url", remote.url]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{system} failed:\n{done.stderr[-3000:]}")
        return {**seen_by(remote), "cpu": float(done.stdout.split()[-1])}


def seen_by(remote: Remote) -> Run:
    """Give what the endpoint saw: calls a second, refusals, and when the last refusal was."""
    calls = [one for one in remote.requests() if one["kind"] == "chat"]
    first = min(one["began"] for one in calls)
    good = [one for one in calls if one["status"] == 200]
    refused = [one["began"] - first for one in calls if one["status"] == 429]
    if len(good) != CALLS:
        raise SystemExit(f"{len(good)} calls were answered, not {CALLS}")
    return {
        "rate": CALLS / (max(one["ended"] for one in good) - first),
        "refused": len(refused),
        "last_refused": max(refused, default=0.0),
    }


def show(found: dict[str, list[Run]], ceiling: float) -> None:
    """Print the table: the best run of each."""
    best = {system: max(runs, key=lambda run: run["rate"]) for system, runs in found.items()}
    print(f"\n| {CALLS:,} calls | a second | of the ceiling | all runs | CPU ms a call | refused |")
    print("|---|---:|---:|---|---:|---|")
    for system, run in best.items():
        every = ", ".join(f"{one['rate'] / ceiling:.1%}" for one in found[system])
        cpu = f"{run['cpu'] / CALLS * 1000:.2f}" if run["cpu"] else "-"
        refused = f"{run['refused']:.0f}"
        if run["refused"]:
            refused += f", the last after {run['last_refused']:.1f} s"
        print(
            f"| {TITLES[system]} | {run['rate']:.0f} | {run['rate'] / ceiling:.1%} | {every} "
            f"| {cpu} | {refused} |"
        )
    print()
    for system, target in TARGETS.items():
        if system in best:
            share = best[system]["rate"] / ceiling
            verdict = "met" if share >= target else "missed"
            line = f"{system}: {share:.1%} of the ceiling (target {target:.0%}: {verdict})"
            if "plain" in best:
                line += f", {best[system]['rate'] / best['plain']['rate']:.3f} of plain"
            print(line)


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--latency", type=float, default=LATENCY, help="seconds of every answer")
    parser.add_argument("--only", nargs="+", choices=list(TITLES), default=list(TITLES))
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        print(SYSTEMS[options.worker](options.url))
        return
    loads = [os.getloadavg()[0]]
    found: dict[str, list[Run]] = {system: [] for system in options.only}
    for _ in range(options.repeats):
        for system, runs in found.items():
            runs.append(measure(system, options.latency))
            print(f"{system}: {json.dumps(runs[-1])}", file=sys.stderr, flush=True)
    loads.append(os.getloadavg()[0])
    show(found, CONCURRENCY / options.latency)
    print(f"load average {loads[0]:.1f} before, {loads[1]:.1f} after, {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
