"""Which format a golden set is in, and the loader for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from pipelines.documents import resolve_path
from pipelines.golden.autorag import load_autorag
from pipelines.golden.beir import load_beir
from pipelines.golden.goldenset import GoldenSet, Loaded, collect
from pipelines.golden.jsonl import load_jsonl
from pipelines.golden.llamaindex import load_llamaindex
from pipelines.golden.tables import CHUNKING_COLUMNS, load_chunking_evaluation, load_csv
from pipelines.records import label_of, read_text, table_header
from pipelines.types import Corpus
from raytuner.component import ConfigError, nearest

FORMATS: Mapping[str, Callable[[Path, str, Corpus | None], Loaded]] = {
    "jsonl": load_jsonl,
    "csv": load_csv,
    "chunking-evaluation": load_chunking_evaluation,
    "llamaindex": load_llamaindex,
    "autorag": load_autorag,
    "beir": load_beir,
}
"""Loader by the name of its format: (path, name in messages, corpus of the study) to questions."""

_OPTIONS = ("path", "format", "split")


def load_golden(
    path: str | Path | Mapping[str, Any], corpus: Corpus | None, root: Path
) -> tuple[Corpus, GoldenSet]:
    """Read a golden set of any known format.

    Args:
        path: a file or folder, relative to `root` (which it may not leave) or absolute; or a
            mapping of `path`, `format` (one of `FORMATS`, instead of telling it by structure) and
            `split` (of a BEIR folder).
        corpus: the documents of the study, or None where the set brings its own.
        root: folder of the study file.

    Returns:
        the corpus that the spans of the golden set point into, and the set.

    Raises:
        ConfigError: naming file, line or field, what is wrong and what would be right.
    """
    options = _options(path)
    target = resolve_path(options["path"], root)
    name = label_of(target, root)
    if not target.exists():
        raise ConfigError(f"golden set {str(options['path'])!r} not found: there is no {target}")
    chosen = options.get("format") or _detect(target, name)
    if chosen not in FORMATS:
        raise ConfigError(
            f"unknown golden format {chosen!r}; known: {', '.join(FORMATS)}."
            f"{nearest(str(chosen), FORMATS)}"
        )
    loader = FORMATS[chosen]
    if options.get("split") is not None:
        if loader is not load_beir:
            raise ConfigError(f"{name}: `split` belongs to the format beir, not to {chosen}")
        loader = partial(load_beir, split=str(options["split"]))
    if target.is_dir() != (chosen in {"autorag", "beir"}):
        raise ConfigError(f"{name} is a {_sort(target)}, which the format {chosen} does not read")
    return collect(loader(target, name, corpus), name)


def _options(path: str | Path | Mapping[str, Any]) -> Mapping[str, Any]:
    if not isinstance(path, Mapping):
        return {"path": path}
    for field in path:
        if field not in _OPTIONS:
            raise ConfigError(
                f"golden: unknown field {field!r}; known: {', '.join(_OPTIONS)}."
                f"{nearest(str(field), _OPTIONS)}"
            )
    if not isinstance(path.get("path"), str | Path):
        raise ConfigError("golden: the field 'path' is missing: the file or folder of the set")
    return path


def _sort(target: Path) -> str:
    return "folder" if target.is_dir() else "file"


def _detect(target: Path, name: str) -> str:
    """Tell a format by its structure."""
    if target.is_dir():
        if (target / "qa.parquet").is_file() and (target / "corpus.parquet").is_file():
            return "autorag"
        if all((target / part).exists() for part in ("corpus.jsonl", "queries.jsonl", "qrels")):
            return "beir"
        raise ConfigError(
            f"the folder {name} is no golden set: expected qa.parquet and corpus.parquet (AutoRAG) "
            "or corpus.jsonl, queries.jsonl and qrels (BEIR); for other formats name the file"
        )
    suffix = target.suffix.lower()
    if suffix in {".csv", ".tsv"}:
        columns = table_header(read_text(target, name))
        return "chunking-evaluation" if columns >= set(CHUNKING_COLUMNS) else "csv"
    known = {".jsonl": "jsonl", ".json": "llamaindex"}
    if suffix not in known:
        raise ConfigError(
            f"the format of the golden set {name} cannot be told from its name; set `format:` to "
            f"one of {', '.join(FORMATS)}"
        )
    return known[suffix]
