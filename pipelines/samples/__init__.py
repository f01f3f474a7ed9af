"""Demo corpora with golden questions: real documents that are there without any download."""

from __future__ import annotations

from pathlib import Path

from pipelines.samples import python_api, questions
from pipelines.types import Corpus, Question
from raytuner.component import ConfigError, nearest


def names() -> tuple[str, ...]:
    """List the samples."""
    return ("python-api",)


def load(name: str, root: Path | None = None) -> tuple[Corpus, tuple[Question, ...]]:
    """Load a sample: its documents, and golden questions whose spans point into them.

    Args:
        name: one of `names()`.
        root: folder with the question files (`questions-*.jsonl`); default: this package's own.

    Raises:
        ConfigError: an unknown name, a bad question file, or evidence that the installed version
            of the documented package no longer contains.
    """
    if name not in names():
        raise ConfigError(
            f"there is no sample {name!r}; known: {', '.join(names())}.{nearest(name, names())}"
        )
    corpus, sections = python_api.read()
    folder = Path(__file__).parent if root is None else Path(root)
    return corpus, questions.read(folder, corpus, sections)
