"""Where time and money went, and what sharing work has saved."""

from __future__ import annotations

from raytuner.charts import Part, bars
from raytuner.charts.svg import element
from raytuner.printable import plain
from raytuner.report.data import Report
from raytuner.report.html import dollars, paragraph, seconds, section, table
from raytuner.results import Results
from raytuner.spending import Account, accounts, plain_work


def render(report: Report) -> str:
    """Draw stages, shared work and paid calls."""
    results = report.results
    parts = [_stages(results), _sharing(results)]
    charts = element("div", *(part for part in parts if part), class_="multiples two")
    content = [charts if any(parts) else "", _calls(results), _skipped(results)]
    if not any(content):
        return ""
    return section(
        "work", "Time and money",
        "Neighbouring configurations share chunks, vectors, hits and answers: what was made for "
        "one is reused by the others. All sessions of the study together.",
        *content,
    )  # fmt: skip


def _stages(results: Results) -> str:
    total: dict[str, float] = {}
    for trial in results.record.current:
        for name, amount in trial.stages.items():
            total[name] = total.get(name, 0.0) + amount
    rows = sorted(((a, n) for n, a in total.items() if a >= 0.05), reverse=True)[:12]
    if not rows:
        return ""
    drawn = bars(
        [Part(plain(name), amount, seconds(amount)) for amount, name in rows],
        title="Seconds in every stage", width=420,
    )  # fmt: skip
    return element("figure", element("figcaption", "Time, by stage"), drawn)


def _sharing(results: Results) -> str:
    """Draw what was built (or embedded) beside what could be reused."""
    work = plain_work(results.total_work)
    pairs: dict[str, list[int]] = {}
    for name, amount in work.items():
        what, _, how = name.rpartition(" ")
        if how in {"built", "embedded", "reused", "fetched"}:
            pairs.setdefault(what, [0, 0])[how in {"reused", "fetched"}] += amount
    rows = sorted(pairs.items(), key=lambda item: (-sum(item[1]), item[0]))
    if not rows:
        return ""
    # Counts differ by orders of magnitude (texts, tokens, indexes): bars show shares.
    drawn = bars(
        [
            Part(plain(what), made / (made + reused), f"{made:,} + {reused:,}",
                 reused / (made + reused))
            for what, (made, reused) in rows if made + reused
        ],
        title="Work made and reused", width=420,
    )  # fmt: skip
    key = element(
        "figcaption", "Shared work: ", element("span", "made", class_="made"), " + ",
        element("span", "reused", class_="reused"),
    )  # fmt: skip
    return element("figure", key, drawn)


def _calls(results: Results) -> str:
    rows = accounts(results.total_work)
    if not rows:
        return ""
    body = [_account(row) for row in rows]
    usd, saved = sum(row.usd for row in rows), sum(row.saved for row in rows)
    said = f"Spent {dollars(usd)}"
    said += f"; answers that were there already saved {dollars(saved)}." if saved else "."
    head = ["stage", "model", "calls", "reused", "retries", "failed", "tokens in", "out", "$"]
    return element("h3", "Paid calls") + paragraph(said) + table(
        [*head, "$ saved"], body, caption="Paid calls by stage and model", numeric=2
    )  # fmt: skip


def _account(row: Account) -> list[str]:
    counts = (row.calls, row.reused, row.retries, row.failures, row.tokens_in, row.tokens_out)
    return [
        plain(row.stage), plain(row.model), *(f"{count:,}" for count in counts),
        dollars(row.usd), dollars(row.saved),
    ]  # fmt: skip


def _skipped(results: Results) -> str:
    """Say what stopping early has saved."""
    trials = results.record.current
    whole = len(trials) * len(results.record.units)
    answered = sum(trial.answered for trial in trials)
    if not results.pruned or not whole:
        return ""
    did = "steps were done" if results.record.curve else "questions were answered"
    share = f"{answered / whole:.0%}".replace("%", " %")
    said = (
        f"Early stopping: {len(results.pruned)} of {len(trials)} configurations were not asked "
        f"everything; {answered:,} of {whole:,} {did} ({share})."
    )
    return paragraph(said, "caption")
