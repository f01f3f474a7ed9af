"""`raytuner trained` where there is nothing that it could write."""

import pytest

STUDY = """
version: 1
name: plain
objective: {kind: "own_plain:score"}
space: {x: {choice: [1, 2]}}
"""


@pytest.fixture
def study(tmp_path, monkeypatch):
    (tmp_path / "own_plain.py").write_text("def score(config):\n    return float(config['x'])\n")
    (tmp_path / "study.yaml").write_text(STUDY)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "study.yaml"


def test_a_study_that_trains_nothing_has_no_file(study, raytuner):
    assert raytuner("run", study).code == 0
    found = raytuner("trained", study, "-o", "a.npz")
    assert found.code == 2
    assert "nothing is trained in this study" in found.err
    both = raytuner("trained", study, "-o", "a.npz", "--trial", "1", "--schedule", "b.yaml")
    assert both.code == 2
    assert "--trial and --schedule exclude each other" in both.err
