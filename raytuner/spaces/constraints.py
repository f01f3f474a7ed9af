"""Constraints between parameters: from text to a tree, checked against domains, then evaluated.

    chunker.overlap <= 0.5 * chunker.size        comparisons (chains too) over + - * / ( )
    not (reranker.kind == 'none' and depth > 50)  and, or, not; 'text', true, false, null
    generator.temperature xor generator.top_p     exactly one of them is on

A constraint that mentions an inactive parameter is satisfied; so is one that would have to
calculate with null or order it. Bare operands of `xor` are the exception: a parameter is on if
it is active and neither null nor false, and only where all are inactive is the constraint
satisfied. Division by zero violates. Numbers are compared as the decimals they are written as:
3 * 0.1 <= 0.3 holds.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

from raytuner.component import ConfigError, nearest
from raytuner.objective import Value
from raytuner.spaces.domains import Domain, ValueType, identical, shorten, type_of
from raytuner.spaces.syntax import Arithmetic, Comparison, Constant, Logic, Name, Node, parse

_NUMERIC: frozenset[ValueType] = frozenset({"number", "null"})
_BOOLEAN: frozenset[ValueType] = frozenset({"boolean"})
_CALCULATE: Mapping[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": lambda left, right: Fraction(left) / Fraction(right),
}
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": identical,
    "!=": lambda left, right: not identical(left, right),
}


class _UnknownError(Exception):
    """A null where a number is needed."""


@dataclass(frozen=True)
class Constraint:
    """One constraint, checked and ready to evaluate.

    Attributes:
        text: as written in the study.
        tree: what it says.
        names: every parameter it mentions, in order of appearance.
        needed: those that must be active for the constraint to mean anything.
    """

    text: str
    tree: Node
    names: tuple[str, ...]
    needed: tuple[str, ...]

    def holds(self, point: Mapping[str, Value]) -> bool:
        """Tell whether a point of active parameters satisfies the constraint."""
        if any(name not in point for name in self.needed) or point.keys().isdisjoint(self.names):
            return True
        try:
            return bool(_evaluate(self.tree, point))
        except _UnknownError:
            return True
        except ZeroDivisionError:
            return False


def constraint(text: Any, domains: Mapping[str, Domain]) -> Constraint:
    """Parse a constraint and check its names and types.

    Raises:
        ConfigError: with the constraint, what is wrong in it, and what would be right.
    """
    if not isinstance(text, str) or not text.strip():
        raise ConfigError(f"constraint {shorten(text)} is no text: write e.g. 'a.size < b.size'")
    try:
        tree = parse(text)
        names = tuple(dict.fromkeys(_names(tree, bare=True)))
        for name in names:
            if name not in domains:
                raise ConfigError(
                    f"no parameter is called {name!r}; the space has {', '.join(domains)}."
                    f"{nearest(name, domains)}"
                )
        if not names:
            raise ConfigError("it mentions no parameter: compare at least one")
        if _types(tree, domains) != _BOOLEAN:
            raise ConfigError(f"{_spell(tree)} is no condition: compare it with something")
    except ConfigError as error:
        raise ConfigError(f"constraint {text!r}: {error}") from None
    return Constraint(text, tree, names, tuple(dict.fromkeys(_names(tree, bare=False))))


def _names(node: Node, *, bare: bool) -> Iterator[str]:
    """Walk through the names; without `bare`, not those that are operands of `xor` themselves."""
    match node:
        case Name(name):
            yield name
        case Arithmetic(_, left, right):
            yield from _names(left, bare=bare)
            yield from _names(right, bare=bare)
        case Comparison(first, rest):
            for operand in (first, *(operand for _, operand in rest)):
                yield from _names(operand, bare=bare)
        case Logic(word, operands):
            for operand in operands:
                if bare or word != "xor" or not isinstance(operand, Name):
                    yield from _names(operand, bare=bare)


def _evaluate(node: Node, point: Mapping[str, Value]) -> Any:
    # By the million while a grid is walked through: chosen by isinstance, twice as fast as match.
    if isinstance(node, Name):
        return _exact(point[node.name])
    if isinstance(node, Constant):
        return _exact(node.value)
    if isinstance(node, Comparison):
        return _chain(node, point)
    if isinstance(node, Arithmetic):
        return _CALCULATE[node.sign](_known(node.left, point), _known(node.right, point))
    if node.word == "xor":
        return sum([_on(operand, point) for operand in node.operands]) == 1
    truths = [bool(_evaluate(operand, point)) for operand in node.operands]
    if node.word == "not":
        return not truths[0]
    return all(truths) if node.word == "and" else any(truths)


def _chain(node: Comparison, point: Mapping[str, Value]) -> bool:
    # Every link is evaluated, so that a null in one counts wherever it stands.
    truth, left = True, node.first
    for sign, right in node.rest:
        truth &= _compare(left, sign, right, point)
        left = right
    return truth


def _exact(value: Value) -> Any:
    return _decimal(value) if isinstance(value, float) else value


@lru_cache(maxsize=4096)
def _decimal(value: float) -> Fraction:
    return Fraction(repr(value))


def _known(node: Node, point: Mapping[str, Value]) -> Any:
    value = _evaluate(node, point)
    if value is None:
        raise _UnknownError
    return value


def _compare(left: Node, sign: str, right: Node, point: Mapping[str, Value]) -> bool:
    read = _evaluate if sign in ("==", "!=") else _known
    return _COMPARE[sign](read(left, point), read(right, point))


def _on(node: Node, point: Mapping[str, Value]) -> bool:
    if isinstance(node, Name):
        value = point.get(node.name)
        return value is not None and value is not False
    return bool(_evaluate(node, point))


def _types(node: Node, domains: Mapping[str, Domain]) -> frozenset[ValueType]:
    """Find the types that a node can have.

    Raises:
        ConfigError: where an operand cannot be what its operator needs.
    """
    match node:
        case Constant(value):
            return frozenset({type_of(value)})
        case Name(name):
            return domains[name].types
        case Arithmetic(sign, left, right):
            for operand in (left, right):
                _require_number(operand, sign, domains)
            return frozenset({"number"})
        case Comparison(first, rest):
            left = first
            for sign, right in rest:
                _check_comparison(left, sign, right, domains)
                left = right
            return _BOOLEAN
        case Logic(word, operands):
            for operand in operands:
                if word != "xor" or not isinstance(operand, Name):
                    _require_condition(operand, word, domains)
            return _BOOLEAN


def _require_condition(node: Node, word: str, domains: Mapping[str, Domain]) -> None:
    types = _types(node, domains)
    if types != _BOOLEAN:
        raise ConfigError(
            f"`{word}` joins conditions, {_spell(node)} is {_spell_types(types)}: "
            "compare it with something"
        )


def _require_number(node: Node, sign: str, domains: Mapping[str, Domain]) -> None:
    types = _types(node, domains)
    if "number" not in types or not types <= _NUMERIC:
        raise ConfigError(
            f"`{sign}` needs numbers, {_spell(node)} is {_spell_types(types)}: "
            "compare other types with == or !="
        )


def _check_comparison(left: Node, sign: str, right: Node, domains: Mapping[str, Domain]) -> None:
    if sign not in ("==", "!="):
        _require_number(left, sign, domains)
        _require_number(right, sign, domains)
        return
    left_types, right_types = _types(left, domains), _types(right, domains)
    for node, types in ((left, left_types), (right, right_types)):
        if "subset" in types:
            raise ConfigError(
                f"{_spell(node)} is a subset: constraints compare single values; use `when`"
            )
    if not left_types & right_types:
        raise ConfigError(
            f"{_spell(left)} is {_spell_types(left_types)} and {_spell(right)} is "
            f"{_spell_types(right_types)}: they are never equal"
        )
    for name, constant in ((left, right), (right, left)):
        if isinstance(name, Name) and isinstance(constant, Constant):
            _check_option(name.name, constant.value, domains[name.name])


def _check_option(name: str, value: Value, domain: Domain) -> None:
    if not domain.contains(value):
        raise ConfigError(f"{shorten(value)} is no value of {name}, which is {domain.describe()}")


def _spell(node: Node) -> str:
    match node:
        case Name(name):
            return name
        case Constant(value):
            return shorten(value)
        case Arithmetic(sign, left, right):
            return f"({_spell(left)} {sign} {_spell(right)})"
        case Comparison() | Logic():
            return "a condition"


def _spell_types(types: frozenset[ValueType]) -> str:
    return " or ".join(sorted(types))
