"""Puts the sections together into one page that may load nothing and run nothing but its own."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
from importlib import resources
from pathlib import Path
from typing import Any

from raytuner import __version__
from raytuner.charts.svg import element, escape
from raytuner.component import ConfigError
from raytuner.printable import plain
from raytuner.report import redact
from raytuner.report.data import Explain, Report, collect
from raytuner.report.html import plural, seconds
from raytuner.report.sections import (
    curve,
    effects,
    facts,
    heatmap,
    leaderboard,
    lineage,
    parallel,
    pareto,
    questions,
    training,
    verdict,
    work,
)
from raytuner.results import Results

_SECTIONS = (
    ("verdict", "Verdict", verdict.render),
    ("leaderboard", "Leaderboard", leaderboard.render),
    ("training", "Curves", training.render),
    ("lineage", "Family", lineage.render),
    ("effects", "Effects", effects.render),
    ("heatmap", "Pairs", heatmap.render),
    ("parallel", "Parallel", parallel.render),
    ("pareto", "Cost", pareto.render),
    ("curve", "Learning", curve.render),
    ("work", "Work", work.render),
    ("questions", "Questions", questions.render),
    ("facts", "Facts", facts.render),
)


def render(
    results: Results,
    *,
    explain: Explain | None = None,
    unexplained: str | None = None,
    live: bool = False,
) -> str:
    """Give a study's report as one HTML page.

    Args:
        results: the study, also while it runs.
        explain: shows what a trial did with every question (see `raytuner.ports.explanation`).
        unexplained: why there is no such function, as part of a sentence.
        live: the page is served while the study runs (see `raytuner.live`).

    Returns:
        The page; it is the same for the same results.
    """
    redact.begin()
    report = collect(results, explain, unexplained=unexplained, live=live)
    parts = [(name, title, section(report)) for name, title, section in _SECTIONS]
    drawn = [(name, title, markup) for name, title, markup in parts if markup]
    main = element("main", _head(report), *(markup for _, _, markup in drawn), id="main")
    style, script = _asset("report.css"), _asset("report.js")
    title = f"{plain(results.name)}: tuning report"
    return (
        "<!doctype html>\n"
        '<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_policy(style, script)}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="referrer" content="no-referrer">'
        f'<meta name="generator" content="raytuner {escape(__version__)}">'
        f"<title>{escape(title)}</title><style>{style}</style></head>"
        "<body>"
        '<a class="skip" href="#main">Skip to the verdict</a>'
        f"{_navigation([(name, title) for name, title, _ in drawn])}{main}{_foot(live=live)}"
        f'<script type="application/json" id="data">{island(_data(report))}</script>'
        f"<script>{script}</script></body></html>\n"
    )


def write(
    results: Results,
    path: str | Path,
    explain: Explain | None = None,
    *,
    unexplained: str | None = None,
) -> Path:
    """Write a study's report to a file; a file that is there is replaced as a whole.

    Args:
        results: the study, also while it runs.
        path: of the file.
        explain: see `render`.
        unexplained: see `render`.

    Returns:
        The file.

    Raises:
        ConfigError: it cannot be written.
    """
    path = Path(path)
    page = render(results, explain=explain, unexplained=unexplained)
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_text(page, encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True) if path.parent.is_dir() else None
        raise ConfigError(f"{path} cannot be written: {error.strerror or error}") from None
    return path


def island(value: Any) -> str:
    """Spell JSON so that it can stand inside a script element whatever its texts are."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"), ensure_ascii=False)
    text = text.encode("utf-8", "replace").decode()
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


_FOOT = {
    False: "This page loads nothing and sends nothing.",
    True: "This page comes from this machine and brings itself up to date.",
}


def _asset(name: str) -> str:
    return resources.files("raytuner.report").joinpath(name).read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    """Allow this style and this script, by their digest, and nothing else."""
    parts = [
        "default-src 'none'",
        f"style-src '{_digest(style)}'",
        f"script-src '{_digest(script)}'",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    return "; ".join(parts)


def _digest(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def _data(report: Report) -> dict[str, Any]:
    """Give what the script needs beyond what is drawn."""
    results = report.results
    trials = [[one.trial.number, round(one.score, 6), one.exact] for one in report.standings]
    return {"metric": results.metric, "maximise": results.maximise, "trials": trials}


def _head(report: Report) -> str:
    results = report.results
    record = results.record
    searched, held = len(record.units), len(record.held_out)
    said = [plural(len(record.current), "configuration")]
    parts = f" ({searched} searched, {held} held out)" if held else ""
    if record.curve:
        said += [
            plural(searched, "step"),
            *([f"{plural(held, 'question')} held out"] if held else []),
        ]
    else:
        said.append(f"{plural(searched + held, 'question')}{parts}")
    if results.metric:
        way = "higher is better" if results.maximise else "lower is better"
        said.append(f"{plain(results.metric)}, {way}")
    if limits := ", ".join(
        f"{one.measure} {'≤' if one.most else '≥'} {one.bound:g}" for one in results.goal.limits
    ):
        said.append(f"subject to {plain(limits)}")
    if report.opened.get("ended"):
        when = dt.datetime.fromtimestamp(report.opened["ended"], dt.UTC)
        said.append(f"{when:%-d %B %Y, %H:%M} UTC, {seconds(record.seconds)}")
    if results.stop_reason:
        said.append(f"stopped early: {redact.strike(plain(results.stop_reason))}")
    items = "".join(element("li", escape(text)) for text in said)
    return element(
        "header",
        element("p", "Tuning report", class_="kicker"),
        element("h1", escape(plain(results.name))),
        element("ul", items, class_="facts"),
        class_="title",
    )


def _navigation(sections: list[tuple[str, str]]) -> str:
    links = "".join(
        element("li", element("a", escape(title), href=f"#{name}")) for name, title in sections
    )
    return element("nav", element("ul", links), aria_label="Sections")


def _foot(*, live: bool) -> str:
    said = f"Written by raytuner {__version__}. {_FOOT[live]}"
    return element("footer", element("p", escape(said)))
