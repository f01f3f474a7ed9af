"""Dotted parameters into a pipeline's configuration, and back."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.config import NOTHING, RagConfig
from pipelines.overrides import tree
from raytuner.component import ConfigError

FULL = {
    "preprocess": [{"kind": "whitespace", "blank_lines": 3}, "lowercase"],
    "chunker": {"kind": "recursive", "size": 300, "overlap": 30},
    "match": {"kind": "sentences", "best": 0.5},
    "embedder": {"kind": "minilm", "max_tokens": 128},
    "store": {"kind": "chroma", "ef_search": 50},
    "retriever": {
        "kind": "hybrid",
        "top_k": 7,
        "sparse": {"kind": "bm25", "k1": 2.0},
        "dense": {"kind": "mmr", "diversity": 0.4},
    },
    "reranker": {"kind": "lexical", "window": 5},
    "generator": {"kind": "extractive", "sentences": 2},
}


def names_of(config):
    """List every dotted name that a configuration has."""

    def below(path, node):
        yield path
        fields = type(node).model_fields if hasattr(type(node), "model_fields") else ()
        for field in fields:
            yield from below(f"{path}.{field}", getattr(node, field))
        if hasattr(node, "kind"):
            yield f"{path}.kind"

    return [n for s in type(config).model_fields for n in below(s, getattr(config, s))]


def test_the_defaults_are_a_dense_pipeline():
    config = RagConfig.parse({})
    assert config.chunker.kind == "sentence"
    assert config.embedder.kind == "minilm"
    assert config.retriever.kind == "dense"
    assert config.reranker is None
    assert config.needs_vectors()


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_giving_a_configuration_its_own_values_changes_nothing(data):
    for config in (RagConfig.parse(FULL), RagConfig.parse({})):
        names = data.draw(st.lists(st.sampled_from(names_of(config)), unique=True, max_size=8))
        values = config.values(names)
        try:
            same = config.override(values)
        except ConfigError as error:
            assert "given twice" in error.message  # noqa: PT017 - `embedder` and `embedder.kind`
            continue
        assert same == config


def test_every_value_alone_changes_nothing():
    config = RagConfig.parse(FULL)
    names = names_of(config)
    assert len(names) > 60
    for name in names:
        assert config.override(config.values([name])) == config


def test_plain_values_read_back():
    for config in (RagConfig.parse(FULL), RagConfig.parse({})):
        assert RagConfig.parse(config.plain()) == config
        assert RagConfig.parse(config.plain()).identity() == config.identity()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("chunker.size", 300),
        ("chunker.kind", "recursive"),
        ("chunker", "recursive"),
        ("retriever.sparse.k1", 2.0),
        ("retriever.dense.kind", "mmr"),
        ("preprocess", ("whitespace", "lowercase")),
        ("store.url", None),
    ],
)
def test_value_finds(name, value):
    assert RagConfig.parse(FULL).value(name) == value


@pytest.mark.parametrize(
    "name",
    ["kind", "chunker.kind.kind", "chunker.k1", "chunkr.size", "chunker.size.kind", "preprocess.0",
     "embedder.args"],
)  # fmt: skip
def test_value_is_nothing_where_there_is_none(name):
    assert RagConfig.parse(FULL).value(name) is NOTHING


def test_a_missing_stage_has_no_kind_and_no_fields():
    config = RagConfig.parse({})
    assert config.value("reranker") is None
    assert config.value("reranker.kind") is None
    assert config.value("reranker.candidates") is NOTHING


def test_explicit_fields_survive_a_change_of_kind_where_both_have_them():
    config = RagConfig.parse({"chunker": {"kind": "recursive", "size": 300}})
    changed = config.override({"chunker.kind": "fixed"})
    assert (changed.chunker.kind, changed.chunker.size) == ("fixed", 300)
    window = config.override({"chunker.kind": "sentence-window"})
    assert window.chunker.model_fields_set == set()


def test_a_bare_name_is_a_kind():
    config = RagConfig.parse({"embedder": {"kind": "minilm", "max_tokens": 128}})
    assert config.override({"embedder": "minilm"}) == config
    lsa = config.override({"embedder": "lsa", "embedder.dimensions": 8})
    assert (lsa.embedder.kind, lsa.embedder.dimensions) == ("lsa", 8)
    nested = RagConfig.parse(FULL).override({"retriever.sparse": "bm25"})
    assert nested.retriever.sparse.k1 == 2.0


def test_null_removes_a_stage_and_a_kind_adds_one():
    config = RagConfig.parse(FULL)
    for name in ("reranker", "reranker.kind"):
        assert config.override({name: None}).reranker is None
    assert RagConfig.parse({}).override({"reranker": "lexical"}).reranker.kind == "lexical"
    added = RagConfig.parse({}).override({"reranker.kind": "lexical", "reranker.window": 9})
    assert added.reranker.window == 9


def test_nested_fields_keep_their_neighbours():
    changed = RagConfig.parse(FULL).override({"retriever.sparse.b": 0.1, "retriever.top_k": 3})
    assert (changed.retriever.sparse.k1, changed.retriever.sparse.b) == (2.0, 0.1)
    assert changed.retriever.dense.diversity == 0.4
    assert changed.retriever.top_k == 3


def test_nested_fields_of_a_new_kind_start_from_its_defaults():
    changed = RagConfig.parse({}).override(
        {"retriever.kind": "hybrid", "retriever.sparse.k1": 0.9, "retriever.dense.kind": "mmr"}
    )
    assert changed.retriever.sparse.k1 == 0.9
    assert changed.retriever.dense.kind == "mmr"


def test_preprocess_takes_a_subset_and_keeps_what_is_configured():
    config = RagConfig.parse(FULL)
    changed = config.override({"preprocess": ("lowercase", "unicode", "whitespace")})
    assert [step.kind for step in changed.preprocess] == ["lowercase", "unicode", "whitespace"]
    assert changed.preprocess[2].blank_lines == 3
    assert config.override({"preprocess": ()}).preprocess == ()


def test_arguments_of_a_llama_index_class_are_parameters_too():
    config = RagConfig.parse(
        {"embedder": {"kind": "llama-index", "path": "m:C", "args": {"model": "a", "n": 1}}}
    )
    changed = config.override({"embedder.args.model": "b"})
    assert changed.embedder.args == {"model": "b", "n": 1}
    assert config.value("embedder.args.model") == "a"


@pytest.mark.parametrize(
    ("params", "blamed", "words"),
    [
        ({"chunkr.size": 3}, "chunkr.size", "Did you mean 'chunker'?"),
        ({"chunker.siz": 3}, "chunker.siz", "Did you mean 'size'?"),
        ({"chunker.kind": "sentense"}, "chunker.kind", "Did you mean 'sentence'?"),
        ({"embedder": "minilmm"}, "embedder", "Did you mean 'minilm'?"),
        ({"retriever.k1": 1.0}, "retriever.k1", "`when: {retriever.kind: [bm25]}`"),
        ({"reranker.candidates": 3}, "reranker.candidates", "`when: {reranker.kind: [...]}`"),
        ({"reranker": None, "reranker.window": 3}, "reranker.window", "has no reranker"),
        ({"chunker.size.x": 3}, "chunker.size.x", "plain value"),
        ({"chunker.size": 3, "chunker.size.x": 3}, "chunker.size.x", "value of its own"),
        ({"preprocess.indent": True}, "preprocess.indent", "list of steps"),
        ({"chunker.size": 100, "chunker.overlap": 200}, "chunker.overlap", "must be smaller"),
        ({"retriever.top_k": 0}, "retriever.top_k", "greater than or equal to 1"),
        ({"embedder": "lsa", "embedder.kind": "lsa"}, "embedder.kind", "given twice"),
        ({"retriever": 5}, "retriever", "got 5"),
        ({"kind": "rag"}, "kind", "no stage 'kind'"),
        ({"chunker": None}, "chunker", "chunker"),
        ({"embedder.kind": "llama-index"}, "embedder.kind", "embedder.path: Field required"),
    ],
)
def test_what_is_wrong_is_one_sentence_about_one_parameter(params, blamed, words):
    with pytest.raises(ConfigError) as caught:
        RagConfig.parse({}).override(params)
    assert words in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.field == (blamed,)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"chunkers": "fixed"}, "Did you mean 'chunker'?"),
        ({"chunker": "fixd"}, "Did you mean 'fixed'?"),
        ({"chunker": {"size": 5}}, "needs a `kind`"),
        ({"retriever": {"kind": "hybrid", "sparse": {"kind": "bm25", "top_k": 3}}}, "no effect"),
    ],
)
def test_a_bad_configuration_is_refused(data, words):
    with pytest.raises(ConfigError, match="pipeline") as caught:
        RagConfig.parse(data, ("pipeline",))
    assert words in caught.value.message


def test_tree_nests_names_in_any_order():
    assert tree({"a.b": 1, "a.c": 2, "d": 3}) == {"a": {"b": 1, "c": 2}, "d": 3}
    assert tree({"a.b": 1, "a": "x"}) == {"a": {"kind": "x", "b": 1}}
    assert tree({"a.b.c": 1, "a.b": None}) == {"a": {"b": {"kind": None, "c": 1}}}
