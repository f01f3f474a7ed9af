"""Train an adapter on each of several golden sets, and print what the verdict says of it.

Every set is divided into questions that train, questions that choose (the search and its early
stopping see these), and questions that judge at the end, once. Where documents are kept apart, no
document of one part has a question in another: is an adapter better for documents that nobody has
asked about? Where they are not, it is asked about new questions on the same documents, which is
what an adapter is used for. Sets whose questions come from too few documents are divided so anyway.

    python benchmarks/adapter.py                        # ../shared/data; ten minutes on two cores
    python benchmarks/adapter.py --only squad-en --trials 8

Gains are differences of nDCG@10 on the questions that judge, in points, with simultaneous 95 %
intervals over documents.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any, NamedTuple

from raytuner import Study, run

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
CASES = (
    ("squad-en", "minilm", "question"),
    ("squad-en", "lsa", "question"),
    ("squad-en", "minilm", "document"),
    ("squad-en", "lsa", "document"),
    ("chunking", "minilm", "document"),
    ("product-docs", "minilm", "document"),
    ("clapnq", "minilm", "document"),
)
"""Golden set, embedder, and what stays in one part."""
SPACE = {
    "adapter.kind": {"choice": ["linear", "two-layer"]},
    "adapter.hidden": {"choice": [64, 256], "when": {"adapter.kind": ["two-layer"]}},
    "learning_rate": {"float": [1e-4, 3e-3], "log": True},
    "decay.kind": {"choice": ["constant", "exponential"]},
    "batch_size": {"choice": [16, 32, 64]},
    "negatives": {"choice": [0, 4, 16]},
    "regularisation": {"float": [1e-3, 1.0], "log": True},
    "loss.temperature": {"float": [0.02, 0.2], "log": True},
}


class Row(NamedTuple):
    """What came of one case.

    Attributes:
        case: golden set, embedder, what stays in one part.
        parts: questions that train, choose and judge.
        chosen: the metric on those that choose: as it stands, and of the best trial.
        judged: the same on those that judge, of the finalist that the verdict is about.
        gain: its gain, with the interval.
        p: of that, adjusted for the number of finalists.
    """

    case: tuple[str, str, str]
    parts: tuple[int, int, int]
    chosen: tuple[float, float]
    judged: tuple[float, float]
    gain: tuple[float, float, float]
    p: float
    status: str
    sentence: str
    seconds: float


def study(case: tuple[str, str, str], data: Path, trials: int, epochs: int) -> Study:
    """Give the study of a case."""
    name, embedder, by = case
    objective: dict[str, Any] = {
        "kind": "adapter",
        "documents": str(data / name / "docs"),
        "golden": str(data / name / "questions.jsonl"),
        "metrics": ["ndcg@10", "recall", "mrr"],
        "pipeline": {
            "chunker": {"kind": "sentence", "size": 256, "overlap": 0},
            "embedder": embedder,
            "retriever": {"kind": "dense", "top_k": 10},
        },
        "epochs": epochs,
        "split": {"train": 0.4, "validate": 0.2, "held_out": 0.4, "by": by},
    }
    return Study(
        name=f"adapter-{name}-{embedder}-{by}", objective=objective, space=SPACE,
        metric="ndcg@10", search="random", scheduler={"kind": "asha", "grace": 4},
        budget={"trials": trials}, seed=0,
    )  # fmt: skip


def measure(case: tuple[str, str, str], data: Path, trials: int, epochs: int) -> Row:
    """Run a case; nothing of it is kept but vectors and checkpoints in the cache."""
    began = time.perf_counter()
    results = run(study(case, data, trials, epochs), in_memory=True)
    verdict = results.verdict
    scores = [results.score(trial) for trial in results.record.current]
    known = [score for score in scores if score is not None]
    told = verdict.leader
    assert told is not None  # some trial was complete, and met trial 0
    held = {trial.number: trial.held.mean("ndcg@10") for trial in results.record.current}
    judged = (held[0] or 0.0, held[told.trial] or 0.0)
    return Row(
        case, parts_of(case, data), (known[0], max(known)), judged,
        (told.gain, told.low, told.high), told.p, verdict.status, verdict.sentence,
        time.perf_counter() - began,
    )  # fmt: skip


def parts_of(case: tuple[str, str, str], data: Path) -> tuple[int, int, int]:
    """Count the questions of each part."""
    parts: Any = study(case, data, 1, 1).build_objective(Path.cwd())
    train, validate, held_out, _ = parts.parts
    return len(train), len(validate), len(held_out)


def table(rows: list[Row]) -> str:
    """Print rows as Markdown."""
    lines = [
        "| set | embedder | apart | questions | chosen on | judged on | gain | p | verdict |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        name, embedder, by = row.case
        gain, low, high = (100 * value for value in row.gain)
        chosen, judged = (
            f"{before:.3f} -> {after:.3f}" for before, after in (row.chosen, row.judged)
        )
        lines.append(
            f"| {name} | {embedder} | {by} | {' / '.join(map(str, row.parts))} | "
            f"{chosen} | {judged} | {gain:+.1f} [{low:+.1f}, {high:+.1f}] | {row.p:.4f} | "
            f"{row.status} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure the cases and print them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--only", help="cases of this set alone")
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=16)
    given = parser.parse_args()
    rows = []
    for case in CASES:
        if given.only in {None, case[0]}:
            rows.append(measure(case, given.data, given.trials, given.epochs))
            print(f"{' '.join(case)}, {rows[-1].seconds:.0f} s: {rows[-1].sentence}", flush=True)
    print()
    print(table(rows))


if __name__ == "__main__":
    main()
