"""Measure how many questions a search has to ask until it has found a good configuration.

Three grids of 216 RAG configurations are scored once, exhaustively, on real documents and
questions (`--record`, four minutes of CPU time). Then every search and scheduler runs on
them again and again, by `raytuner.run`, with recorded answers: a question put to a configuration
is one evaluation. 40 % of the questions are searched on; how good a configuration is, the others
say. Seeds differ in the split (whole source documents, where there are ten or more), in the
order of the questions and in what the search draws.

    python benchmarks/search_efficiency.py --record     # once; resumes if interrupted
    python benchmarks/search_efficiency.py              # the tables: 19 minutes of CPU time
    python benchmarks/search_efficiency.py --plot docs/search_efficiency.svg

The documents are those of ../shared/data; recordings are kept in the cache folder (`--folder`).
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import search_grids
from search_plot import draw
from search_replay import NEAR, Outcome, by_method, perform, quantile, tasks

RANDOM = ("random", "none")
"""What the others are compared with; always run."""
METHODS = (
    RANDOM,
    ("sobol", "none"),
    ("hyperopt", "none"),
    ("optuna", "none"),
    ("bayes", "none"),
    ("random", "asha"),
    ("random", "hyperband"),
    ("hyperopt", "asha"),
    ("bohb", "bohb"),
)
HEAD = (
    "search", "scheduler",
    "held out: found after", "of random", "seeds", "at the end",
    "searched: found after", "of random", "seeds",
)  # fmt: skip
LEGEND = """\
Evaluations until the best complete trial is within {near:.0%} of the best of the grid: median of
{seeds} seeds [quartiles], by {metric}. *Held out*: by the questions that no search sees.
*Searched*: by those it does. *Seeds*: how many found it within {share:.0%} of a grid's
evaluations; "> n": less than half of them did. *At the end*: how many held it then."""


def number(count: float) -> str:
    """Write a count of questions."""
    return f"{count:,.0f}" if math.isfinite(count) else "never"


def found(outcomes: Sequence[Outcome], part: str) -> tuple[bool, float]:
    """Tell whether half of the seeds have found, and after how many; else how many were allowed."""
    middle = quantile([outcome.first_near(part) for outcome in outcomes], 0.5)
    if math.isfinite(middle):
        return True, middle
    return False, quantile([outcome.limit for outcome in outcomes], 0.5)


def cells(outcomes: Sequence[Outcome], random: Sequence[Outcome], part: str) -> tuple[str, ...]:
    """Write median and quartiles, the ratio to random search, and how many seeds have found."""
    counts = [outcome.first_near(part) for outcome in outcomes]
    low, high = (number(quantile(counts, share)) for share in (0.25, 0.75))
    (ours, count), (its, against) = found(outcomes, part), found(random, part)
    sign = {(True, True): "", (True, False): "< ", (False, True): "> "}.get((ours, its))
    ratio = "-" if sign is None else f"{sign}{count / against:.2f} x"
    median = f"{'' if ours else '> '}{number(count)}"
    return f"{median} [{low} to {high}]", ratio, str(sum(map(math.isfinite, counts)))


def row(outcomes: Sequence[Outcome], random: Sequence[Outcome]) -> tuple[str, ...]:
    """Write one line of the table.

    Args:
        outcomes: of one method on one grid, by seed.
        random: of random search there.
    """
    return (
        outcomes[0].task.search,
        outcomes[0].task.scheduler,
        *cells(outcomes, random, "held_out"),
        str(sum(outcome.gap(math.inf) <= NEAR for outcome in outcomes)),
        *cells(outcomes, random, "searched"),
    )


def show(grid: str, outcomes: Sequence[Outcome], size: int) -> None:
    """Print what is to be known of a grid, and its table in Markdown."""
    methods = by_method(outcomes)
    random = methods[RANDOM]
    questions = sorted(outcome.questions for outcome in random)
    gaps = [1 - outcome.chosen / outcome.best_held_out for outcome in random]
    low, middle, high = (quantile(gaps, share) for share in (0.25, 0.5, 0.75))
    print(
        f"\n### {grid}\n\n{size} configurations, {between(questions)} questions searched on: "
        f"{between([size * count for count in questions])} evaluations for all of them. Then the "
        f"best on these questions is {middle:.1%} [{low:.1%} to {high:.1%}] below the best on the "
        f"others, and within {NEAR:.0%} of it with {sum(gap <= NEAR for gap in gaps)} of "
        f"{len(gaps)} seeds.\n"
    )
    print(f"| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}")
    for one in methods.values():
        print(f"| {' | '.join(row(one, random))} |")


def between(counts: Sequence[int]) -> str:
    """Write a range of rising counts."""
    ends = dict.fromkeys(number(count) for count in (counts[0], counts[-1]))
    return " to ".join(ends)


def measure(options: argparse.Namespace) -> tuple[list[Outcome], dict[str, int]]:
    """Run everything; also gives the size of every grid."""
    folder = str(options.folder)
    sizes = {
        name: len(search_grids.load(name, options.folder, options.metric)) for name in options.grids
    }
    chosen = [pair for pair in METHODS if pair == RANDOM or "+".join(pair) in options.methods]
    common = {"folder": folder, "metric": options.metric, "share": options.share}
    work = tasks(options.grids, chosen, options.seeds, **common)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.jobs, mp_context=context) as pool:
        outcomes = []
        for outcome in pool.map(perform, work, chunksize=2):
            outcomes.append(outcome)
            if len(outcomes) % 20 == 0:
                print(f"{len(outcomes)} of {len(work)} runs", file=sys.stderr)
        return outcomes, sizes


def parse() -> argparse.Namespace:
    """Read the command line."""
    from pipelines.cache import default_cache_dir

    known = ["+".join(pair) for pair in METHODS]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--record", action="store_true", help="score the grids, and end")
    parser.add_argument("--folder", type=Path, default=default_cache_dir() / "search-efficiency")
    parser.add_argument(
        "--grids", nargs="+", choices=list(search_grids.SOURCES), default=list(search_grids.SOURCES)
    )
    parser.add_argument("--methods", nargs="+", choices=known, default=known)
    parser.add_argument("--metric", choices=search_grids.METRICS, default=search_grids.METRICS[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--share", type=float, default=0.25, help="of the whole grid's evaluations")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--plot", type=Path, help="write an SVG: median gap by evaluations")
    parser.add_argument("--json", action="store_true", help="print every run as JSON")
    return parser.parse_args()


def main() -> None:
    """Record, or replay and print."""
    options = parse()
    if options.record:
        search_grids.check_sets(options.grids)
        for name in options.grids:
            began = time.perf_counter()
            search_grids.record(name, options.folder)
            print(f"{name}: recorded in {time.perf_counter() - began:.0f} s")
        return
    began = time.perf_counter()
    outcomes, sizes = measure(options)
    if options.plot:
        options.plot.write_text(draw(outcomes), encoding="utf-8")
    if options.json:
        print(json.dumps([asdict(outcome) for outcome in outcomes]))
        return
    print(LEGEND.format(near=NEAR, **vars(options)))
    for grid, size in sizes.items():
        show(grid, [outcome for outcome in outcomes if outcome.task.grid == grid], size)
    seconds, load = time.perf_counter() - began, os.getloadavg()[0]
    print(f"\n{len(outcomes)} runs in {seconds:.0f} s, load average {load:.1f}")


if __name__ == "__main__":
    main()
