"""Says in a few sentences what a study has found: what leads, how sure that is, what it took."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from itertools import takewhile
from pathlib import Path

import numpy as np

from raytuner.printable import near, plain, shorten, spell_params
from raytuner.proof.confidence import Interval
from raytuner.repeats import Noise, noise
from raytuner.results import Results
from raytuner.spending import accounts, plain_work, spoken
from raytuner.trial import Trial

_CUT, _UNSEEN = "chunks_cut", "tokens_unseen"
"""Facts of a configuration: see `_cut`."""


def lines(results: Results, study: Path | None = None) -> list[str]:
    """Say what leads, how sure that is, what it took, and what to type next.

    Args:
        results: what has been found.
        study: the study as the user named it, for the commands; default: the run folder.
    """
    said = _leader(results)
    dead = dead_knobs(results)
    if dead:
        said.append(f"No effect on any score: {', '.join(map(plain, dead))}.")
    said += [*_pruned(results), *_failed(results), *_work(results)]
    if results.settled:
        said.append(f"Settled: {plain(results.settled)}.")
    if results.stop_reason:
        said.append(f"Stopped early: {plain(results.stop_reason)}.")
    if results.folder is not None:
        said += _next(results, study)
    if results.record.current:
        said.append(plain(results.verdict.sentence))
    return said


def _leader(results: Results) -> list[str]:
    best, baseline, curve = results.best, results.baseline, results.record.curve
    if best is None:
        over = [trial for trial in results.ranked if results.score(trial) is not None]
        if not over:
            return ["No configuration has been scored on every question yet."]
        first = over[0]
        why = f"the best of the others, trial {first.number}: {results.broken(first)}"
        return [f"No configuration keeps to the limits; {plain(why)}."]
    score = results.score(best)
    said = [f"Best: {results.metric} {score:.4f}, trial {best.number}: {spell_params(best.params)}"]
    if baseline is best:
        tried = "nothing that was tried"
        if any(results.broken(trial) for trial in _before(results, best)):
            tried += " within the limits"
        said.append(f"  This is the configuration as it stands; {tried} beats it.")
    elif baseline is not None:
        gain = results.difference(best, baseline)
        said.append(f"  Against the configuration as it stands: {_gain(gain, curve=curve)}")
    said += [*([] if curve else [_contenders(results)]), *_cut(best, baseline)]
    return [*said, *(_noisy(one) for one in noise(best))]


def _before(results: Results, best: Trial) -> Iterator[Trial]:
    """Give the trials that score better than the best one, and may not be it."""
    return takewhile(lambda trial: trial is not best, results.ranked)


def _noisy(found: Noise) -> str:
    """Say how much single verdicts on the same answer differ."""
    return (
        f"  Judge: single verdicts of {plain(found.metric)} on one answer differ by "
        f"{found.sd:.3f} (standard deviation, {found.units} questions)."
    )


def _gain(gain: Interval | None, *, curve: bool) -> str:
    if gain is None:
        return "no common questions."
    if curve:
        return f"{gain.estimate:+.4f} after the last step."
    if not np.isfinite(gain.low):
        return f"{gain.estimate:+.4f} (one question tells nothing about how sure that is)."
    return f"{gain.estimate:+.4f}, 95 % interval {gain.low:+.4f} to {gain.high:+.4f}, paired."


def _contenders(results: Results) -> str:
    """Say how many of the others that keep to the limits the questions tell the best one from."""
    others = len(results.eligible) - 1
    if not others:
        whole = sum(results.score(trial) is not None for trial in results.record.current)
        over = "No other complete trial keeps to the limits."
        return f"  {over if whole > 1 else 'There is nothing to compare it with yet.'}"
    count, units = len(results.contenders()), len(results.record.units)
    asked = "1 question" if units == 1 else f"{units} questions"
    if results.record.held_out:
        return f"  The {asked} searched {_apart(count, others)} (paired, 95 %)."
    if not count:
        return f"  {asked} {_apart(count, others)} (paired, 95 %)."
    whom = "the other one" if others == 1 else f"{count} of {others} others"
    return f"  A lead, not a proof: {asked} cannot tell it apart from {whom} (paired, 95 %)."


def _apart(count: int, others: int) -> str:
    """Say from whom it is told apart, if `count` of the others cannot be."""
    if count == others:
        return f"cannot tell it apart from {'the other one' if others == 1 else 'any other one'}"
    if count:
        return f"tell it apart from all but {count} of {others} others"
    return f"tell it apart from {'the other one' if others == 1 else f'all {others} others'}"


def _cut(best: Trial, baseline: Trial | None) -> list[str]:
    """Say what the embedding model never saw of the chunks of the best configuration."""
    texts = best.facts.get(_CUT, 0)
    standing = baseline.facts.get(_CUT, 0) if baseline is not None else texts
    if not texts and not standing:
        return []
    said = f"  Note: {_unseen(best.facts)}"
    if baseline is not None and standing != texts:
        said += f"; as it stands: {_unseen(baseline.facts)}"
    return [f"{said}."]


def _unseen(facts: Mapping[str, float]) -> str:
    texts, tokens = facts.get(_CUT, 0), facts.get(_UNSEEN, 0)
    if not texts:
        return "no chunk is longer than the embedding model reads"
    longer = f"{texts:,.0f} chunk texts are longer than the model reads"
    return f"{longer}, {tokens:,.0f} tokens went unseen"


def dead_knobs(results: Results) -> list[str]:
    """List parameters that changed no score of any question, whichever value was tried.

    Compared are trials that differ in nothing else, on the questions that both have answered. A
    parameter with a value that nothing can be compared with is not listed.
    """
    dead = []
    scored = [trial for trial in results.record.current if trial.metrics]
    for name in results.parameters:
        groups: dict[str, list[Trial]] = {}
        for trial in scored:
            others = {k: v for k, v in trial.params.items() if k != name}
            groups.setdefault(json.dumps(others, sort_keys=True), []).append(trial)
        pairs = [(g[0], t) for g in groups.values() for t in g[1:] if t.key != g[0].key]
        compared = {json.dumps(trial.params.get(name)) for pair in pairs for trial in pair}
        tried = {json.dumps(trial.params[name]) for trial in scored if name in trial.params}
        if pairs and tried <= compared and all(_same_scores(a, b) for a, b in pairs):
            dead.append(name)
    return dead


def _same_scores(a: Trial, b: Trial) -> bool:
    """Compare two trials on the questions that both have answered."""
    if a.metrics != b.metrics:
        return False
    common = ~(np.isnan(a.table).all(axis=1) | np.isnan(b.table).all(axis=1))
    left, right = a.table[common], b.table[common]
    return bool(common.any()) and np.array_equal(left, right, equal_nan=True)


def _pruned(results: Results) -> list[str]:
    """Say what stopping early has saved, and who still waits to be compared."""
    trials, units = results.record.current, len(results.record.units)
    ended = [trial for trial in results.pruned if trial.status == "pruned"]
    if waiting := len(results.pruned) - len(ended):
        return [f"Early stopping: {waiting} of {len(trials)} trials wait to be compared."]
    if not ended:
        return []
    stopped = [trial.answered for trial in ended]
    asked = sum(trial.answered for trial in trials)
    share = asked / (len(trials) * units)
    done = "done" if results.record.curve else "answered"
    said = (
        f"Early stopping: {len(stopped)} of {len(trials)} trials ended after {min(stopped)} to "
        f"{max(stopped)} of {units} {results.record.asked}; {asked:,} of "
        f"{len(trials) * units:,} {results.record.asked} were {done} ({share:.0%})."
    )
    return [said]


def _failed(results: Results) -> list[str]:
    if not results.failed:
        return []
    first = results.failed[0]
    reason = shorten(plain(first.failure.message), 300) if first.failure else "unknown"
    count = len(results.failed)
    trials = "1 trial" if count == 1 else f"{count} trials"
    return [f"Failed: {trials}; the first, {spell_params(first.params)}: {reason}"]


def _work(results: Results) -> list[str]:
    """Say what the latest session did, and what it paid for."""
    paid = spoken(accounts(results.work))
    done = plain_work(results.work)
    if not done and not paid:
        return ["Work done: none, everything was on record."] if results.total_work else []
    said = "Work done: " + ", ".join(f"{amount:,} {name}" for name, amount in done.items())
    stages = [f"{k} {s:.1f} s" for k, s in results.stage_seconds.items() if s >= 0.05]
    first = f"{said} ({', '.join(stages)})." if stages else f"{said}."
    return [*([first] if done else []), *map(plain, paid)]


def _next(results: Results, study: Path | None) -> list[str]:
    folder = near(results.folder or Path())
    named = shlex.quote(str(study or folder))
    said = [f"Trial table: {plain(folder / 'trials.parquet')}"]
    if results.best is not None:
        said.append(f"Next: raytuner results {named} --all; raytuner export {named} -o best.yaml")
    return said
