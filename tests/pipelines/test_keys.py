"""Every field of every component changes the keys downstream of it, and no other.

Kinds and fields are taken from the registries, so that a component added later is covered or
fails here, asking for a value.
"""

import itertools
import tempfile
import types
import typing
from pathlib import Path
from typing import get_args, get_origin

import annotated_types
import numpy as np
import pytest
from pydantic_core import PydanticUndefined

from pipelines.config import RagConfig
from pipelines.embedders import Lsa, MiniLM
from pipelines.embedders.projection import AdapterFile, Projection, write_adapter
from pipelines.matching import Matcher
from pipelines.objective import RagObjective
from pipelines.overrides import tree
from pipelines.queries import QueryTransform
from pipelines.roles import (
    Chunker,
    Embedder,
    Generator,
    Metric,
    Preprocessor,
    Reranker,
    Retriever,
    Store,
)
from raytuner.component import Component, ConfigError
from raytuner.objective import Tally

FILES = tempfile.TemporaryDirectory()


def adapter(name, base):
    """Write an adapter whose weights depend on its name; give the path."""
    path = Path(FILES.name, name)
    matrix = np.eye(2) * (1.0 + len(name))
    write_adapter(AdapterFile(Projection("linear", "queries", {"matrix": matrix}), base), path)
    return str(path)


NEEDED = {
    ("Embedder", "adapted"): {"adapter": adapter("one.npz", MiniLM().fingerprint())},
    ("Embedder", "adapted-fitted"): {
        "base": "lsa",
        "adapter": adapter("lsa.npz", Lsa().fingerprint()),
    },
    ("Generator", "chat"): {"response_schema": {"properties": {"answer": {}}}},
    ("Chunker", "code"): {"language": "python"},
    ("Embedder", "llama-index"): {"path": "llama_index.core:MockEmbedding"},
    ("Embedder", "sentence-transformers"): {"model": "some/model"},
    ("Metric", "llama-index"): {"evaluator": "CorrectnessEvaluator"},
}
"""Fields without which the kind, or a value of another field, cannot be."""

VALUES = {
    ("Embedder", "adapted", "adapter"): adapter("another.npz", MiniLM().fingerprint()),
    ("Embedder", "adapted-fitted", "adapter"): adapter("other.npz", Lsa().fingerprint()),
    ("Embedder", "llama-index", "path"): "llama_index.embeddings.openai:OpenAIEmbedding",
    ("Embedder", "llama-index", "args"): {"embed_dim": 4},
    ("Embedder", "openai", "base_url"): "http://localhost:1/v1",
    ("Store", "chroma", "url"): "http://localhost:1",
    ("Generator", "chat", "response_schema"): {"type": "object"},
    ("Generator", "chat", "answer_field"): "answer",
    ("Metric", "llama-index", "evaluator"): "FaithfulnessEvaluator",
    ("Metric", "llama-index", "args"): {"score_threshold": 3.0},
    ("Metric", "llama-index", "scale"): (0, 10),
    ("QueryTransform", "multi-query", "prompt"): "{question} {count}",
}
"""Other values of fields that no rule below finds one for."""

REFUSED = {("Embedder", "adapted", "base"), ("Embedder", "adapted-fitted", "base")}
"""Fields whose other values the rest does not go with: tests/pipelines/embedders/test_adapted.py"""

STAGES = {
    Preprocessor: "preprocess",
    Chunker: "chunker",
    Matcher: "match",
    Embedder: "embedder",
    Store: "store",
    Retriever: "retriever",
    Reranker: "reranker",
    Generator: "generator",
    QueryTransform: "query",
}
LEVELS = ("text", "chunks", "vectors", "hits", "reranked", "trial")
CHANGED = {
    "preprocess": {"text", "chunks", "vectors", "hits", "reranked", "trial"},
    "chunker": {"chunks", "vectors", "hits", "reranked", "trial"},
    "match": {"vectors", "hits", "reranked", "trial"},
    "embedder": {"vectors", "hits", "reranked", "trial"},
    "store": {"hits", "reranked", "trial"},
    "retriever": {"hits", "reranked", "trial"},
    "reranker": {"reranked", "trial"},
    "generator": {"trial"},
    "query": {"trial"},
}
DEPTH = 64


# ---- other values of a field


def default_of(cls, field):
    found = cls.model_fields[field].get_default(call_default_factory=True)
    return None if found is PydanticUndefined else found


