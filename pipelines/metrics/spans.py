"""Metrics that count characters of evidence found: how much of it, and amid how much else.

The arithmetic is that of Smith & Troynikov, "Evaluating Chunking Strategies for Retrieval"
(Chroma technical report, 2024), as their program computes it. It agrees with theirs where every
group has one span and groups do not overlap. Beyond that case:

- A group with alternatives counts as found to the degree that its best covered alternative is,
  and weighs as many characters as its shortest alternative has. So more hits never lower recall.
- Overlapping spans of different groups count once; their program counts them twice in the
  denominator of recall, which then cannot reach 1.
- A chunk that only touches evidence, sharing no character, does not contain it; in their
  "precision omega" it does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from pydantic import Field

from pipelines.metrics.evidence import EvidenceMetric, Groups, TopHitsMetric
from pipelines.metrics.intervals import Ground, common, ground, length, shared, size
from pipelines.metrics.names import canonical
from pipelines.roles import Bench
from pipelines.tokenizers import TokenizerName, tokenizer
from pipelines.types import Hit, Question, Response, Span

DEFAULT_TOKENIZER = "cl100k"


def recalled(groups: Groups, passages: Iterable[Hit | Span]) -> float:
    """Give the fraction of evidence characters that lie in `passages`, 0 to 1."""
    places = {span.doc for group in groups for span in group}
    covered = ground(passage for passage in passages if passage.doc in places)
    single = ground(group[0] for group in groups if len(group) == 1)
    needed = float(size(single))
    found = float(common(single, covered))
    for group in groups:
        if len(group) > 1:
            best = best_covered(group, covered)
            weight = min(length(span) for span in group)
            needed += weight
            found += weight * shared(best, covered) / length(best)
    return found / needed


def best_covered(group: Sequence[Span], covered: Ground) -> Span:
    """Choose the alternative with the largest covered fraction; of equal ones the shortest."""
    return min(group, key=lambda span: (-shared(span, covered) / length(span), length(span), span))


class Recall(TopHitsMetric, kind="recall"):
    """Fraction of the evidence that was retrieved.

    Characters of evidence inside any hit / characters of evidence (Smith & Troynikov 2024).
    Always wants more hits and larger chunks: see `context-recall` for a fair objective.
    """

    def score(self, question: Question, response: Response, bench: Bench) -> float:
        """Give evidence found / evidence."""
        del bench
        return recalled(self.groups(question), self.hits(response))


class Precision(TopHitsMetric, kind="precision"):
    """Fraction of the retrieved text that is evidence.

    Characters of evidence inside any hit, each once / sum of the hits' lengths, text repeated by
    overlapping hits counted again (Smith & Troynikov 2024). Of a group with alternatives the
    best covered one is evidence. Always wants one hit and the smallest chunks.
    """

    def score(self, question: Question, response: Response, bench: Bench) -> float:
        """Give evidence found / text retrieved."""
        del bench
        found, _, retrieved = _counts(self.groups(question), self.hits(response))
        return found / retrieved if retrieved else 0.0


class Iou(TopHitsMetric, kind="iou"):
    """Intersection over union of evidence and retrieved text, after Jaccard.

    Evidence found / (sum of the hits' lengths + evidence missed), repeated text counted again as
    in `precision` (Smith & Troynikov 2024). Always wants one hit and the smallest chunks.
    """

    def score(self, question: Question, response: Response, bench: Bench) -> float:
        """Give evidence found / (text retrieved + evidence missed)."""
        del bench
        found, wanted, retrieved = _counts(self.groups(question), self.hits(response))
        return found / (retrieved + wanted - found)


def _counts(groups: Groups, hits: Sequence[Hit]) -> tuple[int, int, int]:
    """Count characters: evidence found, evidence, and retrieved with repetitions."""
    covered = ground(hits)
    wanted = ground(best_covered(group, covered) for group in groups)
    return common(wanted, covered), size(wanted), sum(length(hit) for hit in hits)


class PrecisionOmega(EvidenceMetric, kind="precision-omega"):
    """Precision if exactly the chunks that hold evidence were retrieved: a limit of the chunking.

    Evidence inside chunks / characters of (chunks that share a character with the evidence,
    united with the evidence): as the program of Smith & Troynikov (2024) has it, overlapping
    chunks count once here. Depends on the chunker alone. `score` takes as the hits of the
    response *every chunk of the corpus that overlaps any evidence of the question*, in any order
    (chunks that overlap none change nothing). Of a group with alternatives the one that the
    chunks wrap most tightly is evidence.
    """

    needs_chunks: ClassVar[bool] = True

    @property
    def name(self) -> str:
        """Give the kind."""
        return self.kind

    def score(self, question: Question, response: Response, bench: Bench) -> float:
        """Give evidence / text of the chunks that hold it."""
        del bench
        chunks = response.hits
        chosen = [
            min(group, key=lambda span: (-_tightness([span], chunks), length(span), span))
            for group in self.groups(question)
        ]
        return _tightness(chosen, chunks)


def _tightness(spans: Sequence[Span], chunks: Sequence[Hit]) -> float:
    wanted = ground(spans)
    holding = [chunk for chunk in chunks if shared(chunk, wanted)]
    return common(wanted, ground(holding)) / size(ground([*holding, *spans]))


class ContextRecall(EvidenceMetric, kind="context-recall"):
    """Recall at a context budget: evidence within the first `tokens` tokens handed to the model.

    `recall` of the hits taken best first until the budget is full. The hit that crosses it is cut
    where the first token that does not fit begins; text repeated by overlapping hits counts
    against the budget again, for it is handed over again. Unlike plain recall it does not reward
    handing over more text, so chunk size, overlap and the number of hits can be tuned by it. The
    arithmetic of `recall` is from Smith & Troynikov (2024). Tokens are those of the original
    document: the tokens of a hit are those that start inside it.
    """

    tokens: int = Field(default=1000, ge=1, description="context budget, in tokens")
    tokenizer: TokenizerName = Field(
        default=DEFAULT_TOKENIZER,
        description="what counts the tokens: that of the model that reads them",
    )

    @property
    def name(self) -> str:
        """Give `recall@1000tok`, with the tokenizer if it is not the default."""
        other = {} if self.tokenizer == DEFAULT_TOKENIZER else {"tokenizer": self.tokenizer}
        return canonical("recall", other, f"{self.tokens}tok")

    def identity(self) -> tuple[Any, ...]:
        """Add the vocabulary that the budget is counted in."""
        role, kind, version, fields = super().identity()
        fingerprint = tokenizer(self.tokenizer).fingerprint
        return (role, kind, version, {**fields, "tokenizer": fingerprint})

    def score(self, question: Question, response: Response, bench: Bench) -> float:
        """Give evidence found within the budget / evidence."""
        return recalled(self.groups(question), self.within_budget(response.hits, bench))

    def within_budget(self, hits: Sequence[Hit], bench: Bench) -> list[Span]:
        """Keep the hits that fit, best first, the last one cut at the end of the budget."""
        kept: list[Span] = []
        left = self.tokens
        for hit in hits:
            starts = bench.token_starts(self.tokenizer, hit.doc)
            first, last = (int(i) for i in starts.searchsorted((hit.start, hit.end)))
            if last - first > left:
                kept.append(Span(hit.doc, hit.start, int(starts[first + left])))
                break
            kept.append(Span(hit.doc, hit.start, hit.end))
            left -= last - first
            if not left:
                break
        return kept
