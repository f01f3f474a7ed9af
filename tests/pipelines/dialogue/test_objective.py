"""Dialogues with the real client, against an endpoint that counts for itself."""

import itertools
import pickle

import pytest

from pipelines.dialogue import DialogueObjective
from raytuner.component import ConfigError
from raytuner.objective import LATENCY, UNIT_TOKENS, UNIT_USD, Tally
from tests.endpoint.fixtures import endpoint

__all__ = ["endpoint"]

PRICE = {"input": 3.0, "output": 15.0}
TOWNS = {"France": "Paris", "Italy": "Rome", "Spain": "Madrid", "Peru": "Lima"}


def turn(land, **more):
    return {"user": f"What is the capital of {land}?", "expect": TOWNS[land], **more}


DIALOGUES = [
    {"id": "west", "land": "Gaul", "turns": [turn("France"), turn("Spain"), turn("Italy")]},
    {"id": "south", "land": "Inca", "turns": [turn("Peru"), {"user": "Thank you!"}]},
    {"id": "short", "land": "Rome", "turns": [turn("Italy")]},
]


def polite(answer, turn):
    if turn["turn"] > 1 and not turn["history"]:
        raise ValueError("no history")
    return {"words": len(answer.split()), "third": 1} if turn["turn"] == 3 else {"words": 1}


@pytest.fixture
def make(endpoint, tmp_path):
    endpoint.configure(knowledge={f"capital of {land}": f"{t}." for land, t in TOWNS.items()})

    def make(bot=None, **section):
        return DialogueObjective.build(
            {
                "instances": DIALOGUES,
                "score": ["contains", polite],
                "models": {"good": {"model": "good-1", "price": PRICE}},
                "bot": {"model": "good", "temperature": 0.3, "max_tokens": 40, **(bot or {})},
                "cache": str(tmp_path / "cache"),
                **section,
            },
            root=tmp_path,
            seed=0,
        )

    return make


def evaluated(objective, params=None, units=None):
    batches = objective.evaluate(params or {}, units or objective.units(), Tally())
    return {score.unit: score for score in itertools.chain.from_iterable(batches)}


def conversations(endpoint):
    return [[(m["role"], m["content"]) for m in r.body["messages"]] for r in endpoint.requests]


def test_every_turn_is_answered_with_what_was_said_before(make, endpoint):
    scores = evaluated(make(), units=["west"])
    asked = sorted(conversations(endpoint), key=len)
    roles = [[role for role, _ in one] for one in asked]
    assert roles == [
        ["user"], ["user", "assistant", "user"], ["user", "assistant"] * 2 + ["user"],
    ]  # fmt: skip
    assert asked[2][:3] == asked[1]
    assert [text for role, text in asked[2] if role == "user"] == [
        one["user"] for one in DIALOGUES[0]["turns"]
    ]
    assert scores["west"].notes["calls"] == 3


@pytest.mark.parametrize(("history", "most"), [(0, 1), (1, 3), (None, 5)])
def test_as_many_turns_are_kept_as_the_configuration_says(make, endpoint, history, most):
    evaluated(make(), {"history": history, "system": ""}, units=["west"])
    assert max(map(len, conversations(endpoint))) == most


def test_the_system_prompt_is_filled_from_the_dialogue(make, endpoint):
    evaluated(make(), {"system": "You know all about {land}."})
    systems = {one[0] for one in conversations(endpoint)}
    assert systems == {
        ("system", f"You know all about {name}.") for name in ("Gaul", "Inca", "Rome")
    }


def test_scores_are_means_over_the_turns_that_have_them(make, endpoint):
    passing = {"metric": "contains"}
    scores = evaluated(make(passing=passing))
    assert all(s.failure is None for s in scores.values())
    for unit, score in scores.items():
        turns = score.notes["turns"]
        seen = [one["contains"] for one in turns if "contains" in one]
        assert len(seen) == {"west": 3, "south": 1, "short": 1}[unit]
        assert score.scores["contains"] == sum(seen) / len(seen) == score.scores["turns_passed"]
        assert score.scores["dialogue_passed"] == float(all(seen))
        assert score.notes[LATENCY] > 0
    assert "third" in scores["west"].scores
    assert "third" not in scores["south"].scores
    assert sum(s.scores[UNIT_TOKENS] for s in scores.values()) == endpoint.tokens.total
    billed = endpoint.usd(PRICE["input"], PRICE["output"])
    assert sum(s.scores[UNIT_USD] for s in scores.values()) == pytest.approx(billed)


