"""`@objective`: a function stays what it was, in any order of imports; wrong settings are named."""

import functools
import pickle
import subprocess
import sys

import pytest

import raytuner
from raytuner.component import ConfigError
from raytuner.decorator import adapted, objective
from raytuner.own.callable_objective import CallableObjective
from raytuner.own.function import FunctionObjective
from raytuner.own.generator import GeneratorObjective
from raytuner.study import Study
from tests.raytuner.own import own_probes
from tests.raytuner.own.own_probes import ROWS, answer, plain_config, plain_item, training, whole
from tests.raytuner.probes import ROOT


def test_a_declared_function_is_called_and_pickled_as_before():
    assert answer(ROWS[3], {"x": 2}) == {"hit": 6 / 7, "said": "3"}
    assert pickle.loads(pickle.dumps(answer)) is answer

    @objective
    def bare(config):
        return config["x"]

    assert bare({"x": 3}) == 3
    assert isinstance(adapted(bare, {}, None, 0), CallableObjective)


def test_costs_may_be_named_among_what_is_minimised():
    declared = objective(metrics=("hit",), minimise=("usd_per_question",))(lambda config: 1)
    made = adapted(declared, {}, None, 0)
    assert made.metrics() == ("hit", "usd_per_question", "tokens_per_question")
    first = objective(metrics=("usd_per_question", "hit"))(lambda config: 1)
    assert adapted(first, {}, None, 0).metrics()[:2] == ("usd_per_question", "hit")


def test_which_objective_a_callable_becomes():
    assert isinstance(adapted(plain_config, {"k": 1}, None, 0), FunctionObjective)
    assert isinstance(adapted(print, {}, None, 0), FunctionObjective)
    assert isinstance(adapted(plain_item, {"items": ROWS}, None, 0), CallableObjective)
    assert isinstance(adapted(whole, {}, None, 0), CallableObjective)
    assert isinstance(adapted(training, {"steps": 5}, None, 0), GeneratorObjective)
    partial = functools.partial(lambda item, config, k: k, k=1)
    assert isinstance(adapted(partial, {"items": ROWS}, None, 0), CallableObjective)


def test_a_study_goes_before_what_was_declared():
    made = adapted(answer, {"items": ROWS[:3], "version": "b", "config": {"x": 7}}, None, 0)
    assert len(made.units()) == 3
    assert (made.settings.group, made.settings.version, made.config) == ("doc", "b", {"x": 7})


def test_a_generator_is_trained_step_by_step(tmp_path, monkeypatch):
    monkeypatch.setenv("RAYTUNER_CACHE", str(tmp_path))
    kind = "tests.raytuner.own.own_probes:training"
    study = Study(objective={"kind": kind, "steps": 4}, space={"x": [1, 2]})
    results = raytuner.run(study, in_memory=True)
    assert results.best.params == {"x": 2}
    assert results.best.values("accuracy").tolist() == [0, 2, 4, 6]


@pytest.mark.parametrize(
    ("function", "settings", "message"),
    [
        ("answer", {"itmes": 1}, r"objective\.itmes: no such setting .* Did you mean 'items'\?"),
        ("plain_item", {}, r"objective\.items: plain_item takes more than a configuration; give"),
        ("plain_item", {"items": "none.jsonl"}, r"objective\.items: none\.jsonl cannot be read"),
        ("whole", {"items": ROWS}, r"objective\.items: whole cannot be called with an item and"),
        ("answer", {"timeout": 0}, r"objective\.timeout: .*greater than 0, got 0"),
        ("answer", {"concurrency": "x"}, r"objective\.concurrency: .*'x'"),
        ("answer", {"metrics": 5}, r"objective\.metrics: give a list of names, got 5"),
        ("answer", {"minimise": "hits"}, r"objective\.minimise\.hits: not among .* mean 'hit'\?"),
        ("answer", {"config": [1]}, r"objective\.config: .*dictionary"),
        ("answer", {"config": {"a": {"b": 1}, "a.b": 1}}, r"objective\.config: a\.b is there tw"),
        ("whole", {"group": "doc"}, r"objective\.group: it names a field of items"),
        ("answer", {"steps": 5}, r"objective\.steps: answer is no generator"),
        ("training", {}, r"objective\.steps: a generator needs to know how many"),
        ("training", {"steps": 5, "items": ROWS}, r"objective\.items: training is a generator"),
    ],
)  # fmt: skip
def test_wrong_settings_are_named(function, settings, message):
    kind = f"tests.raytuner.own.own_probes:{function}"
    study = Study(objective={"kind": kind, **settings}, space={"x": [1]})
    with pytest.raises(ConfigError, match=message) as caught:
        raytuner.run(study, in_memory=True)
    assert caught.value.field[0] == "objective"


def test_wrong_settings_are_named_where_they_are_declared():
    with pytest.raises(ConfigError, match="timeout"):
        objective(timeout=-1)(plain_item)
    with pytest.raises(ConfigError, match=r"'group'|group"):
        objective(group="doc")(plain_item)
    with pytest.raises(ConfigError, match="cannot be called"):
        objective()(5)
    with pytest.raises(ConfigError, match="cannot be marked; write a function around it"):
        objective()(own_probes.ROWS.index)


@pytest.mark.parametrize(
    "code",
    [
        "from raytuner.decorator import objective; import raytuner.objective as port",
        "import raytuner.objective as port; from raytuner.decorator import objective",
        "import raytuner; from raytuner.decorator import objective; port = raytuner.objective",
        """import raytuner; raytuner.run; raytuner.Objective
from raytuner.decorator import objective; from raytuner import objective as port""",
    ],
)
def test_the_decorator_and_the_port_do_not_get_in_each_others_way(code):
    code += (
        "\nimport types; assert isinstance(port, types.ModuleType) and port.Objective"
        "\nassert objective(lambda config: 1.0)({}) == 1.0"
        "\nimport sys; assert not {'ray', 'pandas', 'scipy', 'openai'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
