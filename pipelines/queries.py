"""Role QueryTransform: what is searched for instead of the question as it was asked."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

from pydantic import Field, field_validator

from pipelines.llm.batch import Ask, Dialogue
from pipelines.llm.models import ModelRef, resolved
from pipelines.llm.templates import check_template, fill
from pipelines.llm.types import ChatRequest, Completion, Message, Sampling
from raytuner.component import Component
from raytuner.objective import Cost, Failure


class Rewritten(NamedTuple):
    """What is searched for.

    Attributes:
        texts: one or more; their rankings are fused.
        usage: what it costs at list price to get them.
        failure: why there are none.
        seconds: a user would have waited for them.
    """

    texts: tuple[str, ...]
    usage: Cost = Cost()
    failure: Failure | None = None
    seconds: float = 0.0


class QueryTransform(Component):
    """Asks a language model for better search texts.

    An answer that cannot be used (empty, cut, refused, no JSON) leaves the question as it is.
    """

    model: ModelRef = Field(default="gpt-4o-mini", description="who is asked")
    max_tokens: int = Field(default=256, ge=1, description="most tokens in its answer")
    temperature: float | None = Field(default=0.0, ge=0, le=2, description="randomness")

    @abstractmethod
    def asked(self, question: str) -> str:
        """Spell what the model is asked."""

    @abstractmethod
    def texts(self, question: str, answer: Completion) -> tuple[str, ...]:
        """Read the search texts from an answer without a label."""

    def shape(self) -> dict[str, Any] | None:
        """Give the JSON Schema of the answer, or None for free text."""
        return None

    def dialogue(self, question: str) -> Dialogue[Rewritten]:
        """Ask about one question."""
        text = self.asked(question)
        sampling = Sampling(max_tokens=self.max_tokens, temperature=self.temperature)
        request = ChatRequest((Message("user", text),), sampling, 1, self.shape())
        (reply,) = yield [Ask(resolved(self.model), request)]
        if reply.failure is not None:
            return Rewritten((question,), reply.usage, reply.failure)
        answer = reply.first
        texts = self.texts(question, answer) if answer.label is None else ()
        return Rewritten(texts or (question,), reply.usage, seconds=reply.seconds)


def _question_only(template: str) -> str:
    check_template(template, ("question",))
    return template


class Rewrite(QueryTransform, kind="rewrite"):
    """Searches for the question as a model puts it (Ma et al., "Query Rewriting for
    Retrieval-Augmented Large Language Models", 2023).
    """

    prompt: str = Field(
        default="Write a search query that finds the passages which answer this question. Give "
        "the query alone.\n\nQuestion: {question}",
        description="template with {question}",
    )
    _prompt = field_validator("prompt")(_question_only)

    def asked(self, question: str) -> str:
        """Fill the prompt."""
        return fill(self.prompt, {"question": question})

    def texts(self, question: str, answer: Completion) -> tuple[str, ...]:
        """Take the answer as it is."""
        del question
        return (answer.text.strip(),)


class Hyde(QueryTransform, kind="hyde"):
    """Searches for a passage that a model thinks might answer (Gao et al., "Precise Zero-Shot
    Dense Retrieval without Relevance Labels", 2022).
    """

    prompt: str = Field(
        default="Write a short passage that answers the question, as a document about it "
        "would.\n\nQuestion: {question}\nPassage:",
        description="template with {question}",
    )
    include_question: bool = Field(
        default=True, description="search for question and passage together"
    )
    _prompt = field_validator("prompt")(_question_only)

    def asked(self, question: str) -> str:
        """Fill the prompt."""
        return fill(self.prompt, {"question": question})

    def texts(self, question: str, answer: Completion) -> tuple[str, ...]:
        """Take the passage, behind the question or alone."""
        passage = answer.text.strip()
        return (f"{question}\n{passage}" if self.include_question else passage,)


class MultiQuery(QueryTransform, kind="multi-query"):
    """Searches for several wordings of the question; their rankings are fused by reciprocal rank
    (Cormack, Clarke and Büttcher, 2009; k = 60).
    """

    queries: int = Field(default=3, ge=1, le=20, description="wordings beside the question")
    include_question: bool = Field(default=True, description="search for the question too")
    prompt: str = Field(
        default="Write {count} different search queries that together find the passages which "
        'answer this question, as JSON: {{"queries": ["...", "..."]}}\n\nQuestion: {question}',
        description="template with {question} and {count}",
    )

    @field_validator("prompt")
    @classmethod
    def _prompt(cls, template: str) -> str:
        check_template(template, ("question", "count"))
        return template

    def asked(self, question: str) -> str:
        """Fill the prompt."""
        return fill(self.prompt, {"question": question, "count": str(self.queries)})

    def shape(self) -> dict[str, Any]:
        """Ask for a list of texts."""
        queries = {"type": "array", "items": {"type": "string"}, "minItems": 1}
        return {
            "type": "object",
            "properties": {"queries": queries},
            "required": ["queries"],
            "additionalProperties": False,
        }

    def texts(self, question: str, answer: Completion) -> tuple[str, ...]:
        """Take the wordings that are not blank, each once."""
        given: Sequence[str] = answer.data["queries"][: self.queries]
        wordings = [*([question] if self.include_question else []), *given]
        return tuple(dict.fromkeys(text.strip() for text in wordings if text.strip()))
