"""The verdict first: what to do, how sure that is, and why."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from typing import Any

from raytuner.charts.forest import Estimate, forest
from raytuner.charts.svg import element, escape, number, signed
from raytuner.printable import plain
from raytuner.report.data import Report
from raytuner.report.html import both, dollars, paragraph, plural, scroller, spelt
from raytuner.report.redact import strike

_SIGNS = {
    "PROVEN": ("good", "✓", "Proven"),
    "LEANING": ("lean", "≈", "Leaning"),
    "NOT PROVEN": ("open", "?", "Not proven"),
    "WORSE": ("bad", "✕", "Worse"),
    "NONE": ("open", "–", "No verdict"),
}


def render(report: Report) -> str:
    """Write the verdict."""
    verdict = report.verdict or {"status": "NONE", "sentence": _without(report), "reason": None}
    kind, sign, word = _SIGNS.get(str(verdict["status"]), _SIGNS["NONE"])
    badge = element(
        "p", element("span", sign, aria_hidden="true"), escape(word), class_=f"badge {kind}"
    )
    sentence = element("p", escape(_said(verdict)), class_="sentence")
    reason = strike(plain(verdict.get("reason") or ""))
    told = reason in strike(plain(verdict["sentence"]))  # as it is spelt there, without a capital
    reason = "" if told else paragraph(reason, "reason")
    heading = element("h2", "The verdict", id="verdict-title", class_="unseen")
    below = [element("div", part) for part in (_change(report), _next(report, verdict)) if part]
    parts = [_gains(verdict), _picture(report, verdict), element("div", *below, class_="pair")]
    return element(
        "section", heading, badge, sentence, reason, *filter(None, parts),
        id="verdict", class_="verdict", aria_labelledby="verdict-title",
    )  # fmt: skip


def _said(verdict: Mapping[str, Any]) -> str:
    """Give the sentence without the status, which stands above it."""
    said = strike(plain(verdict["sentence"]))
    for status in (verdict["status"], "NO VERDICT"):
        said = said.removeprefix(f"{status}: ")
    return said[:1].upper() + said[1:]


def _scale(verdict: Mapping[str, Any]) -> tuple[float, int]:
    """Give the factor and the digits that gains are shown with: points, where that is usual."""
    return (100.0, 1) if verdict.get("points") else (1.0, 3)


def _without(report: Report) -> str:
    results = report.results
    best, baseline = results.best, results.baseline
    if best is None:
        failed = len(results.failed)
        if failed and failed == len(results.record.current):
            return f"All {plural(failed, 'trial')} failed; there is nothing to recommend."
        return "No configuration has been scored on every question yet."
    lead = f"Trial {best.number} leads with {results.metric} {number(results.score(best))}"
    if baseline is None or baseline is best or results.score(baseline) is None:
        return f"{lead}. A lead is not a proof: nothing was compared on questions held out."
    gain = results.difference(best, baseline)
    against = signed(gain.estimate) if gain else "–"
    return (
        f"{lead}, {against} against the configuration as it stands. A lead is not a proof: "
        "nothing was compared on questions held out."
    )


def _gains(verdict: Mapping[str, Any]) -> str:
    """Tell the gain three ways; the last one is the one to believe."""
    if verdict.get("raw_gain") is None and verdict.get("gain") is None:
        return ""
    held = (verdict.get("questions") or {}).get("held_out")
    searched = (verdict.get("questions") or {}).get("search")
    if not held:
        return ""
    cards = [
        _card(verdict, "Raw", verdict.get("raw_gain"), None, None,
              f"On the {searched} questions that chose it. The best of many always looks better "
              "than it is."),
        _card(verdict, "Corrected", verdict.get("corrected_gain"), verdict.get("corrected_low"),
              verdict.get("corrected_high"),
              "The same questions, chosen on some and scored on others: the luck of the winner "
              "is taken out."),
        _card(verdict, "Held out", verdict.get("gain"), verdict.get("low"), verdict.get("high"),
              f"On {held} questions that no search has seen. This is the one to believe.",
              strong=True),
    ]  # fmt: skip
    unit = ", in points" if verdict.get("points") else ""
    title = element(
        "h3", escape(f"The gain in {plain(verdict.get('metric', 'score'))}{unit}, three ways")
    )
    return title + element("div", *cards, class_="cards")


def _card(
    verdict: Mapping[str, Any],
    name: str,
    gain: float | None,
    low: float | None,
    high: float | None,
    meaning: str,
    *,
    strong: bool = False,
) -> str:
    factor, digits = _scale(verdict)
    gain, low, high = (None if v is None else v * factor for v in (gain, low, high))
    interval = ""
    if _known(low) and _known(high):
        interval = f"{signed(low, digits)} to {signed(high, digits)}"
    return element(
        "div",
        element("p", escape(name), class_="name"),
        element("p", escape(signed(gain, digits)), class_="figure"),
        element("p", escape(interval or " "), class_="interval"),
        element("p", escape(meaning), class_="meaning"),
        class_="card strong" if strong else "card",
    )


def _known(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _picture(report: Report, verdict: Mapping[str, Any]) -> str:
    """Draw the finalists against the configuration as it stands, on the held-out questions."""
    finalists = verdict.get("finalists") or ()
    if not finalists or verdict.get("baseline") is None:
        return ""
    rows = [_row(report, verdict, finalist) for finalist in finalists]
    held = (verdict.get("questions") or {}).get("held_out")
    title = f"Finalists against trial {verdict['baseline']}, the configuration as it stands"
    facts = [
        f"{held} held-out questions",
        f"paired, simultaneous {1 - float(verdict.get('alpha') or 0.05):.0%} intervals".replace(
            "%", " %"
        ),
    ]
    if verdict.get("detectable") is not None:
        facts.append(
            f"differences below {_size(verdict, verdict['detectable'])} would probably go unseen"
        )
    if (verdict.get("looks") or 0) > 1:
        facts.append(f"look {verdict['looks']} at these questions")
    wide, narrow = (
        forest(rows, title=title, digits=_scale(verdict)[1], width=width) for width in (880, 400)
    )
    heading = element("h3", escape(title))
    return heading + both(wide, narrow) + paragraph("; ".join(facts) + ".", "caption")


def _size(verdict: Mapping[str, Any], value: float) -> str:
    factor, digits = _scale(verdict)
    return number(value * factor, digits) + (" points" if verdict.get("points") else "")


def _row(report: Report, verdict: Mapping[str, Any], finalist: Mapping[str, Any]) -> Estimate:
    trial = finalist["trial"]
    chosen, factor = trial == verdict.get("recommended"), _scale(verdict)[0]
    notes = [report.roles.get(trial, str(finalist["role"])), f"p {_p(finalist['p'])}"]
    if finalist.get("cost") is not None:
        notes.append(f"{dollars(finalist['cost'])} a question")
    if finalist.get("not_worse"):
        notes.append("not worse by the margin")
    ends = (_number(finalist["low"], -math.inf), _number(finalist["high"], math.inf))
    value, low, high = (end * factor for end in (_number(finalist["gain"]), *ends))
    note, link = ", ".join(notes), f"#trial-{trial}"
    return Estimate(f"trial {trial}", value, low, high, note=note, strong=chosen, link=link)


def _number(value: float | None, other: float = math.nan) -> float:
    return other if value is None else float(value)


def _p(value: float | None) -> str:
    if value is None or not math.isfinite(value):
        return "unknown"
    return "< 0.001" if value < 0.001 else f"= {value:.3f}"


def _change(report: Report) -> str:
    """Show what the leading configuration changes in the one as it stands."""
    baseline = report.results.baseline
    leader = next((one for one in report.leaders if one.trial is not baseline), None)
    if leader is None:
        return ""
    if baseline is not None and report.recommended == baseline.number:
        title = f"What was tried instead: trial {leader.trial.number}, {leader.role}"
    else:
        title = f"What trial {leader.trial.number} ({leader.role}) changes"
    rows = []
    for name in report.results.parameters:
        new = leader.trial.params.get(name)
        old = baseline.params.get(name) if baseline else None
        same = baseline is not None and new == old
        cells = [
            element("th", escape(plain(name)), scope="row"),
            element("td", escape(_spelt(old) if baseline else "–")),
            element("td", "=" if same else "→", class_="arrow", aria_hidden="true"),
            element("td", escape(_spelt(new)), class_="new" if not same else None),
        ]
        rows.append(element("tr", *cells, class_="same" if same else None))
    if not rows:
        return ""
    head = "".join(
        element("th", escape(name), scope="col")
        for name in ("parameter", "as it stands", "", f"trial {leader.trial.number}")
    )
    shown = element(
        "table", element("thead", element("tr", head)), element("tbody", *rows), class_="change"
    )
    return element("h3", escape(title)) + scroller(shown, title)


def _spelt(value: Any) -> str:
    return "not used" if value is None else strike(spelt(value, 600))


def _next(report: Report, verdict: Mapping[str, Any]) -> str:
    """Say what to do, with the commands to type."""
    folder = report.results.folder
    named = shlex.quote(str(folder)) if folder is not None else None
    recommended, status = verdict.get("recommended"), verdict["status"]
    steps: list[tuple[str, str | None]] = []
    if status == "PROVEN":
        text = f"Take the recommended configuration, trial {recommended}:"
        steps.append((text, _export(named, recommended)))
    elif status in {"NOT PROVEN", "WORSE"}:
        steps.append(("Keep the configuration as it stands.", None))
    elif (bet := _bet(report, verdict)) is not None:
        text = "Look at the leading configuration; adopting it is a bet, not a finding:"
        steps.append((text, _export(named, bet)))
    if verdict.get("needed_questions") and status != "PROVEN":
        count = plural(int(verdict["needed_questions"]), "question")
        steps.append((f"To settle it, about {count} would be needed in the held-out part.", None))
    if folder is not None:
        steps.append(("See every trial in a terminal:", f"raytuner results {named} --all"))
        steps.append(("Go on in a notebook:", f'Results.open("{folder}").trials'))
    items = "".join(
        element(
            "li",
            escape(text if command else text.rstrip(":.") + "."),
            element("code", escape(plain(strike(command)))) if command else "",
        )
        for text, command in steps
    )
    return element("h3", "What to do next") + element("ol", items, class_="next") if items else ""


def _bet(report: Report, verdict: Mapping[str, Any]) -> int | None:
    """Give the trial that leads without a proof, if it is not the configuration as it stands."""
    number_ = verdict.get("leader")
    if number_ is None and report.results.best is not None:
        number_ = report.results.best.number
    return None if number_ == verdict.get("baseline") else number_


def _export(named: str | None, number_: int | None) -> str | None:
    if named is None:  # the study ran in memory
        return None
    trial = "" if number_ is None else f" --trial {number_}"
    return f"raytuner export {named}{trial} -o best.yaml"
