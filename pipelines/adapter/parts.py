"""Divides golden questions into those that train, those that choose, and those that judge."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from pipelines.adapter.spec import Shares
from pipelines.explaining import groups, strata
from pipelines.roles import Metric
from pipelines.types import Question
from pipelines.workspace import Workspace
from raytuner.component import ConfigError
from raytuner.proof.split import divided, grouped


class Parts(NamedTuple):
    """Ids of questions; those that judge in evaluation order, the others sorted.

    Attributes:
        train: training sees their texts and evidence.
        validate: every epoch is scored on them.
        held_out: nothing sees them before the end.
        mixed: whether documents of one part have questions in another.
    """

    train: tuple[str, ...]
    validate: tuple[str, ...]
    held_out: tuple[str, ...]
    mixed: bool


@lru_cache(maxsize=4)
def parts_of(space: Workspace, measures: tuple[Metric, ...], shares: Shares) -> Parts:
    """Divide the questions that all metrics apply to, once; see `divide`."""
    usable = [q for q in space.golden.questions if all(metric.applies(q) for metric in measures)]
    return divide(space, usable, shares)


def divide(space: Workspace, usable: list[Question], shares: Shares) -> Parts:
    """Divide questions once and for all, as studies do (`raytuner.proof.split`).

    Whole documents, every kind of question alike, by a stable hash that no seed has a say in.

    Args:
        space: names documents and kinds.
        usable: the questions that can be scored.
        shares: how many go where.

    Raises:
        ConfigError: a part has no question.
    """
    wanted = {question.id for question in usable}
    units = [unit for unit in space.order if unit in wanted]
    owners, kinds = groups(space), strata(space)
    named = owners if shares.by == "document" else {}
    apart = grouped(units, named)
    kept = divided(units, apart, kinds, shares.held_out) if shares.held_out else None
    rest = units if kept is None else kept.searched
    share = shares.validate_ / (shares.train + shares.validate_)
    seen = divided(rest, apart, kinds, share)
    held_out = () if kept is None else kept.held_out
    parts = {"train": seen.searched, "validate": seen.held_out, "held_out": held_out}
    for name, part in parts.items():
        if not part and (name != "held_out" or shares.held_out):
            raise ConfigError(
                f"split: {name} has none of the {len(units)} questions with evidence; write more "
                "questions, or change the shares",
                ("split",),
            )
    home = {unit: owners.get(unit) or unit for unit in units}
    documents = [{home[unit] for unit in part} for part in parts.values()]
    mixed = sum(map(len, documents)) > len(set().union(*documents))
    # what is trained depends on neither the study's seed nor the order of the file
    return Parts(tuple(sorted(seen.searched)), tuple(sorted(seen.held_out)), held_out, mixed)
