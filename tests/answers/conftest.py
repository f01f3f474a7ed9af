"""A study whose answers come from language models, as files beside the handbook's."""

import copy

import pytest
from ruamel.yaml import YAML

from tests.endpoint.fixtures import endpoint, endpoints
from tests.pipelines.conftest import write_handbook

__all__ = ["endpoint", "endpoints"]

PRICES = {"good": (1.0, 4.0), "cheap": (0.1, 0.4), "judge": (1.0, 4.0)}
"""Dollars per million tokens in and out, by the study's names."""
STUDY = {
    "version": 1,
    "name": "answers",
    "objective": {
        "kind": "rag",
        "documents": "docs",
        "golden": "golden.jsonl",
        "metrics": ["token-f1", "recall"],
        "models": {
            name: {
                "model": "cheap-1" if name == "cheap" else "good-1",
                "price": {"input": price[0], "output": price[1]},
                "concurrency": 8,
            }
            for name, price in PRICES.items()
        },
        "pipeline": {
            "retriever": {"kind": "bm25", "top_k": 2},
            "generator": {"kind": "chat", "model": "good", "temperature": 0.3, "max_tokens": 40},
        },
    },
    "space": {
        "generator.model": {"choice": ["good", "cheap"]},
        "generator.temperature": {"choice": [0.3, 1.5]},
    },
    "metric": "token-f1",
    "scheduler": "none",
    "verdict": {"held_out": 0},
    "retry": {"times": 0, "wait": 0},
}


class Folder:
    """The study's folder."""

    def __init__(self, path):
        self.path = path
        self.run = path / "runs" / "answers"
        self.data = copy.deepcopy(STUDY)

    def write(self, **changes):
        """Write study.yaml; `objective__golden=...` changes a nested field, None removes it."""
        for path, value in changes.items():
            node = self.data
            *parents, last = path.split("__")
            for parent in parents:
                node = node.setdefault(parent, {})
            if value is None:
                node.pop(last, None)
            else:
                node[last] = value
        with (self.path / "study.yaml").open("w", encoding="utf-8") as file:
            YAML().dump(self.data, file)
        return self


@pytest.fixture
def folder(tmp_path, monkeypatch):
    home = tmp_path / "work"
    home.mkdir()
    write_handbook(home)
    monkeypatch.chdir(home)
    monkeypatch.setenv("RAYTUNER_CACHE", str(tmp_path / "cache"))
    return Folder(home).write()
