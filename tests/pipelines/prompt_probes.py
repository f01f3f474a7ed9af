"""Studies that evolve a prompt over sums, against the loopback endpoint; also run as a process."""

import json
import re
import sys
from pathlib import Path

import raytuner
from raytuner import Study
from raytuner.journal import read
from tests.endpoint.fixtures import endpoint  # noqa: F401 - for those who import from here

SEED = "Question: {question}\nGive the answer."
GOOD = "step by step"
PRICES = {"input": 1.0, "output": 2.0}
ASKED = "improved prompt"
"""What every request to the writer says, and no other."""


def correct(responses, solution, **_):
    found = re.findall(r"-?\d+", responses[0])
    return {"correct": float(bool(found) and int(found[-1]) == solution)}


def sums(number=30):
    rows = [(n % 7 + 2, n % 5 + 3, n + 4) for n in range(number)]
    return [
        {"id": f"q{n}", "question": f"What is {c} + {a} * {b}?", "solution": c + a * b}
        for n, (a, b, c) in enumerate(rows)
    ]


def evolving(folder, *, search=None, space=None, models=None, number=30, seeds=(SEED,), **more):
    """Make a study; its answers and runs are kept in `folder`."""
    price = {"price": PRICES, "retries": 0}
    named = {"small": {"model": "cheap-x", **price}, "large": {"model": "good-1", **price}}
    text = {"evolve": list(seeds), "fragments": ["Be exact.", "Be kind."], "max_chars": 400}
    return Study.parse(
        {
            "name": "t",
            "objective": {
                "kind": "completion",
                "instances": sums(number),
                "eval_func": "tests.pipelines.prompt_probes:correct",
                "models": {**named, **(models or {})},
                "cache": str(folder / "cache"),
                "completion": {
                    "model": "small", "prompt": SEED, "temperature": 0.3, "max_tokens": 100
                },
            },
            "space": space or {"prompt": text},
            "search": {"kind": "prompts", "model": "large", **(search or {})},
            "metric": "correct",
            "budget": {"trials": 8},
            **more,
        }
    )  # fmt: skip


def events(folder):
    """Give the journal's events; none while there is no journal."""
    path = folder / "runs/t/journal.jsonl"
    return read(path)[0] if path.exists() else []


def prompts(results):
    """List the prompts that were tried, by number."""
    return [trial.params["prompt"] for trial in results.record.current]


if __name__ == "__main__":
    root, settings = Path(sys.argv[1]), json.loads(sys.argv[2])
    raytuner.run(evolving(root, **settings), root)
