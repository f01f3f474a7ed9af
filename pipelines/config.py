"""The configuration of a RAG pipeline, and how a study's parameters change it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipelines import chunkers, embedders, generators, rerankers, retrievers, stores
from pipelines.matching import Matcher, WholeChunk
from pipelines.roles import Chunker, Embedder, Generator, Preprocessor, Reranker, Retriever, Store
from raytuner.component import Component, ConfigError, nearest
from raytuner.objective import Params, Value


class RagConfig(BaseModel):
    """Every stage of a pipeline. Dotted parameter names are paths into it (`chunker.size`)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    preprocess: tuple[Preprocessor, ...] = Field(default=(), description="rewrites, in order")
    chunker: Chunker = Field(default_factory=chunkers.Sentence, description="cuts documents")
    match: Matcher = Field(
        default_factory=WholeChunk, description="what of a chunk a query is compared with"
    )
    embedder: Embedder = Field(default_factory=embedders.MiniLM, description="texts to vectors")
    store: Store = Field(default_factory=stores.Exact, description="finds nearest vectors")
    retriever: Retriever = Field(default_factory=retrievers.Dense, description="ranks chunks")
    reranker: Reranker | None = Field(default=None, description="reorders the best hits")
    generator: Generator | None = Field(default=None, description="writes an answer")

    @classmethod
    def parse(cls, data: Mapping[str, Any], prefix: Sequence[str] = ()) -> Self:
        """Validate a mapping.

        Raises:
            ConfigError: naming the field, its value and what would be right.
        """
        for name in data:
            if name not in cls.model_fields:
                known = list(cls.model_fields)
                raise ConfigError(
                    f"{'.'.join([*prefix, str(name)])}: a pipeline has no such stage; it has: "
                    f"{', '.join(known)}.{nearest(str(name), known)}",
                    (*prefix, str(name)),
                )
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise ConfigError.of(error, prefix) from error

    def override(self, params: Params) -> Self:
        """Give the configuration with some parameters changed.

        Where a `kind` changes, explicit fields that both kinds have keep their value.
        `reranker.kind: null` removes the stage.

        Raises:
            ConfigError: a name the pipeline does not have, or a value it cannot take.
        """
        stages: dict[str, Any] = {name: getattr(self, name) for name in type(self).model_fields}
        for stage, change in tree(params).items():
            if stage not in stages:
                raise ConfigError(
                    f"{_first(stage, change)}: the pipeline has no stage {stage!r}; it has: "
                    f"{', '.join(stages)}.{nearest(stage, stages)}",
                    (_first(stage, change),),
                )
            if isinstance(change, Mapping):
                role = _role(type(self), stage, (stage,))
                stages[stage] = apply(role, stages[stage], change, (stage,))
            else:
                stages[stage] = change
        try:
            return type(self).model_validate(stages)
        except ValidationError as error:
            raise ConfigError.of(error) from error

    def value(self, name: str) -> Value | _Nothing:
        """Give the value of a dotted name, or NOTHING where this configuration has none."""
        node: Any = self
        for part in name.split("."):
            if part == "kind":
                node = node.kind if isinstance(node, Component) else None
            elif isinstance(node, BaseModel) and part in type(node).model_fields:
                node = getattr(node, part)
            else:
                return NOTHING
        if isinstance(node, Component):
            return node.kind
        if isinstance(node, tuple) and any(isinstance(item, Component) for item in node):
            return tuple(item.kind for item in node)
        return node  # type: ignore[no-any-return]

    def needs_vectors(self) -> bool:
        """Whether any stage compares vectors; if none does, embedder, match and store are idle."""
        stages = (self.retriever, self.reranker, self.generator)
        return any(stage is not None and stage.needs_vectors() for stage in stages)

    def identity(self) -> Mapping[str, Any]:
        """Give what the pipeline computes: idle stages do not count."""
        names = list(type(self).model_fields)
        if not self.needs_vectors():
            names = [name for name in names if name not in {"embedder", "match", "store"}]
        return {name: getattr(self, name) for name in names}

    def plain(self) -> dict[str, Any]:
        """Give the configuration as plain YAML values."""
        return self.model_dump(mode="json")


