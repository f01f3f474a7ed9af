"""What every system of benchmarks/sweep.py works on: the grid, the documents and the questions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT.parent / "shared" / "data" / "chunking"
NEXT_SIZE = 1024
"""The chunk size that a widened grid adds."""
Scores = dict[str, dict[str, float]]
"""Recall by point (`size/overlap/top_k`) and question."""


@dataclass(frozen=True)
class Points:
    """The grid; overlap is 0 or a fifth of the size."""

    sizes: tuple[int, ...] = (128, 256, 512)
    depths: tuple[int, ...] = (1, 3, 5, 10)

    def __iter__(self) -> Iterator[tuple[int, int, int]]:
        return ((s, o, k) for s in self.sizes for o in (0, s // 5) for k in self.depths)


GRIDS = {"full": Points(), "small": Points((128, 256), (1, 5))}


def prepare(documents: str | None, golden: str | None, points: str, folder: Path) -> None:
    """Write documents and questions to `folder`, so that every system reads the same."""
    from pipelines import samples
    from pipelines.documents import load_documents
    from pipelines.golden import load_golden

    if documents is None and not DATA.exists():
        corpus, questions = samples.load("python-api")
        names = [d.name for d in corpus if d.name.startswith("numpy/")]
    else:
        read = load_documents(documents or str(DATA / "docs"), Path.cwd())
        corpus, found = load_golden(golden or str(DATA / "questions.jsonl"), read, Path.cwd())
        questions = found.questions
        names = [d.name for d in corpus]
    kept = set(names[:1] if points == "small" else names)
    lines = []
    for question in questions:
        groups = [
            {"any_of": [{"doc": corpus.documents[s.doc].name, "start": s.start, "end": s.end}
                        for s in group]}
            for group in question.evidence
        ]  # fmt: skip
        used = {item["doc"] for group in groups for item in group["any_of"]}
        if used and used <= kept:
            lines.append({"id": question.id, "question": question.text, "evidence": groups})
    lines = lines[:12] if points == "small" else lines
    for document in corpus:
        if document.name in kept:
            path = folder / "docs" / document.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(document.text, encoding="utf-8", newline="")
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "questions.jsonl").write_text(text, encoding="utf-8")


def load(folder: Path) -> tuple[Any, Any]:
    """Read what `prepare` wrote."""
    from pipelines.documents import load_documents
    from pipelines.golden import load_golden

    return load_golden("questions.jsonl", load_documents("docs", folder), folder)
