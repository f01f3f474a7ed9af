"""Loading a study's data: folders, samples, sets that bring their documents, and complaints."""

import json

import pytest

from pipelines.embedders import TfIdf
from pipelines.workspace import Sources, Workspace, load_corpus, open_cache
from raytuner.component import ConfigError
from raytuner.objective import Tally


def workspace(handbook, **changes):
    fields = {k: v for k, v in handbook.section.items() if k in Sources.model_fields}
    return Workspace(Sources(**{**fields, **changes}), handbook.root, 0)


def test_documents_questions_and_cache_are_found(handbook):
    found = workspace(handbook)
    assert [d.name for d in found.corpus] == ["boiler.md", "pump.md", "valve.md"]
    assert len(found.golden.questions) == len(found.queries) == 36
    assert sorted(found.order) == sorted(found.positions)
    assert found.cache.root == handbook.root / "cache"
    question = found.question("pump-3")
    (span,) = question.evidence[0]
    assert "pump" in found.corpus.documents[span.doc].text[span.start : span.end]


def test_the_cache_is_the_users_own_unless_named(handbook, monkeypatch, tmp_path):
    monkeypatch.setenv("RAYTUNER_CACHE", str(tmp_path / "own"))
    assert workspace(handbook, cache=None).cache.root == tmp_path / "own"
    assert open_cache("here", tmp_path).root == tmp_path / "here"
    with pytest.raises(ConfigError, match="leads out"):
        open_cache("../elsewhere", tmp_path)


def test_a_sample_brings_documents_and_questions(tmp_path):
    sources = Sources(documents="sample:python-api", golden="sample:python-api", cache="c")
    found = Workspace(sources, tmp_path, 0)
    assert len(found.golden.questions) > 200
    corpus, warnings = load_corpus("sample:python-api", tmp_path)
    assert corpus.key == found.corpus.key
    assert warnings == ()


def test_a_sample_asks_about_its_own_documents(handbook):
    with pytest.raises(ConfigError, match="belongs to"):
        workspace(handbook, golden="sample:python-api")


def test_token_starts_are_those_of_the_original_document(handbook):
    found = workspace(handbook)
    starts = found.token_starts("words", 0)
    assert starts is found.token_starts("words", 0)
    assert len(starts) > 100


def test_metrics_embed_through_the_cache(handbook):
    bench = workspace(handbook).bench(Tally())
    texts = ["a warranty of two years", "brass"]
    vectors = bench.embed(TfIdf(), texts)
    assert vectors.shape[0] == 2


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"documents": "dcos"}, "documents", "not found"),
        ({"documents": ("docs", "nothing")}, "documents", "'nothing' not found"),
        ({"documents": "../out"}, "documents", "leads out"),
        ({"golden": "gold.jsonl"}, "golden", "not found"),
        ({"golden": {"path": "gold.jsonl"}}, "golden", "not found"),
        ({"cache": "../c"}, "cache", "leads out"),
    ],
)
def test_paths_are_checked_before_anything_is_read(handbook, changes, field, words):
    with pytest.raises(ConfigError) as caught:
        workspace(handbook, **changes)
    assert words in caught.value.message
    assert caught.value.field[-1] == field


def test_evidence_that_is_not_there_names_file_and_line(handbook):
    golden = handbook.root / "golden.jsonl"
    lines = golden.read_text().splitlines()
    record = json.loads(lines[4])
    record["evidence"] = [{"doc": "pump.md", "quote": "nowhere to be found"}]
    lines[4] = json.dumps(record)
    golden.write_text("\n".join(lines))
    with pytest.raises(ConfigError, match=r"golden\.jsonl, line 5"):
        workspace(handbook)
