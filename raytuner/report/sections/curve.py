"""How the study got better as it went on."""

from __future__ import annotations

from raytuner.charts import Series, steps
from raytuner.charts.svg import element, number
from raytuner.printable import plain
from raytuner.report.data import Report
from raytuner.report.html import dollars, section


def render(report: Report) -> str:
    """Draw the best so far against questions answered, and against dollars if any were spent."""
    results = report.results
    gains = [step for step in report.curve if step.improved]
    if not gains:
        return ""
    last = report.curve[-1]
    metric = plain(results.metric or "score")
    asked = "steps done" if results.record.curve else "questions answered"
    baseline = results.score(results.baseline) if results.baseline else None
    said = [f"trial {g.trial}: {number(g.best, 4)}" for g in gains]
    scores = [gain.best for gain in gains]
    by_question = steps(
        Series([gain.questions for gain in gains], scores, said, last.questions),
        x_label=asked, y_label=f"best {metric} so far",
        title=f"Best so far against {asked}", reference=baseline,
        reference_label="as it stands",
    )  # fmt: skip
    charts = [element("figure", by_question)]
    if last.usd > 0:
        by_dollar = steps(
            Series(
                [gain.usd for gain in gains], scores,
                [f"{text}, {dollars(g.usd)}" for text, g in zip(said, gains, strict=True)],
                last.usd,
            ),
            x_label="dollars spent", y_label=f"best {metric} so far",
            title="Best so far against dollars", reference=baseline,
            reference_label="as it stands",
        )  # fmt: skip
        charts.append(element("figure", by_dollar))
    return section(
        "curve", "How it got there",
        "The best complete configuration so far, on what the search has seen. A line that has "
        "been flat for long says that more of the same search will not help. The best of many "
        "flatters itself: the verdict has the gain to believe.",
        element("div", *charts, class_="multiples two"),
    )  # fmt: skip
