"""How well a judge agrees with people: the answers they have graded, judged again.

All measures are over pairs of a person's grade and the judge's score, both from 0 to 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np

from pipelines.agreement import Figure, Floats, Pairs, pearson, ranks
from pipelines.judge import JudgeNoise, judge_noise
from pipelines.roles import Bench, Judgement, Metric
from pipelines.types import Corpus, Grade, Graded, Hit, Question, Response
from raytuner.component import ConfigError
from raytuner.objective import Failure

Kind = Literal["grades", "yes or no", "shares"]
"""What people gave: whole grades on the judge's scale, yes or no, or shares from 0 to 1."""


@dataclass(frozen=True)
class Calibration:
    """How a judge agrees with people.

    Attributes:
        metric: name.
        kind: what people gave.
        answers: that were graded by both.
        questions: that they belong to.
        agreement: share of the answers that got the same grade.
        difference: mean absolute difference, of a range of 1.
        pearson: correlation of the values.
        spearman: correlation of their ranks.
        kappa: Cohen's kappa, quadratically weighted for grades; None for shares.
        noise: the judge's own, where it gives several verdicts.
        failures: why answers have no score, a sentence each.
    """

    metric: str
    kind: Kind
    answers: int
    questions: int
    agreement: Figure
    difference: Figure
    pearson: Figure
    spearman: Figure
    kappa: Figure
    noise: JudgeNoise | None = None
    failures: tuple[str, ...] = ()

    def plain(self) -> dict[str, Any]:
        """Give plain data."""
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {
            name: value._asdict() if isinstance(value, Figure | JudgeNoise) else value
            for name, value in fields.items()
        }


def graded_answers(metric: Metric, questions: Sequence[Question]) -> list[tuple[Question, Graded]]:
    """List what people have graded by a metric: under its name, or else its kind."""
    return [
        (question, one)
        for question in questions
        if metric.applies(question)
        for one in question.judged
        if _grade(metric, one) is not None
    ]


def calibrate(
    metric: Metric, questions: Sequence[Question], bench: Bench, *, seed: int = 0
) -> Calibration:
    """Let a judge grade what people have graded, and compare.

    Intervals are percentiles of a bootstrap over questions, as answers to one question resemble
    each other.

    Args:
        metric: the judge; any metric will do.
        questions: of a golden set; those without graded answers are passed over.
        bench: leads to the judge's model, and has the documents.
        seed: of the bootstrap.

    Raises:
        ConfigError: nobody has graded anything by this metric, or grades that cannot be read.
        BudgetExhaustedError: the money is used.
    """
    graded = graded_answers(metric, questions)
    if not graded:
        raise ConfigError(
            f"no question of the golden set has an answer that people have graded by {metric.name} "
            f'(`judged: [{{"answer": "...", "{metric.kind}": ...}}]`)'
        )
    kind, human = _read(metric, graded)
    asked = [question for question, _ in graded]
    responses = [_response(question, one, bench.corpus) for question, one in graded]
    given = metric.scores(asked, responses, bench)
    good = [row for row, score in enumerate(given) if not isinstance(score, Failure)]
    failures = tuple(dict.fromkeys(f.message for f in given if isinstance(f, Failure)))
    judge = np.array([_value(given[row]) for row in good], np.float64)
    _, cluster = np.unique([asked[row].id for row in good], return_inverse=True)
    pairs = Pairs(human[good], judge, _categories(kind, metric), seed, cluster)
    return Calibration(
        metric.name,
        kind,
        len(good),
        len(set(cluster.tolist())),
        pairs.figure(pairs.agreement),
        pairs.figure(lambda one, other: float(np.abs(one - other).mean())),
        pairs.figure(pearson),
        pairs.figure(lambda one, other: pearson(ranks(one), ranks(other))),
        pairs.figure(pairs.kappa) if kind != "shares" else Figure(None),
        judge_noise([notes for row in good if (notes := _verdicts(given[row]))]),
        failures,
    )


# ---- what people and judges gave


def _grade(metric: Metric, one: Graded) -> Grade | None:
    grades = dict(one.grades)
    return grades.get(metric.name, grades.get(metric.kind))


def _read(metric: Metric, graded: Sequence[tuple[Question, Graded]]) -> tuple[Kind, Floats]:
    """Read grades of one kind as numbers from 0 to 1; float64 [answers]."""
    grades = [(question.id, cast("Grade", _grade(metric, one))) for question, one in graded]
    scale: int | None = _scale(metric)
    values = [value for _, value in grades]
    if all(isinstance(value, bool) for value in values):
        return "yes or no", np.array(values, np.float64)
    if any(isinstance(value, bool) for value in values):
        raise ConfigError(f"grades by {metric.name}: some are true or false, some are numbers")
    whole = [isinstance(value, int) for value in values]
    if scale is not None and any(whole):
        if not all(whole):
            raise ConfigError(
                f"grades by {metric.name}: some are whole grades (4), some are shares (0.75); "
                "use one of the two"
            )
        _check(metric, grades, 1, scale)
        return "grades", (np.array(values, np.float64) - 1) / (scale - 1)
    _check(metric, grades, 0, 1)
    found = np.array(values, np.float64)
    return ("yes or no" if all(whole) else "shares"), found


def _check(metric: Metric, grades: Sequence[tuple[str, Grade]], low: int, high: int) -> None:
    for question, value in grades:
        if not low <= value <= high:
            what = "a share or true/false" if high == 1 else "a whole grade on the judge's scale"
            raise ConfigError(
                f"question {question!r}, judged: {metric.kind} {value!r} is not from {low} to "
                f"{high}, as {what} is"
            )


def _scale(metric: Metric) -> int | None:
    found = getattr(metric, "scale", None)
    return found if isinstance(found, int) else None


def _categories(kind: Kind, metric: Metric) -> int | None:
    if kind == "shares":
        return None
    return 2 if kind == "yes or no" else _scale(metric)


def _response(question: Question, one: Graded, corpus: Corpus) -> Response:
    """Rebuild what people saw."""
    if one.context:
        hits = [Hit(-1, 0, len(text), 1.0, text) for text in one.context]
    else:
        spans = [group[0] for group in question.findable]
        texts = [corpus.documents[span.doc].text[span.start : span.end] for span in spans]
        hits = [
            Hit(span.doc, span.start, span.end, 1.0, text)
            for span, text in zip(spans, texts, strict=True)
        ]
    return Response(tuple(hits), one.answer)


def _value(given: float | Judgement | Failure) -> float:
    return float(given.score if isinstance(given, Judgement) else cast("float", given))


def _verdicts(given: float | Judgement | Failure) -> list[float]:
    """Give the single verdicts behind a score, where there are several."""
    return given.notes.get("scores", []) if isinstance(given, Judgement) else []
