"""LlamaIndex's evaluators as metrics; LlamaIndex is imported when one is configured."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import Field, field_validator, model_validator

from pipelines.judge import TRIES, never_fits
from pipelines.llm.imported import ClassArgs, ClassPath, class_of, fingerprint
from pipelines.llm.models import ModelRef, resolved
from pipelines.llm.types import Sampling
from pipelines.metrics.judging import conversing, shown, single
from pipelines.metrics.names import canonical
from pipelines.roles import Bench, Judgement, Metric
from pipelines.scrub import scrubbed
from pipelines.types import Question, Response
from raytuner.component import ConfigError
from raytuner.objective import Failure

if TYPE_CHECKING:
    from pipelines.llm.bridge import Answers, BridgeLLM

_HOME = "llama_index.core.evaluation:"
_BASE = f"{_HOME}BaseEvaluator"
_SCALES = {f"{_HOME}CorrectnessEvaluator": (1.0, 5.0)}
_Given = float | Judgement | Failure


class LlamaIndexEvaluator(Metric, kind="llama-index"):
    """What an evaluator of LlamaIndex says: its score, mapped to 0 to 1, or else whether it passes.

    Its calls go through our client. Evaluators that take no `llm` are refused, as nobody would
    count what they spend. One that compares with a reference answer is not defined where there is
    none. A blank answer is worth 0, and nobody is asked about it.
    """

    paid: ClassVar[bool] = True
    needs_answer: ClassVar[bool] = True

    evaluator: ClassPath = Field(
        description="class, as module:Class; one of llama_index.core.evaluation by its name alone"
    )
    args: ClassArgs = Field(default_factory=dict)
    model: ModelRef = Field(default="gpt-4o-mini", description="the judge")
    scale: tuple[float, float] | None = Field(
        default=None, description="worst and best score; null: what is known of the class, or 0, 1"
    )
    temperature: float | None = Field(default=0.0, ge=0, le=2, description="randomness")
    max_tokens: int = Field(default=512, ge=16, description="most tokens in a verdict")
    context_window: int = Field(
        default=16_000, ge=1_000, description="tokens that the evaluator may count on in a call"
    )
    label: str | None = Field(
        default=None, pattern=r"^[A-Za-z0-9_.\-]+$", description="tells two of this kind apart"
    )

    @field_validator("evaluator", mode="before")
    @classmethod
    def _at_home(cls, value: Any) -> Any:
        short = isinstance(value, str) and value.isidentifier()
        return f"{_HOME}{value}" if short else value

    @model_validator(mode="after")
    def _can_be_made(self) -> Self:
        if self.scale is not None and self.scale[0] >= self.scale[1]:
            raise ConfigError(f"scale {list(self.scale)} must rise from the worst to the best")
        self._evaluator(self._llm(None, 0))
        return self

    @property
    def name(self) -> str:
        """Give kind and evaluator, and a label if there is one."""
        which = self.evaluator.removeprefix(_HOME)
        return canonical(self.kind, {"evaluator": which, **shown(self, "label")})

    def identity(self) -> tuple[Any, ...]:
        """Name the release that holds the class, and who really answers."""
        role, kind, version, fields = super().identity()
        made = fingerprint(version, self.evaluator, self.args)
        known = {"evaluator": made, "model": resolved(self.model).fingerprint()}
        return (role, kind, version, {**fields, **known, "scale": self._scale()})

    def applies(self, question: Question) -> bool:
        """Tell whether the question has the reference answer that the class asks for, if any."""
        return question.answer is not None or not self._compares()

    def score(self, question: Question, response: Response, bench: Bench) -> float:
        """Evaluate one response.

        Raises:
            ObjectiveFailure: the judge cannot be had.
        """
        return single(self.scores([question], [response], bench)[0])

    def scores(
        self, questions: Sequence[Question], responses: Sequence[Response], bench: Bench
    ) -> list[_Given]:
        """Evaluate all at once, each in a thread."""
        from pipelines.llm.bridge import Switchboard

        given: list[_Given] = [0.0] * len(questions)
        asked = [row for row, one in enumerate(responses) if (one.answer or "").strip()]
        if not asked:
            return given
        works = [partial(self._evaluate, questions[row], responses[row]) for row in asked]
        found = Switchboard(works).run(conversing(self, bench), "judge")
        for row, score in zip(asked, found, strict=True):
            given[row] = score
        return given

    def _evaluate(self, question: Question, response: Response, answers: Answers) -> _Given:
        """Evaluate until there is a score; every try takes other samples."""
        last = ""
        for sample in range(TRIES):
            llm = self._llm(answers, sample)
            try:
                result = self._result(llm, question, response)
            except Exception as error:  # noqa: BLE001 - any class, any exception
                result, last = None, scrubbed(error)
            if llm.failed is not None:
                if llm.failed.failure is not None:
                    return llm.failed.failure
                last = str(llm.failed)
            elif result is not None:
                score = self._score(result)
                if not isinstance(score, str):
                    return score
                last = score
        return never_fits(resolved(self.model), f"question {question.id!r} ({self.name})", last)

    def _result(self, llm: BridgeLLM, question: Question, response: Response) -> Any:
        given: dict[str, Any] = {
            "query": question.text,
            "response": response.answer,
            "contexts": [hit.text for hit in response.hits],
        }
        if self._compares():
            given["reference"] = question.answer
        return asyncio.run(self._evaluator(llm).aevaluate(**given))

    def _score(self, result: Any) -> float | Judgement | str:
        """Give the score, or say why there is none."""
        if result.invalid_result:
            return str(result.invalid_reason or "an invalid result")
        if result.score is None and result.passing is None:
            return "neither a score nor whether it passes"
        low, high = (0.0, 1.0) if result.score is None else self._scale()
        value = float(result.passing) if result.score is None else float(result.score)
        if not low <= value <= high:
            return f"score {value:g} is not from {low:g} to {high:g}; is `scale` right?"
        score = (value - low) / (high - low)
        return Judgement(score, {"reasons": [result.feedback]}) if result.feedback else score

    def _scale(self) -> tuple[float, float]:
        return self.scale or _SCALES.get(self.evaluator, (0.0, 1.0))

    def _compares(self) -> bool:
        """Tell whether the class asks for a reference answer."""
        found = class_of(self.evaluator, _BASE, "evaluator")
        return "reference" in inspect.signature(found.aevaluate).parameters

    def _llm(self, answers: Answers | None, sample: int) -> BridgeLLM:
        from pipelines.llm.bridge import BridgeLLM

        sampling = Sampling(max_tokens=self.max_tokens, temperature=self.temperature)
        return BridgeLLM(answers, resolved(self.model), sampling, sample, self.context_window)

    def _evaluator(self, llm: BridgeLLM) -> Any:
        """Make an evaluator.

        Raises:
            ConfigError: there is no such class, it takes no `llm`, or refuses its arguments.
        """
        found = class_of(self.evaluator, _BASE, "evaluator")
        try:
            return found(llm=llm, **self.args)
        except Exception as error:  # noqa: BLE001 - any class, any exception
            reason = f"{self.evaluator} refuses `llm` or its args: {scrubbed(error)}"
            raise ConfigError(reason) from None
