"""The objective with the real client, against an endpoint that counts for itself."""

import itertools
import json
import pickle
import re
from collections import Counter

import pytest

from pipelines.completion import CompletionObjective
from raytuner.component import ConfigError
from raytuner.objective import UNIT_TOKENS, UNIT_USD, ObjectiveFailure, Tally
from tests.endpoint.fixtures import endpoint

__all__ = ["endpoint"]

PROMPT = "Question: {problem}\nThink step by step. Put the answer in \\boxed{{}}."
PRICE = {"input": 3.0, "output": 15.0}
PAIRS = [(11, 4), (23, 9), (35, 2), (48, 17), (52, 31), (64, 5), (77, 12), (81, 20)]
DATA = [
    {"id": f"m{number}", "problem": f"What is {a} + {b} * 3?", "answer": str(a + 3 * b)}
    for number, (a, b) in enumerate(PAIRS)
]


def voted(responses, answer, **_):
    found = [match[1] for text in responses if (match := re.search(r"boxed\{(-?\d+)\}", text))]
    best = Counter(found).most_common(1)[0][0] if found else None
    return {"success_vote": best == answer, "success": answer in found, "voted": best}


@pytest.fixture
def make(endpoint, tmp_path):
    """Make an objective whose answers are kept in a folder of this test."""

    def make(**section):
        completion = {"model": "good", "prompt": PROMPT, "seed": 0, "temperature": 0.3}
        return CompletionObjective.build(
            {
                "instances": DATA,
                "eval_func": voted,
                "models": {"good": {"model": "good-1", "price": PRICE}},
                "cache": str(tmp_path / "cache"),
                **section,
                "completion": {**completion, **section.get("completion", {})},
            },
            root=tmp_path,
            seed=1,
        )

    return make


def evaluated(objective, params=None, units=None, meter=None):
    batches = objective.evaluate(params or {}, units or objective.units(), meter or Tally())
    return {score.unit: score for score in itertools.chain.from_iterable(batches)}


def test_answers_are_scored_by_the_users_function_and_cost_what_the_endpoint_counts(make, endpoint):
    objective, meter = make(), Tally()
    scores = evaluated(objective, {"n": 5}, meter=meter)
    assert set(scores) == {row["id"] for row in DATA}
    assert all(set(s.scores) == {"success_vote", "success", UNIT_TOKENS, UNIT_USD}
               for s in scores.values())  # fmt: skip
    assert sum(s.scores["success_vote"] for s in scores.values()) >= 6
    assert endpoint.calls("chat") == len(DATA)
    billed = endpoint.usd(PRICE["input"], PRICE["output"])
    assert sum(s.cost.usd for s in scores.values()) == pytest.approx(billed)
    assert sum(s.scores[UNIT_USD] for s in scores.values()) == pytest.approx(billed)
    assert sum(s.scores[UNIT_TOKENS] for s in scores.values()) == endpoint.tokens.total
    assert meter.cost.usd == pytest.approx(billed)
    assert all(isinstance(s.notes["answer"], str) and "voted" in s.notes for s in scores.values())
    json.dumps([dict(s.notes) for s in scores.values()])


def test_what_was_asked_before_is_free_and_scores_the_same(make, endpoint):
    first = evaluated(make(), {"n": 2})
    calls = endpoint.calls("chat")
    again = evaluated(make(), {"n": 2})
    assert endpoint.calls("chat") == calls
    assert {u: s.scores for u, s in again.items()} == {u: s.scores for u, s in first.items()}
    assert sum(s.cost.usd for s in again.values()) == 0


def test_more_answers_pay_for_the_new_ones_only(make, endpoint):
    objective = make()
    evaluated(objective, {"n": 2})
    before = endpoint.tokens.received
    more = evaluated(objective, {"n": 5})
    bodies = [record.body for record in endpoint.requests if record.kind == "chat"]
    assert [body.get("n") for body in bodies[len(DATA) :]] == [3] * len(DATA)
    assert endpoint.repeated_samples() == []
    per_sample = before / 2
    assert endpoint.tokens.received - before == pytest.approx(3 * per_sample, rel=0.1)
    assert {s.scores["success"] for s in more.values()} <= {0.0, 1.0}


def test_an_evaluation_function_that_raises_costs_its_instance_only(make):
    def picky(responses, answer, **_):
        if answer == "50":
            raise KeyError("lost")
        return {"right": answer in responses[0]}

    scores = evaluated(make(eval_func=picky))
    failed = {unit: s.failure for unit, s in scores.items() if s.failure}
    assert list(failed) == ["m1"]
    assert failed["m1"].kind == "objective"
    assert not failed["m1"].retryable
    assert "instance m1" in failed["m1"].message
    assert "KeyError" in failed["m1"].message
    assert scores["m1"].scores == {}
    assert scores["m1"].cost.usd > 0


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (None, "mapping"),
        ({}, "no number"),
        ({"words": "many"}, "no number"),
        ({"right": float("nan")}, "finite"),
        ({UNIT_USD: 1.0}, "rename"),
    ],
)
def test_what_is_no_score_is_a_failure_that_says_so(make, given, said):
    scores = evaluated(make(eval_func=lambda responses, **_: given))
    assert {s.failure.kind for s in scores.values()} == {"objective"}
    assert all(said in s.failure.message for s in scores.values())


