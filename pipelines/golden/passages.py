"""Sets that judge passages of their own (AutoRAG, BEIR, LlamaIndex): from passage ids to spans.

Without documents in the study the passages are the corpus, and each is evidence as a whole. With
documents, the judged passages are found in them, so that a set made for one way of chunking can
score every other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from pipelines.golden.goldenset import Evidence
from pipelines.golden.spans import Locator, several_places
from pipelines.types import Corpus, Document, Span
from raytuner.component import ConfigError, nearest


class Passage(NamedTuple):
    """One passage of a set: its id, its text, its place in the file, and a title if it has one."""

    id: str
    text: str
    place: str
    title: str = ""


class Judged(NamedTuple):
    """A passage that a question needs, and how relevant it is."""

    id: str
    grade: int = 1


Wanted = tuple[tuple[Judged, ...], ...]
"""Groups of alternatives, like `Question.evidence`, by passage id."""


class Judgements(NamedTuple):
    """The corpus that questions refer to, and their evidence in it, in the order asked."""

    corpus: Corpus
    evidence: list[Evidence]
    warnings: list[str]


def resolve_passages(
    passages: Sequence[Passage],
    wanted: Sequence[tuple[str, Wanted]],
    documents: Corpus | None,
    name: str,
) -> Judgements:
    """Turn passage ids into spans.

    Args:
        passages: all passages of the set.
        wanted: per question its place in the file and the passages it needs.
        documents: the corpus of the study, or None to use the passages as corpus.
        name: the set, for messages.

    Raises:
        ConfigError: an unknown, repeated or blank passage, or one that no document holds.
    """
    known = _by_id(passages, name)
    for place, groups in wanted:
        for judged in (judged for group in groups for judged in group):
            if judged.id not in known:
                hint = nearest(judged.id, known)
                raise ConfigError(f"{name}, {place}: there is no passage {judged.id!r}.{hint}")
    spans: dict[str, tuple[Span, ...]]
    warnings: list[str] = []
    needed = {judged.id for _, groups in wanted for group in groups for judged in group}
    if documents is None:
        corpus = _own_corpus(known.values(), needed, name)
        locator = Locator(corpus)
        spans = {id_: (locator.whole(corpus.positions[id_]),) for id_ in needed}
    else:
        corpus = documents
        spans, warnings = _located([known[id_] for id_ in sorted(needed)], corpus, name)
    evidence = [tuple(_group(group, spans) for group in groups) for _, groups in wanted]
    return Judgements(corpus, evidence, warnings)


def _group(group: Sequence[Judged], spans: Mapping[str, Sequence[Span]]) -> tuple[Span, ...]:
    return tuple(s._replace(grade=judged.grade) for judged in group for s in spans[judged.id])


def _by_id(passages: Iterable[Passage], name: str) -> dict[str, Passage]:
    known: dict[str, Passage] = {}
    for passage in passages:
        first = known.setdefault(passage.id, passage)
        if first is not passage:
            raise ConfigError(
                f"{name}: the passage id {passage.id!r} occurs twice, at {first.place} and at "
                f"{passage.place}"
            )
    if not known:
        raise ConfigError(f"{name} holds no passage")
    return known


def _own_corpus(passages: Iterable[Passage], needed: set[str], name: str) -> Corpus:
    """Make documents of passages, the title above the text; blank ones are left out."""
    documents = []
    for passage in passages:
        text = f"{passage.title}\n\n{passage.text}" if passage.title else passage.text
        if text.strip():
            metadata = {"title": passage.title} if passage.title else {}
            documents.append(Document(passage.id, text, metadata))
        elif passage.id in needed:
            raise ConfigError(f"{name}, {passage.place}: the passage {passage.id!r} has no text")
    return Corpus(tuple(sorted(documents, key=lambda document: document.name)))


def _located(
    passages: Sequence[Passage], documents: Corpus, name: str
) -> tuple[dict[str, tuple[Span, ...]], list[str]]:
    locator = Locator(documents)
    found: dict[str, tuple[Span, ...]] = {}
    for passage in passages:
        same = documents.positions.get(passage.id)
        spans = [] if same is None else locator.places(passage.text, same)
        found[passage.id] = tuple(spans or locator.places(passage.text))
        if not found[passage.id]:
            raise ConfigError(
                f"{name}, {passage.place}: {locator.missing(passage.text, None)}, or leave out "
                "`documents:` to use the passages of the set"
            )
    several = [id_ for id_, spans in found.items() if len(spans) > 1]
    return found, several_places(several, "passage")