def candidates(annotation, metadata, value):
    """Give values that might be valid and differ from `value`, by annotation and limits."""
    if get_origin(annotation) is typing.Annotated:
        annotation, *more = get_args(annotation)
        metadata = [*metadata, *more]
    if get_origin(annotation) in {typing.Union, types.UnionType}:
        for part in get_args(annotation):
            yield from [None] if part is type(None) else candidates(part, metadata, value)
    elif get_origin(annotation) is typing.Literal:
        yield from get_args(annotation)
    elif annotation is bool:
        yield not value
    elif annotation in {int, float}:
        yield from numbers(annotation, metadata, value)
    elif annotation is str:
        yield from (f"{value or ''}x", "javascript")
    elif isinstance(annotation, type) and issubclass(annotation, Component):
        yield from annotation.kinds()


def numbers(kind, metadata, value):
    limits = [m for m in metadata if isinstance(m, annotated_types.BaseMetadata)]
    for m in metadata:
        limits += [n for n in getattr(m, "metadata", ()) if not isinstance(n, str)]
    bounds = [getattr(m, name) for m in limits for name in ("ge", "gt", "le", "lt")
              if hasattr(m, name)]  # fmt: skip
    base = value if value is not None else (bounds[0] if bounds else 1)
    yield from (kind(number) for number in (base + 1, base + 7, base - 1, base / 2, *bounds))


def others(cls, field, needed):
    """Give the candidates that validate and are not what stands there by default."""
    info = cls.model_fields[field]
    listed = VALUES.get((cls.role(), cls.kind, field))
    listed_there = (info.json_schema_extra or {}).get("enum", ())
    found = candidates(info.annotation, info.metadata, default_of(cls, field))
    tried = itertools.chain(listed_there, found)
    for value in [listed] if listed is not None else tried:
        try:
            made = cls.model_validate({**needed, field: value})
        except (ValueError, ConfigError):
            continue
        if getattr(made, field) != getattr(cls.model_validate(needed), field):
            yield value


def fields_of(cls, needed):
    """List (dotted field, other value, unkeyed) of a kind and of the components in it."""
    for field in cls.model_fields:
        if (cls.role(), cls.kind, field) in REFUSED:
            continue
        value = next(others(cls, field, needed), None)
        yield field, value, field in cls.unkeyed
        inner = default_of(cls, field)
        if isinstance(inner, Component):
            for name in type(inner).model_fields:
                if isinstance(inner, Retriever) and name in inner.late:
                    continue  # refused: tests/pipelines/test_retrievers.py
                value = next(others(type(inner), name, {}), None)
                yield f"{field}.{name}", value, name in inner.unkeyed


def kinds(role):
    """Give the kinds that ship; a test of another file may have registered its own."""
    return [k for k in role.kinds() if role.named(k).__module__.startswith("pipelines.")]


def cases(roles):
    return [
        pytest.param(cls, field, value, unkeyed, id=f"{cls.role()}-{cls.kind}-{field}")
        for role in roles
        for cls in map(role.named, kinds(role))
        for field, value, unkeyed in fields_of(cls, NEEDED.get((cls.role(), cls.kind), {}))
    ]


# ---- keys


@pytest.fixture(scope="module")
def section(tmp_path_factory, make_handbook):
    return make_handbook(tmp_path_factory.mktemp("keys"))


def objective_of(section, pipeline, seed=0, metrics=("recall", "token-f1")):
    found = {**section.section, "metrics": metrics, "pipeline": pipeline}
    return RagObjective.build(found, root=section.root, seed=seed)


@pytest.fixture(scope="module")
def objective(section):
    return objective_of(section, {"generator": "extractive"})


def keys(objective, pipeline):
    """Give the key of every level for a pipeline, by the objective's own means."""
    changed = RagObjective(
        objective.spec.model_copy(update={"pipeline": pipeline}), objective.root, objective.seed
    )
    changed._load = objective._load  # the same data
    config = RagConfig.parse(pipeline)
    library = objective.workspace.library(config, Tally())
    return {
        "text": library.ingestion.text_key,
        "chunks": library.ingestion.chunks_key,
        "vectors": library.ingestion.vectors_key,
        "hits": library.ranking_key(config.retriever, DEPTH),
        "reranked": library.reranked_key(DEPTH),
        "trial": changed.key({}),
    }


def differing(one, other):
    return {level for level in LEVELS if one[level] != other[level]}


def pipeline_with(stage, component):
    base = {"generator": "extractive", "reranker": "lexical"}
    return {**base, stage: [component] if stage == "preprocess" else component}


