"""The parents of metrics that a language model judges: who is asked, how often, what it is worth.

What asks, and what becomes of verdicts that do not fit, is in `pipelines.judge`.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import Field

from pipelines.judge import Task, graded, judging
from pipelines.llm.batch import Converse
from pipelines.llm.models import ModelRef, resolved
from pipelines.llm.types import Sampling
from pipelines.metrics.names import canonical
from pipelines.roles import Bench, Judgement, Metric
from pipelines.types import Question, Response
from raytuner.component import ConfigError
from raytuner.objective import Failure, ObjectiveFailure

_NO_ANSWER = frozenset({"empty", "filtered"})
_NAME = r"^[A-Za-z0-9_.\-]+$"


class Judged(Metric):
    """A metric that asks a language model.

    An answer that is blank, empty or filtered is worth 0, and so is a question with nothing
    retrieved where that is judged; nobody is asked about them.
    """

    paid: ClassVar[bool] = True
    needs_answer: ClassVar[bool] = True
    needs_hits: ClassVar[bool] = False
    """Judges what was retrieved."""

    model: ModelRef = Field(default="gpt-4o-mini", description="the judge")
    rubric: str | None = Field(
        default=None, min_length=1, description="what to judge by, in place of our own rubric"
    )
    repeats: int = Field(default=1, ge=1, le=100, description="verdicts that are averaged")
    temperature: float | None = Field(
        default=None,
        ge=0,
        le=2,
        description="randomness; null: 0 for a single verdict, the endpoint's own for several",
    )
    max_tokens: int = Field(default=512, ge=16, description="most tokens in a verdict")
    seed: int | None = Field(default=None, description="verdict i is asked for with seed + i")
    reasons: bool = Field(default=True, description="ask for a reason, and keep it in the notes")
    label: str | None = Field(
        default=None, pattern=_NAME, description="tells two metrics of this kind apart"
    )

    @property
    def name(self) -> str:
        """Give the kind, and what is short and differs from the default."""
        return canonical(self.kind, self._shown())

    def _shown(self) -> dict[str, Any]:
        return shown(self, "label", "repeats")

    def identity(self) -> tuple[Any, ...]:
        """Put who really answers, and how, in place of how that is configured."""
        role, kind, version, fields = super().identity()
        judge = resolved(self.model).fingerprint()
        return (role, kind, version, {**fields, "model": judge, "temperature": self._heat()})

    def _heat(self) -> float | None:
        return 0.0 if self.temperature is None and self.repeats == 1 else self.temperature

    def score(self, question: Question, response: Response, bench: Bench) -> float:
        """Judge one response.

        Raises:
            ObjectiveFailure: the judge cannot be had.
        """
        return single(self.scores([question], [response], bench)[0])

    def scores(
        self, questions: Sequence[Question], responses: Sequence[Response], bench: Bench
    ) -> list[float | Judgement | Failure]:
        """Ask about all at once."""
        given: list[float | Judgement | Failure] = [0.0] * len(questions)
        asked = [row for row, response in enumerate(responses) if self._worth_asking(response)]
        talks = [judging(self.task(questions[row], responses[row])) for row in asked]
        if talks:
            for number, verdicts in conversing(self, bench)(talks, "judge"):
                given[asked[number]] = self._judgement(verdicts)
        return given

    def _worth_asking(self, response: Response) -> bool:
        blank = response.label in _NO_ANSWER or not (response.answer or "").strip()
        if self.needs_answer and blank:
            return False
        return bool(response.hits) or not self.needs_hits

    def task(self, question: Question, response: Response) -> Task:
        """Spell what the judge is asked."""
        return Task(
            resolved(self.model),
            f"{self.rubric or self.usual_rubric()} {self.form()}",
            self.texts(question, response),
            self.verdict_schema(),
            Sampling(max_tokens=self.max_tokens, temperature=self._heat(), seed=self.seed),
            self.repeats,
            f"question {question.id!r} ({self.name})",
        )

    def _judgement(self, verdicts: list[Any] | Failure) -> float | Judgement | Failure:
        if isinstance(verdicts, Failure):
            return verdicts
        values = [self.value(verdict) for verdict in verdicts]
        mean = math.fsum(values) / len(values)
        notes: dict[str, Any] = {"scores": values} if self.repeats > 1 else {}
        if self.reasons:
            notes["reasons"] = [self.reason(verdict) for verdict in verdicts]
        return Judgement(mean, notes) if notes else mean

    @abstractmethod
    def usual_rubric(self) -> str:
        """Say what to judge by."""

    @abstractmethod
    def form(self) -> str:
        """Say how to give the verdict."""

    @abstractmethod
    def texts(self, question: Question, response: Response) -> dict[str, str]:
        """Give what the judge sees, by label."""

    @abstractmethod
    def verdict_schema(self) -> dict[str, Any]:
        """Give the schema of a verdict."""

    @abstractmethod
    def value(self, verdict: dict[str, Any]) -> float:
        """Say what a verdict is worth, 0 to 1."""

    @abstractmethod
    def reason(self, verdict: dict[str, Any]) -> str:
        """Give the reason in a verdict."""


class GradedMetric(Judged):
    """A metric whose verdict is a grade; the lowest is worth 0, the highest 1."""

    scale: int = Field(default=5, ge=2, le=100, description="grades from 1 (worst) to this (best)")

    def _shown(self) -> dict[str, Any]:
        return shown(self, "label", "repeats", "scale")

    def form(self) -> str:
        """Ask for a grade."""
        reason = "First give your reason in one sentence, then the grade as" if self.reasons else (
            "Give the grade as"
        )  # fmt: skip
        return f"{reason} `score`: a whole number from 1 (worst) to {self.scale} (best)."

    def verdict_schema(self) -> dict[str, Any]:
        """Give a reason and a score."""
        return graded(self.scale, reason=self.reasons)

    def value(self, verdict: dict[str, Any]) -> float:
        """Map the scale to 0 to 1, linearly."""
        return float((verdict["score"] - 1) / (self.scale - 1))

    def reason(self, verdict: dict[str, Any]) -> str:
        """Give the reason before the grade."""
        return str(verdict["reason"])


def passages(response: Response) -> str:
    """Give the texts that were retrieved, numbered."""
    texts = (f"[{number}] {hit.text}" for number, hit in enumerate(response.hits, start=1))
    return "\n\n".join(texts)


def shown(metric: Metric, *names: str) -> dict[str, Any]:
    """Pick the fields of a metric that are not at their default."""
    fields = type(metric).model_fields
    return {
        name: value for name in names if (value := getattr(metric, name)) != fields[name].default
    }


def single(given: float | Judgement | Failure) -> float:
    """Give the number in what a metric gave for one question.

    Raises:
        ObjectiveFailure: it is a failure.
    """
    if isinstance(given, Failure):
        raise ObjectiveFailure(given.kind, given.message, retryable=given.retryable)
    return given.score if isinstance(given, Judgement) else given


def conversing(metric: Metric, bench: Bench) -> Converse:
    """Give what leads dialogues with language models.

    Raises:
        ConfigError: there is nothing that does.
    """
    if bench.converse is None:
        raise ConfigError(f"{metric.name} asks a language model, and nothing here leads to one")
    return bench.converse
