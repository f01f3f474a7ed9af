"""Changes of texts without a language model: sentences put in, taken out, exchanged and mixed.

Instructions of a prompt are mostly sentences that stand for themselves, so that much can be found
by trying which of them to have. What holds a field of the template stays where it is.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

from raytuner.spaces.texts import Braces, Text, braces

_PIECE = re.compile(r".+?(?:(?<=[.!?])[ \t]+|(?<=[.!?])(?=\n)|\n+|\Z)", re.DOTALL)
_TRIES = 30
_PLAIN = Braces(frozenset(), loose=False)


def pieces(text: str) -> list[str]:
    """Cut a text after every sentence and line; joined they are the text again."""
    return _PIECE.findall(text)


def movable(piece: str) -> bool:
    """Tell whether a piece is a sentence without fields, and no label such as `Answer:`."""
    bare = piece.strip()
    return bool(bare) and not bare.endswith(":") and braces(piece) == _PLAIN


def changed(domain: Text, text: str, rng: random.Random) -> str | None:
    """Put a fragment in, take a sentence out, or exchange two; one such change.

    Args:
        domain: the text is in it, and so is what comes out; has the fragments.
        text: stays as it is.
        rng: decides.

    Returns:
        Another text, or None if none was found.
    """
    ways: tuple[Callable[[Text, list[str], random.Random], bool], ...]
    ways = (_put_in, _put_in, _replace, _take_out, _exchange)
    for _ in range(_TRIES):
        parts = pieces(text)
        if rng.choice(ways)(domain, parts, rng):
            found = _joined(parts, text)
            if found != text and domain.contains(found):
                return found
    return None


def merged(domain: Text, text: str, other: str, rng: random.Random) -> str | None:
    """Put sentences of another text into a text, at least one that it does not have.

    Returns:
        The mixture, or None if the other has nothing to give.
    """
    own = {_bare(piece) for piece in pieces(text)}
    given = [piece for piece in pieces(other) if movable(piece) and _bare(piece) not in own]
    for _ in range(_TRIES if given else 0):
        parts = pieces(text)
        taken = [piece for piece in given if rng.random() < 0.5] or [rng.choice(given)]
        for piece in taken:
            _insert(parts, _bare(piece), rng)
        found = _joined(parts, text)
        if found != text and domain.contains(found):
            return found
    return None


def _put_in(domain: Text, parts: list[str], rng: random.Random) -> bool:
    new = _new_fragments(domain, parts)
    if new:
        _insert(parts, rng.choice(new), rng)
    return bool(new)


def _take_out(domain: Text, parts: list[str], rng: random.Random) -> bool:
    del domain
    places = _places(parts)
    if not places or len(parts) < 2:
        return False
    del parts[rng.choice(places)]
    return True


def _replace(domain: Text, parts: list[str], rng: random.Random) -> bool:
    places, new = _places(parts), _new_fragments(domain, parts)
    if not places or not new:
        return False
    place = rng.choice(places)
    parts[place] = rng.choice(new) + _space_after(parts[place])
    return True


def _exchange(domain: Text, parts: list[str], rng: random.Random) -> bool:
    del domain
    places = _places(parts)
    if len(places) < 2:
        return False
    one, other = rng.sample(places, 2)
    bare = _bare(parts[one]), _bare(parts[other])
    parts[one] = bare[1] + _space_after(parts[one])
    parts[other] = bare[0] + _space_after(parts[other])
    return True


def _insert(parts: list[str], sentence: str, rng: random.Random) -> None:
    """Put a sentence before a piece; behind the last one only if that ends a sentence.

    What a prompt ends with, such as `Answer:`, is for the model to go on from.
    """
    closed = not parts or parts[-1].rstrip().endswith((".", "!", "?"))
    place = rng.randrange(len(parts) + closed)
    before = parts[place - 1] if place else ""
    parts.insert(place, sentence + ("\n" if not place or before.endswith("\n") else " "))


def _places(parts: Sequence[str]) -> list[int]:
    return [place for place, piece in enumerate(parts) if movable(piece)]


def _new_fragments(domain: Text, parts: Sequence[str]) -> list[str]:
    text = "".join(parts)
    return [fragment for fragment in domain.fragments if fragment not in text]


def _joined(parts: Sequence[str], text: str) -> str:
    """Join pieces, with a space where none is left between two; ends are as they were."""
    spaced = [
        piece if place == len(parts) - 1 or piece[-1:].isspace() or parts[place + 1][:1] == "\n"
        else f"{piece} "
        for place, piece in enumerate(parts)
    ]  # fmt: skip
    return "".join(spaced).strip() + (_space_after(text) if text != text.rstrip() else "")


def _bare(piece: str) -> str:
    return piece.strip()


def _space_after(piece: str) -> str:
    return piece[len(piece.rstrip()) :]
