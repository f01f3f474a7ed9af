"""A verdict as data, and the sentence that says it to whoever has to decide."""

from __future__ import annotations

import html
import math
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple

Status = Literal["PROVEN", "LEANING", "NOT PROVEN", "WORSE", "NONE"]

_ENDLESS = 100_000
"""Questions that nobody will ever write."""


@dataclass(frozen=True)
class Compared:
    """What became of one finalist.

    Gains are means over questions of its score minus that of the configuration as it stands,
    positive if it is better, in units of the metric.

    Attributes:
        trial: its number.
        role: why it was chosen: `best`, `second` or `cheap`.
        search_gain: on the questions that chose it.
        gain, low, high: on the held-out questions, with the simultaneous interval.
        p: two-sided, adjusted for the number of finalists.
        cost: per question, None if unknown.
        not_worse: cheaper than the configuration as it stands, and `low` is above minus the margin.
    """

    trial: int
    role: str
    search_gain: float
    gain: float
    low: float
    high: float
    p: float
    cost: float | None
    not_worse: bool


class Questions(NamedTuple):
    """Questions that were compared on.

    Attributes:
        search: those that chose the finalists.
        held_out: those that judged them.
        groups: independent groups (documents, conversations) among the latter.
        left_out: questions of both parts that one of those compared has no value for.
    """

    search: int
    held_out: int
    groups: int
    left_out: int = 0


