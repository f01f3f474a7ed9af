"""Whole studies with answers of language models: what they cost, and what ends them."""

import json

import pytest

from raytuner.journal import read
from raytuner.results import Results
from tests.answers.conftest import PRICES

QUESTIONS, TRIALS = 36, 4


def billed(endpoint):
    """Sum up what the server charged, by its own count."""
    return endpoint.usd(*PRICES["good"], model="good-1") + endpoint.usd(
        *PRICES["cheap"], model="cheap-1"
    )


def test_every_dollar_of_the_server_is_in_the_table(folder, endpoint, raytuner):
    done = raytuner("run", "study.yaml", "--json")
    assert done.code == 0, done.err
    facts = json.loads(done.out)
    assert sum(trial["usd"] for trial in facts["trials"]) == pytest.approx(billed(endpoint))
    assert sum(row["usd"] for row in facts["calls"]) == pytest.approx(billed(endpoint), abs=1e-6)
    assert sum(row["calls"] for row in facts["calls"]) == endpoint.calls("chat")
    assert endpoint.calls("chat") == QUESTIONS * TRIALS
    assert endpoint.repeated() == []


def test_the_optimum_is_found_and_its_cost_is_a_metric(folder, endpoint, raytuner):
    raytuner("run", "study.yaml")
    trials = Results.open(folder.run).trials.set_index("trial")
    best = trials.iloc[0]
    assert (best["generator.model"], best["generator.temperature"]) == ("good", 0.3)
    cheap = trials[trials["generator.model"] == "cheap"]
    assert (cheap["usd_per_question"] < best["usd_per_question"] / 5).all()


def test_again_is_free_and_lost_records_are_too(folder, endpoint, raytuner):
    raytuner("run", "study.yaml")
    first = Results.open(folder.run)
    asked = endpoint.calls("chat")
    assert "Work done: none" in raytuner("run", "study.yaml").out
    (folder.run / "journal.jsonl").unlink()
    out = raytuner("run", "study.yaml").out
    assert f"0 made, {QUESTIONS * 2} answers reused" in out
    assert endpoint.calls("chat") == asked
    again = Results.open(folder.run)
    for metric in ("token-f1", "usd_per_question", "tokens_per_question"):
        assert again.trials[metric].tolist() == first.trials[metric].tolist()
    assert again.trials["usd"].sum() == 0


def test_a_dollar_budget_is_never_exceeded_and_the_result_stands(folder, endpoint, raytuner):
    limit = 0.02
    folder.write(budget={"usd": limit}, workers=4)
    done = raytuner("run", "study.yaml")
    assert done.code == 4
    assert f"Stopped early: the budget of ${limit:g}" in done.out
    assert 0.8 * limit < billed(endpoint) <= limit
    assert Results.open(folder.run).best is None or "Best: " in done.out
    spent = billed(endpoint)
    assert raytuner("run", "study.yaml").code == 4
    assert billed(endpoint) <= limit
    folder.write(budget={"usd": 1.0})
    assert raytuner("run", "study.yaml").code == 0
    assert billed(endpoint) > spent
    assert endpoint.repeated() == []


@pytest.mark.parametrize("limit", [0.008, 0.02, 0.05])
def test_a_dollar_budget_pays_for_search_and_verdict_and_is_never_exceeded(
    folder, endpoint, raytuner, limit
):
    folder.write(budget={"usd": limit}, workers=4, verdict=None, scheduler=None)
    done = raytuner("run", "study.yaml", "--json")
    assert done.code in {0, 4}, done.err
    found = json.loads(done.out)
    assert billed(endpoint) <= limit
    # an answer whose question the budget has cut short is paid for, and in no trial's row
    assert sum(trial["usd"] for trial in found["trials"]) <= billed(endpoint) + 1e-9
    assert endpoint.repeated() == []
    if done.code == 4:  # money was short: then it was used
        assert billed(endpoint) > 0.6 * limit
    folder.write(budget={"usd": 1.0})
    whole = raytuner("run", "study.yaml", "--json")
    assert whole.code == 0, whole.err
    verdict = json.loads(whole.out)["verdict"]
    assert verdict["status"] != "NONE"
    assert verdict["questions"]["held_out"] >= 20
    assert verdict["looks"] <= 2
    assert endpoint.repeated() == []


