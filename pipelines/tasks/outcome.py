"""What comes of one item, and the fields that sections of tasks have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, NamedTuple

from pydantic import Field, WithJsonSchema

from pipelines.completion_code import short
from pipelines.llm.types import CallFailedError
from pipelines.scrub import scrubbed
from pipelines.tasks.instances import InstanceSpec
from pipelines.tasks.line import Line
from pipelines.tasks.running import Ended, ItemTimeoutError
from pipelines.tasks.scoring import spelled_answer
from raytuner.objective import Failure, ObjectiveFailure

_LONGEST_NOTE = 500
_SCORE = {
    "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]
}


class Outcome(NamedTuple):
    """What came of one item.

    Attributes:
        answer: what is scored: text, or plain data.
        scores: metrics beside those of the user's function: steps taken, say.
        notes: anything worth keeping, as plain JSON values.
        failure: why there is nothing to score.
    """

    answer: Any
    scores: Mapping[str, float] = {}
    notes: Mapping[str, Any] = {}
    failure: Failure | None = None


class NoAnswerError(Exception):
    """Raised in an item's code: there is no answer; counts as an empty one, not as a failure."""


class TaskSpec(InstanceSpec):
    """The fields that the `objective:` sections of tasks have in common."""

    wanted: ClassVar[Mapping[str, str]] = {
        **InstanceSpec.wanted,
        "score": "module:function, or metrics by name such as [exact-match, token-f1]",
    }

    score: Annotated[Any, WithJsonSchema(_SCORE)] = Field(
        description="module:function that takes the answer and the item and gives a mapping of "
        "metrics; or metrics by name (exact-match, token-f1, contains, rouge-l); or a list"
    )
    reference: str = Field(
        default="answer", description="the field of an item that metrics compare the answer with"
    )
    timeout: float = Field(
        default=120.0, gt=0, description="seconds for an item, waiting for models aside"
    )


def outcome_of(unit: str, ended: Ended[Outcome]) -> Outcome:
    """Say what came of an item: a call that failed counts, whatever the code made of it."""
    error = ended.error
    if ended.line.failure is not None:
        return Outcome("", failure=ended.line.failure)
    if error is None and ended.result is not None:
        return ended.result
    if isinstance(error, ObjectiveFailure):
        return Outcome("", failure=error.failure)
    if isinstance(error, NoAnswerError | CallFailedError):  # a call failed by its label only
        return Outcome("", notes={"no answer": short(scrubbed(error))})
    if isinstance(error, ItemTimeoutError | TimeoutError):
        return Outcome("", failure=Failure("timeout", f"item {unit}: {scrubbed(error)}"))
    reason = "it gave nothing"
    if error is not None:
        reason = f"it raised {type(error).__name__}: {scrubbed(error)}"
    return Outcome("", failure=Failure("objective", f"item {unit}: {reason}"))


def told(outcome: Outcome, line: Line) -> dict[str, Any]:
    """Say for the record what was answered, cut short, and what it took."""
    answer = spelled_answer(outcome.answer)[:_LONGEST_NOTE]
    notes: dict[str, Any] = {"answer": answer, "calls": line.calls, **outcome.notes}
    return {**notes, "labels": dict(sorted(line.labels.items()))} if line.labels else notes
