"""What it takes to judge this report, or to repeat the study."""

from __future__ import annotations

import io
from typing import Any

from raytuner.charts.svg import element, escape
from raytuner.printable import plain, shorten, spell_params
from raytuner.report.data import Report
from raytuner.report.html import seconds, section
from raytuner.report.redact import clean, strike

_FAILURES = 20


def render(report: Report) -> str:
    """List versions, data, seed, space, the study as it was run, and what failed."""
    results, opened = report.results, report.opened
    config = opened.get("config") or {}
    record = results.record
    pairs: list[tuple[str, Any]] = [
        ("raytuner", opened.get("raytuner")),
        ("Python", opened.get("python")),
        ("run folder", results.folder),
        ("study", record.study),
        ("data and metrics", record.scope),
        (record.asked, f"{len(record.units)} searched, {len(record.held_out)} held out"),
        ("seed", config.get("seed")),
        ("search", _kind(config.get("search"))),
        ("scheduler", _kind(config.get("scheduler"))),
        ("backend", config.get("backend")),
        ("sessions", opened.get("sessions")),
        ("time of all sessions", seconds(record.seconds)),
    ]
    rows = "".join(
        element("dt", escape(name)) + element("dd", escape(strike(plain(value))))
        for name, value in pairs
        if value not in (None, "")
    )
    return section(
        "facts", "Facts",
        "Everything that decided this result. Two reports with equal identities of study and data "
        "are about the same trials; secrets are struck out.",
        element("dl", rows, class_="pairs"), _study(config), _failures(report), _noted(report),
    )  # fmt: skip


def _kind(value: Any) -> str | None:
    if isinstance(value, dict):
        rest = {k: v for k, v in value.items() if k != "kind" and v is not None}
        return f"{value.get('kind')}" + (f" ({spell_params(rest)})" if rest else "")
    return None if value is None else str(value)


def _study(config: dict[str, Any]) -> str:
    if not config:
        return ""
    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    stream = io.StringIO()
    yaml.dump(_told(clean(config)), stream)
    code = element("pre", element("code", escape(stream.getvalue())), tabindex=0)
    return element("details", element("summary", "The study as it was run"), code)


def _told(value: Any) -> Any:
    """Leave out what was not given."""
    if not isinstance(value, dict):
        return value
    told = {key: _told(item) for key, item in value.items()}
    return {key: item for key, item in told.items() if item not in (None, [], {})}


def _failures(report: Report) -> str:
    failed = report.results.failed
    rows = []
    for trial in failed[:_FAILURES]:
        reason = trial.failure
        said = f"{reason.kind}: {reason.message}" if reason else "no reason on record"
        link = element("a", f"trial {trial.number}", href=f"#trial-{trial.number}")
        params = escape(strike(spell_params(trial.params)))
        rows.append(element("li", link, ": ", escape(strike(shorten(plain(said), 400))),
                            element("p", params, class_="caption")))  # fmt: skip
    if not rows:
        return ""
    more = len(failed) - len(rows)
    note = element("p", f"{more} more are in trials.parquet.", class_="caption") if more else ""
    title = element("h3", f"Failed trials: {len(failed)}")
    return title + element("ul", *rows, class_="failures") + note


def _noted(report: Report) -> str:
    """Count questions that some trial could not answer."""
    count = sum(len(trial.failures) for trial in report.results.record.current)
    if not count:
        return ""
    said = (
        f"{count:,} single answers failed and count as missing, not as 0; no configuration with "
        "missing questions can win."
    )
    return element("p", escape(said), class_="caption")
