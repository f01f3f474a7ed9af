"""The study that evolves a prompt runs as it stands, against the endpoint of the tests."""

import json
import shutil
from pathlib import Path

import pytest

from raytuner.results import Results
from raytuner.spending import accounts
from tests.endpoint.fixtures import endpoint

__all__ = ["endpoint"]
EXAMPLE = Path(__file__).parents[2] / "examples" / "prompts"


@pytest.mark.slow
def test_it_finds_the_planted_instruction_within_its_budget_and_proves_it(
    endpoint, raytuner, tmp_path, monkeypatch
):
    folder = tmp_path / "prompts"
    shutil.copytree(EXAMPLE, folder)
    assert len((folder / "study.yaml").read_text().splitlines()) < 60
    monkeypatch.setenv("RAYTUNER_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(folder)
    checked = raytuner("check", "study.yaml")
    assert checked.code == 0, checked.err
    assert endpoint.calls() == 0
    done = raytuner("run", "study.yaml")
    assert done.code in {0, 4}, done.err
    results = Results.open(folder / "runs/prompts")
    assert len(results.record.current) == 13
    assert results.record.spent_usd <= 0.50
    assert "step by step" in results.recommended.params["prompt"].lower()
    assert "{question}" in results.recommended.params["prompt"]
    assert results.verdict.status == "PROVEN"
    assert f"{len(results.record.held_out)} questions it had never seen" in results.verdict.sentence
    assert any(row.stage == "reflect" and row.usd for row in accounts(results.total_work))
    assert "reflect, gpt-4o:" in done.out
    rows = [json.loads(line) for line in (folder / "sums.jsonl").read_text().splitlines()]
    held = {row["question"] for row in rows if row["id"] in results.record.held_out}
    asked = [
        json.dumps(r.body) for r in endpoint.requests if "improved prompt" in json.dumps(r.body)
    ]
    assert asked
    assert not [question for question in held if any(question in body for body in asked)]
    assert endpoint.repeated() == []
