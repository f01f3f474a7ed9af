"""Reads LlamaIndex's `run_config_dict`: what of Ray's RunConfig has a counterpart here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from raytuner.backends.ray_tune import FIELDS
from raytuner.component import ConfigError, nearest

_HOME = Path("~/ray_results")
"""Where Ray keeps experiments that have a name and no `storage_path`."""
_OURS = frozenset({"name", "storage_path", "failure_config", "verbose"})
_MOST = 100
"""Retries that stand for Ray's -1, without end."""


@dataclass(frozen=True)
class RunConfig:
    """What a `run_config_dict` asks for.

    Attributes:
        folder: where results are to be kept, or None.
        retries: after the first attempt at a trial, or None.
        progress: whether progress is to be printed, or None.
        tune: fields for Ray Tune's controller; empty if there is nothing that only it can do.
    """

    folder: Path | None = None
    retries: int | None = None
    progress: bool | None = None
    tune: Mapping[str, Any] = field(default_factory=dict)


def read_run_config(given: Mapping[str, Any] | None) -> RunConfig:
    """Read a dict of fields of `ray.tune.RunConfig`.

    Raises:
        ConfigError: for an unknown field, or a value that has no counterpart.
    """
    fields = {name: value for name, value in (given or {}).items() if value is not None}
    known = (*FIELDS, "failure_config")
    for name in fields:
        if name not in known:
            raise ConfigError(
                f"run_config_dict: Ray's RunConfig has no field {name!r}; it has: "
                f"{', '.join(sorted(known))}.{nearest(str(name), known)}",
                ("run_config_dict", str(name)),
            )
    tune = {name: value for name, value in fields.items() if name not in _OURS}
    if tune:
        tune |= {name: fields[name] for name in ("name", "storage_path") if name in fields}
    if "progress_reporter" in tune:
        tune["verbose"] = fields.get("verbose", 1)
    return RunConfig(
        folder=_folder(fields), retries=_retries(fields), progress=_progress(fields), tune=tune
    )


def _folder(fields: Mapping[str, Any]) -> Path | None:
    if "name" not in fields and "storage_path" not in fields:
        return None
    place = str(fields.get("storage_path", _HOME))
    if "://" in place:
        raise ConfigError(
            f"run_config_dict.storage_path: {place} is no folder of this machine, where results "
            "are kept; give a folder, or `run_dir` beside it",
            ("run_config_dict", "storage_path"),
        )
    return Path(place).expanduser() / str(fields.get("name", ""))


def _retries(fields: Mapping[str, Any]) -> int | None:
    failure = fields.get("failure_config")
    if failure is None:
        return None
    if not isinstance(failure, Mapping):
        failure = {name: getattr(failure, name, None) for name in ("max_failures", "fail_fast")}
    where = ("run_config_dict", "failure_config")
    for name in failure:
        if name not in {"max_failures", "fail_fast"}:
            raise ConfigError(
                f"run_config_dict.failure_config: it has no {name!r}; it has: max_failures", where
            )
    if failure.get("fail_fast"):
        raise ConfigError(
            "run_config_dict.failure_config: fail_fast would end all trials with the first that "
            "fails; leave it out, here the others stand",
            where,
        )
    retries = failure.get("max_failures", 0)
    if not isinstance(retries, int) or isinstance(retries, bool) or retries < -1:
        raise ConfigError(
            "run_config_dict.failure_config: max_failures is a number of retries, or -1, got "
            f"{retries!r}",
            where,
        )
    return _MOST if retries == -1 else retries


def _progress(fields: Mapping[str, Any]) -> bool | None:
    if "verbose" not in fields:
        return None
    try:
        return int(fields["verbose"]) > 0
    except (TypeError, ValueError):
        raise ConfigError(
            f"run_config_dict.verbose: give 0, 1 or 2, got {fields['verbose']!r}",
            ("run_config_dict", "verbose"),
        ) from None
