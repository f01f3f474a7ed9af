"""Measure how well a limit in dollars is kept where many workers race to it.

A study whose 1,024 calls would cost more than three times its budget is run by 16 threads, by 4
processes and by 4 Ray workers; every worker asks all questions of a configuration at once, and 64
calls go out at a time. What was spent is the endpoint's own count, from the tokens of the calls it
has answered. Beside it the naive way: everybody looks whether there is money left, asks, and then
adds up what it has cost.

    python benchmarks/budget.py
    python benchmarks/budget.py --repeats 1 --only threads naive
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.endpoint.server import Remote, started

MODEL = "good-1"
PRICE_IN, PRICE_OUT = 2.5, 10.0
"""Dollars per million tokens."""
LIMIT = 0.028
"""Dollars: for some 300 of the 1,024 calls."""
CONFIGURATIONS, QUESTIONS, WORKERS = 16, 64, 16
AT_ONCE = 64
MAX_TOKENS = 32
USED = 0.97
TITLES = {
    "threads": "raytuner, 16 threads",
    "processes": "raytuner, 4 processes",
    "ray": "raytuner, 4 Ray workers",
    "naive": "look, ask, add up: 16 workers with 4 calls each",
}


def question(number: int) -> str:
    """Give one of many distinct questions."""
    return f"What is {number} + {7 * number % 19} * {number % 7 + 2}? Explain, then the number."


def score(responses: list[str], **_: Any) -> dict[str, float]:
    """Give any score: none matters here."""
    return {"length": float(len(responses[0]))}


def ours(url: str, **how: Any) -> None:
    """Run the study until its money is used."""
    from raytuner import Study, run

    with tempfile.TemporaryDirectory() as folder:
        model = {
            "kind": "openai",
            "model": MODEL,
            "base_url": url,
            "concurrency": AT_ONCE,
            "price": {"input": PRICE_IN, "output": PRICE_OUT},
        }
        study = Study(
            objective={
                "kind": "completion",
                "instances": [{"q": question(number)} for number in range(QUESTIONS)],
                "eval_func": score,
                "models": {"m": model},
                "completion": {"model": "m", "prompt": "{q}", "max_tokens": MAX_TOKENS},
                "cache": folder,
            },
            space={"temperature": [round(0.1 * step, 1) for step in range(CONFIGURATIONS)]},
            metric="length",
            baseline=False,
            budget={"usd": LIMIT},
            **how,
        )
        run(study, Path(folder) / "run")


def naive(url: str) -> None:
    """Look whether money is left, ask, add up what it cost."""
    import openai

    spent = 0.0

    async def worker(client: openai.AsyncOpenAI, prompts: list[str]) -> None:
        nonlocal spent
        for prompt in prompts:
            if spent >= LIMIT:
                return
            answer = await client.chat.completions.create(
                model=MODEL,
                messages=[{"role": "user", "content": prompt}],
                max_tokens=MAX_TOKENS,
            )
            used = answer.usage
            if used is not None:
                spent += (used.prompt_tokens * PRICE_IN + used.completion_tokens * PRICE_OUT) / 1e6

    async def race() -> None:
        prompts = [question(number) for number in range(CONFIGURATIONS * QUESTIONS)]
        http = openai.DefaultAioHttpClient()
        async with openai.AsyncOpenAI(base_url=url, max_retries=0, http_client=http) as client:
            await asyncio.gather(*(worker(client, prompts[n::AT_ONCE]) for n in range(AT_ONCE)))

    asyncio.run(race())


SYSTEMS: dict[str, Callable[[str], None]] = {
    "threads": lambda url: ours(url, workers=WORKERS),
    "processes": lambda url: ours(url, backend="processes", workers=4),
    "ray": lambda url: ours(
        url, backend="ray", address="local", workers=4, resources={"cpu": 0.25}
    ),
    "naive": naive,
}


def measure(system: str) -> tuple[float, int]:
    """Give dollars charged by the endpoint, and how many calls that was."""
    with started(latency=0.05) as remote:
        os.environ["OPENAI_API_KEY"] = remote.key
        SYSTEMS[system](remote.url)
        return charged(remote)


def charged(remote: Remote) -> tuple[float, int]:
    """Give the endpoint's own count of dollars and answers."""
    return remote.usd(PRICE_IN, PRICE_OUT), int(remote.stats()["answered"])


def main() -> None:
    """Print the table; the worst of several runs counts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=list(TITLES), default=list(TITLES))
    options = parser.parse_args()
    print(f"| ${LIMIT:g}, the worst of {options.repeats} | calls | used | overshoot |")
    print("|---|---|---|---|")
    worst: dict[str, tuple[float, float]] = {}
    for system in options.only:
        runs = [measure(system) for _ in range(options.repeats)]
        shares = [usd / LIMIT for usd, _ in runs]
        calls = ", ".join(str(number) for _, number in runs)
        least, most = min(shares), max(shares)
        worst[system] = least, max(0.0, most - 1)
        print(f"| {TITLES[system]} | {calls} | {least:.2%} | {worst[system][1]:.2%} |", flush=True)
    print()
    for system, (least, over) in worst.items():
        if system != "naive":
            met = "met" if over == 0 and least >= USED else "missed"
            print(
                f"{system}: overshoot {over:.2%}, {least:.2%} used (target 0 and {USED:.0%}: {met})"
            )


if __name__ == "__main__":
    main()
