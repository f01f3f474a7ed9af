"""Studies that cannot be read, or say something that no study can say."""

import pytest

FILES = {
    "empty": ("", "study.yaml is empty; `raytuner init` writes a study"),
    "only a comment": ("# later\n", "study.yaml is empty"),
    "a list": ("- a\n- b\n", "study.yaml: expected fields such as `name: demo`, got a list"),
    "a text": ("hello", "expected fields such as `name: demo`, got 'hello'"),
    "open bracket": ("name: x\nspace: [1, 2\n", "study.yaml, line 3: not valid YAML: expected ','"),
    "tab": (
        "name: x\nspace:\n\tq: 1\n",
        "study.yaml, line 3: not valid YAML: found character '\\t'",
    ),
    "same key twice": (
        "name: x\nname: y\n",
        "study.yaml, line 2: not valid YAML: found duplicate key",
    ),
    "nested key twice": (
        "objective:\n  kind: rag\n  kind: rag\n",
        "study.yaml, line 3: not valid YAML: found duplicate key",
    ),
    "two documents": ("name: x\n---\nname: y\n", "study.yaml, line 2: not valid YAML"),
    "unknown alias": ("name: *x\n", "study.yaml, line 1: not valid YAML: found undefined alias"),
    "UTF-16": ("name: x".encode("utf-16"), "study.yaml: not UTF-8 at byte 0; save it as UTF-8"),
    "zero byte": (b"name: a\x00b", "study.yaml: not valid YAML: unacceptable character"),
}


@pytest.mark.parametrize(("content", "message"), FILES.values(), ids=FILES)
def test_a_file_that_is_no_study(tiny, refused, content, message):
    tiny.file("study.yaml", content)

    assert message in refused()


def test_a_file_that_is_not_there(refused):
    assert "error: stuyd.yaml: no such file; `raytuner init` writes one" in refused(
        "run", "stuyd.yaml"
    )


def test_a_folder_instead_of_a_file(refused):
    assert "error: docs is a folder; name the study file in it" in refused("run", "docs")


def test_a_python_object_is_never_made(tiny, refused):
    mark = tiny.folder / "made"
    tiny.file("study.yaml", f"name: !!python/object/apply:os.system ['touch {mark}']\n")

    refused()

    assert not mark.exists()


