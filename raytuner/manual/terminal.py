"""Comparisons in a terminal: two answers side by side, one line of input for each."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from raytuner.manual.round import Card, Round
from raytuner.printable import plain
from raytuner.rating.ballots import Choice

if TYPE_CHECKING:
    from rich.console import Console

_KEYS: Mapping[str, Choice] = {
    "1": "left", "l": "left", "left": "left",
    "2": "right", "r": "right", "right": "right",
    "t": "tie", "tie": "tie", "=": "tie", "0": "tie",
    "s": "skip", "skip": "skip",
}  # fmt: skip
_NARROW = 80
"""Columns below which answers stand one under the other."""


def rate_in_terminal(rating: Round, number: int | None) -> int:
    """Ask until the rater quits, or enough has been judged; give how many have been judged.

    Args:
        rating: the rater's comparisons.
        number: how many to judge now; None: all there are.
    """
    from rich.console import Console

    console = Console(highlight=False, markup=False, emoji=False)
    done = 0
    while number is None or done < number:
        card = rating.card()
        if card is None:
            click.echo("all comparisons are done")
            break
        _show(console, card, rating.rated + 1)
        choice = _choice()
        if choice is None:
            break
        rating.rate(card.name, choice)
        done += choice != "skip"
    return done


def _show(console: Console, card: Card, number: int) -> None:
    from rich.table import Table
    from rich.text import Text

    console.rule(f"comparison {number}")
    if card.question:
        console.print(Text(harmless(card.question), style="bold"))
    if card.reference:
        console.print(Text(f"hoped for: {harmless(card.reference)}", style="dim"))
    texts = [Text(harmless(text)) for text in (card.left, card.right)]
    if console.width < _NARROW:
        for name, text in zip(("1 (left)", "2 (right)"), texts, strict=True):
            console.rule(name, align="left")
            console.print(text)
        return
    table = Table(expand=True, show_lines=True)
    table.add_column("1 (left)", ratio=1)
    table.add_column("2 (right)", ratio=1)
    table.add_row(*texts)
    console.print(table)


def _choice() -> Choice | None:
    """Read what the rater thinks; None: no more."""
    while True:
        click.echo("better: 1, 2, t = tie, s = skip, q = quit > ", nl=False)
        sys.stdout.flush()
        line = sys.stdin.readline()
        word = line.strip().lower()
        if not line or word in {"q", "quit"}:
            click.echo()
            return None
        if word in _KEYS:
            return _KEYS[word]
        click.echo(f"{plain(word)[:40]!r} is no choice")


def harmless(text: str) -> str:
    """Spell a text of any origin for a terminal, line by line."""
    return "\n".join(plain(line) for line in text.expandtabs(4).splitlines())