def test_failures_of_the_endpoint_are_no_scores(make, endpoint):
    endpoint.fault("status", status=400, containing="52 + 31")
    scores = evaluated(make())
    assert [unit for unit, s in scores.items() if s.failure] == ["m4"]
    assert scores["m4"].failure.kind == "config"


class TestStrangeAnswers:
    def test_are_scored_by_their_text_unless_told_otherwise(self, make):
        scores = evaluated(make(), {"max_tokens": 5})
        assert {s.scores["success"] for s in scores.values()} == {0.0}
        assert all(s.notes["labels"] == {"truncated": 1} for s in scores.values())

    def test_can_count_nothing(self, make):
        def length(responses, **_):
            return {"length": len(responses[0])}

        kept = evaluated(make(eval_func=length), {"max_tokens": 5})
        zero = evaluated(make(eval_func=length, outputs={"truncated": "zero"}), {"max_tokens": 5})
        assert all(s.scores["length"] > 0 for s in kept.values())
        assert {s.scores["length"] for s in zero.values()} == {0.0}

    def test_can_count_as_missing(self, make, endpoint):
        endpoint.fault("content-filter", containing="48 + 17")
        scores = evaluated(make(outputs={"filtered": "fail"}))
        assert [unit for unit, s in scores.items() if s.failure] == ["m3"]
        assert "filtered" in scores["m3"].failure.message

    def test_must_not_win_by_counting_nothing(self, make):
        with pytest.raises(ConfigError, match="zero would be a gain for length"):
            make(outputs={"empty": "zero"}, minimise=["length"])


class TestConfigurations:
    def test_refuse_temperature_beside_top_p(self, make):
        with pytest.raises(ConfigError, match=r"temperature.*top_p"):
            make().key({"top_p": 0.5})

    def test_let_the_sampler_decide(self, make):
        objective = make()
        key = objective.key({"sampler": "top_p", "top_p": 0.5})
        assert key != objective.key({"sampler": "temperature", "temperature": 0.5})
        assert objective.key({"sampler": "temperature", "temperature": 0.3}) == objective.key({})

    def test_name_field_and_instance_of_a_template_that_cannot_be_filled(self, make):
        rows = [*DATA, {"id": "odd", "question": "What?", "answer": "?"}]
        with pytest.raises(ConfigError, match=r"\{problem\}.*instance odd") as caught:
            make(instances=rows).key({})
        assert caught.value.field == ("prompt",)
        with pytest.raises(ConfigError, match="Did you mean 'problem'"):
            make().key({"prompt": "{problme}"})

    def test_are_equal_however_spelt(self, make):
        chat = {"messages": {"plain": [{"role": "user", "content": PROMPT}]}}
        named, direct = make(**chat), make()
        assert named.key({"messages": "plain"}) == direct.key({})
        assert direct.key({"max_tokens": 9}) != direct.key({})

    def test_cover_instances_function_and_treatment(self, make):
        scopes = [
            make(),
            make(instances=DATA[:-1]),
            make(eval_func=lambda responses, **_: {"a": 1}),
            make(outputs={"empty": "zero"}),
            make(version="2"),
        ]
        assert len({objective.scope() for objective in scopes}) == len(scopes)
        assert make().scope() == make().scope()

    @pytest.mark.parametrize(
        ("section", "said"),
        [
            ({"agg": "median"}, "no aggregate"),
            ({"instances": []}, "none"),
            ({"instances": None}, "missing"),
            ({"instances": [{"responses": 1}]}, "responses"),
            ({"instances": [{"id": 1}, {"id": 1}]}, "twice"),
            ({"instances": [{"a": object()}]}, "no plain value"),
            ({"instances": "../out.jsonl"}, "leads out"),
            ({"eval_func": "nowhere:score"}, "cannot be imported"),
            ({"eval_func": "score"}, "module:function"),
            ({"completion": {"best_of": 2, "n": 3}}, "best_of"),
            ({"completion": {"temprature": 1}}, "Did you mean 'temperature'"),
            ({"completion": {"prompt": None}}, "neither is given"),
            ({"completion": {"messages": [{"role": "boss", "content": "x"}]}}, "boss"),
            ({"colour": "red"}, "no such field"),
        ],
    )
    def test_refuse_what_cannot_be(self, make, section, said):
        with pytest.raises(ConfigError, match=said):
            make(**section).key({})

    def test_send_what_they_say(self, make, endpoint):
        objective = make(stops={"end": ["STOP", "END"]})
        params = {
            "n": 2, "best_of": 4, "stop": "end", "presence_penalty": 0.5,
            "frequency_penalty": -0.5, "max_tokens": 33,
        }  # fmt: skip
        evaluated(objective, params, ["m0"])
        (record,) = [record for record in endpoint.requests if record.kind == "chat"]
        sent = {**params, "stop": ["STOP", "END"], "model": "good-1", "temperature": 0.3, "seed": 0}
        assert {name: record.body[name] for name in sent} == sent
        assert record.body["messages"][0]["content"].startswith("Question: What is 11 + 4 * 3?")
        assert "\\boxed{}" in record.body["messages"][0]["content"]


