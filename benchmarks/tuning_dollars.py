"""Measure the dollars until inference tuning has found a good configuration: all of it, or ours.

180 configurations of a completion (two models of different price, two prompts, five temperatures,
three lengths, one to nine answers of which a vote is taken) are tuned on 64 sums, against the test
endpoint of tests/endpoint, whose answers get better and worse with all of these. What was spent is
the endpoint's own count. The full grid says which configuration is best; *found* is when the first
configuration within 1 % of it has answered every question. Every run starts with an empty cache.

    python benchmarks/tuning_dollars.py             # three seeds
    python benchmarks/tuning_dollars.py --seeds 10
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from raytuner import Results, Study, run
from raytuner.sweeping.listener import Silent
from raytuner.trial import Trial
from tests.endpoint.server import Remote, started

PRICES = {"good-1": (3.0, 15.0), "cheap-1": (0.3, 1.5)}
"""Dollars per million tokens, in and out."""
NEAR = 0.01
METRIC = "success_vote"
PROMPTS = [
    "Question: {problem}\nPut the answer in \\boxed{{}}.",
    "Question: {problem}\nThink step by step. Put the answer in \\boxed{{}}.",
]
SPACE: dict[str, Any] = {
    "model": ["good", "cheap"],
    "prompt": PROMPTS,
    "temperature": [0.0, 0.3, 0.7, 1.2, 2.0],
    "max_tokens": [12, 40, 100],
    "n": [1, 3, 9],
}
PROBLEMS = [
    {
        "problem": f"What is {a} + {7 * a % 19} * {a % 7 + 2}?",
        "answer": a + 7 * a % 19 * (a % 7 + 2),
    }
    for a in range(11, 75)
]
METHODS: Mapping[str, Mapping[str, Any]] = {
    "random, every question": {"search": {"kind": "random"}, "scheduler": "none"},
    "random, the better half goes on (ours)": {
        "search": {"kind": "random"},
        "scheduler": {"kind": "asha", "grace": 8, "reduction": 2},
    },
}


def voted(responses: list[str], answer: int, **_: Any) -> dict[str, Any]:
    """Take the answer that most responses give."""
    found = [int(match[1]) for text in responses if (match := re.search(r"\{(-?\d+)\}", text))]
    best = Counter(found).most_common(1)[0][0] if found else None
    return {METRIC: best == answer}


class Watch(Silent):
    """Notes what had been spent when every configuration was complete."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote
        self.seen: list[tuple[float, float]] = []

    def ended(self, trial: Trial) -> None:
        score = trial.mean(METRIC)
        if score is not None:
            self.seen.append((spent(self._remote), score))

    def found(self, wanted: float) -> float | None:
        """Give dollars spent when a score was first reached."""
        return next((usd for usd, score in self.seen if score >= wanted), None)


def spent(remote: Remote) -> float:
    """Give the dollars that the endpoint has charged."""
    models = remote.stats()["by_model"]
    return sum(
        (models[name]["sent"] * price[0] + models[name]["received"] * price[1]) / 1e6
        for name, price in PRICES.items()
        if name in models
    )


def tuned(seed: int, **how: Any) -> tuple[Results, Watch, float]:
    """Run a study from nothing; give its results and the dollars it took."""
    with tempfile.TemporaryDirectory() as folder, started() as remote:
        os.environ["OPENAI_API_KEY"], os.environ["OPENAI_BASE_URL"] = remote.key, remote.url
        models = {
            name: {"model": f"{name}-1", "price": {"input": price[0], "output": price[1]}}
            for name, price in ((n.removesuffix("-1"), p) for n, p in PRICES.items())
        }
        objective = {
            "kind": "completion",
            "instances": PROBLEMS,
            "eval_func": voted,
            "models": models,
            "completion": {"seed": 0},
            "cache": folder,
        }
        study = Study(
            objective=objective, space=SPACE, metric=METRIC, seed=seed, baseline=False, **how
        )
        watch = Watch(remote)
        results = run(study, listener=watch, in_memory=True)
        return results, watch, spent(remote)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    seeds = range(parser.parse_args().seeds)
    results, watch, whole = tuned(0)
    best = max(score for _, score in watch.seen)
    good = sum(score >= best * (1 - NEAR) for _, score in watch.seen)
    print(f"{len(results.trials)} configurations, {len(PROBLEMS)} questions, best {best:.4f};")
    print(f"{good} are within {NEAR:.0%} of it\n")
    print("| method | found after, median | least to most | of the grid | at the end |")
    print("|---|---|---|---|---|")
    print(f"| full grid | ${whole:.3f} | | 1 | ${whole:.3f} |")
    for name, how in METHODS.items():
        runs = [tuned(seed, **how) for seed in seeds]
        found = [watch.found(best * (1 - NEAR)) for _, watch, _ in runs]
        known = sorted(usd for usd in found if usd is not None)
        end = statistics.median(usd for *_, usd in runs)
        if not known:
            print(f"| {name} | not found | | | ${end:.3f} |")
            continue
        middle = statistics.median(known)
        missed = f" ({len(found) - len(known)} not found)" if len(known) < len(found) else ""
        print(
            f"| {name} | ${middle:.3f}{missed} | ${known[0]:.3f} to ${known[-1]:.3f} "
            f"| {middle / whole:.3f} | ${end:.3f} |"
        )


if __name__ == "__main__":
    main()
