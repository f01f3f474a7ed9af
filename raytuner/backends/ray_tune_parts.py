"""What Ray Tune's controller is given: a searcher, a callback and a stopper that know the sweep.

The controller would report an error of its own for whatever is raised here, so that is kept, and
raised when the controller has ended.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

from ray import cloudpickle, tune
from ray.tune.search import Searcher
from ray.tune.stopper import FunctionStopper
from ray.tune.utils.util import flatten_dict

from raytuner.backends.ray_tune_bridge import Bridge
from raytuner.component import ConfigError, RaytunerError


class _Linked:
    """Holds the bridge; Tune copies and pickles its parts, which must leave the sweep alone."""

    bridge: Bridge

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __getstate__(self) -> dict[str, Any]:
        return {}


_Call = TypeVar("_Call", bound=Callable[..., Any])


def _kept(call: _Call) -> _Call:
    """Keep what a call raises, and have the controller end."""

    @functools.wraps(call)
    def guarded(self: Any, *arguments: Any, **named: Any) -> Any:
        try:
            return call(self, *arguments, **named)
        except BaseException as error:  # noqa: BLE001 - raised by `Bridge.close`
            self.bridge.error = self.bridge.error or error
            return None

    return guarded  # type: ignore[return-value]


class Jobs(_Linked, Searcher):  # type: ignore[misc]
    """Suggests the sweep's jobs."""

    def __init__(self, bridge: Bridge) -> None:
        super().__init__()
        self.bridge = bridge

    @_kept
    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """Give the next job; None: try later."""
        return self.bridge.next(trial_id)

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Do nothing: results come through the callback, with every step."""

    def save(self, checkpoint_path: str) -> None:
        """Save nothing: the journal holds everything."""

    def restore(self, checkpoint_path: str) -> None:
        """Restore nothing."""


class Results(_Linked, tune.Callback):  # type: ignore[misc]
    """Hands every step's scores to the sweep, and every loss."""

    def __init__(self, bridge: Bridge) -> None:
        self.bridge = bridge

    @_kept
    def on_trial_start(self, *, trial: Any, **_info: Any) -> None:
        """Note when the attempt begins."""
        self.bridge.started(trial.trial_id)

    @_kept
    def on_trial_result(self, *, trial: Any, result: dict[str, Any], **_info: Any) -> None:
        """Put the scores on record before Tune asks for the next step."""
        self.bridge.report(trial.trial_id, result)

    @_kept
    def on_trial_error(self, *, trial: Any, **_info: Any) -> None:
        """Take in that the worker of a trial is lost."""
        self.bridge.lost(trial.trial_id, _error_of(trial))


def _error_of(trial: Any) -> Exception:
    """Read what Tune has just written down, on this machine, about a trial's error."""
    path = trial.pickled_error_file
    if path is not None and Path(path).is_file():
        with Path(path).open("rb") as file:
            error: Exception = cloudpickle.load(file)
        return error
    return RaytunerError(Path(trial.error_file).read_text(encoding="utf-8", errors="replace"))


class Ending(_Linked, tune.Stopper):  # type: ignore[misc]
    """Ends trials by the rule of the run config, and all with the sweep, after their batch."""

    def __init__(self, bridge: Bridge, rule: tune.Stopper) -> None:
        self.bridge = bridge
        self.rule = rule

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Tell whether a trial is to end after the batch that it has just reported."""
        return bool(self.rule(trial_id, result)) or self.bridge.over

    def stop_all(self) -> bool:
        """Tell whether nothing is to be waited for any more."""
        if self.rule.stop_all():
            self.bridge.stop()
        return self.bridge.abandoned


class Reached(tune.Stopper):  # type: ignore[misc]
    """Stops a trial when one of some metrics has reached its value."""

    def __init__(self, limits: Mapping[str, float]) -> None:
        self._limits = dict(limits)

    def __call__(self, _trial_id: str, result: dict[str, Any]) -> bool:
        """Compare a result, nested names being joined by `/`."""
        flat = flatten_dict(result)
        return any(name in flat and flat[name] >= limit for name, limit in self._limits.items())

    def stop_all(self) -> bool:
        """Go on with the others."""
        return False


def ending(bridge: Bridge, rule: Any) -> Ending:
    """Join the sweep's end with what a run config calls `stop`.

    Raises:
        ConfigError: it is nothing that Ray Tune takes.
    """
    if rule is None or isinstance(rule, Mapping):
        rule = Reached(rule or {})
    elif not isinstance(rule, tune.Stopper):
        if not callable(rule):
            raise ConfigError(
                f"run_config.stop: give a dict of limits, a Stopper or a function, got {rule!r:.80}"
            )
        rule = FunctionStopper(rule)
    return Ending(bridge, rule)
