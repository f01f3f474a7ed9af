"""The base of tasks with the real client: a small task that asks once or twice an item."""

import itertools
import json
import pickle
import threading

import pytest
from pydantic import BaseModel, ConfigDict

from pipelines.llm.batch import Ask
from pipelines.llm.models import ModelRef, resolved
from pipelines.llm.types import ChatRequest, Message, Sampling
from pipelines.tasks import NoAnswerError, Outcome, TaskObjective, TaskSpec
from raytuner.component import ConfigError
from raytuner.objective import LATENCY, UNIT_TOKENS, UNIT_USD, Tally
from tests.endpoint.fixtures import endpoint

__all__ = ["endpoint"]

PRICE = {"input": 3.0, "output": 15.0}
FACTS = {f"capital of {land}": f"{town}." for land, town in [
    ("France", "Paris"), ("Italy", "Rome"), ("Spain", "Madrid"), ("Peru", "Lima"),
    ("Chad", "N'Djamena"), ("Cuba", "Havana"), ("Mali", "Bamako"), ("Oman", "Muscat"),
]}  # fmt: skip
ITEMS = [
    {"id": f"c{n}", "question": f"What is the {what}?", "answer": town[:-1]}
    for n, (what, town) in enumerate(FACTS.items())
]


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    model: ModelRef = "good"
    prompt: str = "Question: {question}"
    temperature: float | None = None


