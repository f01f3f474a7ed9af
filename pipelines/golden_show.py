"""What `raytuner golden` prints about a run of `generate` and a `check`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pipelines.golden.checking import Findings
    from pipelines.golden.growing import GoldenFile, Progress, Wanted
    from raytuner.objective import Cost

_MOST_LINES = 20


def summarise(
    progress: Progress, file: GoldenFile, wanted: Wanted, cost: Cost | None = None
) -> None:
    """Say what was asked, kept and dropped, and what it cost."""
    click.echo(f"asked    {progress.asked}")
    click.echo(f"kept     {progress.kept} (with {progress.there} that were there: {progress.held})")
    click.echo(f"dropped  {progress.dropped.total()}")
    for reason, number in progress.dropped.most_common():
        click.echo(f"  {number:5}  {reason}")
    for message in progress.failures[:3]:
        click.echo(f"  failed: {' '.join(message.split())}")
    if cost is not None:
        tokens = cost.tokens_in + cost.tokens_out
        click.echo(f"spent    ${cost.usd:.6f}, {tokens:,} tokens, {cost.calls:,} calls")
    if progress.stopped:
        click.echo(f"stopped: {progress.stopped}")
    elif progress.held < wanted.questions:
        click.echo("The documents bring no more: add some, or loosen --per-document.")
    if progress.kept:
        click.echo(f"Next: raytuner golden review {file.path}")


def print_findings(findings: Findings) -> None:
    """Say what is in a golden set, and what is wrong with it."""
    for name, number in findings.counts.items():
        click.echo(f"{number:6,}  {name}")
    for tag, number in findings.tags.items():
        click.echo(f"{number:6,}  tagged {tag}")
    _print_some("evidence that does not resolve", findings.unresolved)
    pairs = [f"{second}  is like  {first}" for first, second in findings.duplicates]
    _print_some("questions much like another", pairs)
    for warning in findings.warnings:
        click.echo(f"note: {warning}")


def _print_some(title: str, lines: list[str]) -> None:
    click.echo(f"{len(lines):6,}  {title}")
    for line in lines[:_MOST_LINES]:
        click.echo(f"        {' '.join(line.split())}")
    if len(lines) > _MOST_LINES:
        click.echo(f"        and {len(lines) - _MOST_LINES} more (--json shows all)")
