"""Measure how many questions, and dollars, a search spends until it recommends something good.

Grids of which everything is known: three of 216 RAG configurations, scored here once on real
documents and questions (`--record`, four minutes of CPU time), and two of 27 pipelines with
language models that others have measured (search_measured). Every search and scheduler runs on
them again and again, by `raytuner.run`, with recorded answers: a question put to a configuration
is one evaluation. 40 % of the questions are searched on. The three best complete trials by these
answer the others, and the best of them there is recommended; *gap* is how far it is below the best
of the grid there. Seeds differ in the split (whole source documents, where there are ten or more),
in the order of the questions, in where a search begins and in what it draws.

    python benchmarks/search_efficiency.py --record     # once; resumes if interrupted
    python benchmarks/search_efficiency.py --quick      # five seeds of what is fast
    python benchmarks/search_efficiency.py --keep replays.jsonl --plot docs/search_efficiency.svg

The documents are those of ../shared/data; recordings are kept in the cache folder (`--folder`).
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import search_grids
import search_measured
from search_kept import outcomes_of
from search_methods import LABELS, QUICK, named, registered
from search_outcome import Outcome, by_grid
from search_plot import draw
from search_replay import tasks
from search_tables import legend, overview, table

GRIDS = (*search_grids.SOURCES, *search_measured.SIZES)
SEEDS = 50


def measure(options: argparse.Namespace) -> list[Outcome]:
    """Run everything, grid by grid in the end."""
    common = {"folder": str(options.folder), "metric": options.metric}
    work = [
        task
        for grid in options.grids
        for task in tasks([grid], options.methods, options.seeds, share=share(grid), **common)
    ]
    work.sort(key=lambda task: task.seed)  # what is interrupted has some seeds of everything
    outcomes = outcomes_of(work, options.jobs, options.keep)
    return sorted(outcomes, key=lambda outcome: options.grids.index(outcome.grid))


def share(grid: str) -> float:
    """Limit the evaluations of one run, as a share of the grid's."""
    return 0.5 if grid in search_measured.SIZES else 0.25


def parse() -> argparse.Namespace:
    """Read the command line."""
    from pipelines.cache import default_cache_dir

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--record", action="store_true", help="score the grids, and end")
    parser.add_argument("--folder", type=Path, default=default_cache_dir() / "search-efficiency")
    parser.add_argument("--grids", nargs="+", choices=GRIDS, default=list(GRIDS))
    parser.add_argument(
        "--methods",
        nargs="+",
        type=_label,
        default=list(registered()),
        metavar="SEARCH+SCHEDULER",
        help=f"any two kinds, `*` for samples and first rung by size; default: {' '.join(LABELS)}",
    )
    parser.add_argument("--metric", choices=search_grids.METRICS, default=search_grids.METRICS[0])
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--quick", action="store_true", help="five seeds of what is fast")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--keep", type=Path, help="JSON lines of outcomes, to go on from")
    parser.add_argument("--plot", type=Path, help="write an SVG: median gap by what was spent")
    options = parser.parse_args()
    if options.quick:
        options.seeds, options.methods = 5, list(QUICK)
    return options


def _label(label: str) -> str:
    from raytuner import ConfigError

    try:
        named(label)
    except ConfigError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return label


def main() -> None:
    """Record, or replay and print."""
    options = parse()
    if options.record:
        names = [name for name in options.grids if name in search_grids.SOURCES]
        search_grids.check_sets(names)
        for name in names:
            began = time.perf_counter()
            search_grids.record(name, options.folder)
            print(f"{name}: recorded in {time.perf_counter() - began:.0f} s")
        return
    began = time.perf_counter()
    outcomes = measure(options)
    if options.plot:
        options.plot.write_text(draw(outcomes), encoding="utf-8")
    grids = by_grid(outcomes)
    print(legend())
    for grid, mine in grids.items():
        print(f"\n{table(grid, mine)}")
    print(f"\n{overview(grids)}")
    seconds, load = time.perf_counter() - began, os.getloadavg()[0]
    print(f"\n{len(outcomes)} runs in {seconds:.0f} s, load average {load:.1f}")


if __name__ == "__main__":
    main()
