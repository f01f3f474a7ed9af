"""Judged metrics against the loopback endpoint: scores, repeats, misfits, costs."""

import json
from dataclasses import replace

import pytest

from pipelines.llm.models import Fallback, OpenAIModel
from pipelines.llm.prices import Price
from pipelines.metrics import (
    AnswerRelevancy,
    ContextRelevance,
    Correctness,
    Faithfulness,
    parse_metric,
)
from pipelines.roles import Judgement
from pipelines.types import Hit, Question, Response
from raytuner.component import ConfigError, digest
from raytuner.objective import Failure, ObjectiveFailure

JUDGE = OpenAIModel(model="good-1", price=Price(input=1.0, output=4.0))
QUESTION = Question("q1", "Where is zinc mined?", answer="Zinc is mined near Aldersey.")
CONTEXT = (
    Hit(0, 0, 28, 1.0, "Zinc is mined near Aldersey."),
    Hit(0, 29, 52, 0.5, "The town was founded in 1820."),
)
KINDS = [Correctness, Faithfulness, AnswerRelevancy, ContextRelevance]


@pytest.fixture(autouse=True)
def exact(endpoint):
    """Judges without noise: what they say can be worked out by hand."""
    endpoint.configure(judge_noise=0.0)


def response(answer="Zinc is mined near Aldersey.", hits=CONTEXT, label=None):
    return Response(hits, answer, label)


def judged(metric, bench, answers, questions=None, **given):
    questions = questions or [QUESTION] * len(answers)
    found = metric.scores(questions, [response(answer, **given) for answer in answers], bench)
    return [one.score if isinstance(one, Judgement) else one for one in found]


def bodies(endpoint):
    return [record.body for record in endpoint.requests if record.path.endswith("/completions")]


# ---- what scores are worth


def test_correctness_follows_the_reference(bench):
    answers = [
        "Zinc is mined near Aldersey.",  # every word of the reference: grade 5
        "Iron is mined in Bolton.",  # shares "mined": F1 of 1/3 -> 1 + 4/3 rounds to 2
        "Horses eat hay.",  # nothing: grade 1
    ]
    assert judged(Correctness(model=JUDGE), bench, answers) == [1.0, 0.25, 0.0]


def test_a_scale_is_mapped_to_0_to_1(bench, endpoint):
    endpoint.fault("content", text='{"reason": "Half of it.", "score": 3}')
    found = [judged(Correctness(model=JUDGE, scale=n), bench, ["Yes."])[0] for n in (3, 5, 9)]
    assert found == [1.0, 0.5, 0.25]


def test_faithfulness_is_the_share_of_supported_statements(bench):
    answer = "Zinc is mined near Aldersey. Dragons guard the gold."
    (given,) = Faithfulness(model=JUDGE).scores([QUESTION], [response(answer)], bench)
    assert given.score == 0.5
    assert given.notes == {"reasons": ["not supported: Dragons guard the gold."]}


def test_an_answer_that_states_nothing_is_faithful(bench, endpoint):
    endpoint.fault("content", text='{"statements": []}')
    assert judged(Faithfulness(model=JUDGE), bench, ["I do not know."]) == [1.0]


def test_relevancy_looks_at_answer_and_question(bench, endpoint):
    answers = ["Zinc is mined in the hills.", "Horses eat hay."]
    assert judged(AnswerRelevancy(model=JUDGE), bench, answers) == [1.0, 0.0]
    assert all("Aldersey" not in json.dumps(body["messages"]) for body in bodies(endpoint))


def test_context_relevance_needs_no_answer(bench, endpoint):
    metric = ContextRelevance(model=JUDGE)
    assert not metric.needs_answer
    assert judged(metric, bench, [None]) == [1.0]
    (body,) = bodies(endpoint)
    assert "[2] The town was founded in 1820." in body["messages"][1]["content"]
    assert "Answer:" not in body["messages"][1]["content"]


@pytest.mark.parametrize(
    ("answer", "label"),
    [(None, None), ("", None), (" \n", None), ("No.", "filtered"), ("", "empty")],
)  # fmt: skip
@pytest.mark.parametrize("kind", [Correctness, Faithfulness, AnswerRelevancy])
def test_no_answer_is_worth_0_and_asks_nobody(bench, endpoint, kind, answer, label):
    assert judged(kind(model=JUDGE), bench, [answer], label=label) == [0.0]
    assert endpoint.calls() == 0