def test_a_token_budget_ends_in_order(folder, endpoint, raytuner):
    folder.write(budget={"tokens": 20_000})
    done = raytuner("run", "study.yaml")
    assert done.code == 4
    assert "the budget of 20000 tokens" in done.out.replace(",", "")
    assert 5_000 < sum(endpoint.tokens[:2]) <= 20_000


def test_a_configuration_that_costs_too_much_a_question_is_stopped(folder, endpoint, raytuner):
    folder.write(
        budget={"usd_per_question": 0.0001}, baseline=False,
        space={"generator.model": {"choice": ["good", "cheap"]}},
    )  # fmt: skip
    assert raytuner("run", "study.yaml").code == 0
    trials = Results.open(folder.run).trials.set_index("generator.model")
    assert trials.loc["cheap", "status"] == "complete"
    assert trials.loc["good", "status"] == "pruned"
    assert trials.loc["good", "answered"] < QUESTIONS
    assert endpoint.calls("chat", model="good-1") == trials.loc["good", "answered"]


def test_the_real_cost_lies_within_the_estimate(folder, endpoint, raytuner):
    checked = raytuner("check", "study.yaml", "--json")
    assert checked.code == 0, checked.err
    plan = json.loads(checked.out)
    assert endpoint.calls("chat") == 0
    raytuner("run", "study.yaml")
    assert plan["usd at least"] <= billed(endpoint) <= plan["usd at most"]
    sent, received = endpoint.tokens[:2]
    assert plan["tokens in at least"] <= sent <= plan["tokens in at most"]
    assert plan["tokens out at least"] <= received <= plan["tokens out at most"]
    assert plan["calls at least"] <= endpoint.calls("chat") <= plan["calls at most"]
    shown = raytuner("run", "study.yaml", "--dry-run").out
    assert "usd at most: $" in shown


def test_a_judge_that_is_asked_three_times_tells_its_noise(folder, endpoint, raytuner):
    folder.write(
        objective__metrics=[{"kind": "correctness", "model": "judge", "repeats": 3}],
        metric=None, space={"generator.temperature": {"choice": [0.3]}}, baseline=False,
    )  # fmt: skip
    done = raytuner("run", "study.yaml")
    assert done.code == 0, done.err
    assert "Judge: single verdicts of correctness(repeats=3) on one answer differ by" in done.out
    judge = [r for r in endpoint.requests if "response_format" in (r.body or {})]
    assert sum(request.body.get("n", 1) for request in judge) == 3 * QUESTIONS
    facts = json.loads(raytuner("results", "study.yaml", "--json").out)
    spent = {row["stage"]: row["usd"] for row in facts["calls"]}
    assert spent["judge"] > 0
    assert sum(spent.values()) == pytest.approx(endpoint.usd(*PRICES["good"]), abs=1e-6)


# ---- what goes wrong on the wire


@pytest.mark.parametrize(
    ("fault", "rule"),
    [
        ("status", {"status": 429, "retry_after": 0.05}),
        ("status", {"status": 429}),
        ("status", {"status": 500}),
        ("status", {"status": 503}),
        ("drop", {}),
        ("drop-body", {}),
        ("cut-body", {}),
        ("malformed", {}),
        ("html", {}),
        ("object", {}),
        ("error-object", {}),
        ("null-choices", {}),
    ],
)
def test_what_passes_is_tried_again_and_changes_no_score(
    folder, endpoint, raytuner, monkeypatch, fault, rule
):
    monkeypatch.setattr("pipelines.llm.attempts._pause", lambda number: 0.0)
    folder.write(space={"generator.model": {"choice": ["good"]}}, baseline=False)
    raytuner("run", "study.yaml")
    undisturbed = Results.open(folder.run).scores
    folder.write(name="again", objective__cache="cache2")
    endpoint.fault(fault, first=5, **rule)
    done = raytuner("run", "study.yaml")
    assert done.code == 0, done.out + done.err
    again = Results.open(folder.path / "runs" / "again").scores
    assert again.equals(undisturbed)
    assert "retries" in done.out


