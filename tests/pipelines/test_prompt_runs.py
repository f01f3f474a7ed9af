"""Prompt evolution from end to end: a real client, a real endpoint that writes, real crashes."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import raytuner
from pipelines.rewriting import STAGE
from raytuner.component import ConfigError
from raytuner.record import Record
from raytuner.results import Results
from raytuner.spending import accounts
from tests.endpoint.fixtures import endpoint
from tests.endpoint.server import started
from tests.pipelines.prompt_probes import (
    ASKED,
    GOOD,
    PRICES,
    SEED,
    events,
    evolving,
    prompts,
    sums,
)
from tests.raytuner.probes import wait_for

__all__ = ["endpoint"]
ROOT = Path(__file__).parents[2]


def written(found, *, fresh=False):
    """Count the texts that were begun, or made."""
    return sum(event["event"] == ("begun" if fresh else "made") for event in found)


def shown(endpoint):
    """Give what the writer was asked, request by request."""
    bodies = [json.dumps(record.body) for record in endpoint.requests if record.body]
    return [body for body in bodies if ASKED in body]


def test_it_finds_what_the_endpoint_likes_to_be_told(tmp_path, endpoint):
    results = raytuner.run(evolving(tmp_path), tmp_path)
    best = results.best
    assert GOOD in best.params["prompt"].lower()
    assert results.score(best) > results.score(results.baseline) + 0.1
    assert len(results.record.current) == 9  # trial 0 comes on top of the 8
    assert endpoint.repeated() == []
    assert results.stop_reason == "the budget of 8 trials is used"
    assert all("{question}" in text and len(text) <= 400 for text in prompts(results))
    assert len(set(prompts(results))) == 9


def test_no_held_out_question_is_ever_shown_to_the_writer(tmp_path, endpoint):
    results = raytuner.run(evolving(tmp_path, number=40), tmp_path)
    texts = {row["id"]: row["question"] for row in sums(40)}
    record = results.record
    assert len(record.held_out) > len(record.units) > 10
    asked = "\n".join(shown(endpoint))
    assert sum(texts[unit] in asked for unit in record.units) >= 3
    assert not [unit for unit in record.held_out if texts[unit] in asked]
    assert any(len(trial.held.missing()) == 0 for trial in record.current)  # the verdict saw them


def test_what_writing_costs_is_told_and_counts(tmp_path, endpoint):
    study = evolving(tmp_path, budget={"trials": 6, "usd": 1.0})
    results = raytuner.run(study, tmp_path)
    spent = endpoint.usd(PRICES["input"], PRICES["output"])
    (row,) = [one for one in accounts(results.total_work) if one.stage == STAGE]
    assert row.calls == endpoint.calls(containing=ASKED) > 0
    assert row.usd == pytest.approx(
        endpoint.usd(PRICES["input"], PRICES["output"], model="good-1"), abs=1e-6
    )
    assert row.usd > 0
    again = Results.open(tmp_path / "runs/t")
    assert again.record.cost.usd == pytest.approx(spent, abs=1e-6)
    assert again.record.spent_usd == pytest.approx(spent, abs=1e-6)
    assert again.total_work == results.total_work


def test_without_a_model_fragments_are_tried(tmp_path, endpoint):
    text = {"evolve": [SEED], "fragments": ["Be kind.", "Think step by step.", "Be exact."]}
    study = evolving(tmp_path, search={"model": None}, space={"prompt": text})
    results = raytuner.run(study, tmp_path)
    assert GOOD in results.best.params["prompt"].lower()
    assert not shown(endpoint)
    assert not written(events(tmp_path), fresh=True)


@pytest.mark.parametrize("fault", [{"kind": "status", "status": 429}, {"kind": "drop"}])
def test_a_writer_that_does_not_answer_does_not_end_the_study(tmp_path, endpoint, fault):
    endpoint.fault(**fault, containing=ASKED)
    results = raytuner.run(evolving(tmp_path, budget={"trials": 4}), tmp_path)
    assert len(results.record.current) == 5
    assert not results.failed
    made = [event for event in events(tmp_path) if event["event"] == "made"]
    assert made
    assert all("good-1" in event["failure"] and event["point"] for event in made)
    (row,) = [one for one in accounts(results.total_work) if one.stage == STAGE]
    assert row.failures == len(made)
    assert any("Be exact." in text or "Be kind." in text for text in prompts(results))


@pytest.mark.parametrize("kind", ["empty-content", "content"])
def test_what_cannot_be_used_is_asked_for_again_and_then_left(tmp_path, endpoint, kind):
    endpoint.fault(kind, containing=ASKED, text="```\nNo field at all.\n```")
    results = raytuner.run(evolving(tmp_path, budget={"trials": 3}), tmp_path)
    assert all("{question}" in text for text in prompts(results))
    made = [event["failure"] for event in events(tmp_path) if event["event"] == "made"]
    wrong = "is empty" if kind == "empty-content" else "lacks {question}, which has to stay"
    assert set(made) == {f"what the language model wrote {wrong}"}
    assert len(shown(endpoint)) == 2 * len(made)
    assert sum("cannot be used" in body for body in shown(endpoint)) == len(made)


def test_other_trials_go_on_while_a_text_is_written(tmp_path, endpoint):
    endpoint.configure(latency=0.05)
    endpoint.fault("hang", containing=ASKED)
    seeds = [f"{SEED} {word}" for word in ("Now.", "Please.", "Well?", "So.", "Go.", "Yes.")]
    large = {"large": {"model": "good-1", "price": PRICES, "retries": 0, "timeout": 1.5}}
    study = evolving(
        tmp_path, models=large, seeds=seeds, workers=4, backend="threads", budget={"trials": 7}
    )
    results = raytuner.run(study, tmp_path)
    assert len(results.record.current) == 8
    assert not results.failed
    found = events(tmp_path)
    kinds = [event["event"] for event in found]
    hanging = found[kinds.index("begun") : kinds.index("made")]
    assert len({event["key"] for event in hanging if event["event"] == "rung"}) >= 2
    assert endpoint.calls(containing=ASKED) == 1


def test_several_texts_are_written_at_a_time(tmp_path, endpoint):
    endpoint.fault("slow", seconds=0.3, containing=ASKED)
    study = evolving(tmp_path, search={"writers": 3}, workers=3, backend="threads")
    results = raytuner.run(study, tmp_path)
    assert len(set(prompts(results))) == len(results.record.current) == 9
    going = most = 0
    for event in events(tmp_path):
        going += (event["event"] == "begun") - (event["event"] == "made")
        most = max(most, going)
    assert most == 3
    assert endpoint.repeated() == []


def test_a_budget_that_writing_uses_up_ends_the_search_in_order(tmp_path, endpoint):
    large = {"large": {"model": "good-1", "price": {"input": 500.0, "output": 900.0}, "retries": 0}}
    study = evolving(tmp_path, models=large, budget={"trials": 8, "usd": 0.05})
    results = raytuner.run(study, tmp_path)
    assert "budget" in results.stop_reason
    assert not shown(endpoint)
    assert results.baseline.status == "complete"
    assert not results.failed
    assert results.record.spent_usd <= 0.05


def test_searches_that_do_not_write_choose_among_the_seeds(tmp_path, endpoint):
    seeds = [SEED, f"Think step by step. {SEED}"]
    text = {"evolve": seeds}
    for kind in ("grid", "greedy", "hyperopt", "evolution"):
        study = evolving(tmp_path, space={"prompt": text, "n": [1, 2]}).model_copy(
            update={"search": raytuner.search.Search.model_validate({"kind": kind}), "name": kind}
        )
        results = raytuner.run(study, tmp_path)
        assert set(prompts(results)) == set(seeds)


@pytest.mark.parametrize(
    "more",
    [
        {"backend": "async", "workers": 3},
        {"scheduler": {"kind": "asha", "grace": 4}},
        pytest.param({"backend": "processes", "workers": 2}, marks=pytest.mark.slow),
        pytest.param({"backend": "ray", "workers": 2}, marks=pytest.mark.slow),
        pytest.param({"backend": "ray-tune", "workers": 2}, marks=pytest.mark.slow),
    ],
    ids=lambda more: more.get("backend", "asha"),
)
def test_it_works_wherever_trials_run_and_whoever_stops_them(tmp_path, endpoint, more):
    results = raytuner.run(evolving(tmp_path, **more), tmp_path)
    assert len(set(prompts(results))) == len(results.record.current) == 9
    assert not results.failed
    assert any(GOOD in prompt.lower() for prompt in prompts(results))
    if "scheduler" not in more:  # else what came last may have been stopped early
        assert GOOD in results.best.params["prompt"].lower()
    assert endpoint.repeated() == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"search": {"model": "lrage"}}, "search.model: model 'lrage' is not one of the study's"),
        ({"search": {"model": {"modle": "x"}}}, "search.model: "),
        ({"search": {"model": " "}}, "give the name of a model, or null"),
        ({"space": {"prompt": [SEED]}}, "search: prompts evolves texts, and the space has none"),
        ({"space": {"prompt": {"evolve": []}}}, "evolve is empty: list at least one text"),
        ({"space": {"prompt": {"evolve": ["{x}"]}}}, "asks for {x}, which instance"),
        ({"space": {"prompt": {"evolve": [SEED, "Hm."]}}}, "give all texts the same"),
        ({"budget": {}}, "this search never ends by itself"),
        (
            {"models": {"large": {"model": "good-1"}}, "budget": {"usd": 1, "trials": 3}},
            "the price of good-1 is not known",
        ),
    ],
)
def test_bad_input_is_refused_before_anything_is_asked(tmp_path, endpoint, changes, message):
    with pytest.raises(ConfigError) as caught:
        raytuner.run(evolving(tmp_path, **changes), tmp_path)
    assert message in str(caught.value)
    assert endpoint.calls() == 0


def test_a_writer_that_the_endpoint_does_not_know_is_found_before_the_run(tmp_path, endpoint):
    endpoint.configure(models=["cheap-x"])
    with pytest.raises(ConfigError, match="good-1"):
        raytuner.run(evolving(tmp_path), tmp_path)
    assert endpoint.calls("chat") == 0


# ---- crashes


def run_elsewhere(folder, remote, **settings):
    env = {**os.environ, "OPENAI_BASE_URL": remote.url, "OPENAI_API_KEY": remote.key}
    command = [sys.executable, "-m", "tests.pipelines.prompt_probes", str(folder)]
    return subprocess.Popen(
        [*command, json.dumps(settings)], cwd=ROOT, env=env, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def written_by(remote):
    return [one for one in remote.requests() if ASKED in json.dumps(one["body"])]


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 4])
def test_kill_9_pays_for_no_text_twice(tmp_path, workers):
    settings = {"workers": workers, "backend": "threads"} if workers > 1 else {}
    whole = tmp_path / "whole"
    with started(latency=0.02) as remote:
        # Killed once right after the writer was asked, once while it writes, and so on.
        for moment in (1, 2, 4):
            process = run_elsewhere(tmp_path, remote, **settings)
            wait_for(
                lambda p=process, m=moment: len(written_by(remote)) >= m or p.poll() is not None
            )
            process.kill()
            process.communicate()
        assert written(events(tmp_path), fresh=True)
        process = run_elsewhere(tmp_path, remote, **settings)
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        answered = [json.dumps(one["body"]) for one in written_by(remote) if one["status"] == 200]
        assert len(answered) <= len(set(answered)) + 3
        results = Results.open(tmp_path / "runs/t")
        assert len(results.record.current) == 9
        if workers == 1:  # nothing but the crashes was different
            process = run_elsewhere(whole, remote)
            process.communicate(timeout=120)
            assert prompts(Results.open(whole / "runs/t")) == prompts(results)


def test_a_text_that_was_answered_before_a_crash_is_not_paid_for_again(tmp_path, endpoint):
    """The journal ends where the process died: after the answer, before the proposal."""
    raytuner.run(evolving(tmp_path, budget={"trials": 6}), tmp_path)
    path = tmp_path / "runs/t/journal.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    kinds = [json.loads(line)["event"] for line in lines]
    whole = prompts(Results.open(tmp_path / "runs/t"))
    calls = endpoint.calls(containing=ASKED)
    begun = [place for place, kind in enumerate(kinds) if kind == "begun"]
    for place in begun[:3]:
        for more in (1, 2):  # without `made`, and with it
            path.write_bytes(b"".join(lines[: place + more]))
            results = raytuner.run(evolving(tmp_path, budget={"trials": 6}), tmp_path)
            assert prompts(results) == whole
            assert endpoint.calls(containing=ASKED) == calls
    assert endpoint.repeated() == []


def test_an_earlier_session_that_ended_in_order_is_gone_on_with(tmp_path, endpoint):
    raytuner.run(evolving(tmp_path, budget={"trials": 3}), tmp_path)
    first = prompts(Results.open(tmp_path / "runs/t"))
    results = raytuner.run(evolving(tmp_path, budget={"trials": 6}), tmp_path)
    assert prompts(results)[:4] == first
    assert len(results.record.current) == 7
    assert endpoint.repeated() == []
    assert isinstance(results.record, Record)


# ---- other objectives


def test_the_prompt_and_the_system_message_of_a_pipeline_are_evolved(handbook, endpoint):
    named = {"small": {"model": "good-1", "free": True}}
    chat = {"kind": "chat", "model": "small", "temperature": 0.3, "max_tokens": 40, "system": "Hi."}
    chunks = {"chunker": {"kind": "sentence", "size": 24}, "embedder": "tfidf"}
    study = raytuner.Study.parse(
        {
            "name": "t",
            "objective": {
                **handbook.section,
                "metrics": ["token-f1"],
                "kind": "rag",
                "models": named,
                "pipeline": {
                    **chunks,
                    "retriever": {"kind": "bm25", "top_k": 3},
                    "generator": chat,
                },
            },
            "space": {
                "generator.prompt": {"evolve": ["{context}\n\nQuestion: {question}"]},
                "generator.system": {"evolve": ["Hi."], "fragments": ["Use only the context."]},
            },
            "search": {"kind": "prompts", "model": {"model": "good-1", "free": True}},
            "budget": {"trials": 6},
        }
    )
    results = raytuner.run(study, handbook.root)
    tried = [trial.params for trial in results.record.current]
    assert len(tried) == 7
    assert not results.failed
    assert len({params["generator.system"] for params in tried}) > 1
    assert len({params["generator.prompt"] for params in tried}) > 1
    assert all({"{context}", "{question}"} <= set(_fields(p["generator.prompt"])) for p in tried)
    assert any("It was asked:" in body and "This was expected:" in body for body in shown(endpoint))
    golden = {
        one["id"]: one["question"]
        for one in map(json.loads, (handbook.root / "golden.jsonl").read_text().splitlines())
    }
    held = [golden[unit] for unit in results.record.held_out]
    assert held
    assert not [question for question in held if any(question in body for body in shown(endpoint))]


def _fields(text):
    return re.findall(r"\{\w+\}", text)