@pytest.mark.parametrize("kind", [Faithfulness, ContextRelevance])
def test_nothing_retrieved_is_worth_0_and_asks_nobody(bench, endpoint, kind):
    assert judged(kind(model=JUDGE), bench, ["Something."], hits=()) == [0.0]
    assert endpoint.calls() == 0


def test_a_truncated_answer_is_judged_by_its_text(bench):
    assert judged(Correctness(model=JUDGE), bench, [QUESTION.answer], label="truncated") == [1.0]


def test_correctness_needs_a_reference(bench):
    bare = Question("q2", "Why?")
    assert Correctness().applies(QUESTION)
    assert not Correctness().applies(bare)
    assert Faithfulness().applies(bare)
    assert AnswerRelevancy().applies(bare)
    assert ContextRelevance().applies(bare)
    with pytest.raises(ConfigError, match="'q2' has no reference answer"):
        Correctness(model=JUDGE).scores([bare], [response()], bench)


# ---- what is asked


def test_the_rubric_replaces_ours(bench, endpoint):
    judged(Correctness(model=JUDGE, rubric="Only numbers count."), bench, ["1820"])
    (body,) = bodies(endpoint)
    system = body["messages"][0]["content"]
    assert system.startswith("Only numbers count. ")
    assert "from 1 (worst) to 5 (best)" in system
    assert "against a reference" not in system


def test_what_is_sent(bench, endpoint):
    judged(Correctness(model=JUDGE), bench, ["Zinc."])
    (body,) = bodies(endpoint)
    assert (body["temperature"], body["max_tokens"]) == (0.0, 512)
    schema = body["response_format"]["json_schema"]["schema"]
    assert list(schema["properties"]) == ["reason", "score"]
    assert body["messages"][1]["content"] == (
        "Question:\n```\nWhere is zinc mined?\n```\n\n"
        "Reference:\n```\nZinc is mined near Aldersey.\n```\n\nAnswer:\n```\nZinc.\n```"
    )


def test_without_reasons_none_are_asked_for(bench, endpoint):
    metric = Correctness(model=JUDGE, reasons=False)
    assert metric.scores([QUESTION], [response()], bench) == [1.0]
    (body,) = bodies(endpoint)
    schema = body["response_format"]["json_schema"]["schema"]
    assert list(schema["properties"]) == ["score"]
    assert "reason" not in body["messages"][0]["content"]


def test_equal_calls_are_free_the_second_time(bench, endpoint, meter):
    answers = ["Zinc is mined.", "Iron."]
    first = judged(Correctness(model=JUDGE), bench, answers)
    spent, calls = meter.cost, endpoint.calls()
    assert spent.usd == pytest.approx(endpoint.usd(1.0, 4.0))
    assert calls == 2
    assert judged(Correctness(model=JUDGE), bench, answers) == first
    assert (meter.cost, endpoint.calls()) == (spent, calls)
    assert any(name.startswith("paid/judge/good-1/") for name in meter.counts)


# ---- repeats


def test_repeats_are_averaged_and_noted(bench, endpoint):
    endpoint.configure(judge_noise=0.6)
    metric = Correctness(model=JUDGE, repeats=5, seed=3)
    (given,) = metric.scores([QUESTION], [response("Zinc is mined.")], bench)
    (body,) = bodies(endpoint)
    assert (body["n"], body["seed"]) == (5, 3)
    assert "temperature" not in body
    scores = given.notes["scores"]
    assert len(scores) == len(given.notes["reasons"]) == 5
    assert len(set(scores)) > 1
    assert given.score == pytest.approx(sum(scores) / 5)


def test_more_repeats_pay_for_the_new_ones_only(bench, endpoint):
    few, more = (Correctness(model=JUDGE, repeats=n, temperature=0.7, seed=0) for n in (2, 5))
    (one,) = few.scores([QUESTION], [response("Zinc is mined.")], bench)
    (other,) = more.scores([QUESTION], [response("Zinc is mined.")], bench)
    assert [body["n"] for body in bodies(endpoint)] == [2, 3]
    assert other.notes["scores"][:2] == one.notes["scores"]


# ---- verdicts that do not fit, calls that fail


