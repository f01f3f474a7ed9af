"""The grids that benchmarks/search_efficiency.py searches: recorded once, with raytuner itself.

A recording is an ordinary run folder: every question's scores for every point of the grid, on real
documents. Folders of recordings lie outside the repository, because the documents do.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.documents import load_documents
from pipelines.golden import load_golden, order_units
from pipelines.types import Question
from raytuner import Results, Space, Study, run
from raytuner.component import digest

DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
METRICS = ("recall@1000tok", "ndcg@10", "iou")
SEARCHED = 0.4
"""Share of the questions that a search sees; the others are held out."""
_LABELS = 10
"""Questions of fewer source documents than this are split one by one."""

Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Source:
    """A golden set of ../shared/data, and the part of it that is used.

    Attributes:
        sizes: chunk sizes of the grid, which fit the length of its documents.
        documents: how many documents, the shortest ones; None for all.
    """

    sizes: tuple[int, ...] = (64, 128, 256, 512)
    documents: int | None = None


SOURCES = {
    "chunking": Source(),
    "squad-en": Source(documents=12),
    "clapnq": Source(sizes=(32, 64, 128, 256)),
}


@dataclass(frozen=True)
class Grid:
    """Everything that is known of a grid.

    Attributes:
        name: of the golden set.
        metric: what was measured.
        space: its domains, as in a study.
        points: by key of their parameters, the row in `scores`.
        questions: by column of `scores`.
        scores: of every point and question, [points, questions].
    """

    name: str
    metric: str
    space: dict[str, Any]
    points: dict[str, int]
    questions: tuple[Question, ...]
    scores: Scores = field(repr=False)

    def __len__(self) -> int:
        return len(self.points)


def point_key(params: Any) -> str:
    """Give the key of a point's parameters."""
    return str(digest("point", dict(params)))


def space_of(sizes: Sequence[int]) -> dict[str, Any]:
    """Give the domains: 216 points, a third of the parameters conditional."""
    vectors = {"retriever.kind": ["dense", "hybrid"]}
    return {
        "chunker.size": {"choice": list(sizes)},
        "chunker.overlap": {"choice": [0, 16]},
        "retriever.kind": {"choice": ["dense", "hybrid", "bm25"]},
        "retriever.top_k": {"choice": [2, 5, 16]},
        "embedder": {"choice": ["minilm", "lsa"], "when": vectors},
        "match": {"choice": ["chunk", "sentences"], "when": vectors},
    }


# ---- recording


def check_sets(names: Sequence[str]) -> None:
    """Make sure that all golden sets are there before the first is recorded.

    Raises:
        SystemExit: one is not.
    """
    for name in names:
        if not (DATA / name / "questions.jsonl").exists():
            raise SystemExit(f"no golden set {name} in {DATA}: nothing to record")


def record(name: str, folder: Path) -> None:
    """Score every point of a grid on every question; goes on where it was interrupted."""
    home = folder / name
    if not (home / "questions.jsonl").exists():
        _prepare(name, SOURCES[name], home)
    study = Study(
        name="grid",
        objective={
            "kind": "rag",
            "documents": "docs",
            "golden": "questions.jsonl",
            "metrics": list(METRICS),
            "pipeline": {"chunker": "sentence", "store": "exact"},
            "cache": "cache",
        },
        space=space_of(SOURCES[name].sizes),
        baseline=False,
    )
    results = run(study, home)
    if results.failed:
        raise SystemExit(
            f"{name}: {len(results.failed)} points failed: {results.failed[0].failure}"
        )


def _prepare(name: str, source: Source, home: Path) -> None:
    """Write the part of a golden set that is used."""
    texts = {path.name: path.read_text("utf-8") for path in (DATA / name / "docs").glob("*.txt")}
    kept = sorted(texts, key=lambda doc: (len(texts[doc]), doc))[: source.documents]
    (home / "docs").mkdir(parents=True, exist_ok=True)
    lines, used = [], set()
    for raw in (DATA / name / "questions.jsonl").read_text("utf-8").splitlines():
        line = _question(json.loads(raw))
        docs = {part["doc"] for part in line["evidence"]}
        if docs and docs <= set(kept):
            lines.append(line)
            used |= docs
    for doc in kept if source.documents else sorted(used):
        (home / "docs" / doc).write_text(texts[doc], encoding="utf-8", newline="")
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (home / "questions.jsonl").write_text(text, encoding="utf-8")


def _question(line: dict[str, Any]) -> dict[str, Any]:
    """Take a paragraph for the evidence where the set names one: its answers are single words."""
    evidence = line["evidence"]
    paragraph = (line.get("meta") or {}).get("paragraph")
    if paragraph:
        start, end = paragraph
        evidence = [{"doc": evidence[0]["doc"], "start": start, "end": end}]
    spans = [{name: part[name] for name in ("doc", "start", "end")} for part in evidence]
    return {"id": line["id"], "question": line["question"], "evidence": spans}


# ---- reading


def load(name: str, folder: Path, metric: str) -> Grid:
    """Read a recording.

    Raises:
        SystemExit: there is none, or it is not complete.
    """
    home = folder / name
    hint = f"record it with: python benchmarks/search_efficiency.py --record --grids {name}"
    if not (home / "runs" / "grid" / "journal.jsonl").exists():
        raise SystemExit(f"no recording of {name} in {folder}; {hint}")
    results = Results.open(home / "runs" / "grid")
    space = space_of(SOURCES[name].sizes)
    trials = results.record.current
    points = {point_key(trial.params): row for row, trial in enumerate(trials)}
    if len(points) != Space.parse(space).total() or any(trial.missing() for trial in trials):
        raise SystemExit(f"the recording of {name} in {folder} is not complete; {hint}")
    _, golden = load_golden("questions.jsonl", load_documents("docs", home), home)
    asked = {question.id: question for question in golden.questions}
    scores = np.stack([trial.values(metric) for trial in trials])
    questions = tuple(asked[unit] for unit in results.record.units)
    return Grid(name, metric, space, points, questions, scores)


def split(questions: Sequence[Question], seed: int) -> tuple[list[int], list[int]]:
    """Part questions into those that a search sees, in the order it asks them, and the others.

    Source documents are taken whole, in the order of their digests, until `SEARCHED` of all
    questions are reached; single questions are, if there are too few documents for that.

    Returns:
        Positions in `questions`.
    """
    labels = [question.group for question in questions]
    if len(set(labels)) < _LABELS:
        labels = [question.id for question in questions]
    ranked = sorted(set(labels), key=lambda label: digest("split", seed, label))
    counted = np.cumsum([labels.count(label) for label in ranked])
    last = int(np.searchsorted(counted, SEARCHED * len(questions)))
    seen = set(ranked[: last + 1])
    where = {question.id: position for position, question in enumerate(questions)}
    asked = order_units(
        [q for q, label in zip(questions, labels, strict=True) if label in seen], seed
    )
    searched = [where[unit] for unit in asked]
    return searched, [at for at, label in enumerate(labels) if label not in seen]
