"""Where trials descend from: on record, restored, and in the tables."""

import json
import re
from pathlib import Path

import pytest

import raytuner
from raytuner.journal import read
from raytuner.lineage import Origin
from raytuner.results import Results
from raytuner.tables import parquet_ready
from tests.raytuner.probes import Questions, study

WIDE = {"x": {"int": [1, 40]}, "y": ["a", "b", "c"], "z": {"float": [0, 1]}}
SEARCH = {"kind": "evolution", "population": 4, "immigrants": 0.2}


def evolved(trials=12, **fields):
    objective = Questions(base={"x": 2, "y": "b", "z": 0.5})
    fields = {"space": WIDE, "search": SEARCH, "budget": {"trials": trials}, **fields}
    return study(objective, **fields)


def proposed(folder):
    """Give the events that propose trials, one a trial."""
    events = read(folder / "runs/t/journal.jsonl")[0]
    return {event["number"]: event for event in events if event["event"] == "trial"}


@pytest.mark.parametrize("scheduler", ["none", {"kind": "asha", "grace": 2}])
def test_parents_are_trials_of_the_study_and_on_record(tmp_path, scheduler):
    results = raytuner.run(evolved(scheduler=scheduler), tmp_path)
    events = proposed(tmp_path)
    assert "how" not in events[0]  # trial 0 was proposed by nobody
    numbers = {event["key"]: number for number, event in events.items()}
    counts = {"random": 0, "mutation": 1, "crossover": 2}
    for number, event in events.items():
        if number:
            assert len(event["parents"]) == counts[event["how"]]
            assert all(numbers[key] < number for key in event["parents"])
            assert event["generation"] <= number // 4
            assert "note" not in event
    assert sum(bool(event.get("parents")) for event in events.values()) >= 3
    for trial in results.record.current:
        event = events[trial.number]
        assert trial.origin == (
            Origin(event["how"], tuple(event["parents"]), event["generation"])
            if trial.number
            else None
        )


def test_a_run_that_was_cut_off_ends_with_the_same_family(tmp_path):
    whole = raytuner.run(evolved(), tmp_path / "whole")
    lines = (tmp_path / "whole/runs/t/journal.jsonl").read_bytes().splitlines(keepends=True)
    cut = tmp_path / "cut/runs/t/journal.jsonl"
    cut.parent.mkdir(parents=True)
    cut.write_bytes(b"".join(lines[: len(lines) // 2]))
    resumed = raytuner.run(evolved(), tmp_path / "cut")
    family = [(trial.number, trial.origin) for trial in whole.record.current]
    assert [(trial.number, trial.origin) for trial in resumed.record.current] == family
    opened = Results.open(tmp_path / "cut/runs/t")
    assert [(trial.number, trial.origin) for trial in opened.record.current] == family


def test_tables_show_parents_by_number_where_there_are_any(tmp_path):
    results = raytuner.run(evolved(), tmp_path)
    table = results.trials.set_index("trial")
    assert list(table.columns)[list(table.columns).index("answered") + 2 :][:3] == [
        "generation", "how", "parents",
    ]  # fmt: skip
    assert table.loc[0, ["generation", "how", "parents"]].tolist() == [None, None, None]
    origins = {trial.number: trial.origin for trial in results.record.current}
    keys = {trial.number: trial.key for trial in results.record.current}
    for number, row in table.drop(index=0).iterrows():
        assert tuple(keys[parent] for parent in row["parents"]) == origins[number].parents
        assert isinstance(row["generation"], int)
    ready = parquet_ready(results.trials)
    assert set(map(type, ready["parents"])) == {str}
    plain = raytuner.run(evolved(search="random", name="plain"), tmp_path)
    assert not {"generation", "how", "parents", "note"} & set(plain.trials.columns)


def test_results_as_json_show_them(tmp_path, raytuner):
    import raytuner as tuner

    tuner.run(evolved(), tmp_path)
    code, out, _ = raytuner("results", str(tmp_path / "runs/t"), "--json")
    assert code == 0
    rows = json.loads(out)["trials"]
    bred = [row for row in rows if row["parents"]]
    assert bred
    assert all(isinstance(parent, int) for row in bred for parent in row["parents"])


def test_a_note_is_kept_and_old_journals_need_none():
    from raytuner.events import origin_from, trial_event
    from raytuner.trial import Trial

    origin = Origin("reflection", ("k1",), 2, "mend: dates")
    event = trial_event(Trial("k2", {"x": 1}, (), number=4, origin=origin))
    assert origin_from(json.loads(json.dumps(event))) == origin
    old = trial_event(Trial("k2", {"x": 1}, (), number=4))
    assert set(old) == {"event", "key", "number", "params", "baseline"}
    assert origin_from(old) is None


def test_a_parameter_may_be_called_like_a_column(tmp_path):
    made = evolved(space={**WIDE, "how": ["yes", "no"]}, trials=8)
    table = raytuner.run(made, tmp_path).trials
    assert set(table["how"].dropna()) <= {"yes", "no"}


def test_what_the_page_of_results_shows_runs(tmp_path):
    page = (Path(__file__).parents[2] / "docs" / "results.md").read_text()
    (code,) = re.findall(r"```python\n(bred = .*?)```", page, re.DOTALL)
    results = raytuner.run(evolved(), tmp_path)
    found = {"results": results}
    exec(code.replace(".recall.", ".hit."), found)
    parents = [len(t.origin.parents) for t in results.record.current if t.origin]
    assert len(found["bred"]) == sum(parents) > 0
