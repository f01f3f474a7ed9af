"""How the study got better as it went on."""

from __future__ import annotations

from raytuner.charts import Series, steps
from raytuner.charts.svg import element, number
from raytuner.printable import plain
from raytuner.report.data import Report
from raytuner.report.html import dollars, section


def render(report: Report) -> str:
    """Draw the best so far against questions answered, and against dollars if any were spent."""
    curve, results = report.curve, report.results
    if not curve.gains:
        return ""
    metric = plain(results.metric or "score")
    baseline = results.score(results.baseline) if results.baseline else None
    said = [f"trial {g.trial}: {number(g.score, 4)}" for g in curve.gains]
    scores = [gain.score for gain in curve.gains]
    by_question = steps(
        Series([gain.questions for gain in curve.gains], scores, said, curve.questions),
        x_label="questions answered", y_label=f"best {metric} so far",
        title="Best so far against questions answered", reference=baseline,
        reference_label="as it stands",
    )  # fmt: skip
    charts = [element("figure", by_question)]
    if curve.usd > 0:
        by_dollar = steps(
            Series(
                [gain.usd for gain in curve.gains], scores,
                [f"{text}, {dollars(g.usd)}" for text, g in zip(said, curve.gains, strict=True)],
                curve.usd,
            ),
            x_label="dollars spent", y_label=f"best {metric} so far",
            title="Best so far against dollars", reference=baseline,
            reference_label="as it stands",
        )  # fmt: skip
        charts.append(element("figure", by_dollar))
    return section(
        "curve", "How it got there",
        "The best complete configuration so far, on the questions that were searched. A line that "
        "has been flat for long says that more of the same search will not help. The best of many "
        "flatters itself: the verdict has the gain to believe.",
        element("div", *charts, class_="multiples two"),
    )  # fmt: skip
