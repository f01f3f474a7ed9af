"""Shows people what a pipeline did with questions: evidence, what it retrieved, what it answered.

Retrieval is done again, from the caches where they have it. Nothing is paid for: answers of models
and vectors of paid embedders are taken from what is kept, or it is said that they are not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from pipelines.config import RagConfig
from pipelines.ingestion import Arrays, Ingestion
from pipelines.library import CachedLibrary
from pipelines.llm.batch import Dialogue
from pipelines.llm.kept import ClosedGate, recall
from pipelines.llm_rerank import LlmRerank
from pipelines.pipeline import Answered, Pipeline
from pipelines.roles import CorpusEmbedder
from pipelines.types import Corpus, Hit, Question, Span
from pipelines.workspace import Workspace
from raytuner.component import RaytunerError, digest
from raytuner.objective import ObjectiveFailure, Tally
from raytuner.ports.explanation import Explanation, Passage

_Result = TypeVar("_Result")

MOST_PASSAGES = 10
"""Passages that are shown of a question, of evidence and of hits."""
LONGEST_PASSAGE = 2_000
"""Characters that are shown of a passage."""
LONGEST_ANSWER = 4_000
_AROUND = 200
"""Characters that are shown before and after a piece of evidence."""
_MOST_EMBEDDED = 2_000
"""Texts that are embedded again, on this machine, for a table that is only looked at."""
_DIGITS = 12
"""Of a question's digest: two of a thousand questions are taken for one once in 10^8 sets."""


def explained(space: Workspace, config: RagConfig, units: Sequence[str]) -> list[Explanation]:
    """Show what a pipeline does with questions.

    Args:
        space: data and caches.
        config: the pipeline, its models resolved.
        units: ids of questions.

    Returns:
        One explanation per question, in their order. Passages are cut from the original
        documents, whatever the pipeline has made of their text.
    """
    found = [_question(space.corpus, space.question(unit)) for unit in units]
    try:
        answered = _answered(space, config, units)
    except (RaytunerError, OSError) as error:
        return [{**one, "missing": str(error)} for one in found]
    return [_with(space, one, got) for one, got in zip(found, answered, strict=True)]


def groups(space: Workspace) -> dict[str, str]:
    """Name the group of every question that has one.

    That is what the golden set says, and else the document of its first piece of evidence. A
    question without either is independent of the others.
    """
    found = {q.id: _group(space.corpus, q) for q in space.golden.questions}
    return {unit: group for unit, group in found.items() if group}


def strata(space: Workspace) -> dict[str, str]:
    """Name the kind of every question: its tags, in the order of the alphabet."""
    return {q.id: ", ".join(sorted(set(q.tags))) for q in space.golden.questions}


def contents(space: Workspace) -> dict[str, str]:
    """Digest what every question asks and expects: text, reference answer, evidence."""
    documents = space.corpus.documents
    return {
        q.id: digest(
            q.text,
            q.answer,
            [
                [[documents[span.doc].text[span.start : span.end], span.grade] for span in group]
                for group in q.evidence
            ],
        )[:_DIGITS]
        for q in space.golden.questions
    }


def _group(corpus: Corpus, question: Question) -> str:
    if question.group or not question.evidence:
        return question.group
    return corpus.documents[question.evidence[0][0].doc].name


# ---- what the pipeline does


class _AbsentError(Exception):
    """An artifact is not in the cache."""


class _KeptLibrary(CachedLibrary):
    """A library whose language models say what they once said, and that keeps nothing itself.

    Rankings in the cache say how long queries took; those that are made here do not.
    """

    def over(self, queries: Sequence[str]) -> CachedLibrary:
        return _KeptLibrary(self.ingestion, queries, cache=self._cache)

    def gather(
        self, dialogues: Sequence[Dialogue[_Result]], stage: str
    ) -> Iterator[list[tuple[int, _Result]]]:
        del stage
        yield recall(dialogues, self._cache.responses)

    def _arrays(
        self, stage: str, key: str, inputs: Mapping[str, Any], build: Callable[[], Arrays]
    ) -> Arrays:
        try:
            return self._cache.arrays(stage, key, inputs, _absent, meter=self._meter)
        except _AbsentError:
            return build()


def _absent() -> Arrays:
    raise _AbsentError


