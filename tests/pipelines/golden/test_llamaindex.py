import json
import warnings
from pathlib import Path
from typing import Any

import pytest

from pipelines.golden import GoldenSet, load_golden
from pipelines.types import Corpus, Document, Span
from raytuner.component import ConfigError

CORPUS = Corpus(
    (
        Document("a.txt", "Alpha beta.\nGamma. Twice here."),
        Document("b.txt", "Delta. Twice here."),
    )
)


def load(tmp_path: Path, data: Any, corpus: Corpus | None = CORPUS) -> tuple[Corpus, GoldenSet]:
    (tmp_path / "d.json").write_text(json.dumps(data))
    return load_golden("d.json", corpus, tmp_path)


def test_a_query_response_dataset_saved_by_llama_index(tmp_path: Path) -> None:
    from llama_index.core.evaluation import QueryResponseDataset

    with warnings.catch_warnings(record=True):  # the class is deprecated, its files are not
        dataset = QueryResponseDataset.from_qr_pairs([("What?", "That."), ("Why?", "")])
    dataset.save_json(str(tmp_path / "d.json"))
    _, golden = load_golden("d.json", CORPUS, tmp_path)
    assert [(q.id, q.text, q.answer, q.evidence) for q in golden.questions] == [
        ("0", "What?", "That.", ()),
        ("1", "Why?", None, ()),
    ]
    assert golden.warnings == (
        "no question of d.json has evidence, so retrieval cannot be scored on it",
    )


def example(**fields: Any) -> dict[str, Any]:
    return {
        "query": "What?",
        "query_by": {"model_name": "", "type": "human"},
        "reference_contexts": ["Alpha beta. Gamma."],
        "reference_answer": "That.",
        "reference_answer_by": None,
        **fields,
    }


def test_contexts_of_a_labelled_rag_dataset_are_found_as_quotes(tmp_path: Path) -> None:
    second = example(query="Both?", reference_contexts=["Twice here.", "Delta."])
    third = example(query="None?", reference_contexts=None, reference_answer="")
    _, golden = load(tmp_path, {"examples": [example(), second, third]})
    assert [(q.text, q.evidence, q.answer, q.group) for q in golden.questions] == [
        ("What?", ((Span(0, 0, 18),),), "That.", "a.txt"),
        ("Both?", ((Span(0, 19, 30), Span(1, 7, 18)), (Span(1, 0, 6),)), "That.", "a.txt"),
        ("None?", (), None, ""),
    ]
    (warning,) = golden.warnings
    assert "1 question's reference context(s) occur in several places" in warning
    _, again = load(tmp_path, {"examples": [third, example(), second]})
    assert {q.id for q in again.questions} == {q.id for q in golden.questions}


def test_mistakes_in_a_labelled_rag_dataset_are_located(tmp_path: Path) -> None:
    cases: list[tuple[Any, str]] = [
        ([example(reference_contexts=["Omega."])], "example 1: the quote 'Omega.' is in none"),
        ([example(), example()], "occurs twice, at example 1 and at example 2"),
        ([example(query="")], "example 1: 'query' is empty"),
        ([example(reference_contexts="x")], "'reference_contexts' must be a list of strings"),
        (["x"], "example 1: expected an object"),
        ({}, "'examples' must be a list"),
        ([], "holds no question"),
    ]
    for examples, message in cases:
        with pytest.raises(ConfigError, match=message):
            load(tmp_path, {"examples": examples})


PAIRS = {
    "queries": {"q1": "What?", "q2": "Why?"},
    "corpus": {"n2": "Gamma. Twice", "n1": "Alpha  beta."},
    "relevant_docs": {"q1": ["n1"], "q2": ["n2", "n1"]},
    "mode": "text",
}


def test_an_embedding_dataset_brings_its_corpus(tmp_path: Path) -> None:
    corpus, golden = load(tmp_path, PAIRS, corpus=None)
    assert [d.name for d in corpus] == ["n1", "n2"]
    assert [q.evidence for q in golden.questions] == [
        ((Span(0, 0, 12),),),
        ((Span(1, 0, 12),), (Span(0, 0, 12),)),
    ]


def test_passages_of_an_embedding_dataset_are_found_in_documents(tmp_path: Path) -> None:
    corpus, golden = load(tmp_path, PAIRS)
    assert corpus is CORPUS
    assert golden.questions[1].evidence == ((Span(0, 12, 24),), (Span(0, 0, 11),))


def test_mistakes_in_an_embedding_dataset_are_located(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"relevant_docs\['q1'\]: there is no passage 'n3'"):
        load(tmp_path, {**PAIRS, "relevant_docs": {"q1": ["n3"]}}, None)
    with pytest.raises(ConfigError, match=r"relevant_docs\['q1'\] must be a list of ids"):
        load(tmp_path, {**PAIRS, "relevant_docs": {"q1": "n1"}}, None)
    with pytest.raises(ConfigError, match="'corpus' must be an object of strings by id"):
        load(tmp_path, {**PAIRS, "corpus": ["n1"]}, None)
    with pytest.raises(ConfigError, match=r"corpus\['n1'\]: the passage 'n1' has no text"):
        load(tmp_path, {**PAIRS, "corpus": {"n1": " ", "n2": "x"}}, None)


def test_the_classes_that_save_these_files_where_they_are_installed(tmp_path: Path) -> None:
    reason = "this llama-index-core has no llama_dataset"
    module = pytest.importorskip("llama_index.core.llama_dataset", reason=reason)
    rag = module.LabelledRagDataExample(
        query="What?", reference_contexts=["Delta."], reference_answer="That."
    )
    module.LabelledRagDataset(examples=[rag]).save_json(str(tmp_path / "d.json"))
    _, golden = load_golden("d.json", CORPUS, tmp_path)
    assert golden.questions[0].evidence == ((Span(1, 0, 6),),)
    legacy = pytest.importorskip("llama_index.core.llama_dataset.legacy.embedding", reason=reason)
    legacy.EmbeddingQAFinetuneDataset(**PAIRS).save_json(str(tmp_path / "d.json"))
    _, golden = load_golden("d.json", None, tmp_path)
    assert len(golden.questions) == 2


def test_other_json_is_refused_with_the_shapes_that_are_known(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no LlamaIndex dataset: expected .*; got queries"):
        load(tmp_path, {"queries": {}})
    with pytest.raises(ConfigError, match="got list"):
        load(tmp_path, [1])
    (tmp_path / "d.json").write_text('{"queries": {"1": "a", "1": "b"}, "responses": {}}')
    with pytest.raises(ConfigError, match="the key '1' occurs twice"):
        load_golden("d.json", CORPUS, tmp_path)
