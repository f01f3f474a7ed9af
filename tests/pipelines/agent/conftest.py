"""An endpoint, tools, and agents over a few golden items."""

import pytest

from pipelines.agent.objective import AgentObjective
from raytuner.objective import Tally
from tests.endpoint.fixtures import endpoint, endpoints

__all__ = ["endpoint", "endpoints"]

MODELS = {"good-1": {"model": "good-1", "price": {"input": 1, "output": 2}}}
STOP = "Answer as soon as you know."
TOOLS = [f"tests.pipelines.agent.toolbox:{name}" for name in ("distance", "to_miles")]
ITEMS = [
    {"id": "far", "question": "What is the distance from Rome to Oslo?", "answer": "2005",
     "tools": ["distance"]},
    {"id": "near", "question": "What is the distance from Rome to Milan?", "answer": "477",
     "tools": ["distance"]},
]  # fmt: skip


@pytest.fixture
def made(endpoint, tmp_path):
    """Make an objective; the model is always right."""
    endpoint.configure(skills={"good-1": 1000.0})

    def make(instances=ITEMS, tools=TOOLS, more=None, standing=None, **agent):
        usual = {"model": "good-1", "system_prompt": STOP, "temperature": 0.3}
        section = {"instances": list(instances), "tools": list(tools), "models": MODELS}
        section |= {
            "agent": {**usual, **agent, **(standing or {})},
            "cache": str(tmp_path / "cache"),
            **(more or {}),
        }
        return AgentObjective.build(section, root=tmp_path, seed=0)

    return make


@pytest.fixture
def scored():
    """Evaluate parameters on all units; give what came of each, by unit."""

    def score(objective, meter=None, **params):
        named = {name.replace("__", "."): value for name, value in params.items()}
        parts = objective.evaluate(named, objective.units(), meter or Tally())
        return {one.unit: one for part in parts for one in part}

    return score