def _answered(space: Workspace, config: RagConfig, units: Sequence[str]) -> list[Answered]:
    """Give what becomes of questions, in their order.

    Raises:
        ObjectiveFailure: it cannot be had without paying, or not soon.
    """
    reranker = config.reranker
    if reranker is not None and reranker.paid and not isinstance(reranker, LlmRerank):
        raise ObjectiveFailure("provider", f"the reranker {reranker.kind} is paid for every time")
    ingestion = space.ingestion(config, Tally(gate=ClosedGate()))
    _check_work(space, config, ingestion)
    rows = [space.positions[unit] for unit in units]
    queries = space.queries
    if config.searches_paid:  # as in an evaluation: rankings are of the questions asked
        queries = tuple(queries[row] for row in rows)
        rows = list(range(len(rows)))
    pipeline = Pipeline(_KeptLibrary(ingestion, queries, cache=space.cache))
    found = {one.number: one for part in pipeline.stream(rows) for one in part}
    return [found[number] for number in range(len(rows))]


def _check_work(space: Workspace, config: RagConfig, ingestion: Ingestion) -> None:
    """Refuse to embed a whole corpus again, which may take hours.

    Raises:
        ObjectiveFailure: saying how many texts have no vector here.
    """
    embedder = config.embedder
    if not config.needs_vectors() or isinstance(embedder, CorpusEmbedder):
        return
    texts = ingestion.matched_texts
    if len(texts) <= _MOST_EMBEDDED or not embedder.reusable():
        return
    missing = space.cache.vectors.lookup_missing(embedder, texts, query=False)
    if missing > _MOST_EMBEDDED:
        reason = f"{missing:,} texts would have to be embedded again: their vectors are not here"
        raise ObjectiveFailure("provider", reason)


# ---- what is shown of it


def _question(corpus: Corpus, question: Question) -> Explanation:
    spans = [span for group in question.findable for span in group]
    shown = Explanation(
        unit=question.id,
        question=question.text,
        evidence=[_evidence(corpus, span, spans) for span in spans[:MOST_PASSAGES]],
    )
    if question.answer is not None:
        shown["reference"] = question.answer
    return shown


def _with(space: Workspace, shown: Explanation, one: Answered) -> Explanation:
    """Add what the pipeline did."""
    question = space.question(shown["unit"])
    spans = [span for group in question.findable for span in group]
    failure = one.failure
    found: Explanation = {**shown}
    if failure is not None:
        found["missing"] = failure.message
    if failure is None or one.response.hits:
        hits = one.response.hits[:MOST_PASSAGES]
        found["retrieved"] = [_retrieved(space.corpus, hit, spans) for hit in hits]
    if failure is None and one.response.answer is not None:
        found["answer"] = one.response.answer[:LONGEST_ANSWER]
    return found


def _evidence(corpus: Corpus, span: Span, spans: Sequence[Span]) -> Passage:
    """Show a piece of evidence and what stands around it."""
    text = corpus.documents[span.doc].text
    start = max(0, span.start - _AROUND)
    end = min(len(text), span.end + _AROUND, start + LONGEST_PASSAGE)
    return _passage(corpus, span.doc, (start, end), spans)


def _retrieved(corpus: Corpus, hit: Hit, spans: Sequence[Span]) -> Passage:
    """Show a hit; of a long one the part that holds evidence, if any does."""
    start, end = hit.start, hit.end
    if end - start > LONGEST_PASSAGE:
        inside = [s.start for s in spans if s.doc == hit.doc and s.start < end and s.end > start]
        if inside:
            start = max(start, min(min(inside) - _AROUND, end - LONGEST_PASSAGE))
        end = start + LONGEST_PASSAGE
    shown = _passage(corpus, hit.doc, (start, end), spans)
    if math.isfinite(hit.score):
        shown["score"] = float(hit.score)
    return shown


def _passage(corpus: Corpus, doc: int, place: tuple[int, int], spans: Sequence[Span]) -> Passage:
    start, end = place
    document = corpus.documents[doc]
    inside = [
        (max(span.start, start) - start, min(span.end, end) - start)
        for span in spans
        if span.doc == doc and span.start < end and span.end > start
    ]
    text = document.text[start:end]
    return Passage(document=document.name, start=start, end=end, text=text, marks=_united(inside))


def _united(marks: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Give marks in order, those that touch as one."""
    united: list[tuple[int, int]] = []
    for start, end in sorted(marks):
        if united and start <= united[-1][1]:
            united[-1] = (united[-1][0], max(end, united[-1][1]))
        else:
            united.append((start, end))
    return united
