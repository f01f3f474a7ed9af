"""Comparisons on a page: plain HTML and forms, no script, every text escaped."""

from __future__ import annotations

import base64
import hashlib
import html
import re

from raytuner.manual.round import Card

STYLE = """
:root{color-scheme:light dark;--line:#8886;--soft:#8882}
body{font:1rem/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.1rem;font-weight:600}
.reference{opacity:.8}
.pair{display:grid;grid-template-columns:1fr 1fr;gap:1rem}
article{border:1px solid var(--line);border-radius:.5rem;padding:0 1rem 1rem;min-width:0}
h2{font-size:.9rem;font-weight:600;opacity:.8}
.text{white-space:pre-wrap;overflow-wrap:anywhere}
form{display:flex;gap:.75rem;flex-wrap:wrap;margin:1.5rem 0}
button{font:inherit;padding:.6rem 1.4rem;border:1px solid var(--line);border-radius:.5rem;
background:var(--soft);cursor:pointer}
button:focus-visible{outline:3px solid Highlight}
@media (max-width:40rem){.pair{grid-template-columns:1fr}}
"""
_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
"""Content-Security-Policy: no script at all, no request but the form's."""
_UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
"""What no page can hold: control characters, and halves of surrogate pairs."""
_BUTTONS = (("left", "1", "Left is better"), ("tie", "t", "Tie"), ("right", "2", "Right is better"))


def card_page(card: Card, number: int, nonce: str) -> str:
    """Write the page of one comparison.

    Args:
        card: what is compared.
        number: of the comparison, from 1.
        nonce: goes back with the form, so that no other page can send one.
    """
    question = f'<h1 class="text">{escape(card.question)}</h1>' if card.question else ""
    reference = (
        f'<p class="reference text">Hoped for: {escape(card.reference)}</p>'
        if card.reference
        else ""
    )
    buttons = "".join(
        f'<button name="choice" value="{value}" accesskey="{key}">{text}</button>'
        for value, key, text in (*_BUTTONS, ("skip", "s", "Skip"), ("quit", "q", "Quit"))
    )
    form = (
        '<form method="post" action="rate">'
        f'<input type="hidden" name="nonce" value="{escape(nonce)}">'
        f'<input type="hidden" name="card" value="{escape(card.name)}">{buttons}</form>'
    )
    sides = "".join(
        f'<article aria-label="{side} answer" id="{side.lower()}"><h2>{side}</h2>'
        f'<div class="text">{escape(text)}</div></article>'
        for side, text in (("Left", card.left), ("Right", card.right))
    )
    return _page(
        f"Comparison {number}",
        f"<p>Comparison {number}: which answer is better?</p>{question}{reference}"
        f'<div class="pair">{sides}</div>{form}',
    )


def end_page(rated: int, reason: str) -> str:
    """Write the page that is shown once nothing is left to judge, or the rater has quit."""
    return _page(
        "Thank you", f'<p id="end">{escape(reason)} {rated} comparisons are on record.</p>'
    )


def escape(text: str) -> str:
    """Spell a text of any origin in HTML; what no page can hold is a replacement character."""
    return html.escape(_UNSEEN.sub("\ufffd", text))


def _page(title: str, body: str) -> str:
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>"
        f"<body><main>{body}</main></body></html>\n"
    )
