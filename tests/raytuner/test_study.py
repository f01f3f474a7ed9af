"""Studies: from YAML or Python, and what is said when they are wrong."""

import random
import re
import sys
import textwrap

import pytest

import raytuner
from raytuner.component import ConfigError
from raytuner.named import objectives
from raytuner.own.function import FunctionObjective
from raytuner.search import Grid, Random
from raytuner.study import Study, load_study
from raytuner.tuner import prepare
from tests.raytuner.probes import Questions, study

GOOD = """\
name: demo
objective:
  kind: own:score
  weight: 1e-3
space:
  x: {int: [1, 3]}
  mode: [no, yes]
metric: hit
search: grid
budget:
  trials: 20
backend: threads
workers: 2
retry: {times: 1, wait: 0}
"""

OWN = """
from raytuner.objective import Objective, UnitScore

def score(params):
    return {"hit": params["weight"] * params["x"]}

async def later(params):
    return params["x"]

class Own(Objective):
    def __init__(self, path="none", size=2):
        self.path, self.size = path, size
    @classmethod
    def build(cls, args, *, root, seed):
        made = super().build(args, root=root, seed=seed)
        made.path = str(root / made.path)
        return made
    def units(self):
        return tuple(map(str, range(self.size)))
    def key(self, params):
        return repr(sorted(params.items()))
    def metrics(self):
        return ("hit",)
    def evaluate(self, params, units, meter):
        yield [UnitScore(unit, {"hit": 1.0}) for unit in units]

ready = Own(size=3)
number = 7
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    name = f"own{random.Random(str(tmp_path)).randrange(10**9)}"
    (tmp_path / f"{name}.py").write_text(OWN)
    (tmp_path / "bad_own.py").write_text("def f(:\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path, name
    sys.modules.pop(name, None)


@pytest.fixture
def load(folder):
    root, name = folder

    def write(text, **overrides):
        path = root / "study.yaml"
        path.write_text(
            textwrap.dedent(text).replace(" own:", f" {name}:").replace("'own:", f"'{name}:")
        )
        made = load_study(path, overrides)
        from raytuner.document import located, read_yaml

        with located(read_yaml(path)):
            return prepare(made, root)

    return write


def test_yaml_runs(load):
    prepared = load(GOOD)
    made = prepared.study
    assert (made.name, made.backend, made.workers, made.metric) == ("demo", "threads", 2, "hit")
    assert made.search == Grid()
    assert made.retry.patience() == (1, 0.0, 60.0)
    assert prepared.total == 6
    results = raytuner.tuner.run_prepared(prepared)
    assert results.best.params["x"] == 3
    assert results.best.mean("hit") == 0.003
    assert set(results.trials["mode"]) == {"no", "yes"}
    assert (prepared.root / "runs/demo/journal.jsonl").exists()


def test_overrides_replace_fields(load):
    assert load(GOOD, workers=5, backend="async").study.workers == 5


@pytest.mark.parametrize("kind", ["own:score", "own:later"])
def test_functions_by_name(load, kind):
    prepared = load(f"objective: {{kind: '{kind}', weight: 2}}\nspace: {{x: [1, 2]}}\n")
    assert isinstance(prepared.objective, FunctionObjective)
    assert raytuner.tuner.run_prepared(prepared).best.params == {"x": 2}


def test_objectives_by_name(load, folder):
    made = load("objective: {kind: 'own:Own', path: a/b}\nspace: {x: [1, 2]}\n").objective
    assert made.path == str(folder[0] / "a/b")
    assert len(load("objective: 'own:ready'\nspace: {x: [1]}\n").objective.units()) == 3
    assert len(load("objective: 'own:Own'\nspace: {x: [1]}\n").objective.units()) == 2


def test_objectives_in_python():
    ready = Questions()
    assert study(ready).build_objective(None) is ready
    for function in (lambda p: 1, print, Questions().units):
        assert isinstance(study(function).build_objective(None), FunctionObjective)
    assert "rag" in objectives()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("name: demo", "nmae: demo", r"line 1: nmae: no such field; .* Did you mean 'name'\?"),
        ("name: demo", "name: a/b", r"line 1: name: 'a/b' cannot name a folder"),
        ("name: demo", "name: ../x", r"line 1: name: "),
        ("name: demo", "name: 5", r"line 1: name: .*string.*5"),
        ("name: demo", "name: demo\nversion: 2", r"line 2: version: .*1.*got 2"),
        ("workers: 2", "workers: two", r"line 13: workers: .*integer.*'two'"),
        ("name: demo", "name: demo\nscheduler: 5", r"line 2: scheduler: give a `kind`.*, got 5"),
        ("workers: 2", "workers: 0", r"line 13: workers: .*greater.*got 0"),
        ("workers: 2", "workers: 1.5", r"line 13: workers: .*1\.5"),
        ("backend: threads", "backend: thread", r"line 12: backend: .*'threads'.*got 'thread'"),
        ("  trials: 20", "  trials: 0", r"line 11: budget\.trials: .*got 0"),
        ("  trials: 20", "  trails: 20", r"line 11: budget\.trails: no such .* mean 'trials'\?"),
        ("  trials: 20", "  usd: -1", r"line 11: budget\.usd: .*got -1"),
        ("times: 1", "times: -1", r"line 14: retry\.times: .*got -1"),
        ("times: 1", "time: 1", r"line 14: retry\.time: no such field; .* 'times'\?"),
        ("search: grid", "search: gird", r"line 9: search: no Search .*'gird'.* mean 'grid'\?"),
        ("search: grid", "search: {shuffle: true}", r"line 9: search: a Search needs a `kind`"),
        ("search: grid", "search: {kind: grid, shufle: 1}", r"line 9: .*'shufle'.*'shuffle'\?"),
        ("search: grid", "search: {kind: random, samples: 0}", r"line 9: search.*got 0"),
        ("  kind: own:score", "  kind: own:scroe", r"line 3: objective\.kind: .*cannot be imp"),
        ("  kind: own:score", "  kind: rga", r"line 3: .*no objective .*'rga'; known: .*'rag'\?"),
        ("  kind: own:score", "  kind: nowhere:f", r"line 3: .*No module named 'nowhere'"),
        ("  kind: own:score", "  kind: 'bad_own:f'", r"line 3: .*bad_own:f cannot be .*syntax"),
        ("  kind: own:score", "  kind: ':f'", r"line 3: objective\.kind: .*cannot be imported"),
        ("  kind: own:score", "  kind: own:number", r"line 3: .*neither an Objective nor callable"),
        ("  kind: own:score", "  kind: own:Own", r"line 2: objective: .*unexpected .*'weight'"),
        ("objective:", "objectiv:", r"line 2: objectiv: no such field.*'objective'\?"),
        ("  kind: own:score\n", "", r"line 2: objective: give a `kind`"),
        ("metric: hit", "metric: []", r"line 8: metric: "),
        ("x: {int: [1, 3]}", "x: {int: [3, 1]}", r"line 6: space: x: "),
        ("x: {int: [1, 3]}", "x: {itn: [1, 3]}", r"line 6: space: x: .*'int'\?"),
        ("x: {int: [1, 3]}", "status: [1, 3]", r"line 6: space: status: the trial table"),
        ("metric: hit", "constraints: ['x < z']\nmetric: hit", r"line 8: .*'z'"),
        ("metric: hit", "constraints: x < 3\nmetric: hit", r"line 8: constraints: give a list"),
        ("metric: hit", "plugins: nowhere_at_all\nmetric: hit", r"line 8: plugins: give a list"),
        ("metric: hit", "plugins: [nowhere_at_all]\nmetric: hit", r"'nowhere_at_all' cannot be"),
        ("metric: hit", "run_dir: ../../x\nmetric: hit", r"line 8: run_dir: .*leads out"),
    ],
)  # fmt: skip
def test_mistakes_are_named_with_file_line_and_field(load, old, new, message):
    assert old in GOOD
    with pytest.raises(ConfigError) as caught:
        load(GOOD.replace(old, new, 1))
    text = str(caught.value)
    assert re.search(message, text), text
    assert "\n" not in text
    assert text.count("study.yaml") <= 1


@pytest.mark.parametrize("missing", ["objective", "space"])
def test_what_is_missing_is_named(missing):
    fields = {"objective": print, "space": {"x": [1]}}
    del fields[missing]
    with pytest.raises(ConfigError, match=f"{missing}: it is missing"):
        Study.parse(fields)


def test_unmeasured_metric_of_an_objective(load):
    text = "objective: 'own:Own'\nspace: {x: [1]}\nmetric: hits\n"
    with pytest.raises(ConfigError, match=r"line 3: metric: 'hits' is not measured; .* 'hit'\?"):
        load(text)


def test_identity_follows_what_decides_the_trials():
    base = study()
    objective = Questions()
    same = [study(workers=3, backend="threads"), study(budget={"trials": 1}), study(name="other"),
            study(retry={"times": 9}), study(metric="loss")]  # fmt: skip
    other = [study(seed=1), study(search="random"), study(space={"x": [1]}),
             study(constraints=["x < 4"])]  # fmt: skip
    assert {made.identity(objective) for made in same} == {base.identity(objective)}
    keys = {made.identity(objective) for made in other}
    assert len(keys) == 4
    assert base.identity(objective) not in keys
    assert base.identity(Questions(scope="new")) != base.identity(objective)


def test_python_studies_hold_python_values():
    from raytuner.spaces.spelling import parse_domain

    made = study(Questions(), space={"x": parse_domain({"int": [1, 2]}), "y": ("a", "b")},
                 search=Random(samples=3))  # fmt: skip
    assert len(raytuner.run(made, in_memory=True).trials) == 3
    with pytest.raises(ConfigError, match="objective: give a `kind`"):
        study(7).build_objective(None)
