import pytest

from pipelines.golden.passages import Judged, Passage, resolve_passages
from pipelines.types import Corpus, Document, Span
from raytuner.component import ConfigError

PASSAGES = [Passage("p", "one", "row 1"), Passage("q", "two", "row 2", "Title")]


def test_without_documents_the_passages_are_the_corpus() -> None:
    wanted = [("line 1", ((Judged("p", 3), Judged("q")),)), ("line 2", ())]
    corpus, evidence, warnings = resolve_passages(PASSAGES, wanted, None, "set")
    assert [(d.name, d.text, d.metadata) for d in corpus] == [
        ("p", "one", {}),
        ("q", "Title\n\ntwo", {"title": "Title"}),
    ]
    assert evidence == [((Span(0, 0, 3, 3), Span(1, 0, 10, 1)),), ()]
    assert warnings == []


def test_a_document_of_the_same_name_is_preferred() -> None:
    documents = Corpus((Document("o", "one"), Document("p", "x one")))
    _, evidence, _ = resolve_passages(PASSAGES, [("l", ((Judged("p"),),))], documents, "set")
    assert evidence == [((Span(1, 2, 5),),)]


def test_an_empty_set_of_passages_is_refused() -> None:
    with pytest.raises(ConfigError, match="set holds no passage"):
        resolve_passages([], [], None, "set")