class _Nothing:
    """No such parameter in this configuration (None is a value)."""


NOTHING = _Nothing()

Tree = Mapping[str, Any]
"""Dotted names as nested mappings; the leaves are values."""


def tree(params: Params) -> Tree:
    """Nest dotted names: {"a.b": 1, "a.c": 2} becomes {"a": {"b": 1, "c": 2}}.

    Raises:
        ConfigError: if one name is a prefix of another.
    """
    root: dict[str, Any] = {}
    for name, value in params.items():
        node = root
        *path, last = name.split(".")
        for part in path:
            node = node.setdefault(part, {})
            if not isinstance(node, dict):
                raise ConfigError(f"{name}: {part!r} is given a value of its own too", (name,))
        if isinstance(node.get(last), dict):
            raise ConfigError(f"{name}: parameters below it are given too", (name,))
        node[last] = value
    return root


def apply(
    role: type[Component], node: Component | None, changes: Tree, path: tuple[str, ...]
) -> Component | None:
    """Change a component, its kind first.

    Args:
        role: what may stand here.
        node: what stands here now.
        changes: nested fields.
        path: where "here" is, for messages.

    Raises:
        ConfigError: unknown kind or field, or a value that does not fit.
    """
    kind = changes.get("kind", node.kind if node is not None else None)
    others = {name: change for name, change in changes.items() if name != "kind"}
    if kind is None:
        if others:
            name = ".".join([*path, next(iter(others))])
            raise ConfigError(
                f"{name}: this configuration has no {path[-1]}; add "
                f"`when: {{{'.'.join(path)}.kind: [...]}}`",
                (name,),
            )
        return None
    try:
        sub = role.named(kind)
    except ConfigError as error:
        raise ConfigError(f"{'.'.join(path)}.kind: {error.message}", (".".join(path),)) from error
    same = node is not None and node.kind == kind
    fields = _explicit(node, sub)
    for name, change in others.items():
        if name not in sub.model_fields:
            raise _no_field(role, sub, name, path)
        if isinstance(change, Mapping):
            inner = getattr(node, name) if same else sub.model_fields[name].get_default(
                call_default_factory=True
            )  # fmt: skip
            fields[name] = apply(_role(sub, name, path), inner, change, (*path, name))
        else:
            fields[name] = change
    try:
        return sub.model_validate(fields)
    except ValidationError as error:
        raise ConfigError.of(error, path) from error


def _explicit(node: Component | None, sub: type[Component]) -> dict[str, Any]:
    """Keep the fields somebody chose, as far as the new kind has them."""
    if node is None:
        return {}
    return {name: getattr(node, name) for name in node.model_fields_set if name in sub.model_fields}


def _role(model: type[BaseModel], field: str, path: tuple[str, ...]) -> type[Component]:
    """Find the role that a field's annotation names."""
    annotation = model.model_fields[field].annotation
    for candidate in (annotation, *get_args(annotation)):
        if isinstance(candidate, type) and issubclass(candidate, Component):
            return candidate
    name = ".".join(path)
    raise ConfigError(f"{name}: this is a plain value, it has no parameters below it", (name,))


def _no_field(
    role: type[Component], sub: type[Component], field: str, path: tuple[str, ...]
) -> ConfigError:
    name = ".".join([*path, field])
    owners = [kind for kind in role.kinds() if field in role.named(kind).model_fields]
    known = list(sub.model_fields)
    message = (
        f"{name}: {role.role()} {sub.kind!r} has no {field!r}; it has: "
        f"{', '.join(known) or 'no fields'}.{nearest(field, known)}"
    )
    if owners:
        message += f" If it is meant for {' or '.join(owners)}, add " + (
            f"`when: {{{'.'.join(path)}.kind: [{', '.join(owners)}]}}`"
        )
    return ConfigError(message, (name,))


def _first(stage: str, change: Any) -> str:
    """Give the full name of the first parameter of a stage."""
    while isinstance(change, Mapping):
        part = next(iter(change))
        stage, change = f"{stage}.{part}", change[part]
    return stage