class Parts(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    parts: dict[str, Part] = {"draft": Part()}
    mode: str = "once"


class Small(TaskObjective[TaskSpec, Parts]):
    what = "a small"
    minimised = frozenset({"asked"})
    code = None

    def standing(self):
        return Parts()

    def run(self, config, item, ask):
        if self.code is not None:
            return self.code(config, item, ask)
        reply = ask(asking(config, item))
        return Outcome(reply.first.text, {"asked": 1.0}, {"mode": config.mode})


def asking(config, item, said=None):
    part = config.parts["draft"]
    message = Message("user", said or part.prompt.replace("{question}", item["question"]))
    request = ChatRequest((message,), Sampling(max_tokens=40, temperature=part.temperature))
    return Ask(resolved(part.model), request)


def longest(answer, item):
    return {"length": len(answer), "right": item["answer"] in answer}


@pytest.fixture
def make(endpoint, tmp_path):
    endpoint.configure(knowledge=FACTS)

    def make(code=None, **section):
        objective = Small.build(
            {
                "instances": ITEMS,
                "score": ["exact-match", "contains", longest],
                "models": {
                    "good": {"model": "good-1", "price": PRICE},
                    "cheap": {"model": "cheap-1", "price": PRICE},
                },
                "cache": str(tmp_path / "cache"),
                **section,
            },
            root=tmp_path,
            seed=1,
        )
        objective.code = code
        return objective

    return make


def evaluated(objective, params=None, units=None, meter=None):
    batches = objective.evaluate(params or {}, units or objective.units(), meter or Tally())
    return {score.unit: score for score in itertools.chain.from_iterable(batches)}


def test_items_are_scored_by_functions_and_metrics_and_cost_what_the_endpoint_counts(
    make, endpoint
):
    objective, meter = make(), Tally()
    scores = evaluated(objective, {"parts.draft.temperature": 0.3}, meter=meter)
    assert set(scores) == {row["id"] for row in ITEMS} == set(objective.units())
    assert all(
        set(s.scores)
        == {"exact-match", "contains", "length", "right", "asked", UNIT_TOKENS, UNIT_USD}
        for s in scores.values()
    )
    assert all(s.scores["contains"] == s.scores["right"] for s in scores.values())
    assert sum(s.scores["exact-match"] for s in scores.values()) >= 4
    billed = endpoint.usd(PRICE["input"], PRICE["output"])
    assert sum(s.cost.usd for s in scores.values()) == pytest.approx(billed)
    assert sum(s.scores[UNIT_USD] for s in scores.values()) == pytest.approx(billed)
    assert sum(s.scores[UNIT_TOKENS] for s in scores.values()) == endpoint.tokens.total
    assert meter.cost.usd == pytest.approx(billed)
    assert all(s.notes["mode"] == "once" and s.notes[LATENCY] >= 0 for s in scores.values())
    json.dumps([dict(s.notes) for s in scores.values()])
    assert not objective.maximise("asked")
    assert objective.maximise("right")


def test_a_metric_that_every_item_must_have_cannot_be_left_out(make):
    def only_when_right(answer, item):
        return {"right": 1.0} if item["answer"] in answer else {"wrong": 1.0}

    unsure = {"parts.draft.temperature": 1.5}
    free = make(score=only_when_right)
    found = evaluated(free, unsure)
    left_out = {unit for unit, score in found.items() if "right" not in score.scores}
    assert 0 < len(left_out) < len(ITEMS)
    held = make(score=only_when_right, metrics=["right"])
    assert held.scope() != free.scope()
    failed = {unit: score.failure for unit, score in evaluated(held, unsure).items()}
    assert {unit for unit, failure in failed.items() if failure} == left_out
    assert {failed[unit].message.split(": ")[-2] for unit in left_out} == {
        "score gave no right, which is wanted of all; it gave"
    }
    assert all(failed[unit].message.endswith(" wrong.") for unit in left_out)


def test_what_was_asked_before_is_free_and_scores_the_same(make, endpoint):
    first = evaluated(make())
    calls = endpoint.calls("chat")
    again = evaluated(make())
    assert endpoint.calls("chat") == calls == len(ITEMS)
    assert {u: s.scores for u, s in again.items()} == {u: s.scores for u, s in first.items()}
    assert sum(s.cost.usd for s in again.values()) == 0


def test_items_run_side_by_side_and_ask_from_threads_of_their_own(make, endpoint):
    together = threading.Barrier(len(ITEMS), timeout=20)

    def code(config, item, ask):
        together.wait()
        found = []
        threads = [
            threading.Thread(target=lambda n=n: found.append(ask(asking(config, item, f"{n}?"))))
            for n in range(3)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return Outcome(" ".join(sorted(reply.first.text for reply in found)))

    scores = evaluated(make(code))
    assert {s.notes["calls"] for s in scores.values()} == {3}
    assert endpoint.repeated() == []


def test_an_exception_of_the_code_costs_its_item_only(make):
    def code(config, item, ask):
        if item["id"] == "c2":
            raise KeyError("lost")
        if item["id"] == "c3":
            return None
        return Outcome(ask(asking(config, item)).first.text)

    scores = evaluated(make(code))
    failed = {unit: s.failure for unit, s in scores.items() if s.failure}
    assert set(failed) == {"c2", "c3"}
    assert {f.kind for f in failed.values()} == {"objective"}
    assert "KeyError: 'lost'" in failed["c2"].message
    assert "it gave nothing" in failed["c3"].message


def test_no_answer_is_scored_as_an_empty_one(make):
    def code(config, item, ask):
        raise NoAnswerError("nothing fits")

    scores = evaluated(make(code))
    assert all(s.failure is None and s.scores["contains"] == 0 for s in scores.values())
    assert all(s.notes["no answer"] == "nothing fits" for s in scores.values())


def test_a_call_that_fails_is_a_failure_whatever_the_code_makes_of_it(make, endpoint):
    endpoint.fault("status", status=400, containing="Peru")

    def code(config, item, ask):
        reply = ask(asking(config, item))
        return Outcome("made up" if reply.failure else reply.first.text)

    scores = evaluated(make(code))
    assert {u: s.failure.kind for u, s in scores.items() if s.failure} == {"c3": "config"}
    assert scores["c3"].scores == {}


def test_code_that_hangs_is_a_timeout_of_its_item_and_can_ask_no_more(make, endpoint):
    release, late = threading.Event(), []

    def code(config, item, ask):
        if item["id"] == "c1":
            release.wait(20)
            try:
                ask(asking(config, item, "too late?"))
            except Exception as error:
                late.append(type(error).__name__)
        return Outcome(ask(asking(config, item)).first.text)

    scores = evaluated(make(code, timeout=0.4))
    assert {u: s.failure.kind for u, s in scores.items() if s.failure} == {"c1": "timeout"}
    assert "0.4 s" in scores["c1"].failure.message
    release.set()
    for thread in threading.enumerate():
        if thread.name.startswith("raytuner-item"):
            thread.join(20)
    assert late == ["ItemOverError"]
    assert endpoint.calls("chat", containing="too late") == 0


def test_waiting_for_a_model_is_not_counted_as_time_of_the_code(make, endpoint):
    endpoint.configure(latency=0.5)
    scores = evaluated(make(timeout=0.3), units=["c0", "c1"])
    assert all(s.failure is None and s.notes[LATENCY] >= 0.5 for s in scores.values())


def test_a_refused_key_ends_the_trial(make, endpoint, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-wrong")

    def code(config, item, ask):
        try:
            return Outcome(ask(asking(config, item)).first.text)
        except BaseException:
            return Outcome("made up")

    with pytest.raises(ConfigError, match="key"):
        evaluated(make(code))


def test_closing_early_begins_no_more_items(make, endpoint):
    many = [{"id": str(n), "question": f"What is {n} + 1?", "answer": "x"} for n in range(300)]
    objective = make(instances=many)
    batches = objective.evaluate({}, objective.units(), Tally())
    next(batches)
    batches.close()
    calls = endpoint.calls("chat")
    assert calls < 300
    assert endpoint.calls("chat") == calls


class TestKeys:
    def test_cover_configuration_items_and_scoring(self, make):
        keys = {
            make().key({}), make().key({"parts.draft.temperature": 0.3}),
            make().key({"mode": "twice"}), make(score="contains").key({}),
            make(instances=ITEMS[:5]).key({}), make(version="2").key({}),
            make(reference="question").key({}), make().key({"parts.draft.model": "cheap"}),
        }  # fmt: skip
        assert len(keys) == 8
        assert make().key({}) == make(timeout=3).key({"mode": "once"})

    def test_an_objective_travels(self, make):
        objective = make(score=["token-f1", "tests.pipelines.tasks.sample:right"])
        other = pickle.loads(pickle.dumps(objective))
        assert other.key({}) == objective.key({})
        assert evaluated(other).keys() == evaluated(objective).keys()


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"parts.daft.prompt": "x"}, "parts.daft: parts has no 'daft'; it has: draft. Did you"),
        ({"parts.draft.promt": "x"}, "no 'promt'.*Did you mean 'prompt'"),
        ({"part.draft.prompt": "x"}, "no 'part'.*Did you mean 'parts'"),
        ({"parts.draft": "x"}, "parts.draft: a value is given; name one of its fields: model"),
        ({"parts.draft.temperature": "hot"}, "parts.draft.temperature: .*'hot'"),
        ({"parts.draft.model": "goood"}, "parts.draft.model: model 'goood'.*Did you mean 'good'"),
        ({"mode.kind": "x"}, "mode: this is a plain value"),
    ],
)
def test_parameters_that_do_not_fit_are_explained(make, params, said):
    with pytest.raises(ConfigError, match=said) as error:
        make().key(params)
    assert error.value.field == (next(iter(params)),)


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"score": None}, "score: it is missing; give module:function"),
        ({"score": "exact_match"}, "score: metric 'exact_match'.*Did you mean 'exact-match'"),
        ({"score": "recall"}, "score: recall does not compare two texts"),
        ({"score": "no.such:thing"}, "score: no.such:thing cannot be imported"),
        ({"score": []}, "score: nothing is named"),
        ({"score": 3}, "score: 3 is no name"),
        ({"instances": "none.jsonl"}, "none.jsonl"),
        ({"intances": []}, "intances: a small objective has no such field.*'instances'"),
        ({"timeout": 0}, "timeout: "),
        ({"instances": [{"id": "q7", "question": "Why?"}]}, "q7 .number 0. has no 'answer'"),
    ],
)
def test_a_section_that_does_not_fit_is_explained(make, section, said):
    with pytest.raises(ConfigError, match=said) as error:
        make(**section).key({})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (None, "mapping"),
        ({}, "no number"),
        ({"right": float("nan")}, "finite"),
        ({UNIT_USD: 1.0}, "rename"),
        ({"asked": 1.0}, "rename"),
        ({"contains": 1.0}, "twice"),
    ],
)
def test_what_is_no_score_is_a_failure_that_says_so(make, given, said):
    scores = evaluated(make(score=["contains", lambda answer, item: given]))
    assert {s.failure.kind for s in scores.values()} == {"objective"}
    assert all(said in s.failure.message for s in scores.values())


