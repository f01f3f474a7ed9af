"""The winner rebuilt from its export: the same hits as the tuned trial, for any question."""

import json

import pytest
from ruamel.yaml import YAML

import pipelines
from pipelines import AnsweringPipeline, RagObjective, load_pipeline
from pipelines.golden import load_golden
from pipelines.pipeline import Pipeline
from raytuner import load_study, run
from raytuner.component import ConfigError
from raytuner.export import configuration
from raytuner.objective import Tally
from raytuner.results import Results

STUDY = {
    "version": 1,
    "name": "rebuilt",
    "space": {
        "chunker.size": {"choice": [24, 96]},
        "preprocess": {"subset": ["lowercase", "whitespace"]},
        "retriever.kind": {"choice": ["bm25", "hybrid"]},
        "retriever.sparse.k1": {"choice": [0.9], "when": {"retriever.kind": "hybrid"}},
        "retriever.top_k": {"choice": [3]},
    },
}
PIPELINES = [
    {},
    {"embedder": "lsa", "match": "sentences"},
    {"retriever": {"kind": "hybrid", "fusion": "min-max"}, "reranker": "late-interaction"},
    {"retriever": "mmr", "embedder": "tfidf", "generator": "extractive"},
    {"chunker": "sentence-window", "preprocess": ["lowercase"], "reranker": "lexical"},
    {"match": "sentences", "retriever": {"kind": "dense", "min_score": 0.9}},
]


def write_yaml(path, data):
    with path.open("w") as file:
        YAML(typ="safe", pure=True).dump(data, file)
    return path


def responses_of(objective, params):
    """Give the tuned trial's response to every golden question."""
    space = objective.workspace
    pipeline = Pipeline(space.library(objective.config.override(params), Tally()))
    return dict(zip(space.queries, pipeline.respond(range(len(space.queries))), strict=True))


def test_the_exported_winner_finds_what_the_trial_found(handbook):
    section = {"kind": "rag", **handbook.section, "pipeline": {"embedder": "lsa"}}
    study = write_yaml(handbook.root / "study.yaml", {**STUDY, "objective": section})
    run(load_study(study), handbook.root)
    results = Results.open(handbook.root / "runs" / "rebuilt")
    best = handbook.root / "best.yaml"
    best.write_text(configuration(results))

    objective = RagObjective.build(
        {**handbook.section, "pipeline": {"embedder": "lsa"}}, root=handbook.root, seed=0
    )
    tuned = responses_of(objective, results.best.params)
    rebuilt = load_pipeline(best, "docs", cache="cache", root=handbook.root)
    assert rebuilt.config == objective.config.override(results.best.params)
    for question, response in list(tuned.items())[::5]:
        assert rebuilt.retrieve(question) == response.hits
        assert len(response.hits) == rebuilt.config.retriever.top_k
    together = rebuilt.ask_many(list(tuned))
    assert [response.hits for response in together] == [r.hits for r in tuned.values()]


@pytest.mark.parametrize("config", PIPELINES)
def test_every_pipeline_answers_one_by_one_as_in_its_trial(handbook, config):
    config = {"chunker": {"kind": "sentence", "size": 24}, **config}
    metrics = ["token-f1"] if "generator" in config else ["recall"]
    section = {**handbook.section, "pipeline": config, "metrics": metrics}
    objective = RagObjective.build(section, root=handbook.root, seed=0)
    tuned = responses_of(objective, {})
    rebuilt = load_pipeline(
        objective.export({}), "docs", cache=handbook.root / "cache", root=handbook.root
    )
    for question, response in list(tuned.items())[::9]:
        assert rebuilt.answer(question) == response


def test_it_takes_any_question(handbook):
    pipeline = load_pipeline({"retriever": "bm25"}, "docs", cache="c", root=handbook.root)
    assert isinstance(pipeline, AnsweringPipeline)
    hits = pipeline.retrieve("What colour has the valve in the attic?")
    assert pipeline.corpus.documents[hits[0].doc].name == "valve.md"
    text = pipeline.corpus.documents[hits[0].doc].text
    assert text[hits[0].start : hits[0].end] == hits[0].text
    assert pipeline.retrieve("xyzzy") == ()
    assert pipeline.ask_many([]) == []


def test_questions_leave_no_rankings_behind(handbook):
    pipeline = load_pipeline({"embedder": "lsa"}, "docs", cache="c", root=handbook.root)
    pipeline.retrieve("What is the price of the pump?")
    before = sorted(handbook.root.glob("c/artifacts/*/*"))
    pipeline.retrieve("What is the weight of the pump?")
    assert sorted(handbook.root.glob("c/artifacts/*/*")) == before


def test_the_user_cache_is_the_default(handbook, monkeypatch):
    monkeypatch.setenv("RAYTUNER_CACHE", str(handbook.root / "own"))
    monkeypatch.chdir(handbook.root)
    load_pipeline({"retriever": "bm25"}, "docs").retrieve("pump")
    assert list((handbook.root / "own" / "artifacts").glob("*/*"))


def test_documents_may_be_a_corpus_a_list_or_a_sample(handbook, tmp_path):
    corpus, golden = load_golden("golden.jsonl", _corpus(handbook), handbook.root)
    question = golden.questions[0].text
    folder = load_pipeline({"retriever": "bm25"}, "docs", cache="c", root=handbook.root)
    names = [f"docs/{name}.md" for name in ("pump", "valve", "boiler")]
    for documents in (corpus, names, handbook.root / "docs"):
        other = load_pipeline({"retriever": "bm25"}, documents, cache="c", root=handbook.root)
        assert other.retrieve(question) == folder.retrieve(question)
    sample = load_pipeline({"retriever": "bm25"}, "sample:python-api", cache="c", root=tmp_path)
    assert sample.retrieve("How do I read a CSV file?")


def _corpus(handbook):
    return load_pipeline({}, "docs", cache="c", root=handbook.root).corpus


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("chunker: {kind: fixd}\n", "Did you mean 'fixed'?"),
        ("chunkr: fixed\n", "Did you mean 'chunker'?"),
        ("- a\n- b\n", "as `raytuner export` writes them"),
        ("chunker: {kind: fixed\n", "line 2: not valid YAML"),
        ("chunker: fixed\nchunker: token\n", "line 2"),
        ("", "NoneType"),
    ],
)
def test_a_bad_file_is_refused(handbook, text, words):
    path = handbook.root / "best.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_pipeline(path, "docs", root=handbook.root)
    assert words in caught.value.message
    assert "\n" not in caught.value.message


def test_a_missing_file_is_named(handbook):
    with pytest.raises(ConfigError, match=r"none\.yaml cannot be read"):
        load_pipeline(handbook.root / "none.yaml", "docs", root=handbook.root)


def test_the_package_names_its_parts_without_importing_them():
    assert "load_pipeline" in dir(pipelines)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        pipelines.nothing  # noqa: B018


def test_an_export_is_plain_yaml(handbook):
    section = {**handbook.section, "pipeline": {"reranker": "lexical"}}
    objective = RagObjective.build(section, root=handbook.root, seed=0)
    exported = objective.export({"preprocess": ("lowercase",)})
    assert json.loads(json.dumps(exported)) == exported
