"""Has texts written in the background: one thread a text, which shows, asks, and asks again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from raytuner.component import RaytunerError
from raytuner.objective import Meter, Objective
from raytuner.ports.rewriting import Example, Rewriter, Rewriting, Rival
from raytuner.search.offspring import Plan
from raytuner.search.port import Unaffordable, Workroom
from raytuner.spaces.texts import Text

ATTEMPTS = 2
"""How often is asked for a text that can be used."""
LONGEST = 2_000
"""Characters of a question, an answer or a reference that are shown."""

Use = Callable[[Plan, str], str]
"""Takes what was written; gives why it cannot be used, or nothing."""


class Written:
    """What became of a plan.

    Attributes:
        failure: why there is no text, or nothing.
        over: whether that is because the budget has no room for it.
    """

    def __init__(self, failure: str = "", *, over: bool = False) -> None:
        self.failure = failure
        self.over = over


Done = Callable[[Plan, Written], None]


class Desk:
    """Where texts are written.

    Args:
        objective: explains questions.
        rewriter: writes.
        texts: the domains by parameter.
    """

    def __init__(self, objective: Objective, rewriter: Rewriter, texts: Mapping[str, Text]) -> None:
        self._objective = objective
        self._rewriter = rewriter
        self._texts = texts

    def start(self, plan: Plan, room: Workroom, use: Use, done: Done, *, again: bool) -> None:
        """Begin to write; returns at once.

        Args:
            plan: says what.
            room: of the sweep.
            use: see `Use`; called in a thread.
            done: is told what became of the plan, in that thread.
            again: an earlier session has begun it.
        """
        meter = room.begin(plan.number, again=again)
        name = f"raytuner-writer-{plan.number}"
        work = (plan, room, meter, use, done)
        threading.Thread(target=self._run, args=work, name=name, daemon=True).start()

    def _run(self, plan: Plan, room: Workroom, meter: Meter, use: Use, done: Done) -> None:
        try:
            written = self._write(plan, room, meter, use)
        except Unaffordable as error:
            written = Written(str(error), over=True)
        except Exception as error:  # noqa: BLE001 - whatever it is, the study goes on without
            known = isinstance(error, RaytunerError)
            written = Written(str(error) if known else f"{type(error).__name__}: {error}")
        done(plan, written)

    def _write(self, plan: Plan, room: Workroom, meter: Meter, use: Use) -> Written:
        examples = self.examples(plan, room.units)
        objection = ""
        for _ in range(ATTEMPTS):
            with room.paying():
                said = self._rewriter.rewrite(self._request(plan, examples, objection), meter)
            objection = use(plan, said)
            if not objection:
                return Written()
        return Written(f"what the language model wrote {objection}")

    def _request(self, plan: Plan, examples: Sequence[Example], objection: str) -> Rewriting:
        domain, parent = self._texts[plan.text], plan.parents[0]
        return Rewriting(
            parameter=plan.text,
            text=str(plan.point[plan.text]),
            score=None if parent.score is None else float(parent.score),
            examples=tuple(examples),
            rivals=tuple(Rival(*rival) for rival in plan.rivals),
            fields=tuple(sorted(domain.fields)),
            max_chars=domain.max_chars,
            number=plan.number,
            objection=objection,
        )

    def examples(self, plan: Plan, searched: Sequence[str]) -> list[Example]:
        """Show what the parent did with questions; what cannot be shown is left out.

        Raises:
            RaytunerError: a question is none that is searched with.
        """
        if outside := set(plan.units).difference(searched):
            raise RaytunerError(
                f"{', '.join(sorted(outside))}: held out, so no search may be shown it"
            )
        parent = plan.parents[0]
        try:
            shown = self._objective.explain(parent.params, plan.units) if plan.units else ()
        except Exception:  # noqa: BLE001 - a user's objective may raise anything; texts do without
            return []
        values = {unit: parent.value(unit) for unit in plan.units}
        return [
            _example(one, values[one["unit"]])
            for one in shown
            if one.get("unit") in values and one.get("question")
        ]


def _example(shown: Mapping[str, Any], value: float) -> Example:
    reference = shown.get("reference") or "\n".join(
        str(passage.get("text", "")) for passage in shown.get("evidence", ())
    )
    return Example(
        str(shown["question"])[:LONGEST],
        str(shown.get("answer", ""))[:LONGEST],
        str(reference)[:LONGEST],
        value,
    )
