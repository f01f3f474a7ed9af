"""From what a study calls `documents:` to a corpus: which files, under which names, in which order.

How a file becomes text is the business of `pipelines.readers`.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from pipelines.readers import READERS, Read, Reader, imported_reader, read_plain
from pipelines.records import label_of, shorten
from pipelines.types import Corpus, Document
from raytuner.component import ConfigError

Source = str | Path | Sequence[str | Path]
"""A folder (read recursively), a glob, a file, or a list of those."""


class Reading(NamedTuple):
    """A corpus, and one sentence for everything that was left out of it."""

    corpus: Corpus
    warnings: tuple[str, ...]


class _Found(NamedTuple):
    name: str
    path: Path
    scanned: bool  # met in a folder, not asked for: passed over if its kind is unknown


def load_documents(source: Source, root: Path, *, reader: str | None = None) -> Corpus:
    """Read documents; `read_documents` also tells what it skipped."""
    return read_documents(source, root, reader=reader).corpus


def read_documents(source: Source, root: Path, *, reader: str | None = None) -> Reading:
    """Read documents, sorted by name.

    A document is named by its path below the folder (or the fixed part of the glob) it was found
    in; rows of CSV and JSON Lines files add `#row`. Hidden files are passed over, a file reached
    twice is read once. Files of unknown kind are skipped in folders and read as text when they are
    named or matched by a glob.

    Args:
        source: folder, glob or file, or several. Relative paths start at `root` and may not leave
            it; absolute ones may lie anywhere.
        root: folder of the study file.
        reader: `module:Class` of a LlamaIndex reader that reads every file instead of our own.

    Raises:
        ConfigError: nothing found, a file that cannot be read or is blank, a name used twice.
    """
    entries = [source] if isinstance(source, str | Path) else list(source)
    custom = imported_reader(reader) if reader else None
    seen: set[Path] = set()
    skipped: list[str] = []
    documents: dict[str, tuple[Document, str]] = {}
    for found in (item for entry in entries for item in _find(str(entry), root)):
        real = found.path.resolve()
        label = label_of(found.path, root)
        if real in seen:
            continue
        seen.add(real)
        read = custom or _reader_for(found)
        if read is None or not real.is_file():
            skipped.append(label)
        else:
            _add(documents, found.name, read(found.path, label))
    if not documents:
        raise ConfigError(
            f"no documents in {_listed([str(e) for e in entries]) or 'an empty list'}: looked for "
            f"files ending in {', '.join(sorted(READERS))}"
        )
    ordered = tuple(documents[name][0] for name in sorted(documents))
    return Reading(Corpus(ordered), _warnings(sorted(skipped)))


def _reader_for(found: _Found) -> Reader | None:
    return READERS.get(found.path.suffix.lower()) or (None if found.scanned else read_plain)


def _add(documents: dict[str, tuple[Document, str]], name: str, reads: list[Read]) -> None:
    for suffix, text, metadata, where in reads:
        full = name + suffix
        if not text.strip():
            raise ConfigError(f"{where} is empty: there is no text in it")
        if full in documents:
            raise ConfigError(
                f"two documents are called {full!r}: {documents[full][1]} and {where}; rename one"
            )
        documents[full] = (Document(full, text, metadata), where)


def _warnings(skipped: list[str]) -> tuple[str, ...]:
    if not skipped:
        return ()
    sentence = (
        f"{len(skipped)} file(s) were skipped because their kind is unknown "
        f"(name them in `documents` to read them as text): {_listed(skipped)}"
    )
    return (sentence,)


def _listed(names: Sequence[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def resolve_path(path: str | Path, root: Path) -> Path:
    """Find what a study calls `path`, symbolic links followed.

    Raises:
        ConfigError: it cannot be a path, or a relative one leads out of `root`.
    """
    given = _expanded(path)
    if given.is_absolute():
        return given.resolve()
    target = (root / given).resolve()
    _check_inside(target, root.resolve(), str(path))
    return target


def _expanded(path: str | Path) -> Path:
    """Spell out `~`, and refuse what the system cannot even look for."""
    try:
        given = Path(path).expanduser()
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            os.lstat(given)
    except OSError as error:
        raise ConfigError(f"{shorten(repr(str(path)))}: {error.strerror or error}") from None
    except (ValueError, RuntimeError) as error:
        raise ConfigError(f"{shorten(repr(str(path)))} is no path: {error}") from None
    return given


def _check_inside(target: Path, boundary: Path | None, shown: str) -> None:
    if boundary is not None and not target.is_relative_to(boundary):
        raise ConfigError(
            f"the path {shown!r} leads out of the folder of the study; "
            "give an absolute path if that is meant"
        )


def _find(entry: str, root: Path) -> Iterator[_Found]:
    """Give the files that one entry means, in the order of their names."""
    boundary = None if _expanded(entry).is_absolute() else root.resolve()
    fixed, pattern = _split_glob(entry, root)
    base = resolve_path(fixed, root)
    if pattern:
        matches = _matches(base, pattern, entry)
        files = [p for p in matches if p.is_file() and not _hidden(p.relative_to(base))]
        if not files:
            raise ConfigError(f"no file matches {entry!r} (looked in {base})")
    elif base.is_dir():
        files = sorted(_walk(base, boundary, {base}))
    elif base.exists():
        yield _Found(Path(entry).name, base, scanned=False)
        return
    else:
        raise ConfigError(f"documents {entry!r} not found: there is no file or folder {base}")
    for path in files:
        _check_inside(path.resolve(), boundary, label_of(path.parent, root) + "/" + path.name)
        yield _Found(path.relative_to(base).as_posix(), path, scanned=not pattern)


def _split_glob(entry: str, root: Path) -> tuple[str, str]:
    """Split `docs/**/*.md` into `docs` and `**/*.md`; the pattern is empty if it is no glob."""
    parts = Path(entry).parts
    first = next((i for i, part in enumerate(parts) if set(part) & set("*?[")), None)
    if first is None or (root / _expanded(entry)).exists():
        return entry, ""
    if ".." in parts[first:]:
        raise ConfigError(f"the glob {entry!r} may not hold '..' after a wildcard")
    return str(Path(*parts[:first])), "/".join(parts[first:])


def _matches(base: Path, pattern: str, entry: str) -> list[Path]:
    try:
        return sorted(base.glob(pattern)) if base.is_dir() else []
    except ValueError as error:  # `**x`, up to Python 3.12
        raise ConfigError(f"the glob {entry!r} cannot be read: {error}") from None


def _walk(folder: Path, boundary: Path | None, visited: set[Path]) -> Iterator[Path]:
    """Give every file below a folder; `visited` breaks loops of symbolic links."""

    def refuse(error: OSError) -> None:
        raise ConfigError(f"the folder {error.filename} cannot be read: {error.strerror}")

    for current, folders, files in os.walk(folder, followlinks=True, onerror=refuse):
        here = Path(current)
        below = []
        for name in sorted(folders, key=lambda n: ((here / n).is_symlink(), n)):
            target = (here / name).resolve()
            if name.startswith(".") or target in visited:
                continue
            _check_inside(target, boundary, f"{here.name}/{name}")
            visited.add(target)
            below.append(name)
        folders[:] = below
        yield from (here / name for name in files if not name.startswith("."))


def _hidden(relative: Path) -> bool:
    return any(part.startswith(".") for part in relative.parts)
