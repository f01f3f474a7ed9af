"""A first study for a folder of documents: asks for nothing, and explains itself in comments."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from string import Template

from pipelines.readers import READERS
from pipelines.records import table_header
from raytuner.component import ConfigError

_STUDY_NAME = "study.yaml"
_EXAMPLE_NAME = "golden.example.jsonl"
_TABLES = frozenset({".csv", ".jsonl"})
_NOT_DOCUMENTS = frozenset({"node_modules", "runs", "venv"})
_DOCUMENTS_TRIED = 20

_STUDY = Template("""\
# What to tune, over which space, and when to stop.
# Check it before any work is done:  raytuner check $study
# Then run it:                       raytuner run $study
version: 1
name: $name  # names the folder of results: runs/$name
objective:
  kind: rag
  documents: $documents  # a folder (read recursively), a glob, a file, or a list of them
$golden_comment
  golden: $golden
  metrics: [recall@1000tok, recall, ndcg@10]
  # Models that answer and judge: put these in place of the metrics above, and the generator below.
  # `raytuner check` says what that costs at most before anything is asked (docs/models.md).
  # metrics: [{kind: correctness, model: judge}, token-f1, recall@1000tok]
  # models: {small: gpt-4o-mini, judge: gpt-4o-mini}    # or {model: ..., base_url: ...}
  pipeline:                     # your configuration today: trial 0, what the others must beat
    chunker: {kind: sentence, size: 512, overlap: 64}
    embedder: minilm
    retriever: {kind: dense, top_k: 5}
    # generator: {kind: chat, model: small, temperature: 0.2, max_tokens: 200}
space:                          # what may change: paths into the pipeline above
  chunker.size: {choice: [128, 256, 512, 1024]}
  chunker.overlap: {choice: [0, 64]}
  retriever.kind: {choice: [dense, bm25, hybrid]}
  retriever.top_k: {int: [2, 10], step: 2}
  # generator.temperature: {choice: [0.0, 0.5]}
constraints:                    # points that break one are never tried
  - chunker.overlap < chunker.size
metric: recall@1000tok          # share of the evidence within the first 1000 tokens retrieved
search: grid                    # every point; for large spaces: random
budget: {trials: 200, seconds: 3600}    # with models also usd: dollars that are never exceeded
workers: 2
seed: 0
""")

_FOUND = """\
  # Questions whose evidence in the documents is known."""

_MISSING = """\
  # Questions whose evidence in the documents is known; 34 make a verdict possible, 100 a good one.
  # `raytuner golden generate` writes a first set by a model. One JSON object per line:
  #   id        any text, used once
  #   question  as a user would ask it
  #   evidence  what answers it, all of it needed: {"doc": file below the documents folder,
  #             "quote": copied literally from it}; [] if the documents do not answer it
  #   answer    a reference answer, or null: only metrics of answers need it
  # $example holds one line with a real quote: copy it to $golden, put your
  # question in, and add more lines."""


def write_study(here: Path, folder: Path | None, *, force: bool = False) -> list[str]:
    """Write a study for a folder of documents, and an example question if there are none.

    Args:
        here: where the study goes.
        folder: the documents, relative to `here`; None: `docs`, or the first folder that has any.
        force: whether to overwrite.

    Returns:
        Sentences for the user: what was written, what to do next.

    Raises:
        ConfigError: if there is a study already, or there are no documents.
    """
    here = here.resolve()
    study = here / _STUDY_NAME
    if study.exists() and not force:
        raise ConfigError(f"{_STUDY_NAME} exists already; use --force to overwrite it")
    documents = _documents_folder(here, folder)
    golden = _golden_file(here, documents)
    wrote = [_STUDY_NAME]
    if golden is None and (force or not (here / _EXAMPLE_NAME).exists()):
        _write(here / _EXAMPLE_NAME, json.dumps(_example(documents), ensure_ascii=False) + "\n")
        wrote.append(_EXAMPLE_NAME)
    _write(study, _study_text(here, documents, golden))
    done = f"Wrote {' and '.join(wrote)} for the documents in {_shown(documents, here)}."
    if golden is None:
        return [done, f"Next: write golden.jsonl ({_EXAMPLE_NAME} shows how), then raytuner check."]
    return [done, f"Questions: {_shown(golden, here)}. Next: raytuner check {_STUDY_NAME}"]


