"""Role Router: chooses one of several ways for a text, by words, by vectors, or by asking."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Literal, NamedTuple, Self

import numpy as np
from pydantic import Field, model_validator

from pipelines.bm25 import Analyser, Stemmer, Stopwords
from pipelines.embedders import MiniLM
from pipelines.llm.templates import check_template, fill
from pipelines.roles import CorpusEmbedder, Embedder
from pipelines.types import Vectors
from raytuner.component import Component, ConfigError

Options = Mapping[str, Sequence[str]]
"""Ways by name, each with texts that tell what goes there: descriptions, examples, words."""
PROMPT = (
    "Which of these does the question belong to?\n\n{options}\n\nQuestion: {question}\n"
    "Give the name of the one that fits best."
)


class Desk(NamedTuple):
    """What a router may ask for.

    Attributes:
        embed: vectors of texts by an embedder, as queries or not; float32 [texts, dimensions].
        ask: the JSON that a model answers to a prompt, which fits the schema; None if none fits.
    """

    embed: Callable[[Embedder, Sequence[str], bool], Vectors]
    ask: Callable[[str, Mapping[str, Any]], Any]


class Router(Component):
    """Chooses one of several options for a text. Ties go to the option that is named first."""

    asks: ClassVar[bool] = False
    """Asks a language model."""

    @abstractmethod
    def route(self, text: str, options: Options, desk: Desk) -> str:
        """Give the name of an option; there is at least one."""


class Keyword(Router, kind="keyword"):
    """The option whose texts share most words with the text.

    A word of the text counts once, as 1 / (options that have it): what all have tells nothing
    apart. Costs nothing.
    """

    stemmer: Stemmer = Field(
        default="english", description="language whose word endings are removed (Snowball)"
    )
    stopwords: Stopwords = Field(default="english", description="function words to leave out")

    def route(self, text: str, options: Options, desk: Desk) -> str:
        """Count words."""
        del desk
        analyser = Analyser(self.stopwords, self.stemmer, True)
        words = {name: _words(analyser, texts) for name, texts in options.items()}
        spread = Counter(word for own in words.values() for word in own)
        asked = _words(analyser, [text])
        return max(words, key=lambda name: sum(1 / spread[one] for one in asked & words[name]))


class Embedding(Router, kind="embedding"):
    """The option whose texts' vectors are nearest to the text's (cosine)."""

    embedder: Embedder = Field(default_factory=MiniLM, description="the model that embeds")
    nearest: Literal["mean", "best"] = Field(
        default="mean", description="compare with the mean of an option's texts, or the best one"
    )

    @model_validator(mode="after")
    def _needs_no_corpus(self) -> Self:
        if isinstance(self.embedder, CorpusEmbedder):
            raise ConfigError(
                f"embedder: {self.embedder.kind} is fitted on a corpus, and here is none; name "
                f"another one, e.g. {MiniLM.kind}"
            )
        return self

    def identity(self) -> tuple[Any, ...]:
        """Put what identifies the vectors in place of how the model is configured."""
        role, kind, version, fields = super().identity()
        return (role, kind, version, {**fields, "embedder": self.embedder.fingerprint()})

    def route(self, text: str, options: Options, desk: Desk) -> str:
        """Compare vectors."""
        near = {name: self._near(text, texts, desk) for name, texts in options.items()}
        return max(near, key=near.__getitem__)

    def _near(self, text: str, texts: Sequence[str], desk: Desk) -> float:
        asked = desk.embed(self.embedder, [text], True).astype(np.float64)[0]
        found = desk.embed(self.embedder, list(texts), False).astype(np.float64)
        if self.nearest == "best":
            return float((found @ asked).max())
        mean = found.mean(axis=0)
        return float(mean @ asked / max(float(np.linalg.norm(mean)), 1e-12))


class Llm(Router, kind="llm"):
    """What a language model says; an answer that names no option leaves the first one."""

    asks: ClassVar[bool] = True

    prompt: str = Field(default=PROMPT, description="template with {options} and {question}")

    @model_validator(mode="after")
    def _sound(self) -> Self:
        check_template(self.prompt, ("options", "question"))
        return self

    def route(self, text: str, options: Options, desk: Desk) -> str:
        """Ask for the name, as JSON that can say nothing else."""
        listed = "\n".join(f"- {name}: {'; '.join(texts)}" for name, texts in options.items())
        schema = {
            "type": "object",
            "properties": {"route": {"enum": list(options)}},
            "required": ["route"],
            "additionalProperties": False,
        }
        said = desk.ask(fill(self.prompt, {"options": listed, "question": text}), schema)
        return next(iter(options)) if said is None else str(said["route"])


def _words(analyser: Analyser, texts: Sequence[str]) -> frozenset[str]:
    return frozenset(word for text in texts for word in analyser.terms(text))
