"""Golden dialogues: what a user says turn by turn, and how the scores of turns make one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.completion_data import Instance, Instances
from pipelines.dialogue.config import Passing
from pipelines.tasks.scoring import spelled_answer
from raytuner.answering import Query, Turn
from raytuner.component import ConfigError, nearest

TURNS = "turns"
USER = "user"
ANSWERS = "answers so far"
"""What the bot has answered, in a dialogue that somebody leads; no template can ask for it."""
PASSED, ALL_PASSED = "turns_passed", "dialogue_passed"


def turns_of(item: Instance) -> Sequence[Mapping[str, Any]]:
    """Give the turns of a dialogue that has been checked."""
    found: Sequence[Mapping[str, Any]] = item[TURNS]
    return found


def check_dialogues(instances: Instances) -> None:
    """Look whether every item is a dialogue.

    Raises:
        ConfigError: naming the item and the turn.
    """
    instances.require(TURNS, "holds what the user says")
    for unit in instances.ids:
        turns = instances[unit][TURNS]
        if not isinstance(turns, list | tuple) or not turns:
            raise ConfigError(
                f"instances: the turns of {unit} are {turns!r:.60}; give a list of {{user: …, "
                "expect: …}",
                ("instances",),
            )
        for number, turn in enumerate(turns, start=1):
            _check_turn(turn, f"turn {number} of {unit}")


def _check_turn(turn: Any, where: str) -> None:
    if not isinstance(turn, Mapping):
        raise ConfigError(
            f"instances: {where} is {turn!r:.60}; give a mapping such as {{user: …, expect: …}}",
            ("instances",),
        )
    said = turn.get(USER)
    if not isinstance(said, str) or not said.strip():
        hint = "" if USER in turn else nearest(USER, turn)
        raise ConfigError(
            f"instances: {where} says nothing: `user` is {said!r:.60}, and a text is wanted.{hint}",
            ("instances",),
        )


def check_references(instances: Instances, reference: str) -> None:
    """Look whether every dialogue has a turn that metrics can compare.

    Raises:
        ConfigError: naming the item.
    """
    for unit in instances.ids:
        turns = turns_of(instances[unit])
        if not any(reference in turn for turn in turns):
            known = dict.fromkeys(name for turn in turns for name in turn)
            raise ConfigError(
                f"instances: no turn of {unit} has {reference!r}, which metrics compare the answer "
                f"with; turns have: {', '.join(known)}.{nearest(reference, known)}",
                ("instances",),
            )


def conversation(query: Query) -> tuple[list[dict[str, str]], list[str]]:
    """Give what a user says, the question last, and what the bot has answered.

    Raises:
        ConfigError: they did not take turns.
    """
    said = [*query.history, Turn("user", query.question)]
    roles = ["assistant" if number % 2 else "user" for number in range(len(said))]
    if [turn.role for turn in said] != roles:
        raise ConfigError(
            "messages: user and assistant take turns, the user first and last", ("messages",)
        )
    if not query.question.strip():
        raise ConfigError("question: it is empty", ("question",))
    return [{USER: turn.text} for turn in said[::2]], [turn.text for turn in said[1::2]]


def mean(scores: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Average each metric over the turns that have it."""
    names = dict.fromkeys(name for one in scores for name in one)
    found = {name: [one[name] for one in scores if name in one] for name in names}
    return {name: sum(values) / len(values) for name, values in found.items()}


def passed(scores: Sequence[Mapping[str, float]], passing: Passing) -> dict[str, float]:
    """Give the share of turns that pass, and whether all do; of the turns that have the metric."""
    values = [one[passing.metric] >= passing.least for one in scores if passing.metric in one]
    if not values:
        return {}
    return {PASSED: sum(values) / len(values), ALL_PASSED: float(all(values))}


def transcript(item: Instance, answers: Sequence[str]) -> str:
    """Spell a dialogue for people."""
    turns = zip(turns_of(item), answers, strict=True)
    return "\n".join(f"User: {turn[USER]}\nBot: {answer}" for turn, answer in turns)


def expected(item: Instance, reference: str) -> str:
    """Spell what was hoped for, turn by turn; `-` where nothing is said."""
    told = [turn.get(reference, "-") for turn in turns_of(item)]
    return "\n".join(map(spelled_answer, told))
