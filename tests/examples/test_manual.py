"""The example that people evaluate: suggestions, answers, blind ratings, and what is tried next."""

import json
import re
import shutil
import sys
from pathlib import Path

import pytest

from raytuner.manual.round import Round

EXAMPLE = Path(__file__).parents[2] / "examples" / "manual"


@pytest.fixture
def example(tmp_path, monkeypatch):
    shutil.copytree(EXAMPLE, tmp_path / "manual")
    monkeypatch.chdir(tmp_path / "manual")
    monkeypatch.setattr(sys, "path", list(sys.path))
    return tmp_path / "manual"


def written(params, unit):
    """What a person writes under a configuration."""
    sorry = "We are very sorry. " if params["apology"] else ""
    body = " ".join(f"Step {n + 1} of {unit}." for n in range(params["sentences"]))
    return f"{sorry}({params['tone']}) {body}"


def liked(text):
    """How much the rater likes an answer: friendly, about three sentences, no excuses."""
    sentences = len(re.findall(r"Step \d", text))
    return -abs(sentences - 3) + 2 * ("friendly" in text) - ("sorry" in text)


def tell_all(raytuner, folder, count):
    asked = json.loads(raytuner("ask", "study.yaml", "-n", count, "--json").out)["suggestions"]
    for trial in asked:
        answers = {unit: written(trial["params"], unit) for unit in trial["units"]}
        (folder / "answers.json").write_text(json.dumps(answers))
        told = raytuner(
            "tell", "runs/support", trial["trial"], "--answers", folder / "answers.json"
        )
        assert told.code == 0, told.err
    return len(asked)


def rate(folder, rater, count):
    with Round(folder / "runs" / "support", rater) as rating:
        for _ in range(count):
            card = rating.card()
            gap = liked(card.left) - liked(card.right)
            rating.rate(card.name, "tie" if not gap else "left" if gap > 0 else "right")


def test_a_study_that_goes_by_blind_ratings(example, raytuner):
    assert len((EXAMPLE / "study.yaml").read_text().splitlines()) < 60
    assert raytuner("check", "study.yaml").code == 0
    assert tell_all(raytuner, example, 3) == 3
    rate(example, "r1", 12)
    while tell_all(raytuner, example, 1):
        rate(example, "r1", 6)
    rate(example, "r1", 20)
    rate(example, "r2", 30)
    found = json.loads(raytuner("ratings", "runs/support", "--json").out)
    rows = {row["number"]: row for row in found["configurations"]}
    assert len(rows) == 9
    assert rows[0]["strength"] < 0  # the configuration as it stands
    first = found["configurations"][0]["number"]
    events = (example / "runs/support/journal.jsonl").read_text().splitlines()
    trials = [json.loads(line) for line in events if '"event":"trial"' in line]
    params = {trial["number"]: trial["params"] for trial in trials}
    scores = {number: liked(written(p, "x")) for number, p in params.items()}
    assert scores[first] == max(scores.values())
    assert rows[first]["p_behind"] is None
    assert found["agreement"]["shared"] >= 5
    assert found["agreement"]["percent"] == 1
    best = json.loads(raytuner("results", "study.yaml", "--json").out)
    assert json.dumps(params[first]["tone"]) in json.dumps(best)
