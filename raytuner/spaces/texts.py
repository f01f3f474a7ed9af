"""Domain of a text that is evolved: a search may write values of it that nobody has listed.

Texts are templates such as prompts: `{name}` is a field that the objective fills, `{{` and `}}` are
braces. Whatever a search makes of a text, its fields stay.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Annotated, Any, NamedTuple, Self

from pydantic import BeforeValidator, Field, model_validator

from raytuner.component import ConfigError
from raytuner.objective import Value
from raytuner.spaces.domains import ValueType, shorten
from raytuner.spaces.options import Listed

_TOKEN = re.compile(r"\{\{|\}\}|\{([A-Za-z_][A-Za-z0-9_]*)\}|[{}]")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_WORD = re.compile(r"\w+")


class Braces(NamedTuple):
    """What stands in braces in a text.

    Attributes:
        fields: names in `{ }`.
        loose: whether there are braces that are neither a field's nor doubled.
    """

    fields: frozenset[str]
    loose: bool


@lru_cache(maxsize=4096)
def braces(text: str) -> Braces:
    """Find fields and loose braces of a template."""
    found = list(_TOKEN.finditer(text))
    names = frozenset(match[1] for match in found if match[1] is not None)
    return Braces(names, any(match[0] in "{}" for match in found))


def _texts(value: Any, what: str) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise ConfigError(f"{what} takes a list of texts, not {shorten(value)}: put it in [ ]")
    found: list[str] = []
    for text in value:
        if not isinstance(text, str) or not text.strip():
            raise ConfigError(f"{what} holds {shorten(text)}: give texts that say something")
        if _CONTROL.search(text):
            raise ConfigError(f"{what} holds {shorten(text)}, with a character that is no text")
        if text in found:
            raise ConfigError(f"{what} lists {shorten(text)} twice: remove one")
        found.append(text)
    return tuple(found)


def _seeds(value: Any) -> tuple[str, ...]:
    seeds = _texts(value, "evolve")
    if not seeds:
        raise ConfigError("evolve is empty: list at least one text to start from")
    return seeds


def _fragments(value: Any) -> tuple[str, ...]:
    return _texts(value, "evolve: fragments")


class Text(Listed):
    """A text, such as a prompt, that a search may rewrite.

    In it is every text that has the fields of the seeds, and is not too long. Searches that do
    not write (all but `prompts`) choose among the seeds, and `size` and `values` are about these.
    """

    spelling = "evolve"

    seeds: Annotated[tuple[str, ...], BeforeValidator(_seeds)] = Field(
        alias="evolve", description="Texts to start from, all with the same {fields}."
    )
    fragments: Annotated[tuple[str, ...], BeforeValidator(_fragments)] = Field(
        default=(), description="Sentences that may be put in, such as 'Think step by step.'"
    )
    max_chars: int = Field(
        default=2000, strict=True, ge=1, description="Longest text, in characters."
    )

    @model_validator(mode="after")
    def _alike(self) -> Self:
        first = self.seeds[0]
        for seed in self.seeds:
            if braces(seed).fields != self.fields:
                raise ConfigError(
                    f"evolve: {shorten(seed)} has the fields {_named(braces(seed).fields)}, and "
                    f"{shorten(first)} has {_named(self.fields)}: give all texts the same"
                )
            if len(seed) > self.max_chars:
                raise ConfigError(
                    f"evolve: {shorten(seed)} has {len(seed)} characters: shorten it, or raise "
                    f"max_chars ({self.max_chars})"
                )
        for text in self.fragments:
            if braces(text) != Braces(frozenset(), loose=False):
                raise ConfigError(
                    f"evolve: fragments holds {shorten(text)}, with braces: fields stay where the "
                    "seeds have them, so leave them out"
                )
        return self

    @property
    def options(self) -> tuple[str, ...]:
        """The seeds."""
        return self.seeds

    @property
    def fields(self) -> frozenset[str]:
        """Names of the fields that every text has."""
        return braces(self.seeds[0]).fields

    @property
    def types(self) -> frozenset[ValueType]:
        """Texts only."""
        return frozenset({"text"})

    def describe(self) -> str:
        """Say what texts there may be."""
        return f"a text with the fields {_named(self.fields)}, up to {self.max_chars} characters"

    def sample(self, rng: random.Random) -> Value:
        """Draw a seed, each as likely."""
        return rng.choice(self.seeds)

    def values(self) -> Iterator[Value]:
        """Give the seeds."""
        return iter(self.seeds)

    def clean(self, value: Any) -> Value:
        """Give a text of the domain, line ends aside as it is.

        Raises:
            ConfigError: it is none, saying what is wrong with it.
        """
        if not isinstance(value, str):
            raise ConfigError(f"{shorten(value)} is no text: give {self.describe()}")
        text = str.__str__(value).replace("\r\n", "\n")
        if (wrong := self.objection(text)) is not None:
            raise ConfigError(f"{shorten(text)} {wrong}")
        return text

    def objection(self, text: str) -> str | None:
        """Say what keeps a text out of the domain, as the rest of a sentence about it; or None."""
        found = braces(text)
        if not text.strip():
            return "is empty"
        if _CONTROL.search(text):
            return "has a character that is no text"
        if missing := self.fields - found.fields:
            return f"lacks {_named(missing)}, which has to stay"
        if unknown := found.fields - self.fields:
            return f"has {_named(unknown)}, which nothing fills"
        if found.loose and not any(braces(seed).loose for seed in self.seeds):
            return "has a single brace; double it: {{ }}"
        if len(text) > self.max_chars:
            return f"has {len(text)} characters, and {self.max_chars} are allowed"
        return None

    def nearest(self, text: Value) -> int:
        """Number the seed that has most words in common with a text; the first of equals.

        So searches that choose among seeds can be told of other texts.
        """
        if text in self.seeds:
            return self.seeds.index(str(text))
        words = _words(str(text))
        shares = [
            (words & (own := _words(seed))).total() / (words | own).total() for seed in self.seeds
        ]
        return shares.index(max(shares))


def _words(text: str) -> Counter[str]:
    return Counter(_WORD.findall(text.lower())) or Counter([""])


def _named(fields: Iterable[str]) -> str:
    return ", ".join(f"{{{name}}}" for name in sorted(fields)) or "(none)"
