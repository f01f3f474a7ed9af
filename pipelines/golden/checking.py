"""Looks over a golden set: what is in it, what occurs twice, which evidence is nowhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipelines.golden import offline
from pipelines.golden.files import Record, numbered_records
from pipelines.golden.filters import Asked
from pipelines.golden.goldenset import GoldenSet
from pipelines.golden.jsonl import read_question
from pipelines.golden.load import load_golden
from pipelines.golden.spans import Locator
from pipelines.types import Corpus, Question
from raytuner.component import ConfigError

FEW = 50
"""Fewer questions tell apart only very different configurations."""


@dataclass
class Findings:
    """What there is to say about a golden set.

    Attributes:
        counts: how many of what.
        tags: questions by tag.
        duplicates: pairs of questions that are much alike, as `id: question`.
        unresolved: one sentence per question that cannot be used as it stands.
        warnings: what the reader of a verdict should know.
    """

    counts: dict[str, int] = field(default_factory=dict)
    tags: dict[str, int] = field(default_factory=dict)
    duplicates: list[tuple[str, str]] = field(default_factory=list)
    unresolved: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether every question can be used."""
        return not self.unresolved

    def plain(self) -> dict[str, Any]:
        """Give it as plain JSON values."""
        return {
            "good": self.good,
            "counts": self.counts,
            "tags": self.tags,
            "duplicates": [list(pair) for pair in self.duplicates],
            "unresolved": self.unresolved,
            "warnings": self.warnings,
        }


def check_golden(path: Path, corpus: Corpus | None, root: Path) -> Findings:
    """Look over a golden set of any format.

    Args:
        path: the file or folder.
        corpus: the documents; None: evidence is not looked for, unless the set has its own.
        root: what relative paths start from.

    Raises:
        ConfigError: it cannot be read; JSON lines are read on beyond a question whose evidence
            is wrong.
    """
    if path.suffix.lower() == ".jsonl":
        return _check_lines(path, corpus)
    own, golden = load_golden(path.absolute(), corpus, root)
    return _check_set(own, golden)


def _check_lines(path: Path, corpus: Corpus | None) -> Findings:
    lines = numbered_records(path)
    if not lines:
        raise ConfigError(f"{path} holds no question")
    findings = Findings()
    locator = Locator(corpus or Corpus(()))
    documents: set[int] = set()
    for line, record in lines if corpus is not None else ():
        try:
            question = read_question(record, locator, f"line {line}, question {record['id']!r}")
        except ConfigError as error:
            findings.unresolved.append(error.message)
        else:
            documents |= _documents(question)
    records = [record for _, record in lines]
    findings.counts = {
        "questions": len(records),
        "with an answer": sum(bool(record.get("answer")) for record in records),
        "with evidence": sum(bool(record.get("evidence")) for record in records),
        "reviewed": sum(bool(record.get("reviewed")) for record in records),
    }
    if corpus is not None:
        findings.counts["documents asked about"] = len(documents)
        findings.counts["documents"] = len(corpus)
    else:
        findings.warnings.append("evidence was not looked for: give the documents (--documents)")
    tags = Counter(str(tag) for record in records for tag in _list(record, "tags"))
    return _compared(findings, [(r["id"], r["question"]) for r in records], tags)


def _check_set(corpus: Corpus, golden: GoldenSet) -> Findings:
    questions = golden.questions
    findings = Findings(warnings=list(golden.warnings))
    findings.counts = {
        "questions": len(questions),
        "with an answer": sum(question.answer is not None for question in questions),
        "with evidence": sum(bool(question.evidence) for question in questions),
        "documents asked about": len(set().union(*map(_documents, questions))),
        "documents": len(corpus),
    }
    tags = Counter(tag for question in questions for tag in question.tags)
    return _compared(findings, [(q.id, q.text) for q in questions], tags)


def _documents(question: Question) -> set[int]:
    return {span.doc for group in question.evidence for span in group}


def _list(record: Record, name: str) -> list[Any]:
    value = record.get(name)
    return value if isinstance(value, list) else []


def _compared(
    findings: Findings, questions: Sequence[tuple[str, str]], tags: Counter[str]
) -> Findings:
    """Add duplicates, tags and warnings."""
    asked = Asked()
    ids: dict[str, str] = {}
    for name, text in questions:
        like = asked.like(text)
        if like is not None:
            findings.duplicates.append((f"{ids[like]}: {like}", f"{name}: {text}"))
        asked.add(text)
        ids.setdefault(text, name)
    findings.tags = dict(tags.most_common())
    made = tags[offline.GENERATED]
    if 2 * made > len(questions):
        findings.warnings.append(f"{made} of {len(questions)} {offline.WARNING}")
    if len(questions) < FEW:
        findings.warnings.append(
            f"only {len(questions)} question(s): expect to tell apart only very different "
            "configurations (100 or more are worth having)"
        )
    return findings
