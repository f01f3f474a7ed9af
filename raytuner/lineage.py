"""Where a proposal comes from: its parents, its generation, and what was done to them."""

from __future__ import annotations

from typing import NamedTuple

from raytuner.objective import Params


class Lineage(NamedTuple):
    """Descent of one proposal.

    Attributes:
        how: what made it: `random`, `mutation`, `crossover`, `exploit`, `reflection`, ...
        parents: points of the search it was made from, the most important one first; none for
            one that was made from nothing.
        generation: by the search's own count; None: one more than that of the youngest parent, 0
            without parents.
        note: one short sentence for people, such as what a language model was asked to mend.
    """

    how: str
    parents: tuple[Params, ...] = ()
    generation: int | None = None
    note: str = ""


class Origin(NamedTuple):
    """Descent of a trial, as it is on record.

    Attributes:
        how: what made it, as in `Lineage`.
        parents: keys of the trials it was made from, the most important one first.
        generation: as in `Lineage`; below 0: to be counted when the trial is put on record.
        note: one short sentence for people, or nothing.
    """

    how: str
    parents: tuple[str, ...] = ()
    generation: int = 0
    note: str = ""
