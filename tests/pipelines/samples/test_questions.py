"""The golden set: every anchor resolves, and the questions are as varied as they claim to be."""

import itertools
import json
import re
from collections import Counter
from importlib.metadata import version

import pytest
from nltk.stem import PorterStemmer

from pipelines.samples import load, python_api, questions
from raytuner.component import ConfigError

CORPUS, QUESTIONS = load("python-api")
FUNCTION_WORDS = frozenset(
    re.findall(
        r"[a-z]+",
        """about above after again against also although always another any anything are because
    been before being below between both but can cannot could does doing done down during
    each either else ever every for from had has have having here hers herself himself his
    how into itself its just many more most much must myself neither never none nor not off
    once only other others ought our ours out over own same shall she should since some such
    than that the their theirs them themselves then there these they this those though
    through thus too under until upon very was were what whatever when where whether which
    while who whom whose why will with within without would yet you your yours yourself""",
    )
)
LIBRARY_WORDS = frozenset(["pandas", "numpy", "dataframe", "dataframes", "series", "ndarray"])


def spans(question):
    return [span for group in question.evidence for span in group]


def text_of(span):
    return CORPUS.documents[span.doc].text[span.start : span.end]


def stems(text):
    """Stems of more than three letters, of words that say something."""
    words = set(re.findall(r"[a-z]+", text.lower())) - FUNCTION_WORDS - LIBRARY_WORDS
    return {stem for stem in map(PorterStemmer().stem, words) if len(stem) > 3}


def test_written_for_the_installed_versions():
    assert {name: version(name) for name in python_api.WRITTEN_FOR} == python_api.WRITTEN_FOR


def test_counts_and_uniqueness():
    assert len(QUESTIONS) >= 130
    assert len({q.id for q in QUESTIONS}) == len(QUESTIONS)
    assert len({q.text.lower() for q in QUESTIONS}) == len(QUESTIONS)
    assert all(q.answer and q.answer.strip() for q in QUESTIONS)
    pandas_share = sum(q.id.startswith("pd-") for q in QUESTIONS) / len(QUESTIONS)
    assert 0.55 <= pandas_share <= 0.65


def test_tags():
    tags = Counter(tag for q in QUESTIONS for tag in q.tags)
    kinds = {"howto", "puzzle", "error", "lookup"}
    assert set(tags) == kinds | {"two-places", "paraphrase"}
    assert all(len(kinds & set(q.tags)) == 1 for q in QUESTIONS)
    assert tags["two-places"] >= 20
    assert tags["paraphrase"] >= 25
    for question in QUESTIONS:
        assert ("two-places" in question.tags) == (len(question.evidence) >= 2)


def test_questions_are_spread_over_all_pages():
    asked = Counter(doc for q in QUESTIONS for doc in {span.doc for span in spans(q)})
    assert min(asked[doc] for doc in range(len(CORPUS))) >= 5
    assert max(asked.values()) <= 20
    assert {q.group for q in QUESTIONS} == set(CORPUS.positions)


def test_spans_lie_in_one_section_and_are_of_readable_size():
    sections = python_api.read()[1].values()
    for question in QUESTIONS:
        for span in spans(question):
            inside = [s for s in sections if s.doc == span.doc and s.start <= span.start < s.end]
            assert len(inside) == 1
            assert span.end <= inside[0].end
            assert 80 <= span.end - span.start <= 600, (question.id, text_of(span))
            assert text_of(span) == text_of(span).strip()


def test_spans_of_a_question_do_not_overlap():
    for question in QUESTIONS:
        ordered = sorted(spans(question))
        for one, other in itertools.pairwise(ordered):
            assert one.doc != other.doc or one.end <= other.start, question.id


def test_paraphrases_share_no_content_word_with_their_evidence():
    for question in QUESTIONS:
        if "paraphrase" in question.tags:
            evidence = " ".join(text_of(span) for span in spans(question))
            assert not stems(question.text) & stems(evidence), question.id


def test_group_is_the_page_of_the_first_evidence():
    for question in QUESTIONS:
        assert question.group == CORPUS.documents[question.evidence[0][0].doc].name


LINE = {
    "id": "x-1",
    "question": "Which join?",
    "evidence": [{"object": "pandas.merge", "anchor": "left_anti: use only keys"}],
    "answer": "left_anti",
    "tags": ["lookup"],
}


def read_lines(folder, *lines):
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    (folder / "questions-test.jsonl").write_text(text, encoding="utf-8")
    return questions.read(folder, *python_api.read())


def test_own_folder_of_questions(tmp_path):
    (question,) = read_lines(tmp_path, LINE)
    assert question.group == "pandas/merging.txt"
    assert text_of(question.evidence[0][0]).endswith("preserve key order.")


def test_alternatives_form_one_group(tmp_path):
    places = [
        {"object": "pandas.merge", "anchor": "left_anti: use only keys"},
        {"object": "pandas.DataFrame.join", "anchor": "* left_anti: use set difference"},
    ]
    (question,) = read_lines(tmp_path, {**LINE, "evidence": [places]})
    assert [len(group) for group in question.evidence] == [2]
    (question,) = read_lines(tmp_path, {**LINE, "evidence": places})
    assert [len(group) for group in question.evidence] == [1, 1]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 1"),
        ({**LINE, "answer": ""}, "line 1, field 'answer'"),
        ({**LINE, "evidence": []}, "field 'evidence'"),
        ({**LINE, "colour": "red"}, "field 'colour'"),
        (
            {**LINE, "evidence": [{"object": "pandas.merg", "anchor": "left"}]},
            "question 'x-1': the corpus has no section 'pandas.merg'. Did you mean 'pandas.merge'",
        ),
        (
            {**LINE, "evidence": [{"object": "pandas.merge", "anchor": "left_antique"}]},
            "question 'x-1': in the section pandas.merge, the words 'left_antique' occur 0 times",
        ),
        (
            {**LINE, "evidence": [{"object": "numpy.sum", "anchor": "x", "until": "y"}]},
            f"; numpy {version('numpy')} is installed, the sample is for numpy 2.4.6",
        ),
    ],
)
def test_a_bad_line_is_named(tmp_path, line, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        read_lines(tmp_path, line)


def test_ids_must_be_unique(tmp_path):
    with pytest.raises(ConfigError, match="line 2: id 'x-1' is used twice"):
        read_lines(tmp_path, LINE, LINE)


def test_folder_without_questions(tmp_path):
    with pytest.raises(ConfigError, match=r"no file questions-\*\.jsonl in"):
        questions.read(tmp_path, *python_api.read())
