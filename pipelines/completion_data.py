"""The instances of a completion study: read, named, ordered, and filled into templates."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.completion_config import Conversation
from pipelines.documents import resolve_path
from pipelines.llm.templates import fill, template_fields
from pipelines.llm.types import Message
from pipelines.records import json_lines, label_of, read_text
from raytuner.component import ConfigError, digest, nearest
from raytuner.objective import Arrays

Instance = Mapping[str, Any]


class Instances:
    """What a study asks about, by id.

    Args:
        rows: fields of every instance.
        places: where each stands, for messages: a line, or its number in a list.
        id_field: the field that holds its id, if every instance has it.
        by_name: whether user code gets the fields by name, `responses` beside them.

    Attributes:
        ids: in the order given.
        key: identity of all of them.

    Raises:
        ConfigError: there are none, an id is there twice, or a field is no plain value.
    """

    def __init__(
        self,
        rows: Sequence[Instance],
        places: Sequence[str],
        id_field: str,
        *,
        by_name: bool = True,
    ) -> None:
        if not rows:
            raise ConfigError("instances: there are none; give at least one", ("instances",))
        self._places = tuple(places)
        named = all(id_field in row for row in rows)
        ids = [str(row[id_field]) if named else str(n) for n, row in enumerate(rows)]
        self._rows: dict[str, Instance] = {}
        for unit, row, place in zip(ids, rows, places, strict=True):
            _check(row, place, by_name=by_name)
            if unit in self._rows:
                reason = f"instances, {place}: the {id_field} {unit!r} is there twice"
                raise ConfigError(reason, ("instances",))
            self._rows[unit] = row
        self.ids = tuple(ids)
        self.key = digest("instances", [[unit, dict(row)] for unit, row in self._rows.items()])
        self._fit: set[str] = set()

    @classmethod
    def read(
        cls,
        given: str | Sequence[Instance],
        root: Path,
        id_field: str,
        *,
        by_name: bool = True,
    ) -> Instances:
        """Take instances from a list, or from a file of JSON lines."""
        if not isinstance(given, str):
            rows = list(given)
            places = [f"number {n}" for n in range(len(rows))]
            return cls(rows, places, id_field, by_name=by_name)
        try:
            path = resolve_path(given, root)
            label = label_of(path, root)
            lines = list(json_lines(read_text(path, label), label))
        except ConfigError as error:
            raise ConfigError(f"instances: {error.message}", ("instances",)) from None
        places = [f"{label}, line {line}" for line, _ in lines]
        return cls([row for _, row in lines], places, id_field, by_name=by_name)

    def __getitem__(self, unit: str) -> Instance:
        return self._rows[unit]

    @cached_property
    def fields(self) -> tuple[str, ...]:
        """Names of the fields that any instance has."""
        return tuple(dict.fromkeys(name for row in self._rows.values() for name in row))

    def ordered(self, seed: int) -> tuple[str, ...]:
        """List ids in the order of evaluation: by chance, from the seed and the id alone."""
        return tuple(sorted(self.ids, key=lambda unit: digest("order", seed, unit)))

    def check(self, messages: Conversation, field: str) -> None:
        """Refuse templates with a field that an instance lacks.

        Args:
            messages: templates.
            field: what the user calls them.

        Raises:
            ConfigError: naming field and instance.
        """
        for message in messages:
            if message.content in self._fit:
                continue
            for name in _fields(message.content, field):
                self._check_field(name, message.content, field)
            self._fit.add(message.content)

    def _check_field(self, name: str, template: str, field: str) -> None:
        for (unit, row), place in zip(self._rows.items(), self._places, strict=True):
            if name not in row:
                raise ConfigError(
                    f"{field}: template {template[:60]!r} asks for {{{name}}}, which instance "
                    f"{unit} ({place}) does not have; it has: {', '.join(row) or 'nothing'}."
                    f"{nearest(name, row)}",
                    (field,),
                )

    def require(self, name: str, why: str) -> None:
        """Refuse instances without a field.

        Raises:
            ConfigError: naming the instance, with `why` in the message.
        """
        for (unit, row), place in zip(self._rows.items(), self._places, strict=True):
            if name not in row:
                raise ConfigError(
                    f"instances: instance {unit} ({place}) has no {name!r}, which {why}; it has: "
                    f"{', '.join(row) or 'nothing'}.{nearest(name, row)}",
                    ("instances",),
                )

    def packed(self) -> Arrays:
        """Spell the instances as one array, for processes that cannot read the file."""
        rows = [list(self._rows.values()), self._places]
        return {"json": np.frombuffer(json.dumps(rows).encode(), np.uint8)}

    @classmethod
    def unpacked(cls, arrays: Arrays, id_field: str, *, by_name: bool = True) -> Instances:
        """Read what `packed` has spelled."""
        rows, places = json.loads(arrays["json"].tobytes())
        return cls(rows, places, id_field, by_name=by_name)


def filled(messages: Conversation, instance: Instance) -> Conversation:
    """Fill templates from an instance; what is no text is spelled as JSON.

    Raises:
        ConfigError: a field that the instance lacks.
    """
    needed = {name for message in messages for name in template_fields(message.content)}
    texts = {name: _text(instance[name]) for name in needed if name in instance}
    return tuple(Message(m.role, fill(m.content, texts)) for m in messages)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


@lru_cache(maxsize=1024)
def _fields(template: str, field: str) -> tuple[str, ...]:
    try:
        return template_fields(template)
    except ConfigError as error:
        raise ConfigError(f"{field}: {error.message}", (field,)) from None


def _check(row: Any, place: str, *, by_name: bool) -> None:
    if not isinstance(row, Mapping):
        raise ConfigError(f"instances, {place}: {row!r:.60} is no mapping", ("instances",))
    for name, value in row.items():
        if not isinstance(name, str):
            reason = f"instances, {place}: {name!r} cannot name a field: it is no text"
            raise ConfigError(reason, ("instances",))
        if by_name and name == "responses":
            raise ConfigError(
                f"instances, {place}: {name!r} cannot name a field: eval_func gets fields by name, "
                "and the answers as `responses`",
                ("instances",),
            )
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError, RecursionError):
            raise ConfigError(
                f"instances, {place}: the field {name!r} holds {value!r:.60}, which is no plain "
                "value (text, number, true, false, null, or lists and mappings of these)",
                ("instances",),
            ) from None
