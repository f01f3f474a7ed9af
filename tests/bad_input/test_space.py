"""Spaces that are empty, impossible, or no part of the pipeline."""

import pytest

SPACES = {
    "no parameter": ({}, "line 18: space: it has no parameter: name at least one"),
    "nothing": (None, "space: give a mapping of parameter names to domains, got 'None'"),
    "a list": (["chunker.size"], "space: give a mapping of parameter names to domains"),
    "unknown parameter": (
        {"chunker.siez": {"choice": [16]}},
        "line 19: space: chunker.siez: Chunker 'fixed' has no 'siez'",
        "Did you mean 'size'?",
    ),
    "unknown stage": (
        {"chunkr.size": {"choice": [16]}},
        "line 19: space: chunkr.size: the pipeline has no stage 'chunkr'",
        "Did you mean 'chunker'?",
    ),
    "stage that is not used": (
        {"reranker.candidates": {"choice": [5]}},
        "this configuration has no reranker; add `when: {reranker.kind: [...]}`",
    ),
    "unknown kind": (
        {"chunker.kind": {"choice": ["fixd"]}},
        "line 19: space: chunker.kind: no Chunker of kind 'fixd'",
        "Did you mean 'fixed'?",
    ),
    "no value": (
        {"chunker.size": {"choice": []}},
        "chunker.size: choice is empty: list at least one",
    ),
    "one value, no list": ({"chunker.size": {"choice": 16}}, "choice takes a list, not 16"),
    "a value twice": ({"chunker.size": {"choice": [16, 16]}}, "choice lists 16 twice: remove one"),
    "bounds swapped": ({"chunker.size": {"int": [16, 3]}}, "int low 16 is above high 3: swap them"),
    "unknown domain": (
        {"chunker.size": {"chioce": [16]}},
        "it needs exactly one of int, float, choice, bool, subset",
        "Did you mean 'choice'?",
    ),
    "not a number": (
        {"retriever.min_score": {"choice": [float("nan")]}},
        "nan is no finite 64-bit",
    ),
    "overlap as large as the chunk": (
        {
            "retriever.top_k": {"choice": [1]},
            "chunker.size": {"choice": [32, 16]},
            "chunker.overlap": {"choice": [0, 16]},
        },
        "line 26: space: chunker: chunker.overlap (16) must be smaller than chunker.size (16): ",
        "change the values, or rule the combination out in `constraints`",
    ),
    "no hit": (
        {"retriever.top_k": {"choice": [1, 0]}},
        "line 19: space: retriever.top_k: Input should be greater than or equal to 1, got 0",
    ),
    "fewer than no hit": ({"retriever.top_k": {"int": [-1, 1]}}, "retriever.top_k", "got -1"),
    "hits in words": ({"retriever.top_k": {"choice": ["two"]}}, "valid integer", "got 'two'"),
    "parameter and its parent": (
        {"chunker.size": {"choice": [16]}, "chunker.size.more": {"choice": [16]}},
        "chunker.size.more: 'size' is given a value of its own too",
    ),
}


@pytest.mark.parametrize("case", SPACES)
def test_a_space_in_which_nothing_can_be_tried(tiny, refused, case):
    space, *messages = SPACES[case]
    tiny.write(space=space)

    error = refused()

    assert "study.yaml, line " in error
    for message in messages:
        assert message in error


CONSTRAINTS = {
    "impossible": (["chunker.size > 1000"], "no point satisfies 'chunker.size > 1000': widen"),
    "unknown parameter": (
        ["chunker.sise > 3"],
        "no parameter is called 'chunker.sise'",
        "chunker.size",
    ),
    "half a comparison": (["chunker.size >"], "it ends where a parameter or a value should follow"),
    "no list": (
        "chunker.size > 3",
        "constraints: give a list of comparisons, got 'chunker.size > 3'",
    ),
}


@pytest.mark.parametrize("case", CONSTRAINTS)
def test_a_constraint_that_is_wrong(tiny, refused, case):
    constraints, *messages = CONSTRAINTS[case]
    tiny.write(constraints=constraints)

    error = refused()

    for message in messages:
        assert message in error


PIPELINES = {
    "unknown stage": (
        {"chunkr": "fixed"},
        "a pipeline has no such stage",
        "Did you mean 'chunker'?",
    ),
    "unknown kind": (
        {"chunker": {"kind": "fixd"}},
        "objective.pipeline.chunker: no Chunker of kind 'fixd'",
        "Did you mean 'fixed'?",
    ),
    "unknown field": (
        {"chunker": {"kind": "fixed", "siez": 3}},
        "Chunker 'fixed' has no field 'siez'; it has: size, overlap, tokenizer.",
        "Did you mean 'size'?",
    ),
    "overlap as large as the chunk": (
        {"chunker": {"kind": "fixed", "size": 64, "overlap": 64}},
        "chunker.overlap (64) must be smaller than chunker.size (64)",
    ),
    "no hit": (
        {"retriever": {"kind": "bm25", "top_k": 0}},
        "objective.pipeline.retriever.top_k: Input should be greater than or equal to 1, got 0",
    ),
    "a text": ("fixed", "objective.pipeline: give stages such as `chunker: sentence`, got 'fixed'"),
}


@pytest.mark.parametrize("case", PIPELINES)
def test_a_pipeline_that_cannot_be_built(tiny, refused, case):
    pipeline, *messages = PIPELINES[case]
    tiny.write(objective__pipeline=pipeline)

    error = refused()

    assert "study.yaml, line " in error
    for message in messages:
        assert message in error


METRICS = {
    "unknown": (
        ["recal"],
        "objective.metrics.0: no Metric of kind 'recal'",
        "Did you mean 'recall'?",
    ),
    "twice": (["recall", "recall"], "objective.metrics: recall is listed twice"),
    "none": ([], "objective.metrics: Tuple should have at least 1 item"),
    "no list": ("recall", "objective.metrics: give a list such as [recall, ndcg@10], got 'recall'"),
    "depth of nothing": (["ndcg@0"], "metric 'ndcg@0': k: Input should be greater", "got 0"),
    "answers without generator": (
        ["recall", "token-f1"],
        "token-f1 compares answers, but the pipeline has no generator; add `generator: extractive`",
    ),
}


@pytest.mark.parametrize("case", METRICS)
def test_metrics_that_cannot_be_measured(tiny, refused, case):
    metrics, *messages = METRICS[case]
    tiny.write(objective__metrics=metrics, metric=tiny.MISSING)

    error = refused()

    for message in messages:
        assert message in error