@pytest.mark.parametrize(("cls", "field", "value", "unkeyed"), cases(STAGES))
def test_every_field_changes_what_is_downstream_of_it(objective, cls, field, value, unkeyed):
    if value is None:
        pytest.fail(f"give another value of {field} of {cls.role()} {cls.kind!r} in VALUES")
    stage = next(name for role, name in STAGES.items() if issubclass(cls, role))
    needed = {"kind": cls.kind, **NEEDED.get((cls.role(), cls.kind), {})}
    before = keys(objective, pipeline_with(stage, needed))
    if "." in field:
        outer, inner = field.split(".")
        kind = default_of(cls, outer).kind
        value, field = {"kind": kind, inner: value}, outer
    after = keys(objective, pipeline_with(stage, {**needed, field: value}))
    expected = CHANGED[stage]
    if issubclass(cls, Retriever) and field in cls.late:
        expected = {"trial"}
    assert differing(before, after) == (set() if unkeyed else expected)


@pytest.mark.parametrize("role", STAGES)
def test_every_kind_has_keys_of_its_own(objective, role):
    stage = STAGES[role]
    found = [
        keys(objective, pipeline_with(stage, {"kind": kind, **NEEDED.get((role.role(), kind), {})}))
        for kind in kinds(role)
    ]
    for level in CHANGED[stage]:
        assert len({each[level] for each in found}) == len(found)


@pytest.mark.parametrize(("cls", "field", "value", "unkeyed"), cases([Metric]))
def test_every_field_of_a_metric_changes_the_scope(section, objective, cls, field, value, unkeyed):
    if value is None:
        pytest.fail(f"give another value of {field} of Metric {cls.kind!r} in VALUES")
    if "." in field:
        outer, inner = field.split(".")
        field, value = outer, {"kind": default_of(cls, outer).kind, inner: value}
    pipeline = {"generator": "extractive"}
    needed = {"kind": cls.kind, **NEEDED.get((cls.role(), cls.kind), {})}
    plain = objective_of(section, pipeline, metrics=[needed])
    other = objective_of(section, pipeline, metrics=[{**needed, field: value}])
    assert (plain.scope() == other.scope()) is unkeyed
    assert (plain.key({}) == other.key({})) is unkeyed


def test_order_of_metrics_does_not_matter(section):
    one = objective_of(section, {}, metrics=["recall", "ndcg@10"])
    other = objective_of(section, {}, metrics=["ndcg@10", "recall"])
    assert one.scope() == other.scope()


def test_data_and_seed_change_scope_and_key(handbook):
    def key(seed=0):
        return objective_of(handbook, {"generator": "extractive"}, seed=seed).key({})

    found = [key(), key(seed=1)]
    golden, document = handbook.root / "golden.jsonl", handbook.root / "docs" / "pump.md"
    golden.write_text(golden.read_text().replace("What is the", "Tell the"))
    found.append(key())
    document.write_text(document.read_text() + "One more line.\n")
    found.append(key())
    assert len(set(found)) == 4


def test_idle_stages_are_in_no_trial_key(objective):
    lexical = {"retriever": "bm25", "generator": {"kind": "extractive", "scorer": "lexical"}}
    assert not RagConfig.parse(lexical).needs_vectors()
    plain = keys(objective, lexical)
    for change in ({"embedder": "lsa"}, {"match": "sentences"}, {"store": "chroma"}):
        other = keys(objective, {**lexical, **change})
        assert differing(plain, other) <= {"vectors"}


def test_a_store_is_idle_where_sentences_are_matched(objective):
    plain = keys(objective, {"match": "sentences", "generator": "extractive"})
    other = keys(objective, {"match": "sentences", "generator": "extractive", "store": "chroma"})
    assert differing(plain, other) == set()


def test_a_generator_is_idle_where_no_metric_compares_answers(section):
    objective = objective_of(section, {}, metrics=["recall"])
    keys = {objective.key(p) for p in ({}, {"generator": "extractive"}, {"generator": None})}
    assert len(keys) == 1


def test_fields_read_their_environment(objective, monkeypatch):
    pipeline = {"embedder": "openai", "generator": "extractive"}
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    before = keys(objective, pipeline)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://localhost:7/v1")
    after = keys(objective, pipeline)
    assert {"vectors", "hits", "trial"} <= differing(before, after)


def test_dotted_spelling_and_plain_spelling_have_one_key(section):
    base = objective_of(section, {"generator": "extractive"})
    nested = {"retriever": {"kind": "hybrid", "sparse": {"kind": "bm25", "k1": 0.9}}}
    dotted = {"retriever.kind": "hybrid", "retriever.sparse.k1": 0.9}
    spelt = objective_of(section, {"generator": "extractive", **nested})
    assert base.key(dotted) == spelt.key({})
    assert tree(dotted) == {"retriever": {"kind": "hybrid", "sparse": {"k1": 0.9}}}
