"""Documents and golden sets that are missing, damaged, or do not fit together."""

import pytest

GOLDEN = {
    "empty": ("", "golden.jsonl holds no question"),
    "blank lines": ("\n \n", "golden.jsonl holds no question"),
    "one id twice": (
        '{"id": "q1", "question": "a"}\n{"id": "q1", "question": "b"}\n',
        "golden.jsonl: the question id 'q1' occurs twice, at line 1 and at line 2",
    ),
    "quote that is nowhere": (
        '{"id": "q1", "question": "a", "evidence": [{"quote": "nowhere"}]}',
        "golden.jsonl, line 1, evidence 1: the quote 'nowhere' is in none of the 3 documents",
    ),
    "quote that is ambiguous": (
        '{"id": "q1", "question": "a", "evidence": [{"quote": "are"}]}',
        "golden.jsonl, line 1, evidence 1: the quote 'are' is in 2 places, 'c.md' at",
    ),
    "document that is not there": (
        '{"id": "q1", "question": "a", "evidence": [{"doc": "a.mdd"}]}',
        "there is no document 'a.mdd' among the 3 of the corpus. Did you mean 'a.md'?",
    ),
    "offsets beyond the end": (
        '{"id": "q1", "question": "a", "evidence": [{"doc": "a.md", "start": 5, "end": 5000}]}',
        "start 5 and end 5000 are no characters of 'a.md'",
    ),
    "unknown field": (
        '{"id": "q1", "question": "a", "evidnce": []}',
        "golden.jsonl, line 1: unknown field 'evidnce'",
    ),
    "malformed JSON": (
        '{"id": "q1", "question": "a"}\n{"id": "q2",\n',
        "golden.jsonl, line 2, column ",
    ),
    "Latin-1": (
        '{"id": "q1", "question": "caf\xe9"}'.encode("latin-1"),
        "golden.jsonl is not UTF-8: byte 0xe9 at byte offset 29 is invalid; save the file as UTF-8",
    ),
    "UTF-16": ('{"id": "q1"}'.encode("utf-16"), "golden.jsonl is UTF-16 text; save it as UTF-8"),
    "binary": (b"\x89PNG\x00\x01", "golden.jsonl is binary, not text"),
    "no evidence": (
        '{"id": "q1", "question": "a"}',
        "objective: there is nothing to score, none of its questions has what the metrics compare",
    ),
}


@pytest.mark.parametrize(("content", "message"), GOLDEN.values(), ids=GOLDEN)
def test_a_golden_set_that_cannot_be_used(tiny, refused, content, message):
    tiny.file("golden.jsonl", content)

    assert message in refused()


SOURCES = {
    "golden set missing": (
        {"golden": "goldn.jsonl"},
        "study.yaml, line 6: objective.golden: 'goldn.jsonl' not found: there is no ",
    ),
    "golden set not named": (
        {"golden": None},
        "objective.golden: give the file or folder of questions",
    ),
    "golden set by number": (
        {"golden": 3},
        "objective.golden: give the file or folder of questions, got 3",
    ),
    "unknown format": (
        {"golden": {"path": "golden.jsonl", "format": "jsnl"}},
        "unknown golden format 'jsnl'; known: jsonl, csv",
    ),
    "unknown field": (
        {"golden": {"path": "golden.jsonl", "fromat": "jsonl"}},
        "golden: unknown field 'fromat'; known: path, format, split. Did you mean 'format'?",
    ),
    "golden set outside": (
        {"golden": "../../golden.jsonl"},
        "objective.golden: the path '../../golden.jsonl' leads out of the folder of the study",
    ),
    "documents missing": (
        {"documents": "dosc"},
        "study.yaml, line 5: objective.documents: 'dosc' not found: there is no ",
    ),
    "documents outside": (
        {"documents": "../../docs"},
        "objective.documents: the path '../../docs' leads out of the folder of the study",
    ),
    "one of the documents missing": (
        {"documents": ["docs", "dosc"]},
        "objective.documents: 'dosc' not found",
    ),
    "no documents": ({"documents": []}, "no documents in an empty list"),
    "documents not named": ({"documents": None}, "give `documents:` in the study"),
    "glob without match": ({"documents": "docs/*.pdf"}, "no file matches 'docs/*.pdf'"),
    "cache outside": (
        {"cache": "../../cache"},
        "objective.cache: the path '../../cache' leads out of the folder of the study",
    ),
    "unknown sample": (
        {"documents": None, "golden": "sample:pyhton-api"},
        "there is no sample 'pyhton-api'; known: python-api. Did you mean 'python-api'?",
    ),
    "unknown source": (
        {"documants": "docs"},
        "objective.documants: a rag objective has no such field",
        "Did you mean 'documents'?",
    ),
}


@pytest.mark.parametrize("case", SOURCES)
def test_a_source_that_is_not_there(tiny, refused, case):
    fields, *messages = SOURCES[case]
    tiny.write(**{f"objective__{name}": value for name, value in fields.items()})

    error = refused()

    for message in messages:
        assert message in error


def test_a_folder_without_documents(tiny, refused):
    (tiny.folder / "empty").mkdir()
    tiny.write(objective__documents="empty")

    assert "no documents in empty: looked for files ending in .adoc" in refused()


DOCUMENTS = {
    "empty": (b"", "docs/d.md is empty: there is no text in it"),
    "blank": (b" \n\n", "docs/d.md is empty: there is no text in it"),
    "binary": (b"text\x00", "docs/d.md is binary, not text: it has a zero byte at byte offset 4"),
    "Latin-1": ("caf\xe9".encode("latin-1"), "docs/d.md is not UTF-8: byte 0xe9 at byte offset 3"),
    "UTF-16": ("hello".encode("utf-16"), "docs/d.md is UTF-16 text; save it as UTF-8"),
}


@pytest.mark.parametrize(("content", "message"), DOCUMENTS.values(), ids=DOCUMENTS)
def test_a_document_that_cannot_be_read(tiny, refused, content, message):
    tiny.file("docs/d.md", content)

    assert message in refused()


def test_a_link_that_leads_out_of_the_study(tiny, refused, tmp_path):
    (tmp_path / "secret.md").write_text("secret")
    (tiny.folder / "docs" / "link.md").symlink_to(tmp_path / "secret.md")

    assert "docs/link.md' leads out of the folder of the study" in refused()


def test_data_are_read_anew_by_the_next_run_of_a_process(tiny, raytuner):
    first = raytuner("run")
    golden = tiny.folder / "golden.jsonl"
    golden.write_text("".join(golden.read_text().splitlines(keepends=True)[:3]))

    second = raytuner("run")

    assert first.code == second.code == 0
    assert "cannot tell" in first.out
    assert " 6 questions" in first.out
    assert " 3 questions" in second.out
