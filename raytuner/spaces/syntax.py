"""The grammar of constraints: from text to a tree. Knows no parameters and no domains.

constraint := either ("or" either)*        sum     := product (("+" | "-") product)*
either     := both ("xor" both)*           product := signed (("*" | "/") signed)*
both       := truth ("and" truth)*         signed  := "-" signed | atom
truth      := "not" truth | comparison     atom    := number | 'text' | name | `name`
comparison := sum (("<" | "<=" | ">" | ">=" | "==" | "!=") sum)*  | true | false | null
                                                   | "(" constraint ")"
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from raytuner.component import ConfigError
from raytuner.spaces.domains import Scalar

_NESTING = 20
_LENGTH = 500
"""How deep parentheses nest, and how long a constraint is, at most: far from Python's
recursion limit, which long sums reach as well."""
_WORDS: dict[str, Scalar] = {"true": True, "false": False, "null": None}
_RESERVED = frozenset({*_WORDS, "and", "or", "not", "xor"})
_TOKEN = re.compile(
    r"""\s*(?:
    (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?![\w.])
    |(?P<name>[^\W\d]\w*(?:\.\w+)*)
    |`(?P<quoted>[^`]+)`
    |(?P<text>'[^']*'|"[^"]*")
    |(?P<sign><=|>=|==|!=|[-+*/()<>])
    )""",
    re.VERBOSE,
)


@dataclass(frozen=True)
class Constant:
    """A number, text, true, false or null."""

    value: Scalar


@dataclass(frozen=True)
class Name:
    """A parameter."""

    name: str


@dataclass(frozen=True)
class Arithmetic:
    """Two numbers joined by + - * or /."""

    sign: str
    left: Node
    right: Node


@dataclass(frozen=True)
class Comparison:
    """A chain of comparisons: `first`, then each sign with what stands right of it."""

    first: Node
    rest: tuple[tuple[str, Node], ...]


@dataclass(frozen=True)
class Logic:
    """Conditions joined by `and`, `or`, `xor` (exactly one of all), or one after `not`."""

    word: str
    operands: tuple[Node, ...]


Node = Constant | Name | Arithmetic | Comparison | Logic


class Token(NamedTuple):
    """A piece of the text: what it is, how it reads, where it starts."""

    kind: str
    text: str
    start: int


def tokenize(text: str) -> list[Token]:
    """Cut a constraint into tokens.

    Raises:
        ConfigError: at the first character that starts none.
    """
    tokens = []
    position, end = 0, len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            rest = text[position:].lstrip()
            hint = "write == to compare" if rest[0] == "=" else "use + - * / < <= > >= == != ( )"
            raise ConfigError(f"cannot read it from {rest[:20]!r}: {hint}, and, or, xor, not")
        kind, word = match.lastgroup, match.group(match.lastgroup)
        if kind == "name" and word in _RESERVED:
            kind = "word"
        tokens.append(
            Token("name" if kind == "quoted" else kind, word, match.start(match.lastgroup))
        )
        position = match.end()
    return tokens


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokenize(text)
        self._position = 0
        self._depth = 0

    def parse(self) -> Node:
        tree = self._constraint()
        if self._position < len(self._tokens):
            raise self._surprise("an operator")
        return tree

    def _constraint(self) -> Node:
        return self._joined("or", self._either)

    def _either(self) -> Node:
        return self._joined("xor", self._both)

    def _both(self) -> Node:
        return self._joined("and", self._truth)

    def _truth(self) -> Node:
        if self._take("not"):
            return Logic("not", (self._deeper(self._truth),))
        return self._comparison()

    def _comparison(self) -> Node:
        first = self._sum()
        rest = []
        while sign := self._take("<", "<=", ">", ">=", "==", "!="):
            rest.append((sign, self._sum()))
        return Comparison(first, tuple(rest)) if rest else first

    def _sum(self) -> Node:
        return self._chained(("+", "-"), self._product)

    def _product(self) -> Node:
        return self._chained(("*", "/"), self._signed)

    def _signed(self) -> Node:
        if self._take("-"):
            operand = self._deeper(self._signed)
            if isinstance(operand, Constant) and type(operand.value) in (int, float):
                return Constant(-operand.value)  # type: ignore[operator]
            return Arithmetic("-", Constant(0), operand)
        return self._atom()

    def _atom(self) -> Node:
        if self._take("("):
            inner = self._deeper(self._constraint)
            if not self._take(")"):
                raise self._surprise("`)`")
            return inner
        if self._position == len(self._tokens):
            raise self._surprise("a parameter or a value")
        token = self._tokens[self._position]
        node: Node
        if token.kind == "number":
            node = Constant(int(token.text) if token.text.isdecimal() else float(token.text))
        elif token.kind == "text":
            node = Constant(token.text[1:-1])
        elif token.kind == "name":
            node = Name(token.text)
        elif token.text in _WORDS:
            node = Constant(_WORDS[token.text])
        else:
            raise self._surprise("a parameter or a value")
        self._position += 1
        return node

    def _joined(self, word: str, operand: Callable[[], Node]) -> Node:
        operands = [operand()]
        while self._take(word):
            operands.append(operand())
        return Logic(word, tuple(operands)) if len(operands) > 1 else operands[0]

    def _chained(self, signs: tuple[str, ...], operand: Callable[[], Node]) -> Node:
        left = operand()
        while sign := self._take(*signs):
            left = Arithmetic(sign, left, operand())
        return left

    def _deeper(self, rule: Callable[[], Node]) -> Node:
        self._depth += 1
        if self._depth > _NESTING:
            raise ConfigError(f"it nests more than {_NESTING} deep: split it into several")
        node = rule()
        self._depth -= 1
        return node

    def _take(self, *wanted: str) -> str | None:
        if self._position < len(self._tokens):
            token = self._tokens[self._position]
            if token.kind in ("sign", "word") and token.text in wanted:
                self._position += 1
                return token.text
        return None

    def _surprise(self, expected: str) -> ConfigError:
        if self._position == len(self._tokens):
            return ConfigError(f"it ends where {expected} should follow")
        token = self._tokens[self._position]
        return ConfigError(f"at {self._text[token.start :][:20]!r}: expected {expected}")


def parse(text: str) -> Node:
    """Parse a constraint.

    Raises:
        ConfigError: naming the place and what should stand there.
    """
    if len(text) > _LENGTH:
        raise ConfigError(f"it is longer than {_LENGTH} characters: split it into several")
    return _Parser(text).parse()