@pytest.mark.parametrize(
    ("fault", "rule", "kind"),
    [
        ("status", {"status": 500}, "provider"),
        ("status", {"status": 429, "retry_after": 0.01}, "rate_limit"),
        ("quota", {}, "rate_limit"),
        ("hang", {}, "timeout"),
        ("status", {"status": 400}, "config"),
    ],
)
def test_what_does_not_pass_is_missing_data_and_never_a_zero(
    folder, endpoint, raytuner, monkeypatch, fault, rule, kind
):
    monkeypatch.setattr("pipelines.llm.attempts._pause", lambda number: 0.0)
    models = folder.data["objective"]["models"]
    for model in models.values():
        model.update(retries=1, timeout=0.5)
    folder.write(
        objective__models=models, space={"generator.model": {"choice": ["good", "cheap"]}},
        baseline=False,
    )  # fmt: skip
    lost = "What is the weight of the valve in the attic?"
    endpoint.fault(fault, containing=lost, model="good-1", **rule)
    done = raytuner("run", "study.yaml")
    assert done.code == 3, done.out + done.err
    results = Results.open(folder.run)
    good, cheap = sorted(
        results.record.current, key=lambda t: t.params["generator.model"] != "good"
    )
    assert [failure.kind for failure in good.failures.values()] == [kind]
    assert len(good.missing()) == 1
    assert results.best is cheap
    assert good.status == "failed"
    endpoint.clear_faults()
    asked = endpoint.calls("chat", status=200)
    assert raytuner("run", "study.yaml").code == 0
    assert endpoint.calls("chat", status=200) == asked + 1


def test_malformed_answers_score_as_the_study_says(folder, endpoint, raytuner):
    folder.write(space={"generator.model": {"choice": ["good"]}}, baseline=False)
    endpoint.fault("truncated", containing="of the pump in the cellar?")
    endpoint.fault("content-filter", containing="of the valve in the attic?")
    scores = {}
    for name, treatment in (("scored", "keep"), ("zeroed", "zero"), ("missing", "fail")):
        folder.write(name=name, objective__outputs={"truncated": treatment})
        scores[name] = raytuner("run", "study.yaml").code, Results.open(folder.path / "runs" / name)
    table = {name: found.record.current[0] for name, (_, found) in scores.items()}
    label = {unit: note.get("label") for unit, note in table["scored"].notes.items()}
    cut = {unit for unit in label if label[unit] == "truncated"}
    assert len(cut) == 6
    assert sum(one == "filtered" for one in label.values()) == 6
    units = list(table["zeroed"].units)
    zeroed = table["zeroed"].values("token-f1")
    assert all(zeroed[units.index(unit)] == 0 for unit in cut)
    assert zeroed.sum() > 0
    assert set(table["missing"].failures) == cut
    assert scores["missing"][0] == 1  # the only trial has failed


