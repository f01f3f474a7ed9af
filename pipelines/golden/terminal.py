"""The terminal pass of a review: shows a question in its context, reads a key, does as it says."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

from pipelines.golden.files import Record
from pipelines.golden.jsonl import read_question
from pipelines.golden.review import DROPPED, EDITED, KEPT, SKIPPED, Review
from pipelines.golden.spans import Locator
from pipelines.types import Corpus, Span
from raytuner.component import ConfigError

if TYPE_CHECKING:
    from rich.console import Console

KEYS = {"k": "keep", "e": "edit", "d": "drop", "s": "skip", "u": "undo", "q": "quit"}
_AROUND = 240
"""Characters shown before and behind evidence."""
_INTERRUPT, _END = "\x03", ("", "\x04")
_QUESTION, _ANSWER = "# question", "# answer"
_FORM = (
    f"{_QUESTION}\n{{question}}\n\n{_ANSWER} (empty: none)\n{{answer}}\n"
)  # fmt: skip


def run_review(review: Review, corpus: Corpus | None) -> None:
    """Go through the questions that wait, until there is none or the reviewer leaves.

    Args:
        review: where decisions go.
        corpus: the documents; None: quotes are shown as they are, without their context.
    """
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=not sys.stdout.isatty())
    locator = None if corpus is None else Locator(corpus)
    while True:
        record = review.current
        if record is not None:
            _show(console, record, locator, review.left)
            name = _choice(KEYS)
        elif review.decided:
            click.echo("\nThat was the last one.")
            name = _choice({"u": "undo", "q": "quit"})
        else:
            break
        if name == "quit":
            break
        _act(name, review, record or {})
    click.echo(_summary(review))


def _choice(keys: Mapping[str, str]) -> str:
    """Ask until one of some keys is pressed; gives its name."""
    choices = "  ".join(f"[{key}]{name[1:]}" for key, name in keys.items())
    while True:
        click.echo(f"{choices}: ", nl=False)
        name = keys.get(_key())
        click.echo(name or "?")
        if name is not None:
            return name


def _act(name: str, review: Review, record: Record) -> None:
    if name == "edit":
        _edit(review, record)
    elif name == "undo" and not review.decided:
        click.echo("There is nothing to take back.")
    else:
        decide: dict[str, Callable[[], object]] = {
            "keep": review.keep,
            "drop": review.drop,
            "skip": review.skip,
            "undo": review.undo,
        }
        decide[name]()


def _edit(review: Review, record: Record) -> None:
    question, answer = record["question"], record.get("answer") or ""
    if sys.stdin.isatty():
        text = click.edit(_FORM.format(question=question, answer=answer))
        if text is None:
            click.echo("Nothing was changed.")
            return
        question, answer = _read_form(text)
    else:
        question = click.prompt("question", default=question)
        answer = click.prompt("answer", default=answer)
    try:
        review.edit(question, answer)
    except ConfigError as error:
        click.echo(f"Nothing was changed: {error}")


def _read_form(text: str) -> tuple[str, str]:
    """Read what an editor gave back; without its headings nothing is understood."""
    parts: dict[str, list[str]] = {_QUESTION: [], _ANSWER: []}
    current: list[str] = []
    for line in text.splitlines():
        heading = next((name for name in parts if line.startswith(name)), None)
        if heading is None:
            current.append(line)
        else:
            current = parts[heading]
    question, answer = (" ".join(" ".join(lines).split()) for lines in parts.values())
    return question, answer


def _key() -> str:
    """Read one key; from a pipe the next character that is no white space. The end means quit."""
    if sys.stdin.isatty():
        pressed = click.getchar()
    else:
        pressed = sys.stdin.read(1)
        while pressed.isspace():
            pressed = sys.stdin.read(1)
    if pressed == _INTERRUPT:
        raise KeyboardInterrupt
    return "q" if pressed in _END else pressed.lower()


# ---- what is shown


def _show(console: Console, record: Mapping[str, Any], locator: Locator | None, left: int) -> None:
    from rich.text import Text

    tags = ", ".join(map(_plain, record.get("tags") or ()))
    console.print()
    console.rule(Text(f"{left} left   {_plain(record['id'])}   {tags}"), align="left")
    console.print(Text("question  ", "bold") + Text(_plain(record["question"]), "bold cyan"))
    answer = record.get("answer")
    console.print(Text("answer    ", "bold") + Text(_plain(answer) if answer else "none"))
    for text in _evidence(record, locator):
        console.print(text)


def _evidence(record: Mapping[str, Any], locator: Locator | None) -> list[Any]:
    """Spell the evidence: in its context where the documents are known and hold it."""
    from rich.text import Text

    if locator is None:
        return [Text(f"evidence  {_plain(item)}") for item in record.get("evidence") or ()]
    try:
        question = read_question(record, locator, "evidence")
    except ConfigError as error:
        return [Text(f"evidence  {_plain(error)}", "bold red")]
    return [_in_context(span, locator.corpus) for group in question.evidence for span in group]


def _in_context(span: Span, corpus: Corpus) -> Any:
    from rich.text import Text

    document = corpus.documents[span.doc]
    text = document.text
    before, after = max(0, span.start - _AROUND), min(len(text), span.end + _AROUND)
    shown = Text(f"evidence  {_plain(document.name)} at {span.start}\n", "bold")
    shown.append(("…" if before else "") + _lines(text[before : span.start]), "dim not bold")
    # Brackets, because colours do not survive a pipe or a log.
    shown.append(f">>>{_lines(text[span.start : span.end])}<<<", "not bold black on yellow")
    shown.append(
        _lines(text[span.end : after]) + ("…" if after < len(text) else ""), "dim not bold"
    )
    return shown


def _plain(value: object) -> str:
    """Spell anything on one line, harmless for a terminal."""
    return "".join(c if c.isprintable() else " " for c in str(value))


def _lines(text: str) -> str:
    """Spell a text of a document, lines kept, harmless for a terminal."""
    return "".join(c if c.isprintable() or c == "\n" else " " for c in text)


def _summary(review: Review) -> str:
    counts = review.counts
    done = f"kept {counts[KEPT]}, edited {counts[EDITED]}, dropped {counts[DROPPED]}"
    waiting = review.left + counts[SKIPPED]
    if not waiting:
        return f"\nEverything is reviewed: {done}."
    return f"\n{done}; {waiting} not reviewed yet: run the same command again."
