"""LlamaIndex's evaluators as metrics, against the loopback endpoint."""

import pytest

from pipelines.llm.models import OpenAIModel
from pipelines.llm.prices import Price
from pipelines.metrics import LlamaIndexEvaluator, parse_metric
from pipelines.roles import Judgement
from pipelines.types import Hit, Question, Response
from raytuner.budget import BudgetExhaustedError
from raytuner.component import ConfigError, digest
from raytuner.objective import Failure

JUDGE = OpenAIModel(model="good-1", price=Price(input=1.0, output=4.0))
QUESTION = Question("q1", "Where is zinc mined?", answer="Zinc is mined near Aldersey.")
CONTEXT = (Hit(0, 0, 28, 1.0, "Zinc is mined near Aldersey."),)


def evaluator(name="CorrectnessEvaluator", **fields):
    return LlamaIndexEvaluator(evaluator=name, model=JUDGE, **fields)


def judged(metric, bench, *answers, questions=None):
    questions = questions or [QUESTION] * len(answers)
    found = metric.scores(questions, [Response(CONTEXT, answer) for answer in answers], bench)
    return [one.score if isinstance(one, Judgement) else one for one in found]


@pytest.fixture(autouse=True)
def exact(endpoint):
    endpoint.configure(judge_noise=0.0)


def test_scores_of_1_to_5_become_0_to_1(bench, endpoint):
    endpoint.fault("content", text="4.0\nAlmost.", containing="Lead")
    assert judged(evaluator(), bench, "Lead is mined near Aldersey.") == [0.75]
    assert judged(evaluator(), bench, "Zinc is mined near Aldersey.", "Horses eat hay.") == [1, 0]


def test_feedback_is_kept(bench, endpoint):
    endpoint.fault("content", text="4.0\nAlmost.")
    (given,) = evaluator().scores([QUESTION], [Response(CONTEXT, "Zinc.")], bench)
    assert given == Judgement(0.75, {"reasons": ["Almost."]})


def test_passing_is_1_or_0(bench):
    answers = ("Zinc is mined near Aldersey.", "Dragons guard gold.")
    assert judged(evaluator("FaithfulnessEvaluator"), bench, *answers) == [1.0, 0.0]


@pytest.mark.parametrize("name", ["RelevancyEvaluator", "GuidelineEvaluator"])
def test_other_evaluators_run(bench, endpoint, name):
    if name == "GuidelineEvaluator":
        endpoint.fault("content", text='{"passing": true, "feedback": "Fine."}')
    (score,) = judged(evaluator(name), bench, "Zinc is mined near Aldersey.")
    assert score == 1.0
    assert endpoint.calls() >= 1


def test_calls_are_counted_and_kept(bench, endpoint, meter):
    answers = [f"Zinc number {i} is mined." for i in range(9)]
    first = judged(evaluator(), bench, *answers)
    assert endpoint.calls() == 9
    spent = meter.cost
    assert spent.usd == pytest.approx(endpoint.usd(1.0, 4.0))
    assert judged(evaluator(), bench, *answers) == first
    assert (endpoint.calls(), meter.cost) == (9, spent)
    assert any(name.startswith("paid/judge/good-1/") for name in meter.counts)


def test_all_questions_are_asked_at_once(bench, endpoint):
    endpoint.configure(latency=1.0)
    judged(evaluator(), bench, *(f"Zinc number {i} is mined." for i in range(20)))
    assert endpoint.in_flight_max == 20


def test_more_questions_than_threads(bench, endpoint):
    answers = [f"Zinc number {i} is mined." for i in range(150)]
    found = judged(evaluator("FaithfulnessEvaluator"), bench, *answers)
    assert len(found) == 150
    assert all(score in (0.0, 1.0) for score in found)
    assert endpoint.calls() == 150


def test_no_answer_is_worth_0_and_asks_nobody(bench, endpoint):
    assert judged(evaluator(), bench, None, " ") == [0.0, 0.0]
    assert endpoint.calls() == 0