# ---- bad input


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"objective__models__good": {"model": "good-1", "api_key_env": "NO_SUCH_KEY"}},
         "NO_SUCH_KEY (api_key_env) is not set"),
        ({"space": {"generator.temperature": {"choice": [0.1]},
                    "generator.top_p": {"choice": [0.5]}}},
         "temperature (0.1) and top_p (0.5) are both given"),
        ({"objective__pipeline__generator": {"kind": "chat", "model": "good",
                                             "prompt": "{qustion}"}},
         "nothing fills {qustion}"),
        ({"objective__models__good": {"model": "good-1"}, "budget": {"usd": 1}},
         "the price of good-1 is not known"),
        ({"objective__models__good": {"model": "good-1"}, "budget": {"usd_per_question": 1}},
         "the price of good-1 is not known"),
        ({"space": {"generator.model": {"choice": ["good", "chep"]}}},
         "'chep' is not one of the study's models: good, cheap, judge. Did you mean 'cheap'?"),
        ({"objective__pipeline__generator": {"kind": "chat", "model": "godo"}},
         "'godo' is not one of the study's models"),
        ({"objective__models": {"good": {"kind": "opnai", "model": "x"}}},
         "Did you mean 'openai'?"),
        ({"objective__models": ["good"]}, "give names and models"),
        ({"objective__outputs": {"cut": "zero"}}, "outputs.cut: no such field"),
        ({"budget": {"tokens": 0}}, "greater than or equal to 1"),
    ],
)  # fmt: skip
def test_bad_input_ends_before_anything_is_spent(folder, endpoint, raytuner, changes, message):
    folder.write(**changes)
    done = raytuner("run", "study.yaml")
    assert done.code == 2, done.out
    assert message in done.err
    assert [line[:6] for line in done.err.splitlines() if not line.startswith("note")] == ["error:"]
    assert endpoint.calls("chat") == 0
    assert not folder.run.exists()


def test_a_refused_key_is_said_once_before_anything_is_spent(
    folder, endpoint, raytuner, monkeypatch
):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-wrong-0123456789abcdefghij")
    done = raytuner("run", "study.yaml")
    assert done.code == 2
    assert "the key in OPENAI_API_KEY was refused by" in done.err
    assert "sk-wrong" not in done.err + done.out
    assert endpoint.calls("chat") == 0


def test_an_unknown_model_is_said_before_anything_is_spent(folder, endpoint, raytuner):
    endpoint.configure(models=["good-1"])
    done = raytuner("run", "study.yaml")
    assert done.code == 2
    assert "model 'cheap-1' is not known to" in done.err
    assert endpoint.calls("chat") == 0


@pytest.mark.parametrize(
    ("budget", "message"),
    [
        ({"usd": 0.000001}, "budget.usd: $1e-06 is less than the $0.00"),
        ({"tokens": 100}, "budget.tokens: 100 is less than the "),
    ],
)
def test_a_budget_below_the_cheapest_trial_is_refused(folder, endpoint, raytuner, budget, message):
    folder.write(budget=budget)
    done = raytuner("run", "study.yaml")
    assert done.code == 2
    assert message in done.err
    assert "that the cheapest trial" in done.err
    assert endpoint.calls("chat") == 0


def test_the_key_is_nowhere(folder, endpoint, raytuner, monkeypatch):
    monkeypatch.setattr("pipelines.llm.attempts._pause", lambda number: 0.0)
    endpoint.fault("status", status=500, first=400)
    raytuner("run", "study.yaml")
    raytuner("results", "study.yaml", "--json")
    for path in folder.path.parent.rglob("*"):
        if path.is_file():
            assert endpoint.key.encode() not in path.read_bytes(), path
    events, _ = read(folder.run / "journal.jsonl")
    assert "sk-" not in json.dumps(events)


def test_a_metric_that_no_question_can_have_is_refused_before_anything_is_spent(
    folder, endpoint, raytuner
):
    golden = folder.path / "golden.jsonl"
    rows = [json.loads(line) for line in golden.read_text().splitlines()]
    golden.write_text("".join(json.dumps({**row, "answer": None}) + "\n" for row in rows))
    done = raytuner("run", "study.yaml")
    assert done.code == 2
    assert "metric: 'token-f1' is defined for none of the 36 questions" in done.err
    assert endpoint.calls("chat") == 0


def test_a_missing_key_of_an_embedder_is_said_before_anything_is_spent(folder, endpoint, raytuner):
    embedder = {"kind": "openai", "model": "embed-1", "api_key_env": "NO_SUCH_KEY", "free": True}
    folder.write(objective__pipeline__embedder=embedder)
    folder.write(objective__pipeline__retriever={"kind": "dense", "top_k": 2})
    done = raytuner("run", "study.yaml")
    assert done.code == 2
    assert "NO_SUCH_KEY (api_key_env) is not set" in done.err
    assert endpoint.calls() == 0
