"""Documents and questions as loaded, and as arrays for processes that do not have the files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipelines.cache.packing import pack_texts, unpack_texts
from pipelines.golden import GoldenSet
from pipelines.types import Corpus, Document, Graded, Question, Span


class Dataset(NamedTuple):
    """What a study is about.

    Attributes:
        corpus: the documents.
        golden: the questions about them.
        warnings: what loading them brought to light, one sentence each.
    """

    corpus: Corpus
    golden: GoldenSet
    warnings: tuple[str, ...]


def pack_dataset(data: Dataset) -> dict[str, NDArray[Any]]:
    """Spell a dataset as arrays.

    Facts about documents that JSON cannot hold (dates, say) become text; no score depends on them.

    Returns:
        `bytes` and `ends`: the texts of the documents, as `pack_texts` gives them; `rest`, uint8:
        everything else as JSON.
    """
    rest = {
        "documents": [[document.name, document.metadata] for document in data.corpus],
        "questions": [_plain(question) for question in data.golden.questions],
        "golden": [data.golden.name, list(data.golden.warnings)],
        "warnings": list(data.warnings),
    }
    spelled = json.dumps(rest, default=repr, skipkeys=True).encode("ascii")
    texts = pack_texts([document.text for document in data.corpus])
    return {**texts, "rest": np.frombuffer(spelled, dtype=np.uint8)}


def unpack_dataset(arrays: Mapping[str, NDArray[Any]]) -> Dataset:
    """Read what `pack_dataset` has written."""
    rest = json.loads(bytes(arrays["rest"]))
    named = zip(rest["documents"], unpack_texts(arrays), strict=True)
    corpus = Corpus(tuple(Document(name, text, metadata) for (name, metadata), text in named))
    name, warnings = rest["golden"]
    questions = tuple(map(_question, rest["questions"]))
    return Dataset(corpus, GoldenSet(questions, name, tuple(warnings)), tuple(rest["warnings"]))


def _plain(question: Question) -> list[Any]:
    evidence = [[[int(number) for number in span] for span in group] for group in question.evidence]
    judged = [
        [said, list(map(list, grades)), list(texts)] for said, grades, texts in question.judged
    ]
    labels = [question.group, list(question.tags), judged]
    return [question.id, question.text, evidence, question.answer, *labels]


def _question(plain: list[Any]) -> Question:
    name, text, groups, answer, group, tags, judged = plain
    evidence = tuple(tuple(Span(*span) for span in spans) for spans in groups)
    graded = tuple(
        Graded(said, tuple((metric, grade) for metric, grade in grades), tuple(context))
        for said, grades, context in judged
    )
    return Question(name, text, evidence, answer, group, tuple(tags), graded)