@dataclass(frozen=True)
class Verdict:
    """Whether something is really better than the configuration as it stands.

    Attributes:
        status: PROVEN, LEANING, NOT PROVEN, WORSE, or NONE if nothing could be compared.
        reason: what is peculiar about the comparison, or why there is none.
        metric: its name.
        maximise: whether more of it is better.
        points: whether it lies between 0 and 1, so that gains are told in points.
        questions: how many were compared on.
        alpha: threshold of the p-values, and share of samples that the intervals miss.
        looks: how often these held-out questions have been looked at, this time included.
        margin: how much worse still counts as "not worse".
        policy: `proven`, or `lean` to recommend what is only leaning.
        baseline: number of the trial of the configuration as it stands.
        baseline_cost: what it costs per question, None if unknown.
        recommended: number of the trial to use.
        leader: the finalist that the sentence is about.
        finalists: everyone who was compared, in the order they were chosen.
        raw_gain: what "take the best of the search" claims.
        corrected_gain, corrected_low, corrected_high: the same without the luck of the choice.
        needed_questions: held-out questions that would prove the leader's gain if it is as large
            as it looks; None if it is not above 0, or proven, or the documents are too few.
        needed_groups: documents (groups) without which nothing can be proven, where there are
            fewer.
        note: what else whoever decides should know.
        detectable: smallest true gain that the held-out questions prove, 4 times out of 5.
    """

    status: Status
    metric: str
    maximise: bool
    questions: Questions
    alpha: float
    reason: str | None = None
    points: bool = False
    looks: int = 1
    margin: float = 0.03
    policy: str = "proven"
    baseline: int | None = None
    baseline_cost: float | None = None
    recommended: int | None = None
    leader: Compared | None = None
    finalists: tuple[Compared, ...] = ()
    raw_gain: float | None = None
    corrected_gain: float | None = None
    corrected_low: float | None = None
    corrected_high: float | None = None
    needed_questions: int | None = None
    needed_groups: int | None = None
    detectable: float | None = None
    note: str | None = None

    @property
    def sentence(self) -> str:
        """Say it in one to three sentences."""
        if self.leader is None or self.status == "NONE":
            said = _say_none(self)
        else:
            said = _SAID[self.status](self, self.leader)
        return " ".join(part for part in (said, _offer(self), *_remarks(self)) if part)

    def _repr_html_(self) -> str:
        return f"<p><b>{html.escape(self.sentence)}</b></p>"

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON: no number that JSON does not have."""
        told = asdict(self)
        leader = told.pop("leader")
        told["questions"] = self.questions._asdict()
        told["finalists"] = [_finite(asdict(finalist)) for finalist in self.finalists]
        for name in ("gain", "low", "high"):
            told[name] = None if leader is None else leader[name]
        told["leader"] = None if leader is None else leader["trial"]
        return {"sentence": self.sentence, **_finite(told)}


def _finite(told: dict[str, Any]) -> dict[str, Any]:
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in told.items()
    }


def _number(verdict: Verdict, value: float, *, signed: bool = True) -> str:
    sign = "+" if signed else ""
    return f"{100 * value:{sign}.1f}" if verdict.points else f"{value:{sign}.3g}"


def amount(verdict: Verdict, value: float) -> str:
    """Say a gain: `+6.1 points of recall`, or `latency lower by 0.4`."""
    points = " points" if verdict.points else ""
    if verdict.maximise:
        return f"{_number(verdict, value)}{points} of {verdict.metric}"
    way = "lower" if value >= 0 else "higher"
    return f"{verdict.metric} {way} by {_number(verdict, abs(value), signed=False)}{points}"


def _better(verdict: Verdict, value: float) -> str:
    points = " points" if verdict.points else ""
    way = "better" if verdict.maximise else "lower"
    return f"{_number(verdict, value, signed=False)}{points} {way}"


def _measured(verdict: Verdict, told: Compared) -> str:
    """Say a gain with all that belongs to it."""
    p = ", p < 0.001" if told.p < 0.001 else f", p = {told.p:.3f}"
    if told.high < 0:  # p is about being better, and would belie the interval
        p = ""
    return (
        f"{amount(verdict, told.gain)} on {verdict.questions.held_out} questions it had never "
        f"seen ({interval(verdict, told)}{p})"
    )


def interval(verdict: Verdict, told: Compared) -> str:
    """Say in which bounds a gain lies."""
    what = "interval" if verdict.maximise else "interval of what it is lower by:"
    low, high = _number(verdict, told.low), _number(verdict, told.high)
    return f"{100 * (1 - verdict.alpha):.3g} % {what} {low} to {high}"


def _price(verdict: Verdict, told: Compared) -> str:
    if told.cost is None or not verdict.baseline_cost:
        return ""
    ratio = told.cost / verdict.baseline_cost
    if abs(ratio - 1.0) < 0.005:
        return "it costs the same"
    return f"it costs {ratio:.2g}x as much a question"


def _settle(verdict: Verdict) -> str:
    needed, groups = verdict.needed_questions, verdict.questions.groups
    if verdict.needed_groups is not None:
        return (
            f"; the questions come from {groups} document{'s' * (groups > 1)}, and fewer than "
            f"{verdict.needed_groups} prove nothing: ask about more"
        )
    if needed is None:
        return ""
    if needed > _ENDLESS:
        return "; no number of questions worth writing would settle it"
    scale = 10 ** max(0, len(str(needed)) - 2)
    return f"; about {math.ceil(needed / scale) * scale} unseen questions would settle it"


def _say_proven(verdict: Verdict, told: Compared) -> str:
    price = _price(verdict, told)
    return (
        f"PROVEN: trial {told.trial} is better than what you have: {_measured(verdict, told)}"
        f"{'; ' + price if price else ''}."
    )


def _say_leaning(verdict: Verdict, told: Compared) -> str:
    then = (
        "It is recommended all the same, as the policy asks."
        if verdict.recommended == told.trial
        else "Until then, keep the configuration as it stands."
    )
    return (
        f"LEANING: trial {told.trial} is probably better, but this is no proof: "
        f"{_measured(verdict, told)}{_settle(verdict)}. {then}"
    )


def _say_not_proven(verdict: Verdict, told: Compared) -> str:
    many = verdict.questions.held_out
    keep = "NOT PROVEN: keep the configuration as it stands"
    if verdict.reason:
        return f"{keep}; {verdict.reason}."
    if told.gain > 0:
        return (
            f"{keep}; trial {told.trial} looks {_better(verdict, told.gain)}, which {many} "
            f"questions cannot tell from luck{_settle(verdict)}."
        )
    return (
        f"{keep}; nothing that looked better in the search did better on {many} questions it had "
        f"never seen (trial {told.trial} came nearest: {amount(verdict, told.gain)})."
    )


def _say_worse(verdict: Verdict, told: Compared) -> str:
    return (
        "WORSE: keep the configuration as it stands; everything that looked best in the search is "
        f"worse than it, trial {told.trial} the least: {_measured(verdict, told)}."
    )


def _say_none(verdict: Verdict) -> str:
    said = f"NO VERDICT: {verdict.reason}."
    if not verdict.raw_gain or verdict.corrected_gain is None:
        return said
    left = max(0.0, verdict.corrected_gain)
    return (
        f"{said} In the search the best trial looks {_better(verdict, verdict.raw_gain)}, of "
        f"which about {_number(verdict, left, signed=False)} are left when the luck of the choice "
        "is taken out."
    )


_SAID = {
    "PROVEN": _say_proven,
    "LEANING": _say_leaning,
    "NOT PROVEN": _say_not_proven,
    "WORSE": _say_worse,
}


def _offer(verdict: Verdict) -> str:
    """Name what is cheaper and not worse, if nothing is proven to be better."""
    kept = [told for told in verdict.finalists if told.not_worse]
    if verdict.status in ("PROVEN", "NONE") or not kept:
        return ""
    told = min(kept, key=lambda one: one.cost or 0.0)
    points = " points" if verdict.points else ""
    return (
        f"Trial {told.trial} is no better, but not worse by more than "
        f"{_number(verdict, verdict.margin, signed=False).removesuffix('.0')}{points} either, and "
        f"{_price(verdict, told)}{' (recommended)' if verdict.recommended == told.trial else ''}."
    )


def _remarks(verdict: Verdict) -> list[str]:
    said = [f"{verdict.note[:1].upper()}{verdict.note[1:]}."] if verdict.note else []
    left_out = verdict.questions.left_out
    if left_out:
        many = "1 question was" if left_out == 1 else f"{left_out} questions were"
        said.append(f"{many} left out, because one of those compared has no value for it.")
    if verdict.status == "PROVEN" and verdict.leader is not None and verdict.leader.low <= 0:
        said.append("The interval, which is computed in another way than p, reaches just below 0.")
    if verdict.looks > 1 and verdict.status != "NONE":
        said.append(
            f"These questions have been looked at {verdict.looks} times, so the bar was "
            f"p < {verdict.alpha:.2g}."
        )
    return said
