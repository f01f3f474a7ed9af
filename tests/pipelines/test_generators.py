"""The extractive generator: which sentences it takes, in what order, and from what alone."""

import hashlib
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipelines.generators import Extractive
from pipelines.plain_library import PlainLibrary
from pipelines.roles import Generator

ROOT = Path(__file__).parents[2]
HITS = [
    "The river is long. Zinc is mined in the hills near Aldersey. Fish swim.",
    "Fish swim. The town of Aldersey was founded in 1820. Zinc pays.",
]
QUESTION = "Where is zinc mined?"


def word_vectors(texts, query=False):
    """Embed as the sum of one pseudo-random vector per word: shared words, similar vectors."""
    rows = []
    for text in texts:
        seeds = [
            hashlib.blake2b(word.encode()).digest() for word in re.findall(r"\w+", text.lower())
        ]
        words = [np.random.default_rng(list(seed)).normal(size=32) for seed in seeds]
        row = np.sum([np.zeros(32), *words], axis=0)
        rows.append(row / (np.linalg.norm(row) or 1))
    return np.array(rows, np.float32).reshape(-1, 32)


def library_of(texts=HITS):
    return PlainLibrary(texts, [], embedder=word_vectors)


@pytest.mark.parametrize("scorer", ["lexical", "embedding", "both"])
def test_the_sentence_that_answers_is_taken(scorer):
    answers = Extractive(scorer=scorer).answers(
        library_of(), [QUESTION, "When was the town founded?"], [HITS, HITS]
    )
    assert answers == [
        "Zinc is mined in the hills near Aldersey.",
        "The town of Aldersey was founded in 1820.",
    ]


@pytest.mark.parametrize("scorer", ["lexical", "embedding", "both"])
def test_more_sentences_come_in_the_order_of_the_hits_each_once(scorer):
    (two,) = Extractive(scorer=scorer, sentences=2).answers(
        library_of(), ["founded zinc mined Aldersey"], [HITS]
    )
    assert two == (
        "Zinc is mined in the hills near Aldersey. The town of Aldersey was founded in 1820."
    )
    (most,) = Extractive(scorer=scorer, sentences=5).answers(library_of(), [QUESTION], [HITS])
    assert most.count("Fish swim.") == 1
    (all_there_is,) = Extractive(scorer=scorer).answers(library_of(), [QUESTION], [["Yes."]])
    assert all_there_is == "Yes."


@pytest.mark.parametrize("scorer", ["lexical", "embedding", "both"])
def test_without_hits_the_answer_is_empty(scorer):
    generator = Extractive(scorer=scorer)
    assert generator.answers(library_of(), [QUESTION, "x"], [[], HITS[1:]])[0] == ""
    assert generator.answers(library_of(), [QUESTION], [[]]) == [""]
    assert generator.answers(library_of([]), [], []) == []


@pytest.mark.parametrize("scorer", ["lexical", "embedding", "both"])
def test_an_answer_does_not_depend_on_the_other_questions(scorer):
    generator, questions = Extractive(scorer=scorer, sentences=2), ["founded town", QUESTION, "?"]
    contexts = [HITS[1:], HITS, HITS[:1]]
    together = generator.answers(library_of(), questions, contexts)
    apart = [
        generator.answers(library_of(), [question], [context])[0]
        for question, context in zip(questions, contexts, strict=True)
    ]
    assert together == apart


def test_rare_words_weigh_more_than_common_ones():
    texts = ["common here. " * 3 + "rare there."] + ["common text."] * 20
    (answer,) = Extractive(scorer="lexical").answers(
        library_of(texts), ["common rare"], [["common here. rare there."]]
    )
    assert answer == "rare there."


def test_both_can_differ_from_either():
    answers = {
        scorer: Extractive(scorer=scorer).answers(
            PlainLibrary(texts, [], embedder=lookup), ["red fox"], [texts]
        )[0]
        for scorer in ("lexical", "embedding", "both")
        for texts in [["red fox.", "vulpes.", "red cat."]]
    }
    assert answers == {"lexical": "red fox.", "embedding": "vulpes.", "both": "red cat."}


def lookup(texts, query):
    vectors = {
        "red fox": [1, 0], "vulpes.": [1, 0], "red cat.": [0.995, 0.0999], "red fox.": [0, 1],
    }  # fmt: skip
    return np.array([vectors[text] for text in texts], np.float32)


def test_each_sentence_is_embedded_once_and_only_if_needed():
    calls = []

    def counting(texts, query):
        calls.append((len(texts), query))
        return word_vectors(texts)

    library = PlainLibrary(HITS, [], embedder=counting)
    Extractive(scorer="both").answers(library, [QUESTION, QUESTION], [HITS, HITS])
    assert calls == [(5, False), (2, True)]
    Extractive(scorer="lexical").answers(library, [QUESTION], [HITS])
    assert len(calls) == 2
    assert Extractive().needs_vectors()
    assert not Extractive(scorer="lexical").needs_vectors()


@pytest.mark.slow
def test_answers_are_the_same_in_every_process():
    program = (
        "from pipelines.generators import Extractive\n"
        "from test_generators import HITS, library_of\n"
        "questions = ['zinc town fish river hills founded Aldersey', 'the in of is']\n"
        "print(Extractive(sentences=3).answers(library_of(), questions, [HITS, HITS]))"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": f"{ROOT}:{ROOT}/tests/pipelines"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(outputs) == 1


def test_fields_are_checked():
    assert Generator.model_validate("extractive") == Extractive()
    for wrong in ({"sentences": 0}, {"sentences": 6}, {"scorer": "luck"}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            Extractive(**wrong)
