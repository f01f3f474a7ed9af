"""Every notebook runs in a real kernel, and what is kept of it is what its script says."""

from __future__ import annotations

import ast
import getpass
import importlib.util
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import nbformat
import pytest
from nbformat import NotebookNode

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
SLOW = {script.name for script in NOTEBOOKS.glob("*.py")} - {"build.py"}
"""Each takes a kernel some seconds; those that start a cluster, or run many studies, more."""
LARGEST = 150_000
PICTURES = {"image/svg+xml", "text/html"}


def _loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("notebooks_build", NOTEBOOKS / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


build = _loaded()
SCRIPTS = build.scripts()
each = pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)


def kept(script: Path) -> NotebookNode:
    return nbformat.read(script.with_suffix(".ipynb"), as_version=4)


def shown(cell: NotebookNode) -> dict[str, str]:
    """What a cell shows beside what it prints, by media type."""
    return {
        kind: value for output in cell.outputs for kind, value in output.get("data", {}).items()
    }


def printed(cell: NotebookNode) -> str:
    return "".join(output.text for output in cell.outputs if output.output_type == "stream")


def pinned() -> bool:
    """Whether libraries are those the outputs were made with; documents are theirs too."""
    pins = (NOTEBOOKS.parent / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return all(f"{name}=={version(name)}" in pins for name in ("numpy", "pandas", "scikit-learn"))


def last_call(cell: NotebookNode) -> str:
    """The source of the expression that a cell ends with, or nothing."""
    body = ast.parse(cell.source).body
    return ast.unparse(body[-1]) if body and isinstance(body[-1], ast.Expr) else ""


def check_outputs(notebook: NotebookNode) -> None:
    """Plots are pictures, tables are tables, and no cell has failed or complained."""
    pictures = 0
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        assert not [o for o in cell.outputs if o.output_type == "error"], cell.source
        assert not [o for o in cell.outputs if o.get("name") == "stderr"], cell.source
        if re.match(r"\w+\.plot\.", last_call(cell)):
            found = shown(cell)
            assert PICTURES & set(found), cell.source
            assert "<svg" in found.get("image/svg+xml", found.get("text/html", ""))
            pictures += 1
        elif re.match(r"\w+\.trials\b", last_call(cell)):
            assert "<table" in shown(cell)["text/html"], cell.source
    assert pictures


def test_there_is_one_of_each() -> None:
    assert [script.name[:2] for script in SCRIPTS] == ["01", "02", "03", "04", "05"]
    assert sorted(p.stem for p in NOTEBOOKS.glob("*.ipynb")) == [s.stem for s in SCRIPTS]


@each
def test_what_is_kept_is_what_the_script_says(script: Path) -> None:
    fresh, old = build.read(script), kept(script)
    nbformat.validate(old)
    told = [[(c.id, c.cell_type, c.source) for c in one.cells] for one in (fresh, old)]
    assert told[0] == told[1], f"run `make notebooks`: {script.name} has changed"
    assert not [cell.source for cell in fresh.cells if "%%" in cell.source]
    assert fresh.cells[0].source.startswith("# ")


@each
def test_what_is_kept_has_its_outputs_and_nothing_of_a_machine(script: Path) -> None:
    notebook = kept(script)
    check_outputs(notebook)
    assert notebook.metadata == build.METADATA
    assert all(not cell.metadata for cell in notebook.cells)
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))
    text = script.with_suffix(".ipynb").read_text(encoding="utf-8")
    assert len(text) < LARGEST
    for stranger in ("/tmp/", "/home/", "/root", "/work", " at 0x", str(NOTEBOOKS.parent)):
        assert stranger not in text
    assert not re.search(rf"\b{re.escape(getpass.getuser())}\b", text.replace("root mean", ""))


@each
def test_a_script_is_plain_python(script: Path) -> None:
    ast.parse(script.read_text(encoding="utf-8"))


def test_from_a_run_folder_to_a_plot_in_three_lines() -> None:
    [cell] = [
        cell
        for cell in kept(NOTEBOOKS / "02_exploring.ipynb").cells
        if cell.cell_type == "code" and "Results.open" in cell.source
    ]
    assert len(ast.parse(cell.source).body) == 3
    assert "<svg" in "".join(shown(cell).values())


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(s, id=s.stem, marks=[pytest.mark.slow] if s.name in SLOW else [])
        for s in SCRIPTS
    ],
)
def test_it_runs_in_a_kernel(
    script: Path, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAYTUNER_CACHE", str(cache))
    fresh = build.execute(build.read(script), tmp_path)
    check_outputs(fresh)
    for new, old in zip(fresh.cells, kept(script).cells, strict=True):
        if new.cell_type == "code":
            assert set(shown(new)) == set(shown(old)), new.source
            if pinned():
                assert printed(new) == printed(old), f"run `make notebooks`: {new.source}"


@pytest.mark.slow
def test_it_runs_as_a_script(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAYTUNER_CACHE", str(cache))
    script = NOTEBOOKS / "01_first_study.py"
    ended = subprocess.run(
        [sys.executable, script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "PROVEN" in ended.stdout
    assert (tmp_path / "runs" / "first" / "report.html").exists()


INSIDE_A_LOOP = """
import asyncio
from raytuner import Study, arun, run
assert asyncio.get_running_loop().is_running()

def score(params):
    return -float((params["x"] - 2) ** 2)

async def ascore(params):
    await asyncio.sleep(0)
    return score(params)

def study(objective, backend):
    return Study(name=backend, objective=objective, space={"x": {"int": [0, 3]}}, backend=backend)
---
[run(study(score, b)).best.params["x"] for b in ("inprocess", "threads")]
---
run(study(ascore, "async")).best.params["x"]
---
(await arun(study(ascore, "inprocess"), in_memory=True)).best.params["x"]
"""


def test_studies_run_inside_the_loop_of_a_kernel(tmp_path: Path) -> None:
    cells = [nbformat.v4.new_code_cell(code.strip()) for code in INSIDE_A_LOOP.split("---\n")]
    done = build.execute(nbformat.v4.new_notebook(cells=cells), tmp_path)
    assert [shown(cell).get("text/plain") for cell in done.cells] == [None, "[2, 2]", "2", "2"]
