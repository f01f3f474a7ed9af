"""Inference tuning under AutoGen's names: `tune_completion`, and what it gives back.

What is tuned is the installed objective `completion`; this puts a study around it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from raytuner.compat.completion_analysis import CompletionAnalysis
from raytuner.compat.completion_space import completion_space
from raytuner.component import ConfigError
from raytuner.named import objective_of
from raytuner.study import Study
from raytuner.terminal.progress import listener_for
from raytuner.tuner import run

_RUNG = 8
"""Instances that every configuration is asked about before it is compared with others."""
_IGNORED = ("log_file_name", "logging_level", "allow_format_str_template", "use_cache")


def tune_completion(
    data: Sequence[Mapping[str, Any]] | str | Path,
    metric: str,
    mode: Literal["min", "max"] = "max",
    eval_func: Callable[..., Any] | str | None = None,
    *,
    inference_budget: float | None = None,
    optimization_budget: float | None = None,
    num_samples: int = 1,
    models: Mapping[str, Any] | None = None,
    prices: Mapping[str, Any] | None = None,
    search: Any = "random",
    scheduler: Any = None,
    run_dir: str | Path | None = None,
    cache: str | Path | None = None,
    seed: int = 0,
    show_progress: bool = False,
    version: str = "",
    outputs: Mapping[str, str] | None = None,
    options: Mapping[str, Any] | None = None,
    **config: Any,
) -> tuple[dict[str, Any], CompletionAnalysis]:
    r"""Find the best model, prompt and sampling for a task, under two budgets.

    Args:
        data: instances: mappings, or a file of JSON lines.
        metric: what is optimised, one of those that `eval_func` gives.
        mode: whether more of it is better.
        eval_func: takes the list of answers and the fields of the instance by name; gives a
            mapping of metrics. Their means over the instances are compared.
        inference_budget: dollars an instance, at list price and on average, that the chosen
            configuration may cost. One that is confidently above it is stopped.
        optimization_budget: dollars for all of the tuning; never exceeded.
        num_samples: configurations to try; -1: until the optimisation budget is used.
        models: named models, as in a study: endpoints, fallbacks, limits, prices.
        prices: dollars per million tokens, `{"gpt-4o-mini": {"input": 0.15, "output": 0.6}}`,
            where the list price does not hold.
        search: how configurations are chosen.
        scheduler: which are stopped early; default: after 8, 16, ... instances the better half
            goes on.
        run_dir: folder that keeps the journal, so that an interrupted tuning goes on there.
        cache: folder of the answers; default: the user's own.
        seed: of every random choice.
        show_progress: print progress.
        version: change it when something changes that `eval_func` calls.
        outputs: how truncated, empty, filtered and invalid answers count: keep, zero or fail.
        options: further fields of the study: backend, workers, address, timeout, ...
        **config: the space, over AutoGen's default: model, prompt or messages, max_tokens,
            temperature or top_p, n, best_of, stop, presence_penalty, frequency_penalty. A scalar
            holds, a list is a choice, a mapping is a domain such as `{"float": [0, 1]}`.

    Returns:
        The configuration, as `create` takes it, and the analysis.

    Raises:
        ConfigError: bad input, before any money is spent.
        RaytunerError: no configuration could be completed.
    """
    config = _without_ignored(config)
    if mode not in ("min", "max"):
        raise ConfigError(f"mode: give min or max, got {mode!r}", ("mode",))
    limits = (options or {}).get("budget", optimization_budget)
    _check_samples(num_samples, limited=limits is not None)
    for name, mapping in (("models", models), ("prices", prices)):
        if not isinstance(mapping, Mapping | None):
            raise ConfigError(f"{name}: give a mapping by name, got {mapping!r:.80}", (name,))
    known = _models(models or {}, prices or {})
    chosen = completion_space(config, list(known))
    section: dict[str, Any] = {
        "instances": _instances(data),
        "eval_func": eval_func,
        "completion": chosen.fixed,
        "messages": chosen.messages,
        "stops": chosen.stops,
        "models": known,
        "minimise": [metric] if mode == "min" else [],
        "outputs": dict(outputs or {}),
        "version": version,
        "cache": None if cache is None else str(cache),
    }
    objective = objective_of("completion", section, Path.cwd(), seed)
    fields: dict[str, Any] = {
        "name": "completion",
        "objective": objective,
        "space": chosen.space,
        "metric": metric,
        "search": _sampled(search, num_samples),
        "scheduler": scheduler or _halving(len(objective.units())),
        "budget": {"usd": optimization_budget, "usd_per_question": inference_budget},
        "baseline": False,
        "seed": seed,
        **({} if run_dir is None else {"run_dir": str(run_dir)}),
    }
    study = Study.parse({**fields, **(options or {})})
    listener = listener_for(None if num_samples == -1 else num_samples) if show_progress else None
    results = run(study, listener=listener, in_memory=run_dir is None)
    analysis = CompletionAnalysis(results, objective)
    return analysis.best_config, analysis


def _instances(data: Any) -> Any:
    """Give instances as the objective takes them; it refuses what they cannot be."""
    if isinstance(data, Path):
        return str(data)
    if isinstance(data, str | Mapping) or not isinstance(data, Iterable):
        return data
    return [dict(row) if isinstance(row, Mapping) else row for row in data]


def _without_ignored(config: Mapping[str, Any]) -> dict[str, Any]:
    """Drop AutoGen's arguments that mean nothing here, and say so."""
    for name in _IGNORED:
        if config.get(name) is not None:
            warnings.warn(f"tune_completion: {name} has no effect", stacklevel=3)
    if config.get("config_list") is not None:
        raise ConfigError(
            "config_list: name the endpoints in `models`; one of kind `fallback` tries several",
            ("config_list",),
        )
    return {name: value for name, value in config.items() if name not in (*_IGNORED, "config_list")}


def _check_samples(num_samples: Any, *, limited: bool) -> None:
    if (
        isinstance(num_samples, bool)
        or not isinstance(num_samples, int)
        or (num_samples < 1 and num_samples != -1)
    ):
        reason = f"num_samples: give 1 or more, or -1, got {num_samples!r:.40}"
        raise ConfigError(reason, ("num_samples",))
    if num_samples == -1 and not limited:
        raise ConfigError(
            "num_samples: -1 goes on until the money is used; give an optimization_budget",
            ("num_samples",),
        )


def _models(models: Mapping[str, Any], prices: Mapping[str, Any]) -> dict[str, Any]:
    """Put the prices of models that have none of their own beside them."""
    known = {name: dict(one) if isinstance(one, Mapping) else one for name, one in models.items()}
    for name, price in prices.items():
        given = known.setdefault(name, {"model": name})
        if isinstance(given, str):
            given = known[name] = {"model": given}
        if not isinstance(given, dict):
            raise ConfigError(f"prices: {name} is a model that has its own price", ("prices",))
        given.setdefault("price", price)
    return known


def _sampled(search: Any, num_samples: int) -> Any:
    """Have a search propose so many configurations."""
    if not isinstance(search, str | Mapping):
        return search
    fields = {"kind": search} if isinstance(search, str) else dict(search)
    if num_samples != -1 and fields.get("kind") != "grid":
        fields.setdefault("samples", num_samples)
    return fields


def _halving(units: int) -> Any:
    """Let the better half go on after 8 instances, 16, ...; few instances are all asked."""
    if units < 2 * _RUNG:
        return "none"
    return {"kind": "asha", "grace": _RUNG, "reduction": 2}
