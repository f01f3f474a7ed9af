"""Reads YAML 1.2 and remembers on which line each field stands, for error messages."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from raytuner.component import ConfigError

if TYPE_CHECKING:
    from ruamel.yaml import YAML


_MOST_FIELDS = 100_000
"""Fields of a study with its aliases written out; more is a mistake or an attack."""


@dataclass(frozen=True)
class YamlDocument:
    """A parsed file.

    Attributes:
        path: the file.
        data: plain dicts, lists and scalars.
        lines: 1-based line of every field, by its path.
    """

    path: Path
    data: dict[str, Any]
    lines: Mapping[tuple[str | int, ...], int]

    def line(self, field: Sequence[str | int]) -> int | None:
        """Give the line of a field, or of the nearest parent that has one."""
        at = tuple(field)
        while at:
            if at in self.lines:
                return self.lines[at]
            at = at[:-1]
        return None


def read_yaml(path: Path) -> YamlDocument:
    """Read a mapping from a YAML file: safe, YAML 1.2, duplicate keys are errors.

    Raises:
        ConfigError: naming file and line.
    """
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    text = _text(path)
    lines: dict[tuple[str | int, ...], int] = {}
    try:
        data = _plain(_parser().load(text), (), lines)
    except RecursionError:
        raise ConfigError(f"{path}: nested too deeply, or an alias contains itself") from None
    except MarkedYAMLError as error:
        mark = error.problem_mark
        where = f", line {mark.line + 1}" if mark else ""
        problem = " ".join(str(error.problem or error.context).split("\n")[0].split())
        raise ConfigError(f"{path}{where}: not valid YAML: {problem}") from None
    except YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML: {str(error).splitlines()[0]}") from None
    except ValueError as error:  # half a surrogate pair, an endless number, an alias bomb
        raise ConfigError(f"{path}: holds what cannot be read: {str(error)[:120]}") from None
    if data is None:
        raise ConfigError(f"{path} is empty; `raytuner init` writes a study to start from")
    if not isinstance(data, dict):
        kind = "a list" if isinstance(data, list) else f"{str(data)[:60]!r}"
        raise ConfigError(f"{path}: expected fields such as `name: demo`, got {kind}")
    return YamlDocument(path, data, lines)


def _text(path: Path) -> str:
    """Read a file as UTF-8; what is wrong is one sentence."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; `raytuner init` writes one") from None
    except IsADirectoryError:
        raise ConfigError(f"{path} is a folder; name the study file in it") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8") from None


def _parser() -> YAML:
    from ruamel.yaml import YAML
    from ruamel.yaml.constructor import RoundTripConstructor

    class Constructor(RoundTripConstructor):
        """Dates are strings: YAML 1.2 has no type for them."""

    Constructor.add_constructor("tag:yaml.org,2002:timestamp", Constructor.construct_yaml_str)
    yaml = YAML(typ="rt", pure=True)
    yaml.Constructor = Constructor
    yaml.allow_duplicate_keys = False
    return yaml


@contextlib.contextmanager
def located(document: YamlDocument) -> Iterator[None]:
    """Prefix configuration errors with the file, and the line of the field they name."""
    try:
        yield
    except ConfigError as error:
        if not error.field:
            raise
        line = document.line(error.field)
        where = f"{document.path}, line {line}" if line else str(document.path)
        raise ConfigError(f"{where}: {error.message}") from error


def _plain(node: Any, at: tuple[str | int, ...], lines: dict[Any, int]) -> Any:
    """Turn the round-trip tree into plain values, noting lines on the way."""
    if len(lines) > _MOST_FIELDS:
        raise ValueError(f"more than {_MOST_FIELDS:,} fields, aliases written out")
    position = getattr(node, "lc", None)
    if isinstance(node, Mapping):
        for key in node:
            if position is not None and position.data and key in position.data:
                lines[(*at, key)] = position.data[key][0] + 1
        return {_scalar(k): _plain(v, (*at, k), lines) for k, v in node.items()}
    if isinstance(node, list):
        for index in range(len(node)):
            if position is not None and position.data and index in position.data:
                lines[(*at, index)] = position.data[index][0] + 1
        return [_plain(item, (*at, index), lines) for index, item in enumerate(node)]
    return _scalar(node)


def _scalar(value: Any) -> Any:
    """Give YAML's annotated scalars their plain Python type."""
    if type(value).__name__ == "ScalarBoolean":  # an int to Python, where it has an anchor
        return bool(value)
    if isinstance(value, str):
        value.encode()  # half a surrogate pair is no text
    for plain in (bool, int, float, str):
        if isinstance(value, plain):
            return plain(value)
    return value


def file_inside(given: str | Path, root: Path, field: str) -> Path:
    """Find a file that a study names.

    Raises:
        ConfigError: a relative path leads out of `root`.
    """
    try:
        path = Path(given).expanduser()
        target = (root / path).resolve()
    except (ValueError, RuntimeError, OSError) as error:
        raise ConfigError(f"{field}: {str(given)!r:.80} is no path: {error}", (field,)) from None
    if not path.is_absolute() and not target.is_relative_to(root.resolve()):
        raise ConfigError(
            f"{field}: {str(given)!r:.80} leads out of the folder of the study; give an absolute "
            "path if that is meant",
            (field,),
        )
    return target
