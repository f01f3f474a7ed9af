"""The JSON files that LlamaIndex dataset classes save, told apart by their keys.

- `QueryResponseDataset` {queries, responses}: questions and answers, no evidence;
- `LabelledRagDataset` {examples}: `query`, `reference_contexts` (found in the documents as quotes),
  `reference_answer`;
- `EmbeddingQAFinetuneDataset` {queries, corpus, relevant_docs}: brings its own passages, each
  relevant one a group of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelines.golden.goldenset import (
    Loaded,
    Sourced,
    content_id,
    need_corpus,
    question_of,
)
from pipelines.golden.passages import Judged, Passage, resolve_passages
from pipelines.golden.spans import Locator, several_places
from pipelines.records import field_text, parse_json, read_text, shorten
from pipelines.types import Corpus, Span
from raytuner.component import ConfigError


def load_llamaindex(path: Path, name: str, corpus: Corpus | None) -> Loaded:
    """Read a file that a LlamaIndex dataset class saved."""
    data = parse_json(read_text(path, name), name)
    keys = set(data) if isinstance(data, dict) else set()
    if keys >= {"queries", "corpus", "relevant_docs"}:
        return _embedding_pairs(data, name, corpus)
    if "examples" in keys:
        return _labelled_rag(data, name, need_corpus(corpus, name))
    if keys >= {"queries", "responses"}:
        return _query_responses(data, name, need_corpus(corpus, name))
    raise ConfigError(
        f"{name} is no LlamaIndex dataset: expected an object with the keys queries and responses; "
        "examples; or queries, corpus and relevant_docs; got "
        f"{', '.join(sorted(keys)) or type(data).__name__}"
    )


def _query_responses(data: Mapping[str, Any], name: str, corpus: Corpus) -> Loaded:
    queries, responses = _strings(data, "queries", name), _strings(data, "responses", name)
    questions = [
        Sourced(
            question_of(
                corpus,
                id=id_,
                text=field_text(queries, id_, f"{name}, queries"),
                answer=responses.get(id_),
            ),
            f"query {id_!r}",
        )
        for id_ in queries
    ]
    return Loaded(corpus, questions, [])


def _labelled_rag(data: Mapping[str, Any], name: str, corpus: Corpus) -> Loaded:
    examples = data["examples"]
    if not isinstance(examples, list):
        raise ConfigError(f"{name}: 'examples' must be a list, got {shorten(repr(examples))}")
    locator = Locator(corpus)
    questions = []
    several: list[str] = []
    for number, example in enumerate(examples, start=1):
        where = f"{name}, example {number}"
        if not isinstance(example, Mapping):
            raise ConfigError(f"{where}: expected an object, got {shorten(repr(example))}")
        contexts = _contexts(example, where)
        evidence = [_places(context, locator, where) for context in contexts]
        text = field_text(example, "query", where)
        several += [shorten(text)] if any(len(group) > 1 for group in evidence) else []
        answer = example.get("reference_answer")
        question = question_of(
            corpus,
            id=content_id(text, contexts),
            text=text,
            evidence=evidence,
            answer=answer if isinstance(answer, str) else None,
        )
        questions.append(Sourced(question, f"example {number}"))
    return Loaded(corpus, questions, several_places(several, "question's reference context"))


def _contexts(example: Mapping[str, Any], where: str) -> list[str]:
    contexts = example.get("reference_contexts") or []
    if not isinstance(contexts, list) or not all(isinstance(c, str) for c in contexts):
        raise ConfigError(f"{where}: 'reference_contexts' must be a list of strings")
    return [context for context in contexts if context.strip()]


def _places(context: str, locator: Locator, where: str) -> tuple[Span, ...]:
    found = locator.places(context)
    if not found:
        raise ConfigError(f"{where}: {locator.missing(context, None)}")
    return tuple(found)


def _embedding_pairs(data: Mapping[str, Any], name: str, corpus: Corpus | None) -> Loaded:
    queries, passages = _strings(data, "queries", name), _strings(data, "corpus", name)
    relevant = data["relevant_docs"]
    if not isinstance(relevant, dict):
        raise ConfigError(f"{name}: 'relevant_docs' must be an object of lists of ids")
    wanted = []
    for id_ in queries:
        ids = relevant.get(id_, [])
        if not isinstance(ids, list) or not all(isinstance(passage, str) for passage in ids):
            raise ConfigError(f"{name}: relevant_docs[{id_!r}] must be a list of ids")
        wanted.append((f"relevant_docs[{id_!r}]", tuple((Judged(passage),) for passage in ids)))
    judgements = resolve_passages(
        [Passage(id_, text, f"corpus[{id_!r}]") for id_, text in passages.items()],
        wanted,
        corpus,
        name,
    )
    questions = [
        Sourced(
            question_of(
                judgements.corpus,
                id=id_,
                text=field_text(queries, id_, f"{name}, queries"),
                evidence=evidence,
            ),
            f"query {id_!r}",
        )
        for id_, evidence in zip(queries, judgements.evidence, strict=True)
    ]
    return Loaded(judgements.corpus, questions, judgements.warnings)


def _strings(data: Mapping[str, Any], field: str, name: str) -> dict[str, str]:
    value = data[field]
    if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
        raise ConfigError(f"{name}: {field!r} must be an object of strings by id")
    return value
