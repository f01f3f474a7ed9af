"""Small pieces of markup that several sections use; every text is escaped on its way in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from raytuner.charts.svg import element, escape
from raytuner.printable import spell

_PLAIN = re.compile(r"[A-Za-z0-9._-]")


def anchor(prefix: str, name: object) -> str:
    """Give the id of an element; a link may carry it as it is.

    Letters, digits, `.`, `_` and `-` stay, so that `#q-faq-12` can be typed; anything else is
    spelled by its code point, so that two names never share an id.
    """
    spelt = (c if _PLAIN.fullmatch(c) else f"~{ord(c):x}~" for c in str(name))
    return f"{prefix}-{''.join(spelt)}"


def paragraph(content: object, class_: str | None = None) -> str:
    """Write a paragraph of text."""
    return element("p", escape(content), class_=class_)


def section(name: str, title: str, intro: str, *content: str, class_: str | None = None) -> str:
    """Write a section: its heading and what it tells beside, its content.

    Args:
        name: its id.
        title: its heading.
        intro: how to read it, as text.
        content: markup.
        class_: `full` where the content needs the whole width.
    """
    heading = element("h2", escape(title), id=f"{name}-title")
    head = element("header", heading, paragraph(intro))
    body = element("div", *content, class_="body")
    named = f"{name}-title"
    return element("section", head, body, id=name, class_=class_, aria_labelledby=named)


def table(
    head: Sequence[str], rows: Iterable[Sequence[object]], *, caption: str, numeric: int = 1
) -> str:
    """Write a table of text.

    Args:
        head: of the columns.
        rows: cells; a cell is text.
        caption: what the table is, for screen readers.
        numeric: from this column on, cells are aligned as numbers.
    """
    columns = "".join(
        element("th", escape(name), scope="col", class_="n" if p >= numeric else None)
        for p, name in enumerate(head)
    )
    body = "".join(
        element(
            "tr",
            *(
                element("td", escape(cell), class_="n" if p >= numeric else None)
                for p, cell in enumerate(row)
            ),
        )
        for row in rows
    )
    return scroller(
        element(
            "table",
            element("caption", escape(caption), class_="unseen"),
            element("thead", element("tr", columns)),
            element("tbody", body),
        ),
        caption,
    )


def scroller(content: str, label: str) -> str:
    """Let wide content scroll by itself, with the keyboard too."""
    return element("div", content, class_="scroll", tabindex=0, role="region", aria_label=label)


def both(wide: str, narrow: str) -> str:
    """Show one drawing on a desk and another one on a phone."""
    return element("div", wide, class_="wide") + element("div", narrow, class_="narrow")


def plural(count: int, one: str, many: str | None = None) -> str:
    """Spell a count with its noun."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def spelt(value: Any, width: int = 48) -> str:
    """Spell the value of a parameter; four digits of a long fraction are enough to tell it."""
    if isinstance(value, float) and len(repr(value)) > 7:
        return f"{value:.4g}"
    return spell(value, width)


def dollars(amount: float) -> str:
    """Spell dollars: cents where there are many, four significant digits where there are few."""
    if amount == 0 or amount >= 1:
        return f"${amount:,.2f}"
    return f"${amount:.4f}" if amount >= 0.001 else f"${amount:.2g}"


def seconds(amount: float) -> str:
    """Spell a duration."""
    if amount < 60:
        return f"{amount:.1f} s" if amount < 10 else f"{amount:.0f} s"
    if amount < 3600:
        return f"{amount / 60:.1f} min"
    return f"{amount / 3600:.1f} h"