@pytest.mark.parametrize("fault", ["wrong-schema", "invalid-json", "truncated", "refusal"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_verdict_that_does_not_fit_is_asked_for_again(bench, endpoint, kind, fault):
    endpoint.fault(fault, first=2)
    (score,) = judged(kind(model=JUDGE), bench, ["Zinc is mined near Aldersey."])
    assert score == 1.0
    assert endpoint.calls() == 3


@pytest.mark.parametrize("kind", KINDS)
def test_a_judge_that_never_fits_is_a_failure_that_names_the_question(bench, endpoint, kind):
    endpoint.fault("wrong-schema", containing="POISON")
    questions = [QUESTION, Question("q7", "POISON?", answer="Zinc.")]
    good, bad = judged(kind(model=JUDGE), bench, ["Zinc is mined.", "Zinc."], questions)
    assert isinstance(good, float)
    assert bad == Failure(
        "provider",
        "judge good-1 never gave a verdict that fits its schema for question 'q7' "
        f"({kind.kind}) (last: invalid)",
    )
    assert endpoint.calls(containing="POISON") == 3


def test_only_missing_verdicts_are_asked_for_again(bench, endpoint):
    endpoint.fault("wrong-schema", first=1)
    metric = Correctness(model=JUDGE, repeats=2, seed=0)
    (given,) = metric.scores([QUESTION], [response()], bench)
    assert given.notes["scores"] == [1.0, 1.0]
    assert [(body["n"], body["seed"]) for body in bodies(endpoint)] == [(2, 0), (2, 2)]
    again = metric.scores([QUESTION], [response()], bench)
    assert again == [given]
    assert endpoint.calls() == 2


def test_a_call_that_fails_is_its_failure(bench, endpoint, no_pauses):
    endpoint.fault("status", status=500, containing="POISON")
    judge = JUDGE.model_copy(update={"retries": 1})
    questions = [QUESTION, Question("q7", "POISON?", answer="Zinc.")]
    good, bad = judged(Correctness(model=judge), bench, ["Zinc.", "Zinc."], questions)
    assert isinstance(good, float)
    assert (bad.kind, bad.retryable) == ("provider", True)
    assert bad.message.startswith("good-1: ")
    with pytest.raises(ObjectiveFailure, match="good-1: "):
        Correctness(model=judge).score(questions[1], response("Zinc."), bench)


def test_a_fallback_judges_where_the_first_cannot(bench, endpoint):
    endpoint.fault("refusal", model="good-1")
    both = Fallback(models=(JUDGE, OpenAIModel(model="cheap-1", free=True)))
    assert judged(Correctness(model=both), bench, [QUESTION.answer]) == [1.0]
    assert [body["model"] for body in bodies(endpoint)] == ["good-1", "cheap-1"]


def test_a_bench_that_leads_to_no_model_is_said(bench):
    with pytest.raises(ConfigError, match="correctness asks a language model"):
        judged(Correctness(), replace(bench, converse=None), ["Zinc."])


# ---- names and identity


@pytest.mark.parametrize(
    "metric",
    [Correctness(), Faithfulness(), AnswerRelevancy(), ContextRelevance(), Correctness(scale=7),
     Correctness(label="strict", repeats=3), Faithfulness(label="v2.1", repeats=2)],
)  # fmt: skip
def test_a_name_and_its_metric_stand_for_each_other(metric):
    assert parse_metric(metric.name) == metric


def test_names_are_short():
    long = Correctness(model=JUDGE, rubric="Be strict. " * 99, max_tokens=99)
    assert long.name == "correctness"
    assert Correctness(label="strict", repeats=3).name == "correctness(label=strict,repeats=3)"
    assert parse_metric("correctness(model=gpt-4o)") == Correctness(model="gpt-4o")


def test_identity_covers_who_really_answers_and_no_limits(monkeypatch):
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    plain = digest(Correctness(model="good-1"))
    assert plain == digest(Correctness(model=OpenAIModel(model="good-1", concurrency=3, retries=9)))
    assert plain == digest(Correctness(model="good-1", temperature=0.0))
    assert plain != digest(Correctness(model="good-1", temperature=0.0, repeats=2))
    monkeypatch.setenv("OPENAI_BASE_URL", "http://localhost:7/v1")
    assert plain != digest(Correctness(model="good-1"))


@pytest.mark.parametrize(
    "fields",
    [{"repeats": 0}, {"scale": 1}, {"temperature": 3}, {"label": "a b"}, {"rubric": ""},
     {"max_tokens": 1}],
)  # fmt: skip
def test_bad_settings_are_refused(fields):
    with pytest.raises((ConfigError, ValueError)):
        Correctness(**fields)
