"""The dialogue objective: what `kind: dialogue` in a study means. Units are golden dialogues."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.completion_code import Evaluated, failed
from pipelines.completion_config import Conversation
from pipelines.completion_data import Instance, Instances, filled
from pipelines.dialogue.config import BotConfig, DialogueSpec
from pipelines.dialogue.turns import (
    ANSWERS,
    TURNS,
    USER,
    check_dialogues,
    check_references,
    conversation,
    expected,
    mean,
    passed,
    transcript,
    turns_of,
)
from pipelines.estimate import Bounds, count
from pipelines.explaining import LONGEST_ANSWER
from pipelines.llm.batch import Ask
from pipelines.llm.models import resolved
from pipelines.llm.templates import template_fields
from pipelines.llm.types import CallFailedError, ChatRequest, Message
from pipelines.tasks import changing
from pipelines.tasks.answering import fields_of, missing
from pipelines.tasks.line import Line
from pipelines.tasks.objective import Outcome, TaskObjective
from pipelines.tasks.running import Ended
from raytuner.answering import Query
from raytuner.component import ConfigError, nearest
from raytuner.ports.explanation import Explanation

_TEMPLATE_TOKENS = 8
"""What a chat template may put around a message, about."""


class DialogueObjective(TaskObjective[DialogueSpec, BotConfig]):
    """Leads golden dialogues: the bot answers every turn, and is told its own earlier answers.

    Every metric of a dialogue is its mean over the turns that have it. Scoring functions are
    called turn by turn, with the answer and the fields of the turn; beside these there are
    `turn` (its number, from 1), `history` (pairs of what was said before), and the fields of the
    dialogue that the turn has not itself. They may give an empty mapping for a turn.

    Args:
        spec: dialogues, scoring, and the bot as it stands.
        root: folder that relative paths start from.
        seed: seed of the order of dialogues.

    Raises:
        ConfigError: for bad input, naming the field.
    """

    what = "a dialogue"
    Spec = DialogueSpec

    @classmethod
    def schema(cls) -> dict[str, Any]:
        """Give the JSON Schema of the section, for editors."""
        schema = super().schema()
        schema["properties"]["bot"] = BotConfig.model_json_schema()
        return schema

    def standing(self) -> BotConfig:
        """Read the bot, and look whether turns can pass."""
        passing, kinds = self.spec.passing, [metric.kind for metric in self._scorer.metrics]
        if passing is not None and not self._scorer.functions and passing.metric not in kinds:
            raise ConfigError(
                f"passing.metric: {passing.metric!r} is none of the metrics in score: "
                f"{', '.join(kinds)}.{nearest(passing.metric, kinds)}",
                ("passing", "metric"),
            )
        return changing.parsed(BotConfig, self.spec.bot, ("bot",))

    def check_items(self, instances: Instances) -> None:
        """Look whether items are dialogues."""
        check_dialogues(instances)
        if self._scorer.metrics:
            check_references(instances, self.spec.reference)

    def check(self, config: BotConfig, instances: Instances) -> None:
        """Look whether dialogues have what the system message asks for."""
        instances.check((Message("system", config.system),), "system")

    def scope(self) -> str:
        """Identify dialogues, scoring, and when a turn passes."""
        passing = self.spec.passing
        return super().scope() + ("" if passing is None else f"/{passing.model_dump_json()}")

    def question(self, item: Instance) -> str:
        """Give what the user says."""
        return "\n".join(turn[USER] for turn in turns_of(item))

    def run(self, config: BotConfig, item: Instance, ask: Line) -> Outcome:
        """Answer turn by turn."""
        answers: list[str] = []
        for _ in turns_of(item):
            answers.append(_answer(config, item, answers, ask))
        return Outcome(answers)

    def item_of(self, config: BotConfig, query: Query) -> Instance:
        """Make a dialogue of what was said before and of the question."""
        turns, answers = conversation(query)
        fields = fields_of(query, [name for name in self.instances.fields if name != TURNS])
        for name in template_fields(config.system):
            if name not in fields:
                raise missing(name, "the system message")
        return {**fields, TURNS: turns, ANSWERS: answers}

    def reply(self, config: BotConfig, item: Instance, ask: Line) -> Outcome:
        """Answer the last turn; the others were answered when it was theirs."""
        return Outcome(_answer(config, item, item[ANSWERS], ask))

    def score(self, outcome: Outcome, item: Instance, unit: str) -> Evaluated:
        """Score every turn, and take means."""
        answers = outcome.answer
        scores, notes = [], []
        for turn, answer in enumerate(answers):
            found = self._scorer(answer, _turn_fields(item, answers, turn), unit, partial=True)
            if found.failure is not None:
                return found
            scores.append(found.metrics)
            notes.append({**found.metrics, **found.notes})
        metrics = mean(scores)
        if not metrics:
            return failed(unit, "score gave no number for any turn")
        passing = self.spec.passing
        if passing is not None:
            if passing.metric not in metrics:
                return failed(unit, f"score gave no {passing.metric}, by which turns pass")
            metrics = {**metrics, **passed(scores, passing)}
        return Evaluated(metrics, {"turns": notes})

    def bounds(self, config: BotConfig, item: Instance) -> Sequence[Bounds]:
        """Bound a call a turn, each with the history that is kept; answers of one token or all."""
        said = [count(turn[USER]) + _TEMPLATE_TOKENS for turn in turns_of(item)]
        frame = sum(count(one.content) + _TEMPLATE_TOKENS for one in _system(config, item))
        turns = len(said)
        kept = turns if config.history is None else config.history
        least = most = 0.0
        for turn in range(turns):
            told = said[max(0, turn - kept) : turn + 1]
            earlier = len(told) - 1
            least += frame + sum(told) + earlier
            most += frame + sum(told) + earlier * (config.max_tokens + _TEMPLATE_TOKENS)
        out = (float(turns), float(turns * config.max_tokens))
        return [Bounds(resolved(config.model), (turns, turns), (least, most), out)]

    def explained(self, unit: str, ended: Ended[Outcome]) -> Explanation:
        """Show what the user says, what was hoped for, and how it went."""
        shown = super().explained(unit, ended)
        item = self.instances[unit]
        shown["reference"] = expected(item, self.spec.reference)
        if "answer" in shown and ended.result is not None:
            shown["answer"] = transcript(item, ended.result.answer)[:LONGEST_ANSWER]
        return shown


def _answer(config: BotConfig, item: Instance, answers: Sequence[str], ask: Line) -> str:
    """Answer the first turn that has no answer."""
    request = ChatRequest(_messages(config, item, answers, len(answers)), config.sampling())
    reply = ask(Ask(resolved(config.model), request))
    if reply.failure is not None:
        raise CallFailedError(reply.failure)
    return reply.first.text


def _messages(config: BotConfig, item: Instance, answers: Sequence[str], turn: int) -> Conversation:
    """Give what the model is told at a turn: the last turns as they went, and the new one."""
    first = 0 if config.history is None else max(0, turn - config.history)
    turns = turns_of(item)
    told: list[Message] = list(_system(config, item))
    for number in range(first, turn):
        told += [Message("user", turns[number][USER]), Message("assistant", answers[number])]
    return (*told, Message("user", turns[turn][USER]))


def _system(config: BotConfig, item: Instance) -> Conversation:
    return filled((Message("system", config.system),), item) if config.system else ()


def _turn_fields(item: Instance, answers: Sequence[str], turn: int) -> Mapping[str, Any]:
    turns = turns_of(item)
    history = [(turns[number][USER], answers[number]) for number in range(turn)]
    own = {name: value for name, value in item.items() if name != TURNS}
    return {**own, "turn": turn + 1, "history": history, **turns[turn]}