def test_a_verdict_that_cannot_be_read_is_asked_for_again(bench, endpoint):
    endpoint.fault("content", text="No idea, sorry.", first=2)
    assert judged(evaluator(), bench, "Zinc is mined near Aldersey.") == [1.0]
    assert endpoint.calls() == 3


@pytest.mark.parametrize(
    ("name", "fault", "text"),
    [
        ("CorrectnessEvaluator", "content", "No idea."),
        ("CorrectnessEvaluator", "empty-content", ""),
        ("CorrectnessEvaluator", "refusal", ""),
        ("FaithfulnessEvaluator", "refusal", ""),  # it would take any text but yes for no
        ("FaithfulnessEvaluator", "truncated", ""),
    ],
)
def test_an_evaluator_that_gives_no_score_is_a_failure(bench, endpoint, name, fault, text):
    endpoint.fault(fault, text=text, containing="POISON")
    questions = [QUESTION, Question("q7", "POISON?", answer="Zinc.")]
    good, bad = judged(
        evaluator(name), bench, "Zinc is mined.", "POISON is mined.", questions=questions
    )
    assert isinstance(good, float)
    assert isinstance(bad, Failure)
    assert bad.message.startswith("judge good-1 never gave a verdict")
    assert "'q7'" in bad.message
    assert endpoint.calls(containing="POISON") == 3


def test_a_call_that_fails_is_its_failure(bench, endpoint, no_pauses):
    endpoint.fault("status", status=500, containing="POISON")
    poison = Question("q7", "POISON?", answer="Zinc.")
    good, bad = judged(evaluator(), bench, "Zinc.", "Zinc.", questions=[QUESTION, poison])
    assert isinstance(good, float)
    assert (bad.kind, bad.retryable) == ("provider", True)


def test_a_score_off_the_scale_is_a_failure_that_says_so(bench, endpoint):
    endpoint.fault("content", text="4.0\nGood.")
    (bad,) = judged(evaluator(scale=(0, 1)), bench, "Zinc.")
    assert "score 4 is not from 0 to 1; is `scale` right?" in bad.message
    assert judged(evaluator(scale=(0, 8)), bench, "Zinc.") == [0.5]


def test_a_refused_key_ends_it(bench, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "wrong")
    with pytest.raises(ConfigError, match="OPENAI_API_KEY"):
        judged(evaluator(), bench, "Zinc.", "Iron.", "Lead.")


def test_a_budget_ends_it(bench, meter, make_gate):
    meter.gate = make_gate(usd=0.0)
    with pytest.raises(BudgetExhaustedError):
        judged(evaluator(), bench, "Zinc.", "Iron.", "Lead.")


def test_what_compares_with_a_reference_needs_one():
    bare = Question("q2", "Why?")
    assert evaluator().applies(QUESTION)
    assert not evaluator().applies(bare)
    assert evaluator("FaithfulnessEvaluator").applies(bare)


def test_names():
    metric = parse_metric("llama-index(evaluator=CorrectnessEvaluator)")
    assert metric == LlamaIndexEvaluator(
        evaluator="llama_index.core.evaluation:CorrectnessEvaluator"
    )
    assert parse_metric(metric.name) == metric
    labelled = evaluator(label="mini")
    assert labelled.name == "llama-index(evaluator=CorrectnessEvaluator,label=mini)"


def test_a_known_scale_may_be_said():
    assert digest(evaluator()) == digest(evaluator(scale=(1, 5)))
    assert digest(evaluator()) != digest(evaluator(scale=(0, 5)))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"evaluator": "NoEvaluator"}, "names no LlamaIndex evaluator"),
        ({"evaluator": "no_such_package:Evaluator"}, "cannot be imported"),
        ({"evaluator": "SemanticSimilarityEvaluator"}, "refuses `llm` or its args"),
        ({"evaluator": "CorrectnessEvaluator", "args": {"nope": 1}}, "refuses `llm` or its args"),
        ({"evaluator": "CorrectnessEvaluator", "scale": (5, 1)}, "must rise"),
        ({"evaluator": "a b"}, "not of the form"),
    ],
)
def test_bad_settings_are_refused_before_anything_is_asked(fields, message):
    with pytest.raises(ValueError, match=message):
        LlamaIndexEvaluator(**fields)
