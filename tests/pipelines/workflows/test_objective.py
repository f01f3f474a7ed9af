"""Workflows over golden items, with the real client and real LlamaIndex Workflows."""

import itertools
import pickle

import pytest

from pipelines.workflows import WorkflowObjective
from raytuner.component import ConfigError
from raytuner.objective import LATENCY, UNIT_USD, Tally
from tests.endpoint.fixtures import endpoint

__all__ = ["endpoint"]

FLOWS = "tests.pipelines.workflows.flows"
PRICE = {"input": 3.0, "output": 15.0}
TOWNS = {"France": "Paris", "Italy": "Rome", "Spain": "Madrid", "Peru": "Lima", "Cuba": "Havana"}
ITEMS = [
    {"id": f"c{n}", "question": f"What is the capital of {land}?", "answer": town}
    for n, (land, town) in enumerate(TOWNS.items())
]
SCHEMA = {"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]}


@pytest.fixture
def make(endpoint, tmp_path):
    endpoint.configure(knowledge={f"capital of {land}": f"{t}." for land, t in TOWNS.items()})

    def make(workflow=f"{FLOWS}:plain", draft=None, **section):
        route = {"method": "keyword", "model": "good"}
        own = {"model": "good", "prompt": "{context}\nQuestion: {question}", "temperature": 0.3}
        return WorkflowObjective.build(
            {
                "instances": ITEMS,
                "workflow": workflow,
                "score": f"{FLOWS}:score",
                "models": {"good": {"model": "good-1", "price": PRICE}},
                "steps": {"route": route, "draft": {**own, **(draft or {})}},
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


@pytest.mark.parametrize("workflow", ["plain", "later", "Flow"])
def test_functions_and_workflows_answer_alike(make, endpoint, workflow):
    scores = evaluated(make(f"{FLOWS}:{workflow}"))
    assert all(s.failure is None for s in scores.values()), scores
    assert sum(s.scores["right"] for s in scores.values()) >= 3
    assert {s.scores["routed"] for s in scores.values()} == {1}
    assert endpoint.calls("chat") == len(ITEMS)
    billed = endpoint.usd(PRICE["input"], PRICE["output"])
    assert sum(s.scores[UNIT_USD] for s in scores.values()) == pytest.approx(billed)
    assert all(s.notes[LATENCY] > 0 for s in scores.values())
    again = evaluated(make(f"{FLOWS}:plain"))
    assert endpoint.calls("chat") == len(ITEMS)
    assert {u: s.scores for u, s in again.items()} == {u: s.scores for u, s in scores.items()}


def test_every_routing_method_is_real(make, endpoint):
    for method, calls in (("keyword", 0), ("embedding", 0), ("llm", len(ITEMS))):
        before = endpoint.calls("chat")
        scores = evaluated(make(), {"steps.route.method": method})
        assert all(s.failure is None for s in scores.values())
        assert sum(s.scores["routed"] for s in scores.values()) >= 3
        drafts = endpoint.calls("chat") - before - calls
        assert 0 <= drafts <= len(ITEMS)
        assert {s.notes["calls"] for s in scores.values()} == {1 + (method == "llm")}


def test_a_llama_index_llm_of_a_step_asks_through_the_client(make, endpoint):
    scores = evaluated(make(f"{FLOWS}:Deep", score="contains"))
    failed = {u: s.failure for u, s in scores.items() if s.failure}
    assert set(failed) == {"c1"}
    assert failed["c1"].kind == "objective"
    assert "a step broke" in failed["c1"].message
    assert endpoint.calls("chat") == len(ITEMS) - 1
    assert sum(s.scores.get("contains", 0) for s in scores.values()) >= 2


def test_a_workflow_that_runs_out_of_its_own_time_is_a_timeout(make):
    scores = evaluated(make(f"{FLOWS}:Short", score="contains"))
    assert {u: s.failure.kind for u, s in scores.items() if s.failure} == {"c1": "timeout"}


def test_what_goes_wrong_in_one_item_is_a_failure_of_it_alone(make):
    scores = evaluated(make(f"{FLOWS}:troubled", score="contains"))
    failed = {u: s.failure.message for u, s in scores.items() if s.failure}
    assert set(failed) == {"c0", "c1", "c2"}
    assert "ValueError: out of order" in failed["c0"]
    assert "gave nothing" in failed["c1"]
    assert "a step 'drft'" in failed["c2"]
    assert "Did you mean 'draft'" in failed["c2"]
    assert scores["c3"].scores["contains"] == 0  # it said nothing, and that is a score
    assert scores["c4"].failure is None


def test_what_nobody_waited_for_is_paid_for_and_nothing_is_asked_after(make, endpoint):
    endpoint.configure(latency=0.1)
    scores = evaluated(make(f"{FLOWS}:hasty", score="contains"))
    assert all(s.failure is None for s in scores.values()), scores
    assert {s.notes["calls"] for s in scores.values()} == {1}
    assert endpoint.calls("chat") == len(ITEMS)
    billed = endpoint.usd(PRICE["input"], PRICE["output"])
    assert sum(s.cost.usd for s in scores.values()) == pytest.approx(billed)


def test_a_number_beyond_all_numbers_is_a_failure_of_its_item(make):
    scores = evaluated(make(score=f"{FLOWS}:boundless"))
    assert {s.failure.kind for s in scores.values()} == {"objective"}
    assert "right = inf; a metric is a finite number" in scores["c0"].failure.message


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("steps.draft.settings.k", "steps.draft.settings has no 'k'"),
        ("steps.draf.prompt", "Did you mean 'draft'"),
    ],
)
def test_a_parameter_that_nothing_has_is_placed_in_the_space(make, name, said):
    with pytest.raises(ConfigError, match=said) as error:
        make().defaults(["steps.draft.prompt", name])
    assert error.value.field == ("space", name)


def test_a_misspelt_field_of_a_step_is_placed(make):
    with pytest.raises(ConfigError, match="no 'promt'") as error:
        make(steps={"draft": {"promt": "x"}})
    assert error.value.field == ("steps", "draft", "promt")


class TestSchemas:
    def test_give_data_to_the_code_and_can_be_chosen(self, make, endpoint):
        objective = make(
            f"{FLOWS}:structured",
            {"schema": "short"},
            schemas={"short": SCHEMA, "long": {**SCHEMA, "additionalProperties": False}},
            score=lambda answer, item: {"right": item["answer"] in answer["answer"]},
        )
        assert objective.key({}) != objective.key({"steps.draft.schema": "long"})
        scores = evaluated(objective, {"steps.draft.schema": "long"})
        assert sum(s.scores["right"] for s in scores.values()) >= 3
        sent = [r.body["response_format"] for r in endpoint.requests if r.kind == "chat"]
        assert sent
        assert all(one["json_schema"]["schema"]["additionalProperties"] is False for one in sent)

    def test_an_answer_that_does_not_fit_is_no_answer_and_scored(self, make, endpoint):
        endpoint.fault("content", text="no JSON", containing="Peru")
        scores = evaluated(make(f"{FLOWS}:structured", {"schema": SCHEMA}, score=_typed))
        assert all(s.failure is None for s in scores.values())
        assert scores["c3"].scores == {**scores["c3"].scores, "data": 0}
        assert "invalid" in scores["c3"].notes["no answer"]
        assert sum(s.scores["data"] for s in scores.values()) == len(ITEMS) - 1

    def test_that_are_not_there_are_named(self, make):
        with pytest.raises(ConfigError, match=r"steps.draft.schema: 'shrt'.*Did you mean 'short'"):
            make(draft={"schema": "shrt"}, schemas={"short": SCHEMA}).key({})
        with pytest.raises(ConfigError, match=r"schemas.short: .* no JSON Schema"):
            make(schemas={"short": {"type": "objekt"}})


def _typed(answer, item):
    return {"data": isinstance(answer, dict)}


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"steps.daft.prompt": "x"}, "steps.daft: steps has no 'daft'.*Did you mean 'draft'"),
        ({"steps.draft.promt": "x"}, "no 'promt'.*Did you mean 'prompt'"),
        ({"step.draft.prompt": "x"}, "no 'step'.*Did you mean 'steps'"),
        ({"steps.route.method": "keywords"}, "no Router of kind 'keywords'.*'keyword'"),
        ({"steps.route.method.prompt": "x"}, "Router 'keyword' has no 'prompt'"),
        ({"steps.draft.prompt": "{question"}, "steps.draft.*is no field"),
        ({"steps.draft.prompt": "{contxt}"}, "nothing fills {contxt}.*Did you mean 'context'"),
        ({"steps.draft.model": "god"}, "steps.draft.model: model 'god'.*Did you mean 'good'"),
        ({"steps.draft.temperature": 3.0}, "steps.draft.temperature: "),
        ({"steps.draft.schema": "x"}, "steps.draft.schema: 'x' is not one"),
        ({"steps.draft.top_p": 0.5}, "temperature .0.3. and top_p .0.5. are both given"),
    ],
)
def test_parameters_that_do_not_fit_are_explained(make, params, said):
    with pytest.raises(ConfigError, match=said):
        make(expected={"draft": {"fills": ["context"]}}).key(params)


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"workflow": None}, "workflow: it is missing"),
        ({"workflow": f"{FLOWS}:missing"}, "workflow: .*cannot be imported"),
        ({"workflow": f"{FLOWS}:NoWorkflow"}, "is a class, but no LlamaIndex Workflow"),
        ({"workflow": f"{FLOWS}:no_workflow"}, "does not take .item, steps."),
        ({"workflow": f"{FLOWS}:yielding"}, "is a generator; give a function that returns"),
        ({"workflow": f"{FLOWS}:PARTS"}, "neither a function nor a Workflow class"),
        ({"steps": {"draft": {"promt": "x"}}}, "steps.draft.promt: .*Did you mean 'prompt'"),
        ({"steps": {"my-step": {}}}, "'my-step' is no name for a step"),
        ({"steps": {"draft": {"prompt": "x"}}}, "steps.draft.model: it is missing"),
        ({"steps": {"route": {"method": "llm"}}}, "steps.route.model: .*the method llm"),
        ({"expected": {"draf": {}}}, "expected.draf: .*Did you mean 'draft'"),
    ],
)
def test_a_section_that_does_not_fit_is_explained(make, section, said):
    with pytest.raises(ConfigError, match=said) as error:
        make(**section).key({})
    assert "\n" not in str(error.value)


