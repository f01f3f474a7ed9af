"""Nothing heavy is imported in vain, and no foreign package passes for ours."""

import importlib
import subprocess
import sys

import pytest

from raytuner.component import ConfigError
from raytuner.packages import check_packages
from tests.raytuner.probes import ROOT

HEAVY = ("ray", "llama_index", "chromadb", "pandas", "torch", "sklearn", "onnxruntime", "openai",
         "nltk", "tiktoken", "scipy", "pyarrow", "hyperopt")  # fmt: skip


@pytest.mark.parametrize(
    "module", ["raytuner", "raytuner.tuner", "raytuner.cli", "raytuner.compat.param_tuner",
               "raytuner.backends.processes", "raytuner.results", "raytuner.study"],
)  # fmt: skip
def test_imports_are_light(module):
    code = f"import sys, {module}; print(sorted(set({HEAVY!r}) & set(sys.modules)))"
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.stdout.strip() == "[]", ran.stderr


def test_a_run_without_a_table_needs_no_pandas():
    code = (
        "import sys, raytuner\n"
        "study = raytuner.Study(objective=lambda p: p['x'], space={'x': [1, 2]})\n"
        "assert raytuner.run(study, in_memory=True).best.params == {'x': 2}\n"
        f"print(sorted(set({HEAVY!r}) & set(sys.modules)))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.stdout.strip() == "[]", ran.stderr


def test_public_names_exist():
    import raytuner

    for name in raytuner._HOMES:
        assert getattr(raytuner, name) is not None
        assert name in dir(raytuner)
    with pytest.raises(AttributeError, match="no attribute 'Tuner'"):
        _ = raytuner.Tuner


def test_own_packages_are_found():
    check_packages()


def test_a_foreign_package_of_the_same_name_is_refused(tmp_path, monkeypatch):
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "pipelines/__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "pipelines", raising=False)
    importlib.invalidate_caches()
    with pytest.raises(ConfigError, match=rf"`pipelines` .* is not raytuner's but {tmp_path}"):
        check_packages()