def test_several_references_are_compared_and_the_best_counts(make):
    items = [{**row, "answer": ["nowhere", row["answer"]]} for row in ITEMS]
    once = evaluated(make(score="contains"))
    several = evaluated(make(score="contains", instances=items))
    assert {u: s.scores["contains"] for u, s in several.items()} == {
        u: s.scores["contains"] for u, s in once.items()
    }


def test_explaining_shows_what_is_kept_and_asks_nobody(make, endpoint):
    objective = make()
    evaluated(objective, units=["c0", "c1"])
    calls = endpoint.calls()
    shown = {one["unit"]: one for one in objective.explain({}, ["c0", "c5"])}
    assert endpoint.calls() == calls
    assert shown["c0"]["question"] == "What is the capital of France?"
    assert shown["c0"]["reference"] == "Paris"
    assert shown["c0"]["answer"]
    assert "not among the answers" in shown["c5"]["missing"]


def test_the_whole_configuration_can_be_exported(make):
    exported = make().export({"parts.draft.model": "cheap", "parts.draft.temperature": 0.5})
    assert exported["parts"]["draft"]["temperature"] == 0.5
    assert exported["parts"]["draft"]["model"]["model"] == "cheap-1"
    assert make().defaults(["mode", "parts.draft.model"]) == {
        "mode": "once", "parts.draft.model": "good",
    }  # fmt: skip