def test_keys_cover_the_code_and_every_field_of_a_step(make):
    params = {
        "model": "cheap", "system": "Be short.", "prompt": "{question}?", "max_tokens": 9,
        "temperature": 0.7, "stop": "x", "seed": 7, "settings.depth": 3, "presence_penalty": 0.5,
        "frequency_penalty": 0.5, "schema": "s", "method": "llm",
    }  # fmt: skip
    models = {name: {"model": f"{name}-1", "price": PRICE} for name in ("good", "cheap")}
    objective = make(models=models, schemas={"s": SCHEMA})
    keys = [objective.key({f"steps.draft.{name}": value}) for name, value in params.items()]
    keys += [objective.key({}), make(f"{FLOWS}:later", models=models).key({})]
    assert len(set(keys)) == len(keys)
    other = pickle.loads(pickle.dumps(objective))
    assert other.key({}) == objective.key({})


def test_the_baseline_and_its_costs_are_known_before(make, endpoint):
    objective = make(expected={"draft": {"filled_tokens": 20}})
    names = ["steps.route.method", "steps.draft.temperature", "steps.draft.model"]
    assert objective.defaults(names) == dict(zip(names, ("keyword", 0.3, "good"), strict=True))
    least, most = objective.estimate_range({}, objective.units())
    evaluated(objective)
    assert least.usd <= endpoint.usd(PRICE["input"], PRICE["output"]) <= most.usd
    assert most.calls == len(ITEMS)
    assert objective.estimate({"steps.route.method": "llm"}, objective.units()).calls == 10
    assert objective.unpriced({}) == []
    exported = objective.export({"steps.route.method": "llm"})
    assert exported["steps"]["route"]["method"]["kind"] == "llm"


def test_explaining_runs_again_on_what_is_kept(make, endpoint):
    objective = make()
    evaluated(objective, units=["c0"])
    calls = endpoint.calls()
    first, second = objective.explain({}, ["c0", "c1"])
    assert first["answer"].startswith("towns: ")
    assert "not among the answers" in second["missing"]
    assert endpoint.calls() == calls
