"""What a proposal costs when a thousand trials are known: ask and tell, in process, without Ray.

    python benchmarks/proposals.py                     # every search, a minute or two
    python benchmarks/proposals.py evolution bayes     # some of them
    python benchmarks/proposals.py --trials 100

The space is that of `deceptive.py`: 15 parameters, mixed, one of them conditional. A search that
learns is led through the trials first, as when a study is resumed; that is not timed. Figures are
CPU time, which says the same on a machine that is shared.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import time

from deceptive import SPACE, score

from raytuner import AskTell
from raytuner.component import MissingExtraError, digest
from raytuner.objective import Params
from raytuner.search import Exhausted, Proposer, Search

SEARCHES = {
    "grid": "grid",
    "random": "random",
    "sobol": {"kind": "sobol", "samples": 4096},
    "evolution": "evolution",
    "pbt": "pbt",
    "pb2": "pb2",
    "hyperopt": "hyperopt",
    "optuna (tpe)": "optuna",
    "optuna (nsga2)": {"kind": "optuna", "sampler": "nsga2"},
    "optuna (cmaes)": {"kind": "optuna", "sampler": "cmaes"},
    "greedy": "greedy",
    "bayes": "bayes",
    "neighbours": "neighbours",
}
ENOUGH = 20.0
"""CPU seconds after which no more proposals of a search are timed."""


def known(count: int) -> list[Params]:
    """Draw distinct points."""
    rng, found = random.Random(1), dict[str, Params]()
    while len(found) < count:
        point = SPACE.sample(rng)
        found[digest(point)] = point
    return list(found.values())


def led(search: Search, trials: int) -> Proposer:
    """Start a search and lead it through so many trials."""
    proposer = search.start(SPACE, 0)
    if not search.learns:
        for _ in range(trials):
            proposer.ask()
        return proposer
    for point in known(trials):
        proposer.recall(point)
        proposer.tell(point, score(point))
    return proposer


def times(search: Search, trials: int, rounds: int) -> list[float]:
    """Time ask and tell, after a first proposal that loads what is needed; in CPU seconds."""
    proposer, found = led(search, trials), list[float]()
    for _ in range(rounds + 1):
        began = time.process_time()
        try:
            point = proposer.ask()
        except Exhausted:  # greedy ends by itself
            break
        assert point is not None
        middle = time.process_time()
        value = score(point)
        again = time.process_time()
        proposer.tell(point, value)
        found.append(middle - began + time.process_time() - again)
        if sum(found) > ENOUGH and len(found) > 5:
            break
    return found[1:]


def whole(search: str, trials: int, rounds: int) -> list[float]:
    """Time the same through `AskTell`, which records every proposal and result; in CPU seconds."""
    found = []
    budget = {"trials": trials + rounds}
    with AskTell.over(SPACE.model_dump(), search=search, budget=budget) as tuner:
        for _ in range(trials + rounds):
            began = time.process_time()
            trial = tuner.ask()
            assert trial is not None
            tuner.tell(trial, score(trial.params))
            found.append(time.process_time() - began)
    return found[trials:]


def row(name: str, found: list[float]) -> str:
    """Spell a row of the table."""
    middle = statistics.median(found) * 1e3
    worst = sorted(found)[int(0.95 * (len(found) - 1))] * 1e3
    return f"| {name} | {middle:.2f} | {worst:.2f} | {len(found)} |"


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*SEARCHES, []], metavar="search")
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=100)
    given = parser.parse_args()
    print(f"{given.trials} trials known\n")
    print("| search | median, CPU ms | 95 %, CPU ms | proposals timed |")
    print("|---|---:|---:|---:|")
    for name in given.names or SEARCHES:
        try:
            found = times(Search.model_validate(SEARCHES[name]), given.trials, given.rounds)
        except MissingExtraError as error:
            print(f"| {name} | {error} | | |")
            continue
        print(row(name, found), flush=True)
    for name in ("random", "evolution"):
        if name in (given.names or SEARCHES):
            found = whole(name, given.trials, given.rounds)
            print(row(f"{name}, all of `AskTell`", found), flush=True)
    assert "ray" not in sys.modules


if __name__ == "__main__":
    main()
