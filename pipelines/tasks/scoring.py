"""What the answer to a golden item is worth: the user's function, metrics by name, or both."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pipelines.completion_code import Evaluated, code_of, failed, find_function, taken
from pipelines.completion_data import Instance, Instances
from pipelines.metrics import parse_metric
from pipelines.metrics.answers import TextMetric
from raytuner.component import ConfigError
from raytuner.objective import COSTS

Score = str | Callable[..., Any] | Sequence[Any]
"""`module:function`, a function, the name of a metric, or a list of these."""


class Scorer:
    """Scores answers.

    Args:
        given: functions that take the answer and the item and give a mapping of metrics, and names
            of metrics that compare the answer with the item's reference (`exact-match`,
            `token-f1`, `contains`, `rouge-l`).
        reference: the field of an item that holds its reference answer: a text, or a list of
            texts that are all right; of several the best comparison counts.

    Raises:
        ConfigError: a function that cannot be imported, or an unknown metric.
    """

    def __init__(self, given: Score, reference: str = "answer") -> None:
        self.reference = reference
        self._given = tuple(given) if isinstance(given, list | tuple) else (given,)
        if not self._given:
            raise ConfigError("score: nothing is named; name a function or a metric", ("score",))
        self._parts = [_part(one) for one in self._given]

    def __getstate__(self) -> dict[str, Any]:
        return {"reference": self.reference, "_given": self._given}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._parts = [_part(one) for one in self._given]

    @property
    def metrics(self) -> tuple[TextMetric, ...]:
        """The metrics among what scores."""
        return tuple(part for part in self._parts if isinstance(part, TextMetric))

    @property
    def functions(self) -> bool:
        """Whether any of what scores is a function, whose metrics only running it can tell."""
        return len(self.metrics) < len(self._parts)

    def identity(self) -> list[Any]:
        """Spell what decides scores, for a key."""
        spelled = [part if isinstance(part, TextMetric) else code_of(part) for part in self._parts]
        return [*spelled, self.reference if self.metrics else ""]

    def check(self, instances: Instances) -> None:
        """Look whether every item has what metrics compare with.

        Raises:
            ConfigError: naming the item.
        """
        if self.metrics:
            names = ", ".join(metric.kind for metric in self.metrics)
            instances.require(self.reference, f"{names} compare the answer with")

    def __call__(
        self, answer: Any, item: Instance, unit: str, *, partial: bool = False
    ) -> Evaluated:
        """Score one answer; whatever a function does wrong is a failure of the item.

        Args:
            answer: text or data, as the item's code gave it.
            item: fields of the item; a turn of a dialogue, say.
            unit: id of the item.
            partial: the answer is one of several: it may have no reference, and functions may
                give no metric for it.
        """
        found = Evaluated({}, {})
        for part in self._parts:
            one = self._scored(part, answer, item, unit, partial=partial)
            twice = sorted(set(found.metrics) & set(one.metrics))
            if one.failure is None and twice:
                one = failed(unit, f"score gave {twice[0]} twice; rename one of them")
            if one.failure is not None:
                return one
            found = Evaluated({**found.metrics, **one.metrics}, {**found.notes, **one.notes})
        return found

    def _scored(
        self, part: Any, answer: Any, item: Instance, unit: str, *, partial: bool
    ) -> Evaluated:
        if isinstance(part, TextMetric):
            if partial and self.reference not in item:
                return Evaluated({}, {})
            return Evaluated({part.kind: self._compared(part, answer, item)}, {})
        try:
            given = part(answer, dict(item))
        except Exception as error:  # noqa: BLE001 - the user's code may raise anything
            return failed(unit, f"score raised {type(error).__name__}: {error}")
        return taken(given, unit, "score", partial=partial)

    def _compared(self, metric: TextMetric, answer: Any, item: Instance) -> float:
        text = spelled_answer(answer)
        if not text.strip():
            return 0.0
        wanted = item[self.reference]
        several = wanted if isinstance(wanted, list | tuple) else [wanted]
        return max((metric.compare(text, spelled_answer(one)) for one in several), default=0.0)


def merged(found: Evaluated, own: Mapping[str, float], unit: str) -> Evaluated:
    """Add scores that the objective itself gives; the same name twice is a failure."""
    for name in own:
        if name in found.metrics or name in COSTS:
            return failed(unit, f"score gave {name}, which is counted already; rename it")
    return found._replace(metrics={**own, **found.metrics})


def spelled_answer(answer: Any) -> str:
    """Give an answer as text; data is spelled as JSON where it can be."""
    if isinstance(answer, str):
        return answer
    try:
        return json.dumps(answer, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        return str(answer)


def _part(given: Any) -> Any:
    if callable(given) or (isinstance(given, str) and ":" in given):
        return find_function(given, "score")
    if not isinstance(given, str):
        raise ConfigError(f"score: {given!r:.80} is no name of a metric or function", ("score",))
    try:
        metric = parse_metric(given)
    except ConfigError as error:
        raise ConfigError(f"score: {error.message}", ("score",)) from None
    if not isinstance(metric, TextMetric):
        raise ConfigError(
            f"score: {given} does not compare two texts, which is all there is here; name "
            "exact-match, token-f1, contains, rouge-l, or a module:function",
            ("score",),
        )
    return metric
