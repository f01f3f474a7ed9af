"""What has to be so before people evaluate a study."""

from __future__ import annotations

from raytuner.component import ConfigError
from raytuner.manual.objective import ManualObjective
from raytuner.prepare import Prepared
from raytuner.strike import strike

_LONGEST = 2000
"""Characters of a reason that are kept."""


def manual_of(prepared: Prepared) -> ManualObjective:
    """Give the objective of a study that people evaluate.

    Raises:
        ConfigError: a machine evaluates it, or it asks for what people cannot do.
    """
    objective = prepared.objective
    if not isinstance(objective, ManualObjective):
        raise ConfigError(
            "objective: ask and tell are for what people evaluate, `kind: manual`; a machine "
            "evaluates this one: `raytuner run`",
            ("objective", "kind"),
        )
    budget = prepared.study.budget
    if budget.seconds is not None and prepared.folder is not None:
        raise ConfigError(
            "budget.seconds: nobody measures how long people take; give trials or usd",
            ("budget", "seconds"),
        )
    if objective.rated and prepared.split.held_out:
        raise ConfigError(
            "verdict: a rating is one number for all questions, so none can be held out; give "
            "`verdict: {held_out: 0}`, and `raytuner ratings` says who is ahead and how sure",
            ("verdict", "held_out"),
        )
    return objective


def told(text: str) -> str:
    """Give a reason as it goes on record.

    Raises:
        ConfigError: there is none.
    """
    if not text.strip():
        raise ConfigError("say in a few words what went wrong")
    return strike(" ".join(text.split()))[:_LONGEST]
