"""How often a user is worse off after tuning: "take the best one" against the verdict.

Every run draws questions, tunes twice, and is judged by the truth, which neither sees:
`naive` takes the configuration with the best mean over all questions; `verdict` splits them,
chooses finalists on the search part, and changes nothing unless one is PROVEN.

    python benchmarks/verdict.py [--replicates 300] [--quick] [--only BLOCK] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import binomtest
from verdict_cases import Case, cases, recorded_cases
from verdict_models import DATA, Draw

from pipelines.cache import default_cache_dir
from raytuner.component import digest
from raytuner.proof.split import split
from raytuner.verdict import choose_finalists, decide

FALSE_POSITIVES = 0.05
"""Share of runs among equal configurations that may end PROVEN."""
WORSE_SHARE = 0.1
"""How often the verdict may leave its user worse off, as a share of what naive tuning does …"""
WORSE_ABOVE = 0.05
"""… where naive tuning does so in more than this share of the runs."""
_RESAMPLES = 999
"""Sign patterns a test; enough to tell p-values around 0.05 apart."""
_SURE = 0.99
"""Confidence with which a row has to miss a target before it counts as a miss: of a hundred
rows that just meet theirs, one does."""


@dataclass
class Row:
    """What came of the runs of a case; gains in points, against what the user had.

    Attributes:
        naive_worse: share of the runs after which naive tuning leaves a truly worse configuration.
        proven, worse: share in which the verdict changes something, and something truly worse.
        naive_gain, gain: mean true gain over all runs.
        naive_optimism, optimism: claimed minus true gain; of the verdict, of the best finalist on
            search, whatever the verdict was.
        cost: median cost of what was PROVEN, against what the user had.
        equal: whether all configurations are truly equal.
    """

    block: str
    metric: str
    questions: int
    configurations: int
    spread: str
    quality: float
    replicates: int
    equal: bool
    naive_worse: float = 0.0
    naive_gain: float = 0.0
    naive_optimism: float = 0.0
    proven: float = 0.0
    worse: float = 0.0
    gain: float = 0.0
    optimism: float = 0.0
    cost: float | None = None


class Run(NamedTuple):
    """What came of one run."""

    naive_true: float
    naive_claimed: float
    proven: bool
    true: float
    claimed: float
    claimed_true: float
    cost: float


def one(draw: Draw, name: str, seed: int) -> Run:
    """Tune once, both ways."""
    scores, truth, base = draw.scores, draw.truth, draw.base
    stands = truth[base]
    means = scores.mean(axis=0)
    # what the user has wins ties: nobody changes a system for nothing
    best = base if means[base] >= means.max() else int(means.argmax())
    units = [f"{name} {seed} {row}" for row in range(len(scores))]
    groups = dict(zip(units, draw.groups or units, strict=True))
    if draw.groups:
        groups = {unit: f"{name} {seed} {group}" for unit, group in groups.items()}
    parts = split(units, groups, {})
    rows = {unit: row for row, unit in enumerate(units)}
    searched = [rows[unit] for unit in parts.searched]
    held = [rows[unit] for unit in parts.held_out]
    known = [parts.groups[unit] for unit in units]
    search, owners = scores[searched], [known[row] for row in searched]
    finalists = choose_finalists(search, base, draw.costs, owners)
    columns = [base, *(column for column, _ in finalists)]
    verdict = decide(
        "score", search, range(len(truth)), base, finalists, scores[held][:, columns],
        search_groups=owners, held_groups=[known[row] for row in held], costs=draw.costs,
        seed=seed, resamples=_RESAMPLES,
    )  # fmt: skip
    after = verdict.recommended if verdict.recommended is not None else base
    first = verdict.finalists[0] if verdict.finalists else None
    return Run(
        truth[best] - stands,
        means[best] - means[base],
        verdict.status == "PROVEN",
        truth[after] - stands,
        first.gain if first else 0.0,
        truth[first.trial] - stands if first else 0.0,
        draw.costs[after] / draw.costs[base],
    )


def measure(task: tuple[Case, int]) -> Row:
    """Run a case so many times."""
    case, replicates = task
    name = str(digest("verdict", case[:-1]))
    rng = np.random.default_rng(int(name[:12], 16))
    runs = [one(case.model.draw(rng, case.questions), name, r) for r in range(replicates)]
    values = np.array(runs, dtype=np.float64)
    naive, claimed, proven, true, held, held_true, cost = values.T
    changed = proven > 0
    return Row(
        *case[:-1],
        replicates=replicates,
        equal=case.spread == "0 pt",
        naive_worse=float((naive < -1e-9).mean()),
        naive_gain=100 * float(naive.mean()),
        naive_optimism=100 * float((claimed - naive).mean()),
        proven=float(changed.mean()),
        worse=float((true < -1e-9).mean()),
        gain=100 * float(true.mean()),
        optimism=100 * float((held - held_true).mean()),
        cost=float(np.median(cost[changed])) if changed.any() else None,
    )


def _interval(share: float, runs: int) -> tuple[float, float]:
    """Bound a share: Clopper and Pearson (1934)."""
    found = binomtest(round(share * runs), runs).proportion_ci(_SURE)
    return float(found.low), float(found.high)


def table(rows: Iterable[Row]) -> str:
    """Say it in Markdown."""
    head = (
        "| | metric | questions | configs | spread | default | naive: worse | gain | optimism "
        "| PROVEN | worse | gain | optimism | cost |"
    )
    lines = [head, "|" + "---|" * 14]
    for row in rows:
        proven = f"{row.proven:.1%}"
        naive = f"{row.naive_worse:.0%}"
        worse = f"{row.worse:.1%}"
        if row.equal:
            low, high = _interval(row.proven, row.replicates)
            proven, naive, worse = f"**{row.proven:.1%}** ({low:.1%} to {high:.1%})", "-", "-"
        cost = "" if row.cost is None else f"x{row.cost:.2f}"
        lines.append(
            f"| {row.block} | {row.metric} | {row.questions} | {row.configurations} | {row.spread} "
            f"| {row.quality} | {naive} | {row.naive_gain:+.1f} | {row.naive_optimism:+.1f} "
            f"| {proven} | {worse} | {row.gain:+.1f} | {row.optimism:+.1f} | {cost} |"
        )
    return "\n".join(lines)


def targets(rows: Iterable[Row]) -> str:
    """Say whether both targets hold, in one line."""
    listed = list(rows)
    equal = [row for row in listed if row.equal]
    wild = [row for row in equal if _interval(row.proven, row.replicates)[0] > FALSE_POSITIVES]
    rate, low, high = _pooled([(row.proven, row.replicates) for row in equal])
    risky = [row for row in listed if not row.equal and row.naive_worse > WORSE_ABOVE]
    above = [row for row in risky if row.worse > WORSE_SHARE * row.naive_worse]
    bad = [
        row
        for row in above
        if _interval(row.worse, row.replicates)[0] > WORSE_SHARE * row.naive_worse
    ]
    ours, _, _ = _pooled([(row.worse, row.replicates) for row in risky])
    theirs, _, _ = _pooled([(row.naive_worse, row.replicates) for row in risky])
    good = not wild and not bad and low <= FALSE_POSITIVES and ours <= WORSE_SHARE * theirs
    return (
        f"Targets {'hold' if good else 'MISSED'}: false positives {rate:.1%} "
        f"({low:.1%} to {high:.1%}) in {len(equal)} rows of equal configurations, "
        f"{len(wild)} above 5 % beyond their simulation error; worse off in {ours:.2%} of runs "
        f"where naive is in {theirs:.0%} ({len(risky)} rows above 5 %), {len(above)} rows above a "
        f"tenth, {len(bad)} beyond their simulation error."
    )


def _pooled(shares: list[tuple[float, int]]) -> tuple[float, float, float]:
    runs = sum(many for _, many in shares)
    if not runs:
        return 0.0, 0.0, 1.0
    share = sum(round(share * many) for share, many in shares) / runs
    return share, *_interval(share, runs)


def main() -> None:
    """Print the table, then the line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replicates", type=int, default=300, help="runs a row")
    parser.add_argument("--quick", action="store_true", help="a few rows, 100 runs each")
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    parser.add_argument("--only", help="rows of this block alone")
    folder = default_cache_dir() / "search-efficiency"
    said = "folder of benchmarks/search_efficiency.py"
    parser.add_argument("--recordings", type=Path, default=folder, help=said)
    options = parser.parse_args()
    listed = [*cases(), *recorded_cases(options.recordings)]
    if options.only:
        listed = [case for case in listed if case.block == options.only]
    if options.quick:
        listed = [case for case in listed if case.questions <= 100 and case.configurations <= 32]
        options.replicates = min(options.replicates, 100)
    tasks = [(case, options.replicates) for case in listed]
    # matrices are small: one thread a process
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    with multiprocessing.get_context("spawn").Pool(os.cpu_count()) as pool:
        rows = pool.map(measure, tasks, chunksize=1)
    print(table(rows))
    if not DATA.exists():
        print("\nNo real tables: they are not part of the repository, and not beside it.")
    print(f"\n{targets(rows)}")
    if options.json:
        told: list[dict[str, Any]] = [asdict(row) for row in rows]
        options.json.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
