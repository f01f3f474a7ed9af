"""What a person enters for a trial, read and checked whole before any of it is recorded."""

from __future__ import annotations

import contextlib
import json
import math
import numbers
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from raytuner.component import ConfigError, nearest
from raytuner.manual.objective import ANSWERED, RESERVED, ManualObjective
from raytuner.objective import Cost, UnitScore
from raytuner.rating.scoring import ANSWER

_LONGEST = 100_000
"""Characters of an answer that are kept; more is no answer that anybody rates."""
_BYTES = 1 << 28

Entry = Mapping[str, Any]
"""Values of one unit: a number per metric, and perhaps `cost`, `seconds` and `answer`."""


def by_unit(
    scores: float | Mapping[str, Any],
    unit: str | None,
    objective: ManualObjective,
    open_units: Sequence[str],
) -> dict[str, dict[str, Any]]:
    """Give the entries that somebody means by a number, numbers by metric, or these by unit.

    Raises:
        ConfigError: it is not clear which unit or metric is meant.
    """
    if isinstance(scores, Mapping) and any(isinstance(v, Mapping) for v in scores.values()):
        if unit is not None or not all(isinstance(v, Mapping) for v in scores.values()):
            raise ConfigError("give one unit and its scores, or scores by unit, not both")
        return {str(name): dict(entry) for name, entry in scores.items()}
    units = objective.units()
    if unit is None:
        if len(units) > 1:
            to_come = f"{', '.join(open_units[:5])}{', ...' if len(open_units) > 5 else ''}"
            raise ConfigError(
                f"this study has {len(units)} units: say which one this is the result of (--unit), "
                f"or give a file with all of them (--file); to come: {to_come}"
            )
        unit = units[0]
    if isinstance(scores, Mapping):
        return {unit: dict(scores)}
    if len(objective.entered) != 1:
        metrics = ", ".join(objective.entered) or "none, answers are rated"
        raise ConfigError(f"name the metrics of the study with their numbers: {metrics}")
    return {unit: {objective.entered[0]: scores}}


def scores_of(
    entries: Mapping[str, Entry], objective: ManualObjective, open_units: Sequence[str]
) -> list[UnitScore]:
    """Make scores of what was entered.

    Args:
        entries: by unit.
        objective: says what belongs to an entry.
        open_units: the units that the trial is to answer now.

    Raises:
        ConfigError: a unit or metric that is not asked for, one that is missing, no number, or a
            cost below 0.
    """
    if not entries:
        raise ConfigError("nothing to record: give a result, such as score=0.83")
    return [_score(unit, entry, objective, open_units) for unit, entry in entries.items()]


def _score(
    unit: str, entry: Entry, objective: ManualObjective, open_units: Sequence[str]
) -> UnitScore:
    known = objective.units()
    where = f"{unit}: " if len(known) > 1 else ""
    if unit not in known:
        raise ConfigError(f"there is no unit {unit!r:.80} in this study.{nearest(unit, known)}")
    if unit not in open_units:
        raise ConfigError(
            f"unit {unit!r} of this trial has its result already, or is not asked yet"
        )
    wanted = objective.entered
    for name in entry:
        if name not in {*wanted, *RESERVED, ANSWER}:
            shown = ", ".join(wanted) or "answers only, which raters compare"
            raise ConfigError(
                f"{where}{name!r:.80} is no metric of this study, which has: {shown}."
                f"{nearest(name, wanted)}"
            )
    scores = {}
    for metric in wanted:
        if metric not in entry:
            raise ConfigError(f"{where}{metric} is missing; give {metric}=NUMBER")
        scores[metric] = _number(entry[metric], f"{where}{metric}")
    usd, seconds = (_least_zero(entry, name, where) for name in RESERVED)
    answer = _answer(entry, where, wanted=objective.rated)
    notes = None if answer is None else {ANSWER: answer}
    return UnitScore(unit, scores or {ANSWERED: 1.0}, Cost(usd), seconds, notes=notes)


def _least_zero(entry: Entry, name: str, where: str) -> float:
    value = _number(entry.get(name, 0.0), f"{where}{name}")
    if value < 0:
        raise ConfigError(f"{where}{name}={value:g} is below 0; give what it has cost")
    return value


