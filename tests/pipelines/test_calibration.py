"""Judges against people: pairs made by hand, the judge's side by the loopback endpoint."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from pipelines.cache.responses import ResponseCache
from pipelines.calibration import calibrate, graded_answers
from pipelines.llm.client import Client
from pipelines.llm.models import OpenAIModel
from pipelines.metrics import (
    AnswerRelevancy,
    ContextRelevance,
    Correctness,
    Faithfulness,
    LlamaIndexEvaluator,
    TokenF1,
)
from pipelines.roles import Bench
from pipelines.types import Corpus, Document, Graded, Question, Span
from raytuner.component import ConfigError
from raytuner.objective import Tally
from tests.endpoint.fixtures import endpoint

__all__ = ["endpoint"]

JUDGE = OpenAIModel(model="good-1", free=True)
METRIC = Correctness(model=JUDGE, reasons=False)
TEXT = "Zinc is mined near Aldersey. The town was founded in 1820."
GRADES = {1: "POISONone", 2: "POISONtwo", 3: "POISONthree", 4: "POISONfour", 5: "POISONfive"}


@pytest.fixture
def bench(endpoint):
    """A bench whose judge gives the grade that an answer names."""
    for grade, word in GRADES.items():
        endpoint.fault("content", text=f'{{"score": {grade}}}', containing=word)
    endpoint.configure(judge_noise=0.0)
    client, meter = Client(ResponseCache(None)), Tally()
    return Bench(
        Corpus((Document("a.md", TEXT),)),
        lambda name, doc: np.zeros(0, np.int64),
        lambda embedder, texts: np.zeros((len(texts), 1), np.float32),
        lambda dialogues, stage: client.converse(dialogues, meter, stage),
    )


def question(number, *graded):
    evidence = ((Span(0, 0, 28),),)
    text = f"Where is zinc {number}?"
    return Question(f"q{number}", text, evidence, "Zinc.", judged=graded)


def pairs_of(human, judge, kind="correctness"):
    """Make a question for each pair of a person's grade and the judge's."""
    return [
        question(number, Graded(f"{GRADES[said]} {number}", ((kind, grade),)))
        for number, (grade, said) in enumerate(zip(human, judge, strict=True))
    ]


HUMAN = [5, 4, 4, 1, 2, 3, 5, 1, 2, 5]
SAID = [5, 4, 3, 1, 1, 3, 4, 2, 2, 5]


def test_grades_by_hand(bench):
    found = calibrate(METRIC, pairs_of(HUMAN, SAID), bench)
    assert (found.metric, found.kind) == ("correctness", "grades")
    assert (found.answers, found.questions) == (10, 10)
    assert found.agreement.value == 0.6
    assert found.difference.value == pytest.approx(4 / 4 / 10)  # four of ten are a grade off
    assert found.pearson.value == pytest.approx(np.corrcoef(HUMAN, SAID)[0, 1])
    kappa = cohen_kappa_score(HUMAN, SAID, labels=[1, 2, 3, 4, 5], weights="quadratic")
    assert found.kappa.value == pytest.approx(kappa)
    for figure in (found.agreement, found.difference, found.pearson, found.spearman, found.kappa):
        assert figure.low <= figure.value <= figure.high
        assert figure.high - figure.low < 1
    assert found.failures == ()
    assert found.noise is None


def test_yes_or_no(bench):
    human = [grade >= 4 for grade in HUMAN]
    found = calibrate(METRIC, pairs_of(human, SAID), bench)
    said = [grade >= 3 for grade in SAID]  # worth 0.5 or more
    assert found.kind == "yes or no"
    assert found.kappa.value == pytest.approx(cohen_kappa_score(human, said))
    assert found.agreement.value == pytest.approx(np.mean(np.equal(human, said)))


def test_shares_have_no_kappa(bench, endpoint):
    shares = [0.9, 0.5, 0.25]
    found = calibrate(METRIC, pairs_of(shares, [5, 3, 2]), bench)
    assert found.kind == "shares"
    assert found.kappa.value is None
    assert found.difference.value == pytest.approx(0.1 / 3)
    assert found.agreement.value == pytest.approx(2 / 3)


def test_statements_are_checked_against_the_evidence_or_what_people_saw(bench, endpoint):
    supported = Graded("Zinc is mined near Aldersey.", (("faithfulness", True),))
    made_up = Graded("Dragons guard the gold.", (("faithfulness", 0),))
    with pytest.raises(ConfigError, match="some are true or false, some are numbers"):
        calibrate(Faithfulness(model=JUDGE), [question(1, supported, made_up)], bench)
    made_up = replace_grades(made_up, faithfulness=False)
    seen = Graded("Dragons guard it.", (("faithfulness", True),), ("Here Dragons guard it.",))
    found = calibrate(Faithfulness(model=JUDGE), [question(1, supported, made_up, seen)], bench)
    assert found.agreement.value == 1.0
    assert (found.answers, found.questions) == (3, 1)
    assert found.agreement.low is None  # one question has no interval
    contexts = [record.body["messages"][1]["content"] for record in endpoint.requests]
    assert sum("[1] Zinc is mined near Aldersey." in context for context in contexts) == 2
    assert sum("[1] Here Dragons guard it." in context for context in contexts) == 1


def replace_grades(one, **grades):
    return one._replace(grades=tuple(grades.items()))


def test_contexts_can_be_graded_without_an_answer(bench):
    good = Graded("", (("context-relevance", 5),), ("Where zinc 1 is: in the hills.",))
    bad = Graded("", (("context-relevance", 1),), ("Horses eat hay.",))
    found = calibrate(ContextRelevance(model=JUDGE), [question(1, good), question(2, bad)], bench)
    assert found.agreement.value == 1.0


def test_any_metric_can_be_held_against_people(bench):
    questions = [
        question(1, Graded("Zinc.", (("token-f1", True), ("llama-index", True)))),
        question(2, Graded("Iron.", (("token-f1", False), ("llama-index", False)))),
    ]
    assert calibrate(TokenF1(), questions, bench).kappa.value == 1.0
    metric = LlamaIndexEvaluator(evaluator="CorrectnessEvaluator", model=JUDGE)
    assert calibrate(metric, questions, bench).kappa.value == 1.0


def test_grades_under_the_full_name_go_before_those_of_the_kind(bench):
    strict = METRIC.model_copy(update={"label": "strict"})
    both = (("correctness", 5), ("correctness(label=strict)", 1))
    questions = [question(1, Graded("POISONone", both)), question(2, Graded("POISONone 2", both))]
    assert calibrate(strict, questions, bench).agreement.value == 1.0
    assert calibrate(METRIC, questions, bench).agreement.value == 0.0


def test_noise_of_repeated_verdicts(bench, endpoint):
    endpoint.clear_faults()
    endpoint.configure(judge_noise=0.5)
    metric = Correctness(model=JUDGE, repeats=4, seed=0)
    answers = ["Zinc.", "Zinc is good.", "Iron.", "Iron is bad."]
    questions = [
        question(number, Graded(answer, (("correctness", 3),)))
        for number, answer in enumerate(answers)
    ]
    found = calibrate(metric, questions, bench)
    assert found.noise.within_sd > 0
    assert found.noise.reliability < 1


def test_what_has_no_verdict_is_left_out_and_told(bench, endpoint):
    endpoint.clear_faults()
    endpoint.fault("wrong-schema", containing="POISONthree")
    endpoint.fault("content", text='{"score": 4}')
    found = calibrate(METRIC, pairs_of([4, 4, 3], [4, 4, 3]), bench)
    assert (found.answers, found.agreement.value) == (2, 1.0)
    (message,) = found.failures
    assert "'q2'" in message


def test_all_failed_leaves_nothing_defined(bench, endpoint):
    endpoint.clear_faults()
    endpoint.fault("wrong-schema")
    found = calibrate(METRIC, pairs_of([4, 4], [4, 4]), bench)
    assert (found.answers, found.agreement.value, len(found.failures)) == (0, None, 2)


def test_only_graded_answers_are_looked_at(bench, endpoint):
    other = question(8, Graded("Zinc.", (("faithfulness", True),)))
    bare = Question("q9", "Why?", judged=(Graded("So.", (("correctness", 3),)),))
    questions = [*pairs_of([3], [3]), other, bare, question(10)]
    assert [q.id for q, _ in graded_answers(METRIC, questions)] == ["q0"]
    with pytest.raises(ConfigError, match="graded by answer-relevancy"):
        calibrate(AnswerRelevancy(), questions, bench)
    assert endpoint.calls() == 0


@pytest.mark.parametrize(
    ("grades", "message"),
    [
        ([3, 6], "question 'q1', judged: correctness 6 is not from 1 to 5"),
        ([0, 1], "question 'q0', judged: correctness 0 is not from 1 to 5"),
        ([3, 0.5], "some are whole grades .4., some are shares"),
        ([0.5, 1.5], "question 'q1', judged: correctness 1.5 is not from 0 to 1"),
        ([3, True], "some are true or false, some are numbers"),
    ],
)
def test_grades_that_cannot_be_read(bench, endpoint, grades, message):
    with pytest.raises(ConfigError, match=message):
        calibrate(METRIC, pairs_of(grades, [3] * len(grades)), bench)
    assert endpoint.calls() == 0


def test_plain_data(bench):
    plain = calibrate(METRIC, pairs_of(HUMAN, SAID), bench).plain()
    assert plain["agreement"]["value"] == 0.6
    assert set(plain["kappa"]) == {"value", "low", "high"}


def test_a_question_with_grades_is_hashable_and_replaceable():
    one = question(1, Graded("Zinc.", (("correctness", 3),)))
    assert hash(one) == hash(replace(one))
