"""Evolution against chance and others on a deceptive mixed space with a known optimum of 1.

    python benchmarks/evolution.py                                      # a minute
    python benchmarks/evolution.py --models --seeds 10 --at 60 100      # ten

The space is that of `deceptive.py`. Every search gets the same number of evaluations and the same
seeds; p is that of a one-sided Mann-Whitney test of the best scores against those of chance.
"""

from __future__ import annotations

import argparse
import statistics
import time

from deceptive import OPTIMUM, SPACE, score
from scipy.stats import mannwhitneyu

from raytuner.component import MissingExtraError
from raytuner.search import Search

QUICK = {
    "random": "random",
    "evolution": "evolution",
    "evolution, no crossover": {"kind": "evolution", "crossover": 0.0},
    "evolution, no niches": {"kind": "evolution", "niche": 0.0, "patience": None},
    "pbt": "pbt",
}
MODELS = {
    "hyperopt": "hyperopt",
    "optuna (tpe)": "optuna",
    "optuna (nsga2)": {"kind": "optuna", "sampler": "nsga2"},
    "bayes": "bayes",
}


def best(search: Search, seed: int, checkpoints: list[int]) -> list[float]:
    """Give the best score after each of several numbers of evaluations."""
    proposer, found, top = search.start(SPACE, seed), [], float("-inf")
    for number in range(1, checkpoints[-1] + 1):
        point = proposer.ask()
        assert point is not None
        value = score(point)
        proposer.tell(point, value)
        top = max(top, value)
        if number in checkpoints:
            found.append(top)
    return found


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--at", type=int, nargs="+", default=[60, 100, 200, 400])
    parser.add_argument("--models", action="store_true", help="those that fit models too")
    given = parser.parse_args()
    at, seeds = sorted(given.at), range(given.seeds)
    assert score(OPTIMUM) == 1.0
    heads = " | ".join(f"best of {count} | p" for count in at)
    print(f"| search | {heads} | CPU ms a proposal |\n|---|{'---:|' * (2 * len(at) + 1)}")
    chance: list[list[float]] = []
    for name, spelled in {**QUICK, **(MODELS if given.models else {})}.items():
        began = time.process_time()
        try:
            runs = [best(Search.model_validate(spelled), seed, at) for seed in seeds]
        except MissingExtraError as error:
            print(f"| {name} | {error} |")
            continue
        spent = (time.process_time() - began) / len(runs) / at[-1] * 1e3
        columns = [list(column) for column in zip(*runs, strict=True)]
        chance = chance or columns
        cells = [
            f"{statistics.median(mine):.3f} | {_p(mine, theirs)}"
            for mine, theirs in zip(columns, chance, strict=True)
        ]
        print(f"| {name} | {' | '.join(cells)} | {spent:.1f} |", flush=True)


def _p(mine: list[float], theirs: list[float]) -> str:
    if mine is theirs:
        return "-"
    return f"{mannwhitneyu(mine, theirs, alternative='greater').pvalue:.0e}"


if __name__ == "__main__":
    main()
