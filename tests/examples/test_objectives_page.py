"""What docs/objectives.md shows runs as it stands."""

import json
import re
import sys
from pathlib import Path

import pytest

import raytuner
from raytuner.schedule import changes
from raytuner.study import Study, load_study

PAGE = Path(__file__).parents[2] / "docs" / "objectives.md"
WORDS = ("asap", "now", "down", "broken", "please")


@pytest.fixture
def shown(tmp_path, monkeypatch):
    """Write the files that the page shows, and data that fits them."""
    for text in re.findall(r"```\w+\n(.*?)```", PAGE.read_text(), re.DOTALL):
        if name := re.match(r"# ([a-z]+\.(?:py|yaml))\n", text):
            (tmp_path / name[1]).write_text(text)
    rows = []
    for number in range(60):
        said = [word for place, word in enumerate(WORDS) if number >> place & 1]
        urgent = "down" in said or "broken" in said
        text = f"It is {' '.join(said)}" + "." * (number % 7)
        label = "urgent" if urgent else "later"
        rows.append({"text": text, "label": label, "customer": f"c{number % 15}"})
    (tmp_path / "tickets.jsonl").write_text("\n".join(map(json.dumps, rows)))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("RAYTUNER_CACHE", str(tmp_path / "cache"))
    yield tmp_path
    for name in ("triage", "training", "resuming"):
        sys.modules.pop(name, None)


def test_the_function_of_an_item(shown):
    study = load_study(shown / "study.yaml")
    results = raytuner.run(study, shown)
    baseline = results.record.current[0]
    assert baseline.params == {"words": ("asap",), "least": 1}
    assert results.best.mean("right") > baseline.mean("right")
    assert not results.verdict.sentence.startswith("NO VERDICT")


def test_the_function_of_a_configuration():
    code = next(text for text in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
                if "def cost" in text)  # fmt: skip
    space = {}
    exec(code, space)
    assert isinstance(space["study"], Study)
    results = raytuner.run(space["study"], in_memory=True)
    assert len(results.trials) == 30


def test_the_training(shown):
    study = Study(objective={"kind": "training:train"}, space={"rate": [0.01, 0.1, 0.4]})
    results = raytuner.run(study, shown)
    assert results.best.params == {"rate": 0.4}
    assert results.best.status == "complete"


def test_the_training_that_goes_on(shown):
    population = {"kind": "pbt", "population": 4}
    study = Study(
        objective={"kind": "resuming:train"}, space={"rate": {"float": [0.001, 0.5], "log": True}},
        search=population, scheduler={**population, "interval": 5}, budget={"trials": 7},
    )  # fmt: skip
    results = raytuner.run(study, shown)
    assert any(changes(trial.params) for trial in results.record.current)
    assert results.work["steps trained"] < sum(trial.answered for trial in results.record.current)


def test_the_program(shown):
    rows = [json.loads(line) for line in (shown / "tickets.jsonl").read_text().splitlines()]
    rows = [{**row, "label": "long" if len(row["text"]) > 14 else "short"} for row in rows]
    section = {"kind": "command", "command": ["{python}", "answer.py"], "items": rows}
    study = Study(objective=section, space={"length": [5, 14, 30]})
    results = raytuner.run(study, shown)
    assert results.best.params == {"length": 14}
    assert results.best.mean("right") == 1
