"""Every search there is works in process by ask and tell alone, and Ray is never imported."""

import json
import subprocess
import sys

import pytest

from raytuner.search import Search

SPACE = {
    "prompt": {"evolve": ["Answer {q}", "Be brief: {q}"], "fragments": ["Think.", "Cite."]},
    "chunker": ["fixed", "whole"],
    "size": {"int": [1, 9], "when": {"chunker": "fixed"}},
    "temperature": {"float": [0.0, 1.0], "points": 3},
    "rate": {"float": [0.001, 1.0], "log": True, "points": 3},
    "tools": {"subset": ["search", "sql"]},
    "rerank": "bool",
    "constraints": ["temperature + rate <= 1.5"],
}
POINT = {"prompt": "Be brief: {q}", "chunker": "whole", "temperature": 0.5, "rate": 0.1,
         "tools": [], "rerank": True}  # fmt: skip
MORE = {"manual": {"points": [POINT]}, "sobol": {"samples": 16}}
"""What a search needs to be told."""
OTHERS = [{"kind": "optuna", "sampler": sampler} for sampler in ("cmaes", "nsga2")]
SKIPPED = {"ray"}
"""It passes on to searchers of Ray."""
HEAVY = {"bayes", "bohb", "hyperopt", "neighbours", "optuna", "pb2"}
"""They load libraries, and fit models."""

SCRIPT = """
import json, random, sys
from raytuner.component import MissingExtraError, digest
from raytuner.search import Exhausted, Search
from raytuner.search.port import Tracing
from raytuner.space import Space

space, searches = json.loads(sys.argv[1])
space = Space.parse(space)


def worth(point):
    return random.Random(digest(point)).random()


def followed(spelled):
    search = Search.model_validate(spelled)
    proposer, found = search.start(space, 7), []
    baseline = space.sample(random.Random(99))
    if search.learns:
        proposer.tell(baseline, 0.4)
    for number in range(14):
        try:
            point = proposer.ask()
        except Exhausted:
            break
        assert point is not None, "nothing runs that it could wait for"
        assert space.active(point) == point and list(space.active(point)) == list(point)
        assert space.contains(point)
        assert all(type(v) in (bool, int, float, str, tuple) for v in point.values())
        lineage = proposer.lineage(point) if isinstance(proposer, Tracing) else None
        if lineage is not None:
            assert lineage.how and (lineage.generation or 0) >= 0
            assert all(p in found or p == baseline for p in lineage.parents), spelled
        found.append(point)
        score = None if number == 4 else worth(point)
        if score is not None and number % 3 == 0:
            proposer.tell(point, score / 2, units=4, ended=False)
        proposer.tell(point, score)
    assert len(set(map(digest, found))) == len(found)
    return found


for spelled in searches:
    try:
        first, second = followed(spelled), followed(spelled)
    except MissingExtraError as error:
        print(json.dumps([spelled["kind"], str(error)]))
        continue
    assert first == second, spelled
    print(json.dumps([spelled["kind"], len(first)]))
print(json.dumps(sorted(name for name in sys.modules if name.partition(".")[0] == "ray")))
"""


def told(searches):
    """Run searches in a process of their own; give how many points each proposed."""
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps([SPACE, searches])],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    *found, ray = map(json.loads, ran.stdout.splitlines())
    assert ray == []
    assert [kind for kind, _ in found] == [spelled["kind"] for spelled in searches]
    return found


def spelled(kinds):
    return [{"kind": kind, **MORE.get(kind, {})} for kind in kinds]


def test_searches_of_ours_are_asked_and_told_in_process_without_ray():
    found = dict(told(spelled(sorted(set(Search.kinds()) - SKIPPED - HEAVY))))
    assert {"grid", "random", "greedy", "evolution", "pbt", "prompts", "manual"} <= set(found)
    assert {kind for kind, count in found.items() if count < 14} <= {"manual", "greedy"}


@pytest.mark.slow
def test_searches_with_models_too():
    assert set(Search.kinds()) >= HEAVY
    found = told([*spelled(sorted(HEAVY)), *OTHERS])
    assert all(count == 14 for _, count in found if isinstance(count, int))
    missing = [reason for _, reason in found if isinstance(reason, str)]
    if missing:
        pytest.skip("; ".join(missing))