FIELDS = {
    "unknown field": ({"sercah": "grid"}, "sercah: no such field", "Did you mean 'search'?"),
    "unknown field of the budget": (
        {"budget": {"trails": 3}},
        "budget.trails: no such field; a budget has: trials, seconds, usd",
        "Did you mean 'trials'?",
    ),
    "unknown field of retry": ({"retry": {"tmes": 3}}, "retry.tmes", "Did you mean 'times'?"),
    "name with a slash": ({"name": "a/b"}, "line 2: name: 'a/b' cannot name a folder", "letters"),
    "name that climbs": ({"name": ".."}, "name: '..' cannot name a folder", "letters"),
    "version": ({"version": 2}, "line 1: version: Input should be 1, got 2"),
    "negative seed": ({"seed": -1}, "seed: Input should be greater than or equal to 0, got -1"),
    "half a seed": ({"seed": 1.5}, "seed: Input should be a valid integer", "got 1.5"),
    "no worker": ({"workers": 0}, "workers: Input should be greater than or equal to 1, got 0"),
    "unknown backend": (
        {"backend": "thread"},
        "backend: Input should be",
        "'threads'",
        "got 'thread'",
    ),
    "no trial": ({"budget": {"trials": 0}}, "budget.trials: Input should be greater", "got 0"),
    "no time": (
        {"budget": {"seconds": -1}},
        "budget.seconds: Input should be greater than 0, got -1",
    ),
    "a budget of one number": (
        {"budget": 3},
        "budget: give limits such as {trials: 50, usd: 2}, got 3\n",
    ),
    "a budget of a text": ({"budget": "5 $"}, "such as {trials: 50, usd: 2}, got '5 $'\n"),
    "a budget of a list": ({"budget": [{"usd": 2}]}, "usd: 2}, got [{'usd': 2}]\n"),
    "negative retries": ({"retry": {"times": -1}}, "retry.times", "got -1"),
    "unknown search": (
        {"search": "gird"},
        "search: no Search of kind 'gird'; known: ",
        "Did you mean 'grid'?",
    ),
    "unknown field of a search": (
        {"search": {"kind": "random", "smaples": 3}},
        "Search 'random' has no field 'smaples'; it has: samples. Did you mean 'samples'?",
    ),
    "search without kind": ({"search": {"samples": 3}}, "search: a Search needs a `kind`: one of"),
    "unknown plugin": (
        {"plugins": ["no_such_module"]},
        "plugin 'no_such_module' cannot be imported",
    ),
    "plugins as text": ({"plugins": "mine"}, "plugins: give a list of modules, got 'mine'"),
    "folder of runs outside": (
        {"run_dir": "../../elsewhere"},
        "run_dir: '../../elsewhere' leads out of the folder of the study",
        "absolute path",
    ),
    "unknown objective": (
        {"objective__kind": "rga"},
        "line 4: objective.kind: no objective called 'rga'; known: adapter, agent, command, ",
        "Did you mean 'rag'?",
    ),
    "objective that is not there": (
        {"objective__kind": "no_such_module:score"},
        "objective.kind: no_such_module:score cannot be imported",
    ),
    "objective without kind": ({"objective": {"golden": "x"}}, "line 3: objective: give a `kind`"),
    "metric of the study": (
        {"metric": "recal"},
        "metric: 'recal' is not measured; the objective reports: recall, precision",
        "Did you mean 'recall'?",
    ),
}


@pytest.mark.parametrize("case", FIELDS)
def test_a_field_that_is_wrong(tiny, refused, case):
    changes, *messages = FIELDS[case]
    tiny.write(**changes)

    error = refused()

    for message in messages:
        assert message in error


@pytest.mark.parametrize("name", ["objective", "space"])
def test_a_field_that_is_missing(tiny, refused, name):
    tiny.write(**{name: tiny.MISSING})

    assert f"study.yaml: {name}: it is missing; a study needs" in refused()


def test_a_search_without_end_needs_a_budget(tiny, refused):
    tiny.write(search="random", space={"retriever.min_score": {"float": [0, 1]}})

    error = refused()

    assert "budget: this search never ends by itself; give `trials`, `seconds`, `usd`" in error


OPTIONS = {
    "no worker": (["run", "--workers", "0"], "'--workers': 0 is not in the range 1<=x<=1024"),
    "workers in words": (["run", "--workers", "two"], "'--workers': 'two' is not a valid integer"),
    "unknown backend": (["run", "--backend", "thread"], "'thread' is none of inprocess, threads"),
    "negative seed": (["run", "--seed", "-1"], "'--seed': -1 is not in the range x>=0"),
    "unknown option": (["run", "--wrokers", "3"], "'--wrokers'. Did you mean '--workers'?"),
    "unknown command": (["rnu"], "no such command 'rnu'. Did you mean 'run'?"),
    "too much": (["run", "a.yaml", "b.yaml"], "unexpected extra argument (b.yaml)"),
    "table into the study": (["results", "--csv", "study.yaml"], "'study.yaml' must end in .csv"),
    "trial in words": (["export", "--trial", "best"], "'--trial': 'best' is not a valid integer"),
    "results of nothing": (["results"], "no run here"),
    "status of nothing": (["status"], "no run here"),
    "export of nothing": (["export"], "no run here"),
}


@pytest.mark.parametrize(("arguments", "message"), OPTIONS.values(), ids=OPTIONS)
def test_an_option_that_is_wrong(tiny, refused, arguments, message):
    tiny.write()

    assert message in refused(*arguments).replace("Got", "got")
