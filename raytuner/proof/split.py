"""Divides golden questions into those a search may see and those that judge what it found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from raytuner.component import digest

HELD_OUT = 0.6
"""Share of the questions that are held out, unless told otherwise.

The larger part, because only three or four configurations ever answer it while every trial
answers the other: in simulations 40/60 decides more often, and no less truly, than 60/40.
"""
_GROUPS = 10
"""Fewer effective groups than this cannot be divided or resampled fairly: questions go singly.

The effective number is n^2 / sum of n_g^2 (L. Kish, "Survey Sampling", 1965), so that one document
with most of the questions counts for little more than one. Below ten, intervals by document miss
the truth much more often than they say (measured: 10 to 87 % instead of 5 %).
"""


class Split(NamedTuple):
    """Unit ids of both parts, each in evaluation order.

    Attributes:
        searched: what trials answer.
        held_out: what the finalists and the configuration as it stands answer at the end.
        groups: the group of every unit, as the statistics have to treat it.
    """

    searched: tuple[str, ...]
    held_out: tuple[str, ...] = ()
    groups: Mapping[str, str] = {}

    @property
    def units(self) -> tuple[str, ...]:
        """All units, the searched ones first."""
        return self.searched + self.held_out


def whole(units: Sequence[str], groups: Mapping[str, str]) -> Split:
    """Hold nothing out."""
    return Split(tuple(units), (), grouped(units, groups))


def split(
    units: Sequence[str],
    groups: Mapping[str, str],
    strata: Mapping[str, str],
    share: float = HELD_OUT,
) -> Split:
    """Divide units once and for all: whole groups, each stratum alike.

    Groups are taken in the order of a stable hash of their names. Each goes to the part that
    leaves the strata closest to `share`. Neither a seed nor the order of the units has a say:
    else running a study again with another seed would look at what was held out.

    Args:
        units: ids in evaluation order.
        groups: what units come from; units of too few groups are divided one by one.
        strata: the kind of every unit; what is not named is of one kind.
        share: of the units to be held out, between 0 and 1.
    """
    return divided(units, grouped(units, groups), strata, share)


def divided(
    units: Sequence[str], groups: Mapping[str, str], strata: Mapping[str, str], share: float
) -> Split:
    """Do `split` with groups that stay together however few they are; every unit has one."""
    members: dict[str, list[str]] = {}
    for unit in units:
        members.setdefault(groups[unit], []).append(unit)
    seen: dict[str, float] = {}
    held: dict[str, float] = {}
    chosen: set[str] = set()
    for name in sorted(members, key=lambda name: digest("held out", name)):
        counts: dict[str, int] = {}
        for unit in members[name]:
            kind = strata.get(unit, "")
            counts[kind] = counts.get(kind, 0) + 1
        for kind, count in counts.items():
            seen[kind] = seen.get(kind, 0.0) + count
        lacking = sum(
            share * seen[kind] - held.get(kind, 0.0) - count / 2 for kind, count in counts.items()
        )
        if lacking > 0:
            chosen.update(members[name])
            for kind, count in counts.items():
                held[kind] = held.get(kind, 0.0) + count
    searched = tuple(unit for unit in units if unit not in chosen)
    return Split(searched, tuple(unit for unit in units if unit in chosen), groups)


def grouped(units: Sequence[str], groups: Mapping[str, str]) -> dict[str, str]:
    """Name the group of every unit; each is its own where groups are too few or too unequal."""
    named = dict(zip(units, owners(units, groups), strict=True))
    sizes = Counter(named.values())
    effective = len(named) ** 2 / max(1, sum(size**2 for size in sizes.values()))
    return named if effective >= _GROUPS else {unit: unit for unit in units}


def owners(units: Sequence[str], groups: Mapping[str, str]) -> list[str]:
    """Name the group of every unit, in their order; a unit that is not named is its own."""
    return [groups.get(unit) or unit for unit in units]
