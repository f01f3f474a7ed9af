"""Metrics that a language model judges. All give 0 to 1; every verdict fits a JSON Schema.

A verdict that cannot be had is a missing score, never a low one.
"""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from pipelines.judge import listed
from pipelines.metrics.judging import GradedMetric, Judged, passages
from pipelines.types import Question, Response
from raytuner.component import ConfigError


class Correctness(GradedMetric, kind="correctness"):
    """How well the answer agrees with the reference answer; not defined where there is none."""

    def applies(self, question: Question) -> bool:
        """Tell whether the question has a reference answer."""
        return question.answer is not None

    def usual_rubric(self) -> str:
        """Ask for agreement on what was asked."""
        return (
            "You grade answers to questions against a reference answer that is known to be right. "
            f"{self.scale}: the answer says all that the reference says about what was asked, and "
            "contradicts none of it, however it is put. 1: it is wrong, or does not answer. In "
            "between: it is partly right, or right with errors. Further details, length and style "
            "do not matter."
        )

    def texts(self, question: Question, response: Response) -> dict[str, str]:
        """Show the question and both answers."""
        if question.answer is None:
            raise ConfigError(
                f"question {question.id!r} has no reference answer, so {self.name} is not defined "
                "for it; score only questions for which `applies` is true"
            )
        reference, answer = question.answer, response.answer or ""
        return {"Question": question.text, "Reference": reference, "Answer": answer}


class AnswerRelevancy(GradedMetric, kind="answer-relevancy"):
    """How well the answer answers the question that was asked, be it true or not."""

    def usual_rubric(self) -> str:
        """Ask for what the answer has to do with the question."""
        return (
            "You grade how well answers respond to the question that was asked. Do not judge "
            f"whether they are true. {self.scale}: the answer responds to all of the question and "
            "to nothing else. 1: it does not respond to it, or refuses to. In between: it responds "
            "to a part, or among much that was not asked."
        )

    def texts(self, question: Question, response: Response) -> dict[str, str]:
        """Show question and answer."""
        return {"Question": question.text, "Answer": response.answer or ""}


class ContextRelevance(GradedMetric, kind="context-relevance"):
    """How much of what the question needs is in the retrieved context; looks at no answer."""

    needs_answer: ClassVar[bool] = False
    needs_hits: ClassVar[bool] = True

    def usual_rubric(self) -> str:
        """Ask for what the context has to do with the question."""
        return (
            "You grade passages that a search engine found for a question. "
            f"{self.scale}: they hold all that is needed to answer it. 1: they hold nothing that "
            "helps. In between: they hold a part of it. Use nothing that you know yourself."
        )

    def texts(self, question: Question, response: Response) -> dict[str, str]:
        """Show question and passages."""
        return {"Question": question.text, "Context": passages(response)}


class Faithfulness(Judged, kind="faithfulness"):
    """Share of the answer's statements that the retrieved context supports, be they to the point
    or not (as in Es et al., "RAGAS", 2023).

    An answer that states nothing ("I do not know") states nothing unsupported: 1. Look at it
    beside a metric that asks for an answer.
    """

    needs_hits: ClassVar[bool] = True
    max_tokens: int = Field(default=1024, ge=16, description="most tokens in a verdict")

    def usual_rubric(self) -> str:
        """Ask for support by the context alone."""
        return (
            "You check whether the statements of an answer are supported by the passages that it "
            "was written from. A statement is supported if the passages say it, or it follows from "
            "what they say; whether you know it to be true does not matter."
        )

    def form(self) -> str:
        """Ask for statements."""
        return (
            "List every statement of the answer, one fact each and understandable by itself, with "
            "`supported` true or false. Leave out what states nothing: greetings, questions, 'I do "
            "not know'."
        )

    def texts(self, question: Question, response: Response) -> dict[str, str]:
        """Show all three."""
        context, answer = passages(response), response.answer or ""
        return {"Question": question.text, "Context": context, "Answer": answer}

    def verdict_schema(self) -> dict[str, Any]:
        """Give statements."""
        return listed()

    def value(self, verdict: dict[str, Any]) -> float:
        """Give the share that is supported."""
        found = verdict["statements"]
        return sum(one["supported"] for one in found) / len(found) if found else 1.0

    def reason(self, verdict: dict[str, Any]) -> str:
        """Name what is not supported."""
        bad = [str(one["statement"]) for one in verdict["statements"] if not one["supported"]]
        return f"not supported: {'; '.join(bad)}" if bad else "all statements are supported"