class TestBeforeTheRun:
    def test_the_bill_lies_within_the_estimate(self, make, endpoint):
        objective = make()
        for params in ({"n": 1}, {"n": 4, "max_tokens": 40}):
            low, high = objective.estimate_range(params, objective.units())
            scores = evaluated(objective, params)
            usd = sum(s.scores[UNIT_USD] for s in scores.values())
            assert low.usd <= usd <= high.usd
            assert objective.estimate(params, objective.units()) == high

    def test_names_in_the_configuration_as_it_stands_are_looked_up_at_once(self, make):
        with pytest.raises(ConfigError, match=r"^completion\.model: .*'goood'.*'good'"):
            make(completion={"model": "goood"})
        with pytest.raises(ConfigError, match=r"^completion\.messages: 'steps'"):
            make(completion={"prompt": None, "messages": "steps"})
        with pytest.raises(ConfigError, match=r"^completion\.best_of: 1 answers"):
            make(completion={"n": 2, "best_of": 1})

    def test_a_metric_to_minimise_that_never_comes_is_a_failure(self, make):
        (score,) = evaluated(make(minimise=["los"]), units=["m0"]).values()
        assert score.failure.kind == "objective"
        assert "gave no los" in score.failure.message

    def test_a_metric_that_every_instance_must_have_and_has_not_is_a_failure(self, make):
        (score,) = evaluated(make(metrics=["los"]), units=["m0"]).values()
        assert "eval_func gave no los, which is wanted of all" in score.failure.message
        assert make(metrics=["los"]).scope() != make().scope()

    def test_a_missing_price_and_a_missing_key_are_named(self, make, monkeypatch):
        objective = make(models={"good": "good-1"})
        assert objective.unpriced({}) == ["good-1"]
        assert all(UNIT_USD not in s.scores for s in evaluated(objective).values())
        monkeypatch.delenv("OPENAI_API_KEY")
        with pytest.raises(ConfigError, match="OPENAI_API_KEY"):
            objective.preflight([{}], remote=False)
        objective.preflight([{}], remote=True)

    def test_an_unknown_model_is_named(self, make, endpoint):
        endpoint.configure(models=("good-1",))
        make().preflight([{}], remote=False)
        with pytest.raises(ConfigError, match="poor-1"):
            make(models={"good": "poor-1"}).preflight([{}], remote=False)

    def test_every_instance_has_its_turn_whatever_their_order(self, make):
        assert set(make().units()) == {row["id"] for row in DATA}
        assert make().units() == make(instances=DATA[::-1]).units()


class TestElsewhere:
    def test_it_travels_and_computes_the_same(self, make, tmp_path):
        lines = "".join(json.dumps(row) + "\n" for row in DATA)
        (tmp_path / "math.jsonl").write_text(lines)
        for section in ({"instances": "math.jsonl"}, {}):
            objective = make(eval_func="re:escape", **section)
            copy = pickle.loads(pickle.dumps(objective))
            assert copy.key({}) == objective.key({})
            assert copy.units() == objective.units()
        assert len(pickle.dumps(make(instances="math.jsonl", eval_func="re:escape"))) < 4_000

    def test_who_has_no_file_gets_the_instances(self, make, tmp_path):
        kept = {}

        class Shared:
            def obtain(self, key, build):
                return kept.setdefault(key, build() if key not in kept else None)

        (tmp_path / "math.jsonl").write_text("".join(json.dumps(row) + "\n" for row in DATA))
        objective = make(instances="math.jsonl", eval_func="re:escape")
        objective.share(Shared())
        key, copy = objective.key({}), pickle.loads(pickle.dumps(objective))
        (tmp_path / "math.jsonl").unlink()
        copy.share(Shared())
        assert copy.key({}) == key


class TestInUse:
    def test_create_asks_about_something_new(self, make, endpoint):
        objective = make()
        config = objective.configuration({"n": 3, "temperature": 0.0})
        created = objective.create({"problem": "What is 2 + 3 * 4?"}, config)
        assert created.texts == (created.text,) * 3
        assert "14" in created.text
        assert created.labels == (None,) * 3
        assert created.paid.usd == pytest.approx(endpoint.usd(PRICE["input"], PRICE["output"]))
        assert config["prompt"] == PROMPT
        with pytest.raises(ConfigError, match=r"\{problem\}"):
            objective.create({"question": "What?"}, config)

    def test_a_failure_is_raised(self, make, endpoint):
        objective = make()
        endpoint.fault("status", status=400)
        with pytest.raises(ObjectiveFailure):
            objective.create({"problem": "What is 1 + 1?"}, objective.configuration({}))

    def test_exports_are_plain_and_complete(self, make):
        exported = make().export({"n": 3})
        json.dumps(exported)
        assert exported["n"] == 3
        assert exported["model"]["model"] == "good-1"
        assert exported["messages"] == [{"role": "user", "content": PROMPT}]
