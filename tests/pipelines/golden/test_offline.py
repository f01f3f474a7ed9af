import json

import pytest

from pipelines import samples
from pipelines.golden import filters, load_golden
from pipelines.golden.growing import GoldenFile, Wanted
from pipelines.golden.offline import GENERATED, drafts, write_offline
from pipelines.types import Corpus, Document

MANUAL = """# Shop manual

A voucher is a code that lowers the price of an order. It is a nice thing to have around.

## Refunds

Refunds are paid within 14 working days of the request.
The service desk was opened in March 2019 after long talks.
All complaints are handled by Margaret Hollis in person.

```
The code is a block that nobody reads at all.
```

`close_order()` ends an order and tells the warehouse about it.

Wages
-----

Everybody here is paid fairly and at the end of every month.
"""


def corpus(*texts):
    return Corpus(tuple(Document(f"d{n}.md", text) for n, text in enumerate(texts)))


def written(docs, tmp_path, *, name="g.jsonl", **wanted):
    path = tmp_path / name
    progress = write_offline(docs, GoldenFile(path), Wanted(**{"questions": 1000, **wanted}))
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return progress, [json.loads(line) for line in lines]


def test_every_template_says_what_the_sentence_says():
    made = {draft.tags[1]: (draft.question, draft.answer) for draft in drafts(corpus(MANUAL))}
    assert made == {
        "template:definition": (
            "What is a voucher?",
            "a code that lowers the price of an order",
        ),
        "template:number": (
            (
                "How many working days, according to Shop manual, Refunds: "
                "“Refunds are paid within … working days of the request”?"
            ),
            "14",
        ),
        "template:date": (
            (
                "When, according to Shop manual, Refunds: "
                "“The service desk was opened in … after long talks”?"
            ),
            "March 2019",
        ),
        "template:entity": (
            (
                "Who or what, according to Shop manual, Refunds: "
                "“All complaints are handled by … in person”?"
            ),
            "Margaret Hollis",
        ),
        "template:identifier": (
            "What does `close_order()` do?",
            "ends an order and tells the warehouse about it",
        ),
        "template:heading": (
            "What does d0.md say on Shop manual, Wages?",
            "Everybody here is paid fairly and at the end of every month.",
        ),
    }


def test_every_question_on_the_sample_resolves(tmp_path):
    docs, _ = samples.load("python-api")
    progress, kept = written(docs, tmp_path, questions=120)
    assert progress.kept == len(kept) == 120
    assert len({record["id"] for record in kept}) == 120
    _, golden = load_golden("g.jsonl", docs, tmp_path)
    for question in golden.questions:
        ((span,),) = question.evidence
        evidence = docs.documents[span.doc].text[span.start : span.end]
        assert " ".join(question.answer.split()) in " ".join(evidence.split())
        assert GENERATED in question.tags
    assert len({record["group"] for record in kept}) == len(docs)


def test_the_seed_decides_and_ids_are_stable(tmp_path):
    docs, _ = samples.load("python-api")
    first = written(docs, tmp_path, name="a.jsonl", questions=40)[1]
    again = written(docs, tmp_path, name="b.jsonl", questions=40)[1]
    other = written(docs, tmp_path, name="c.jsonl", questions=40, seed=1)[1]
    assert first == again
    assert first != other
    ids = {record["question"]: record["id"] for record in first}
    assert all(ids.get(record["question"], record["id"]) == record["id"] for record in other)


def test_a_longer_run_goes_on_behind_a_shorter_one(tmp_path):
    docs, _ = samples.load("python-api")
    short = written(docs, tmp_path, questions=10)[1]
    progress, longer = written(docs, tmp_path, questions=30)
    assert longer[:10] == short
    assert (progress.there, progress.kept) == (10, 20)
    assert longer == written(docs, tmp_path, name="at-once.jsonl", questions=30)[1]


def test_a_question_with_two_answers_is_dropped(tmp_path):
    docs = corpus(
        "A voucher is a code that lowers the price of an order.",
        "A voucher is a piece of paper that nobody wants to have.",
    )
    progress, kept = written(docs, tmp_path)
    assert kept == []
    assert progress.dropped == {filters.AMBIGUOUS: 2}


def test_questions_per_document_have_a_limit(tmp_path):
    _, kept = written(corpus(MANUAL, "# Other\n\n" + MANUAL), tmp_path, per_document=2)
    assert len(kept) <= 4
    groups = [record["group"] for record in kept]
    assert max(groups.count(name) for name in groups) <= 2


@pytest.mark.parametrize(
    "text", ["", "# Heading only", "| a | b |\n| 1 | 2 |", "x = 1; y = 2\n" * 9]
)
def test_what_is_no_prose_brings_no_question(text):
    assert list(drafts(corpus(text))) == []
