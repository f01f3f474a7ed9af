"""Where configurations descend from, if a search bred them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from raytuner.charts import Member, family
from raytuner.charts.svg import element, number
from raytuner.objective import Params
from raytuner.printable import plain
from raytuner.report.data import Report
from raytuner.report.html import both, plural, section, spelt, table
from raytuner.report.redact import strike
from raytuner.schedule import current
from raytuner.trial import Trial

_LINE = 12
"""How many generations of the best one's descent are told, from its end."""
_WORDS = 80
"""Characters of a note, or of what changed, that are shown."""


def render(report: Report) -> str:
    """Draw the family tree, and tell the best of each generation and how the best came about."""
    trials = report.results.record.current
    if not any(trial.origin and trial.origin.parents for trial in trials):
        return ""
    by_key = {trial.key: trial for trial in trials}
    best = report.results.best
    above = ancestors(best, by_key) if best else set()
    members = list(_members(report, above))
    metric = plain(report.results.metric or "score")
    drawn = [
        family(members, y_label=metric, title="Family tree",
               maximise=report.results.maximise, width=width)
        for width in (860, 400)
    ]  # fmt: skip
    parts = [element("figure", both(*drawn)), _generations(report, metric)]
    if best is not None and (line := descent(best, by_key)):
        parts.append(_descent(report, line, by_key, metric))
    return section(
        "lineage", "Where they come from",
        "Each point is a configuration, a line leads to the configurations it was made from. "
        "Hollow points were drawn by chance. Ringed are the best one and its ancestors; the dashed "
        "line joins the best of each generation, on what the search has seen.",
        *parts,
    )  # fmt: skip


def ancestors(trial: Trial, by_key: Mapping[str, Trial]) -> set[str]:
    """Give the keys of a trial and of everybody it descends from."""
    found, left = set[str](), [trial.key]
    while left:
        key = left.pop()
        if key not in found and key in by_key:
            found.add(key)
            left += _parents(by_key[key])
    return found


def descent(trial: Trial, by_key: Mapping[str, Trial]) -> list[Trial]:
    """List a trial after its first parent, after that one's first parent, and so on."""
    line, seen = [trial], {trial.key}
    while (parents := _parents(line[-1])) and parents[0] in by_key and parents[0] not in seen:
        line.append(by_key[parents[0]])
        seen.add(parents[0])
    return line[::-1] if len(line) > 1 else []


def _parents(trial: Trial) -> Sequence[str]:
    return trial.origin.parents if trial.origin else ()


def _members(report: Report, above: set[str]) -> Iterator[Member]:
    scores = {one.trial.key: one.score for one in report.standings}
    numbers = {trial.key: trial.number for trial in report.results.record.current}
    for trial in report.results.record.current:
        if trial.key not in scores:
            continue
        origin = trial.origin
        parents = tuple(numbers[key] for key in _parents(trial) if key in numbers)
        score = number(scores[trial.key], 4)
        how = f", {plain(origin.how)}" if origin else ""
        of = f" of {', '.join(map(str, parents))}" if parents else ""
        yield Member(
            trial.number, origin.generation if origin else 0, scores[trial.key],
            plain(origin.how) if origin else "", parents, trial.key in above,
            f"trial {trial.number}: {score}{how}{of}",
        )  # fmt: skip


def _generations(report: Report, metric: str) -> str:
    """Tell the best of every generation."""
    generations: dict[int, list[tuple[float, Trial]]] = {}
    for one in report.standings:
        origin = one.trial.origin
        if origin is not None:
            generations.setdefault(origin.generation, []).append((one.score, one.trial))
    sign = 1 if report.results.maximise else -1
    rows = []
    for generation, found in sorted(generations.items()):
        score, trial = max(found, key=lambda pair: (sign * pair[0], -pair[1].number))
        how = trial.origin.how if trial.origin else ""
        rows.append([generation, plain(how), len(found), trial.number, number(score, 4)])
    told = table(
        ["generation", "the best was made by", "configurations", "best trial", metric],
        rows, caption="Best of each generation", numeric=2,
    )  # fmt: skip
    summary = element("summary", f"The best of {plural(len(rows), 'generation')}")
    return element("details", summary, told)


def _descent(
    report: Report, line: Sequence[Trial], by_key: Mapping[str, Trial], metric: str
) -> str:
    """Tell from trial to trial how the best one came about."""
    scores = {one.trial.key: one.score for one in report.standings}
    rows = []
    for trial, parent in list(zip(line, [None, *line], strict=False))[-_LINE:]:
        origin = trial.origin
        others = [by_key[key].number for key in _parents(trial)[1:] if key in by_key]
        how = plain(origin.how) if origin else "as it stands" if trial.baseline else "given"
        mixed = f" with {', '.join(map(str, others))}" if others else ""
        note = plain(strike(origin.note)) if origin and origin.note else ""
        rows.append(
            [trial.number, number(scores.get(trial.key), 4), f"{how}{mixed}",
             note[:_WORDS] or _changed(trial, parent)]
        )  # fmt: skip
    told = table(
        ["trial", metric, "made by", "what changed"], rows,
        caption="How the best configuration came about", numeric=4,
    )  # fmt: skip
    return element("h3", "How the best one came about") + told


def _changed(trial: Trial, parent: Trial | None) -> str:
    """Say what differs from the parent that a trial was made from first."""
    if parent is None:
        return ""
    before, after = current(parent.params), current(trial.params)
    changes = [
        f"{plain(name)} {_value(before, name)} → {_value(after, name)}"
        for name in {**after, **before}
        if before.get(name) != after.get(name)
    ]
    return strike("; ".join(changes))[: 4 * _WORDS]


def _value(params: Params, name: str) -> str:
    return plain(spelt(params[name], 32)) if name in params else "–"