def test_a_turn_that_cannot_be_answered_is_a_failure_of_its_dialogue(make, endpoint):
    endpoint.fault("status", status=400, containing="Spain")
    scores = evaluated(make())
    assert {u: s.failure.kind for u, s in scores.items() if s.failure} == {"west": "config"}
    assert not any("Italy" in str(one[-1]) and len(one) > 1 for one in conversations(endpoint))


def test_a_function_that_raises_or_scores_nothing_costs_its_dialogue_only(make):
    def picky(answer, turn):
        if turn["id"] == "short":
            return {}
        return {"right": turn["nothing"]} if turn["id"] == "south" else {"right": 1}

    scores = evaluated(make(score=picky))
    failed = {u: s.failure.message for u, s in scores.items() if s.failure}
    assert set(failed) == {"short", "south"}
    assert "KeyError" in failed["south"]
    assert "no number for any turn" in failed["short"]


def test_costs_are_bounded_before(make, endpoint):
    objective = make({"system": "You know all about {land}."})
    least, most = objective.estimate_range({}, objective.units())
    assert least.calls == most.calls == 6
    evaluated(objective)
    assert least.usd < endpoint.usd(PRICE["input"], PRICE["output"]) < most.usd
    shorter = objective.estimate({"history": 0}, objective.units())
    assert shorter.tokens_in < most.tokens_in


def test_explaining_shows_the_dialogue(make, endpoint):
    objective = make()
    evaluated(objective, units=["west"])
    calls = endpoint.calls()
    west, short = objective.explain({}, ["west", "short"])
    assert west["question"].count("\n") == 2
    assert west["reference"] == "Paris\nMadrid\nRome"
    assert west["answer"].count("User: ") == west["answer"].count("Bot: ") == 3
    assert "missing" not in west
    assert endpoint.calls() == calls
    shown = make({"seed": 5}).explain({}, ["south"])[0]
    assert "not among the answers" in shown["missing"]
    assert shown["reference"] == "Lima\n-"
    assert short["unit"] == "short"


def test_keys_cover_every_field(make):
    objective = make()
    params = {
        "system": "Be short.", "history": 1, "max_tokens": 9, "temperature": 0.7, "stop": "x",
        "presence_penalty": 0.5, "frequency_penalty": 0.5, "seed": 3,
    }  # fmt: skip
    keys = [objective.key({name: value}) for name, value in params.items()]
    keys += [objective.key({}), objective.key({"temperature": None, "top_p": 0.5})]
    keys += [make(passing={"metric": "contains"}).key({}), make(score="contains").key({})]
    assert len(set(keys)) == len(keys)
    assert objective.defaults(["system", "temperature", "model"]) == {
        "system": "", "temperature": 0.3, "model": "good",
    }  # fmt: skip
    named = make(score="contains")
    assert pickle.loads(pickle.dumps(named)).key({}) == named.key({})


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"instances": [{"id": "a", "question": "?"}]}, "instance a .number 0. has no 'turns'"),
        ({"instances": [{"id": "a", "turns": []}]}, r"the turns of a are \[\]; give a list"),
        ({"instances": [{"id": "a", "turns": ["Hi"]}]}, "turn 1 of a is 'Hi'; give a mapping"),
        (
            {"instances": [{"id": "a", "turns": [{"usr": "Hi", "expect": "x"}]}]},
            "turn 1 of a says nothing.*Did you mean 'usr'",
        ),
        (
            {"instances": [{"id": "a", "turns": [{"user": "Hi", "expected": "x"}]}]},
            "no turn of a has 'expect'.*Did you mean 'expected'",
        ),
        ({"bot": {"sistem": "x"}}, "bot.sistem: .*Did you mean 'system'"),
        ({"bot": {"history": -1}}, "bot.history: "),
        ({"bot": {"system": "{lnd}"}}, "{lnd}.*Did you mean 'land'"),
        ({"passing": {"metric": "containz"}, "score": "contains"}, "Did you mean 'contains'"),
        ({"turns": []}, "turns: a dialogue objective has no such field"),
    ],
)
def test_what_does_not_fit_is_explained(make, section, said):
    with pytest.raises(ConfigError, match=said) as error:
        make(**section).key({})
    assert "\n" not in str(error.value)


def test_parameters_that_do_not_fit_are_explained(make):
    with pytest.raises(ConfigError, match=r"no 'temprature'.*Did you mean 'temperature'"):
        make().key({"temprature": 1})
    with pytest.raises(ConfigError, match=r"temperature \(0.3\) and top_p"):
        make().key({"top_p": 0.5})
