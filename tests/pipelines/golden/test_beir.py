from pathlib import Path

import pytest

from pipelines.golden import load_golden
from pipelines.types import Corpus, Document, Span
from raytuner.component import ConfigError

FILES = {
    "corpus.jsonl": '{"_id": "d2", "title": "", "text": "Gamma."}\n'
    '{"_id": "d1", "title": "Title", "text": "Alpha."}\n{"_id": "d3", "text": ""}\n',
    "queries.jsonl": '{"_id": "q1", "text": "One?"}\n{"_id": "q2", "text": "Two?"}\n'
    '{"_id": "q3", "text": "Three?"}\n',
    "qrels/test.tsv": "query-id\tcorpus-id\tscore\nq1\td1\t2\nq1\td2\t1\nq3\td2\t0\n",
    "qrels/dev.tsv": "query-id\tcorpus-id\tscore\nq2\td2\t1\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_judged_queries_of_the_test_split_are_read(folder: Path) -> None:
    corpus, golden = load_golden(folder, None, folder)
    assert [(d.name, d.text) for d in corpus] == [("d1", "Title\n\nAlpha."), ("d2", "Gamma.")]
    assert [(q.id, q.text, q.evidence) for q in golden.questions] == [
        ("q1", "One?", ((Span(0, 0, 13, 2),), (Span(1, 0, 6, 1),))),
        ("q3", "Three?", ()),
    ]


def test_a_split_can_be_chosen(folder: Path) -> None:
    _, golden = load_golden({"path": ".", "split": "dev"}, None, folder)
    assert [q.id for q in golden.questions] == ["q2"]
    with pytest.raises(ConfigError, match=r"set `split:` to one of dev, test, got 'tset'"):
        load_golden({"path": ".", "split": "tset"}, None, folder)
    (folder / "qrels/test.tsv").rename(folder / "qrels/train.tsv")
    with pytest.raises(ConfigError, match=r"set `split:` to one of dev, train, got None"):
        load_golden(".", None, folder)
    (folder / "qrels/train.tsv").unlink()
    assert len(load_golden(".", None, folder)[1].questions) == 1
    (folder / "qrels/dev.tsv").unlink()
    with pytest.raises(ConfigError, match=r"there is no qrels/\*\.tsv"):
        load_golden(".", None, folder)


def test_passages_are_found_in_the_documents_of_the_study(folder: Path) -> None:
    documents = Corpus((Document("d", "Before Alpha. Gamma."),))
    corpus, golden = load_golden(".", documents, folder)
    assert corpus is documents
    assert golden.questions[0].evidence == ((Span(0, 7, 13, 2),), (Span(0, 14, 20, 1),))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "qrels/test.tsv",
            "query-id\tcorpus-id\tscore\nq9\td1\t1\n",
            "line 2: there is no query 'q9'",
        ),
        ("qrels/test.tsv", "query-id\tcorpus-id\tscore\nq1\td9\t1\n", "there is no passage 'd9'"),
        (
            "qrels/test.tsv",
            "query-id\tcorpus-id\tscore\nq1\td1\tx\n",
            "must be an integer, got 'x'",
        ),
        ("qrels/test.tsv", "q1\td1\t1\n", "no column 'query-id'"),
        ("qrels/test.tsv", "query-id\tcorpus-id\tscore\n", "holds no question"),
        ("queries.jsonl", '{"_id": "q1"}', r"queries\.jsonl line 1: the field 'text' is missing"),
        ("queries.jsonl", '{"_id": "q1", "text": "a"}\n' * 2, "'q1' occurs twice, at .*line 1 and"),
        ("corpus.jsonl", '{"id": "d1"}', r"corpus\.jsonl line 1: the field '_id' is missing"),
    ],
)
def test_mistakes_are_located(folder: Path, name: str, text: str, message: str) -> None:
    (folder / name).write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_golden(".", None, folder)
