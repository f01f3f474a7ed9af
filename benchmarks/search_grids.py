"""Grids that benchmarks/search_efficiency.py searches: recorded once, with raytuner itself.

A recording is an ordinary run folder: every question's scores for every point of the grid, on real
documents. Folders of recordings lie outside the repository, because the documents do. Grids that
were measured elsewhere are in search_measured.
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

INPUT_USD, OUTPUT_USD, EMBED_USD = 0.15e-6, 0.6e-6, 0.02e-6
"""Dollars a token: list prices of a small hosted chat model, and of a small embedding model."""
PROMPT, ANSWER = 100, 100
"""Tokens of instructions and question, and of an answer."""
CHARS = 4
"""Characters a token of English text."""

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
class Bill:
    """What points would cost with a paid model and paid embeddings; see `bill`.

    Attributes:
        question: dollars a question, by row of the scores.
        ingestion: names what has to be ingested, by row; points of one name share it.
        ingested: dollars for that, once, by row.
    """

    question: tuple[float, ...]
    ingestion: tuple[str, ...]
    ingested: tuple[float, ...]


def bill(context: Sequence[float], ingestion: Sequence[str], corpus: Sequence[float]) -> Bill:
    """Make a bill at list prices.

    Args:
        context: tokens retrieved for a question, by point.
        ingestion: names what is ingested, by point.
        corpus: tokens to embed for that, by point; 0 where nothing is embedded.
    """
    asked = tuple((tokens + PROMPT) * INPUT_USD + ANSWER * OUTPUT_USD for tokens in context)
    return Bill(asked, tuple(ingestion), tuple(tokens * EMBED_USD for tokens in corpus))


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
        bill: what every point costs.
    """

    name: str
    metric: str
    space: dict[str, Any]
    points: dict[str, int]
    questions: tuple[Question, ...]
    scores: Scores = field(repr=False)
    bill: Bill = field(repr=False)

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


def load(name: str, folder: Path, metric: str = METRICS[0]) -> Grid:
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
    corpus = sum(path.stat().st_size for path in (home / "docs").iterdir()) / CHARS
    prices = _bill([trial.params for trial in trials], corpus)
    return Grid(name, metric, space, points, questions, scores, prices)


def _bill(points: Sequence[Any], corpus: float) -> Bill:
    """Count `top_k` chunks of full size a question; every chunking is embedded once a model."""
    paid = [point["retriever.kind"] != "bm25" for point in points]
    return bill(
        [point["retriever.top_k"] * point["chunker.size"] for point in points],
        [ingestion(point) for point in points],
        [corpus * embeds for embeds in paid],
    )


def ingestion(point: Any) -> str:
    """Name what a point of a recorded grid has to have ingested."""
    parts = (point[name] for name in ("chunker.size", "chunker.overlap"))
    return " ".join(map(str, (*parts, point.get("embedder", ""))))


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