def _documents_folder(here: Path, given: Path | None) -> Path:
    """Find the folder of documents.

    Raises:
        ConfigError: if there is none, or no document in the one given.
    """
    if given is not None:
        folder = (here / given.expanduser()).resolve()
        if not folder.is_dir():
            raise ConfigError(f"documents folder {str(given)!r} is not there; name a folder")
        if here.is_relative_to(folder):
            raise ConfigError(
                f"the study itself would lie among the documents in {str(given)!r}; "
                "put the documents into a folder of their own"
            )
        if next(_document_files(folder), None) is None:
            raise ConfigError(f"there are no documents in {str(given)!r}; {_kinds()}")
        return folder
    folders = (path for path in here.iterdir() if path.is_dir() and path.name not in _NOT_DOCUMENTS)
    below = sorted(path for path in folders if not path.name.startswith("."))
    for folder in sorted(below, key=lambda path: path.name != "docs"):
        if next(_document_files(folder), None) is not None:
            return folder.resolve()
    raise ConfigError(f"no folder in {here} holds documents; {_kinds()}, or name another folder")


def _kinds() -> str:
    return f"put files ending in {', '.join(sorted(READERS.keys() - _TABLES))} there"


def _document_files(folder: Path) -> Iterator[Path]:
    """Give files that can be read as documents, in the order of their names."""
    kinds = READERS.keys() - _TABLES
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if not hidden and path.suffix.lower() in kinds and path.is_file():
            yield path


def _golden_file(here: Path, documents: Path) -> Path | None:
    """Find a file of questions beside the study or the documents; `golden.*` is preferred."""
    folders = dict.fromkeys([here, documents.parent])
    files = [path for folder in folders for path in sorted(folder.glob("*.*"))]
    asked = [path for path in files if path.name != _EXAMPLE_NAME and _has_questions(path)]
    return min(asked, key=lambda path: path.stem != "golden", default=None)


def _has_questions(path: Path) -> bool:
    if path.suffix not in _TABLES:
        return False
    try:
        with path.open(encoding="utf-8-sig") as lines:
            first = next((line for line in lines if line.strip()), "")
        if path.suffix == ".csv":
            return "question" in table_header(first)
        record = json.loads(first)
    except (OSError, ValueError):
        return False
    return isinstance(record, dict) and "question" in record


def _example(documents: Path) -> dict[str, object]:
    """Make one golden question with a real quote from the first document that has one."""
    evidence: list[dict[str, str]] = []
    for path, _ in zip(_document_files(documents), range(_DOCUMENTS_TRIED), strict=False):
        name = path.relative_to(documents).as_posix()
        try:
            texts = READERS[path.suffix.lower()](path, name)
        except ConfigError:
            continue
        quotes = [(name + read.suffix, quote) for read in texts if (quote := _quote(read.text))]
        if quotes:
            evidence = [{"doc": quotes[0][0], "quote": quotes[0][1]}]
            break
    return {
        "id": "example-1",
        "question": "Put here a question that the quote below answers.",
        "answer": None,
        "evidence": evidence,
    }


def _quote(text: str) -> str | None:
    """Find the first sentence of some length, within one line, that stands only once."""
    for match in re.finditer(r"(?<!\S)[A-Z0-9][^\n]{30,250}?[.!?](?=\s|$)", text):
        if text.count(match[0]) == 1:
            return match[0]
    lines = (line.strip()[:200].rstrip() for line in text.splitlines())
    return next((line for line in lines if line and text.count(line) == 1), None)


def _study_text(here: Path, documents: Path, golden: Path | None) -> str:
    golden_name = _quoted(_shown(golden, here)) if golden else "golden.jsonl"
    comment = _FOUND if golden else Template(_MISSING).substitute(
        example=_EXAMPLE_NAME, golden=golden_name
    )  # fmt: skip
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", here.name).strip("-._")[:100]
    return _STUDY.substitute(
        study=_STUDY_NAME,
        name=_quoted(name or "my-docs"),
        documents=_quoted(_shown(documents, here) + "/"),
        golden=golden_name,
        golden_comment=comment,
    )


def _shown(path: Path, here: Path) -> str:
    """Spell a path as a study does: relative below its folder, absolute elsewhere."""
    return (path.relative_to(here) if path.is_relative_to(here) else path).as_posix()


def _quoted(text: str) -> str:
    """Quote what YAML would not read as this very string; JSON strings are YAML 1.2."""
    plain = re.fullmatch(r"[A-Za-z_./][A-Za-z0-9_./-]*", text)
    reserved = text.lower() in {"true", "false", "null", "yes", "no", "on", "off"}
    return text if plain and not reserved else json.dumps(text, ensure_ascii=False)


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")
