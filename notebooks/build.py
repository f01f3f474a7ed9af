"""Executes the notebooks: each percent script becomes an `.ipynb` with its outputs beside it.

What is written is the same for the same outputs: no times, no paths, no ids made at random.

    python notebooks/build.py            # all of them; or name some: 02_exploring.py
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode
from traitlets.config import Config

HERE = Path(__file__).parent
SECONDS = 300
"""That one cell may take."""
_ADDRESS = re.compile(r" (object )?at 0x[0-9a-f]+")
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def scripts() -> list[Path]:
    """List the notebooks: scripts whose names begin with a number, in that order."""
    return sorted(HERE.glob("[0-9]*.py"))


def read(script: Path) -> NotebookNode:
    """Make a notebook without outputs from a percent script; equal text gives equal notebooks."""
    notebook = jupytext.read(script, fmt="py:percent")
    notebook.metadata = nbformat.from_dict(METADATA)
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number:02}"
        cell.metadata = nbformat.from_dict({})
    return notebook


def execute(notebook: NotebookNode, folder: Path) -> NotebookNode:
    """Run every cell in a kernel of its own.

    Args:
        notebook: gets the outputs.
        folder: where the kernel runs; what the notebook writes lands there.

    Raises:
        CellExecutionError: a cell failed.
    """
    with tempfile.TemporaryDirectory(prefix="nb-", dir="/tmp") as sockets:
        # Files that only this user can reach instead of ports that everyone here can.
        place = {"transport": "ipc", "ip": f"{sockets}/kernel"}
        client = NotebookClient(
            notebook,
            timeout=SECONDS,
            kernel_name="python3",
            record_timing=False,
            config=Config({"KernelManager": place}),
            resources={"metadata": {"path": str(folder)}},
        )
        client.execute()
    notebook.metadata = nbformat.from_dict(METADATA)
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            _tidy(output.get("data", {}))
    return notebook


def _tidy(data: dict[str, str]) -> None:
    """Keep one picture of what is shown (GitHub strips SVG from HTML), and no memory address."""
    if "image/svg+xml" in data:
        data.pop("text/html", None)
    if "text/plain" in data:
        data["text/plain"] = _ADDRESS.sub("", data["text/plain"])


def build(script: Path) -> Path:
    """Execute a script's notebook in a temporary folder, and write it beside the script."""
    with tempfile.TemporaryDirectory() as folder:
        notebook = execute(read(script), Path(folder))
    target = script.with_suffix(".ipynb")
    nbformat.validate(notebook)
    target.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")
    return target


def main(names: Sequence[str]) -> None:
    """Build the notebooks that are named, or all; they share one cache, made for this."""
    with tempfile.TemporaryDirectory() as cache:
        os.environ["RAYTUNER_CACHE"] = cache
        for script in [HERE / Path(name).name for name in names] or scripts():
            print(f"{build(script).relative_to(HERE.parent)}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
