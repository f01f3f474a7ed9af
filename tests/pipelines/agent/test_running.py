"""Runs of agents: helpers, several tools at once, searching."""

import json

import pytest

from pipelines.agent.running import Trace, _kinds
from tests.pipelines.agent.conftest import ITEMS, STOP

HELPERS = {
    "traveller": {
        "description": "Knows every distance between cities.",
        "system_prompt": f"You travel. {STOP}",
        "tools": ["distance"],
    },
    "cook": {"description": "Knows recipes.", "system_prompt": f"You cook. {STOP}"},
}


def test_the_main_agent_hands_off(endpoint, made, scored):
    found = scored(made(agents=HELPERS, standing={"tools": []}))["far"]
    assert (found.scores["success"], found.scores["steps"], found.scores["tool_calls"]) == (1, 3, 1)
    assert [step["tool"] for step in found.notes["trace"]] == ["handoff", "distance"]
    assert found.notes["trace"][0]["arguments"]["to_agent"] == "traveller"
    systems = {record.body["messages"][0]["content"] for record in endpoint.requests
               if record.kind == "chat"}  # fmt: skip
    assert systems == {STOP, f"You travel. {STOP}"}


def test_without_its_helper_it_does_not_succeed(made, scored):
    objective = made(agents=HELPERS, standing={"tools": []})
    for helpers in ((), ("cook",)):
        assert scored(objective, sub_agents=helpers)["far"].scores["success"] == 0


def test_react_agents_hand_off_too(made, scored):
    found = scored(made(agents=HELPERS, standing={"tools": []}), type="react")["far"]
    assert [step["tool"] for step in found.notes["trace"]] == ["handoff", "distance"]
    assert found.scores["success"] == 1


def test_a_handoff_to_nobody_is_an_error(endpoint, made, scored):
    call = {"to_agent": "butler", "reason": "tea"}
    spelled = f"Thought: Tea.\nAction: handoff\nAction Input: {json.dumps(call)}"
    endpoint.fault("content", text=spelled, first=1)
    found = scored(made(agents=HELPERS, instances=[ITEMS[0]]), type="react")["far"]
    assert found.failure is None
    assert found.notes["no success"] == "handed off to butler, which is no agent"


def test_tools_that_are_called_at_once_are_told_in_order(endpoint, made, scored):
    item = {**ITEMS[0], "question": "Tell me the distance from Rome to Oslo in miles?"}
    prompt = f"Call tools in parallel. {STOP}"
    found = scored(made([item]), system_prompt=prompt)["far"]
    assert found.scores["tool_calls"] == 2
    last = endpoint.requests[-1].body["messages"]
    calls = [call["id"] for call in last[2]["tool_calls"]]
    assert [message["tool_call_id"] for message in last[3:]] == calls


async def test_results_are_told_in_the_order_of_calls_whichever_came_first():
    from llama_index.core.agent.workflow import ToolCallResult
    from llama_index.core.base.llms.types import ChatMessage, ToolCallBlock
    from llama_index.core.llms.mock import MockLLM
    from llama_index.core.tools import ToolOutput

    class Store(dict):
        async def get(self, key, default=None):
            return dict.get(self, key, default)

        async def set(self, key, value):
            self[key] = value

    blocks = [ToolCallBlock(tool_call_id=one, tool_name="t") for one in "ab"]
    agent = _kinds()["function"](llm=MockLLM(), streaming=False)
    store = Store({agent.scratchpad_key: [ChatMessage(role="assistant", blocks=blocks)]})
    results = [
        ToolCallResult(
            tool_name="t", tool_kwargs={}, tool_id=one, return_direct=False,
            tool_output=ToolOutput(tool_name="t", content=one, raw_input={}, raw_output=one),
        )
        for one in "ba"
    ]  # fmt: skip
    await agent.handle_tool_call_results(type("Ctx", (), {"store": store})(), results, None)
    assert [message.content for message in store[agent.scratchpad_key][1:]] == ["a", "b"]


@pytest.mark.parametrize("kind", ["function", "react"])
def test_descriptions_say_what_a_tool_is_for(endpoint, made, scored, kind):
    objective = made(standing={"tools": ["distance"]}, instances=[ITEMS[0]])
    vague = {"tool_descriptions.distance": "Does something."}
    assert scored(objective, type=kind, **vague)["far"].scores["success"] == 1  # by its name
    item = {**ITEMS[0], "question": "How far is it from Rome to Oslo?"}
    objective = made(standing={"tools": ["distance"]}, instances=[item])
    assert scored(objective, type=kind)["far"].scores["success"] == 0
    told = {"tool_descriptions.distance": "Tells how far it is between two cities."}
    assert scored(objective, type=kind, **told)["far"].scores["success"] == 1
    assert "how far it is" in json.dumps(endpoint.requests[-1].body)


def test_unspeakable_texts_can_be_kept():
    assert Trace(answer="half \ud83d pair").spelled(10).encode()


# ---- searching


@pytest.fixture
def searching(made, tmp_path):
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "warranty.md").write_text("The warranty of the kettle lasts 24 months.")
    (folder / "colour.md").write_text("The kettle is sold in red and in blue.")
    item = {"id": "w", "question": "Search the documents: how long does the warranty last?",
            "answer": "24 months", "tools": ["search"]}  # fmt: skip
    search = {"embedder": {"kind": "lsa"}, "retriever": {"kind": "bm25", "top_k": 1}}
    return made([item], tools=(), more={"documents": "docs"}, search=search)


def test_documents_are_searched(endpoint, searching, scored):
    found = scored(searching)["w"]
    assert (found.scores["success"], found.scores["tools_f1"]) == (1, 1)
    (step,) = found.notes["trace"]
    assert step["result"] == "[warranty.md]\nThe warranty of the kettle lasts 24 months."
    scored(searching, search__retriever__top_k=2)
    result = endpoint.requests[-1].body["messages"][-1]["content"]
    assert "warranty" in result
    assert "blue" in result


def test_documents_and_pipeline_are_in_the_key(searching, tmp_path):
    import pickle

    other = {"search.retriever.top_k": 2}
    assert searching.key(other) != searching.key({})
    assert searching.key({**other, "tools": ()}) == searching.key({"tools": ()})
    scope = searching.scope()
    (tmp_path / "docs" / "colour.md").write_text("The kettle is sold in green.")
    assert pickle.loads(pickle.dumps(searching)).scope() != scope
