"""What is wrong with an agent study is said before anything is asked or called."""

import pytest

from raytuner.component import ConfigError
from tests.pipelines.agent.conftest import ITEMS, TOOLS

BOX = "tests.pipelines.agent.toolbox"
GUIDE = {"description": "Knows cities.", "tools": ["distance"]}


@pytest.mark.parametrize(
    ("tool", "reason"),
    [
        (f"{BOX}:wordless", "has no docstring"),
        (f"{BOX}:grasping", r"grasping takes \*cities"),
        (f"{BOX}:lazy", "is async"),
        (f"{BOX}:handoff", "'handoff', which no tool can be"),
        (f"{BOX}:nothing", "cannot be imported"),
        (f"{BOX}:CALLS", "cannot be called"),
        (f"{BOX}:untellable", "its arguments cannot be told to a model"),
        ("distance", "no module:function"),
        (TOOLS[0], "is called distance, but another tool has it"),
    ],
)
def test_tools_that_no_model_could_use(made, tool, reason):
    with pytest.raises(ConfigError, match=reason):
        made(tools=[*TOOLS, tool]).key({})


def test_the_name_of_the_built_in_tool_is_taken(made):
    with pytest.raises(ConfigError, match="search, but the built-in tool has it"):
        made(tools=[f"{BOX}:search"], more={"documents": "docs"}, instances=[ITEMS[0]])


@pytest.mark.parametrize(
    ("agent", "reason"),
    [
        ({"tools": ["distances"]}, "tools: there is no tool 'distances'.*Did you mean 'distance'"),
        ({"tools": ["distance", "distance"]}, "'distance' is there twice"),
        ({"tool_descriptions": {"ruler": "x"}}, "tool_descriptions: there is no tool 'ruler'"),
        ({"tool_descriptions": {"distance": " "}}, "tool_descriptions.distance: it is empty"),
        ({"sub_agents": ["guide"]}, "sub_agents: there is no agent 'guide'; there are: none"),
        ({"agents": {"guide": {**GUIDE, "tools": ["map"]}}}, r"agents.guide.tools: .* 'map'"),
        ({"agents": {"main": GUIDE}}, "agents: 'main' is no name"),
        ({"agents": {"guide": {"tools": []}}}, "agent.agents.guide.description"),
        ({"max_iterations": 1}, "max_iterations"),
        ({"type": "functions"}, "type"),
        ({"temper": 1}, "'temper'.*Did you mean 'temperature'"),
        ({"top_p": 0.9}, r"temperature \(0.3\) and top_p \(0.9\)"),
        ({"history": {"message": 3}}, "history"),
        ({"search": {"chunkers": {}}}, "search"),
    ],
)
def test_agents_as_they_stand(endpoint, made, agent, reason):
    with pytest.raises(ConfigError, match=reason):
        made(standing=agent)
    assert not endpoint.requests


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({"tools": ("distance", "map")}, "there is no tool 'map'"),
        ({"tool_descriptions.map": "x"}, "tool_descriptions: there is no tool 'map'"),
        ({"sub_agents": ("guides",)}, "sub_agents: there is no agent 'guides'.*'guide'"),
        ({"agents.guides.system_prompt": "x"}, "guides.*'guide'"),
        ({"agents.guide.tools": ("map",)}, "agents.guide.tools"),
        ({"top_p": 0.9}, "temperature"),
        ({"model": "better-1"}, "better-1"),
        ({"history.messages": -1}, "history.messages"),
        ({"search": {"query": "hyde"}}, "search"),
        ({"temprature": 1}, "temprature.*temperature"),
    ],
)
def test_parameters(endpoint, made, params, reason):
    objective = made(agents={"guide": GUIDE})
    with pytest.raises(ConfigError, match=reason):
        objective.key(params)
    assert not endpoint.requests


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ({"id": "a", "answer": "x"}, "instance a .* no 'question'"),
        ({"id": "a", "question": "x"}, "instance a .* no 'answer'"),
        ({"id": "a", "question": 3, "answer": "x"}, "its question is no text"),
        ({**ITEMS[0], "tools": "distance"}, "tools is a list"),
        ({**ITEMS[0], "tools": ["distances"]}, "instance far: there is no tool 'distances'"),
        ({**ITEMS[0], "history": "hello"}, "instance far: history is a list"),
        ({**ITEMS[0], "history": [{"role": "system", "content": "x"}]}, "a message of history"),
        ({**ITEMS[0], "history": [{"role": "user"}]}, "a message of history"),
    ],
)
def test_items(made, item, reason):
    with pytest.raises(ConfigError, match=reason):
        made(instances=[item]).units()


def test_fields_of_the_section(made):
    with pytest.raises(ConfigError, match="give a list such as"):
        made(more={"tools": TOOLS[0]})
    with pytest.raises(ConfigError, match="tool_errors"):
        made(more={"tool_errors": "ignore"})
    with pytest.raises(ConfigError, match=r"agnt: an agent objective has no such field"):
        made(more={"agnt": {}})


def test_a_model_that_is_offered_no_tools(made):
    llm = {"kind": "llama-index", "path": "llama_index.core.llms.mock:MockLLM", "free": True}
    objective = made(more={"models": {"mock": llm, "good-1": "good-1"}})
    with pytest.raises(ConfigError, match="say react"):
        objective.key({"model": "mock"})
    assert objective.key({"model": "mock", "type": "react"})


def test_a_search_that_asks_a_server(made, tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("Rome is a city.")
    paid = {"search": {"embedder": {"kind": "openai", "model": "embed-1"}}}
    with pytest.raises(ConfigError, match="over a wire"):
        made(more={"documents": "docs"}, instances=[{**ITEMS[0], "tools": None}], **paid).key({})
