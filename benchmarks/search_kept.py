"""Runs the replays of benchmarks/search_efficiency.py in processes, and keeps what came of them."""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path

from search_outcome import Outcome, restored
from search_replay import Task, perform


def outcomes_of(work: Sequence[Task], jobs: int, kept: Path | None) -> list[Outcome]:
    """Run tasks, those aside that a file already holds.

    Args:
        work: what to run.
        jobs: processes.
        kept: JSON lines of outcomes, which new ones are added to; a run goes on where an earlier
            one was interrupted. Delete it when a search, a scheduler or a grid has changed.
    """
    known = {_name(outcome): outcome for outcome in _read(kept)}
    missing = [task for task in work if (task.grid, task.method, task.seed) not in known]
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        for count, outcome in enumerate(pool.map(perform, missing), start=1):
            known[_name(outcome)] = outcome
            if kept:
                with kept.open("a", encoding="utf-8") as lines:
                    lines.write(json.dumps(asdict(outcome)) + "\n")
            if count % 50 == 0:
                print(f"{count} of {len(missing)} runs", file=sys.stderr)
    wanted = ((task.grid, task.method, task.seed) for task in work)
    return [known[name] for name in wanted]


def _name(outcome: Outcome) -> tuple[str, str, int]:
    return outcome.grid, outcome.method, outcome.seed


def _read(kept: Path | None) -> Iterable[Outcome]:
    if kept is None or not kept.exists():
        return []
    return [restored(json.loads(line)) for line in kept.read_text("utf-8").splitlines()]
