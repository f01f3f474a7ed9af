"""A small handbook with golden questions, as files: what studies of a RAG start from."""

import itertools
import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from raytuner.budget import BudgetExhaustedError
from raytuner.ports.gate import Permit

DEVICES = ["pump", "valve", "boiler"]
FACTS = ["warranty", "weight", "price", "maker", "colour", "service interval"]
FILLER = (
    "Keep the area around it dry and clean. Read the safety notes before you open the cover! "
    "Spare parts are listed in the appendix."
)


class Cashier:
    """A gate that lets everybody pass while there is money, and remembers what it was told.

    Shares nothing and paces nothing: what a sweep's gate does beyond that is tested where it is.
    """

    def __init__(self, usd=None):
        self.usd = usd
        self.demands = []
        self.reports = []
        self.held = {}

    @property
    def spent(self):
        return sum(report.cost.usd for report in self.reports if report.cost is not None)

    async def admit(self, demand):
        if self.usd is not None and self.spent + sum(self.held.values()) + demand.usd > self.usd:
            raise BudgetExhaustedError(f"the budget of ${self.usd:g} has no room")
        self.demands.append(demand)
        self.held[len(self.demands)] = demand.usd
        return Permit(len(self.demands))

    def settle(self, permit, report):
        del self.held[permit.ticket]
        self.reports.append(report)


@dataclass(frozen=True)
class Handbook:
    """Where the files are; `section` is what a study's objective says about them."""

    root: Path

    @property
    def section(self):
        return {
            "documents": "docs",
            "golden": "golden.jsonl",
            "metrics": ["recall", "precision", "ndcg@10"],
            "cache": "cache",
        }


def write_handbook(root: Path) -> Handbook:
    """Write documents of some 50 sentences each, and a question about each of their facts."""
    (root / "docs").mkdir()
    questions = []
    for device in DEVICES:
        paragraphs = []
        for number, (fact, room) in enumerate(itertools.product(FACTS, ["cellar", "attic"])):
            value = f"{(len(device) * 7 + number * 13) % 89 + 2} units"
            sentence = f"The {fact} of the {device} in the {room} is {value}."
            paragraphs.append(f"## About the {fact}\n\n{sentence} {FILLER}")
            questions.append(
                {
                    "id": f"{device}-{number}",
                    "question": f"What is the {fact} of the {device} in the {room}?",
                    "answer": value,
                    "evidence": [{"doc": f"{device}.md", "quote": sentence}],
                }
            )
        text = f"# The {device}\n\n" + "\n\n".join(paragraphs) + "\n"
        (root / "docs" / f"{device}.md").write_text(text, encoding="utf-8")
    lines = "".join(json.dumps(question) + "\n" for question in questions)
    (root / "golden.jsonl").write_text(lines, encoding="utf-8")
    return Handbook(root)


@pytest.fixture(scope="session")
def make_handbook():
    return write_handbook


@pytest.fixture
def handbook(tmp_path):
    return write_handbook(tmp_path)


@pytest.fixture
def make_gate():
    return Cashier


@pytest.fixture
def no_pauses(monkeypatch):
    """Try again at once."""
    monkeypatch.setattr("pipelines.llm.attempts._pause", lambda number: 0.0)


@pytest.fixture
def own_module(tmp_path, monkeypatch, request):
    """Write a module of the user's own, under a name of its own for every test; give the name."""

    def write(text):
        name = f"own_{abs(hash(request.node.nodeid))}"
        (tmp_path / f"{name}.py").write_text(text)
        monkeypatch.syspath_prepend(str(tmp_path))
        return name

    return write