def _answer(entry: Entry, where: str, *, wanted: bool) -> str | None:
    answer = entry.get(ANSWER)
    if answer is None:
        if wanted:
            raise ConfigError(
                f"{where}the answer is missing: this study is rated; give --answers FILE"
            )
        return None
    if not isinstance(answer, str) or not answer.strip():
        raise ConfigError(f"{where}an answer is to be text that is not empty, got {answer!r:.60}")
    if len(answer) > _LONGEST:
        raise ConfigError(
            f"{where}the answer has {len(answer):,} characters; keep {_LONGEST:,} at most"
        )
    return answer


def _number(value: Any, where: str) -> float:
    """Read a finite number, written as people write them."""
    found = math.nan
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        with contextlib.suppress(OverflowError):  # an integer of 400 digits, say
            found = float(value)
    elif isinstance(value, str):
        try:
            found = float("" if "_" in value else value)  # Python reads 1_5 as 15: here, a slip
        except ValueError:
            hint = "; write the decimals after a point" if "," in value else ""
            raise ConfigError(f"{where}: {value!r:.60} is no number{hint}") from None
    if not math.isfinite(found):
        raise ConfigError(f"{where}: {value!r:.60} is no score: give a finite number")
    return found


def pairs_of(texts: Sequence[str]) -> dict[str, str]:
    """Read `name=value` arguments.

    Raises:
        ConfigError: one is none, or a name is there twice.
    """
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name or not value:
            raise ConfigError(f"{text!r:.80}: give results as name=number, such as score=0.83")
        if name in found:
            raise ConfigError(f"{name} is given twice: {found[name]} and {value}")
        found[name] = value
    return found


def read_entries(path: Path, only: str | None) -> dict[str, dict[str, Any]]:
    """Read a file of results.

    Args:
        path: a JSON object of entries by unit, or JSON Lines (or a JSON list) of entries that name
            their `unit`; or one entry alone, where the study has one unit.
        only: the unit of an entry that names none; None: every entry has to.

    Raises:
        ConfigError: naming the file, and what is wrong.
    """
    rows = _rows(path)
    if isinstance(rows, Mapping):
        if rows and all(isinstance(row, Mapping) for row in rows.values()):
            return {str(unit): dict(row) for unit, row in rows.items()}
        rows = [rows]
    found: dict[str, dict[str, Any]] = {}
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, Mapping):
            raise ConfigError(f"{path}: entry {number} is no object, got {row!r:.60}")
        entry = {str(name): value for name, value in row.items() if name != "unit"}
        unit = row.get("unit", only)
        if unit is None:
            raise ConfigError(f'{path}: entry {number} names no unit; add "unit": "..."')
        if str(unit) in found:
            raise ConfigError(f"{path}: unit {str(unit)!r:.60} is there twice")
        found[str(unit)] = entry
    return found


def read_answers(path: Path, only: str | None) -> dict[str, dict[str, Any]]:
    """Read a file of answers, as entries.

    Args:
        path: a JSON object of answers by unit, JSON Lines of `{"unit": ..., "answer": ...}`, or
            text (.txt, .md) that is the one answer.
        only: the one unit of the study; None: there are more.

    Raises:
        ConfigError: naming the file, and what is wrong.
    """
    if path.suffix not in {".json", ".jsonl", ".ndjson"}:
        if only is None:
            raise ConfigError(
                f"{path}: a text is one answer, and this study has several units; name one by "
                "--unit, or give a JSON object of answers by unit"
            )
        return {only: {ANSWER: _text(path)}}
    rows = _rows(path)
    if isinstance(rows, Mapping) and not any(isinstance(r, Mapping) for r in rows.values()):
        if only is not None and set(rows) == {ANSWER}:
            return {only: dict(rows)}
        return {str(unit): {ANSWER: answer} for unit, answer in rows.items()}
    return read_entries(path, only)


def _rows(path: Path) -> Any:
    text = _text(path)
    if path.suffix in {".jsonl", ".ndjson"}:
        lines = enumerate(text.split("\n"), start=1)  # not splitlines: answers may hold U+2028
        return [_parsed(line, f"{path}, line {n}") for n, line in lines if line.strip()]
    rows = _parsed(text, str(path))
    if not isinstance(rows, Mapping | list):
        raise ConfigError(f"{path}: expected results by unit, got {rows!r:.60}")
    return rows


def _parsed(text: str, where: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{where}: not valid JSON: {str(error)[:120]}") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice!r:.60} is there twice")
    return found


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _BYTES:
            raise ConfigError(f"{path} has more than {_BYTES >> 20} MiB")
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8") from None
