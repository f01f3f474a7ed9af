"""How many trials fit on a Ray cluster, and whether one fits at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from raytuner.component import ConfigError
from raytuner.resources import Resources

_OWN = {"CPU": "cpu", "GPU": "gpu", "memory": "memory"}
"""Ray's names of what has a field of its own."""
_EPSILON = 1e-9


def check_resources(resources: Resources, workers: int | None) -> None:
    """Refuse what no cluster can mean.

    Raises:
        ConfigError: naming the field.
    """
    for name, amount in (("gpu", resources.gpu), *resources.custom.items()):
        if amount > 1 and amount != int(amount):
            raise ConfigError(
                f"resources.{name}: a trial gets a part of one, or whole ones, got {amount:g}",
                ("resources", name),
            )
    for name, amount in resources.custom.items():
        own = {known.lower(): field for known, field in _OWN.items()}.get(name.lower())
        if own or name.startswith("node:") or name == "object_store_memory":
            hint = f"use resources.{own}" if own else "it is Ray's own"
            raise ConfigError(
                f"resources.custom: {name!r} is no custom resource: {hint}", ("resources", "custom")
            )
        if amount < 0:
            raise ConfigError(
                f"resources.custom: {name}: give an amount of 0 or more, got {amount:g}",
                ("resources", "custom"),
            )
    if workers is None and not _wanted(resources):
        raise ConfigError(
            "resources: a trial that occupies nothing fits without end; give `workers`, or some "
            "resources.cpu",
            ("resources",),
        )


def options_of(resources: Resources) -> dict[str, Any]:
    """Give the resources as options of a Ray actor."""
    options: dict[str, Any] = {"num_cpus": resources.cpu, "num_gpus": resources.gpu}
    if resources.memory is not None:
        options["memory"] = resources.memory
    if resources.custom:
        options["resources"] = dict(resources.custom)
    return options


def count_fitting(
    resources: Resources, nodes: Sequence[Mapping[str, float]], ceiling: Mapping[str, float] | None
) -> int:
    """Count the trials that the cluster can hold at the same time, were it otherwise idle.

    Args:
        resources: of one trial.
        nodes: what each living node has.
        ceiling: what a cluster that grows may have in all, or None.

    Returns:
        At least 1 where something fits, or will once the cluster has grown.

    Raises:
        ConfigError: no node is large enough; says what the largest one has.
    """
    wanted = _wanted(resources)
    if not wanted:
        return max(1, int(sum(node.get("CPU", 0) for node in nodes)))
    count = sum(_fitting(wanted, node) for node in nodes)
    if count or (ceiling and _fitting(wanted, ceiling)):
        return max(1, count)
    for name, amount in wanted.items():
        largest = max((node.get(name, 0.0) for node in nodes), default=0.0)
        if largest + _EPSILON < amount:
            field = _OWN.get(name, f"custom.{name}")
            raise ConfigError(
                f"resources.{field}: a trial asks for {_spelled(name, amount)}, the largest node "
                f"of the cluster has {_spelled(name, largest)}",
                ("resources", *field.split(".", 1)),
            )
    asked = ", ".join(f"{_OWN.get(n, n)} {_spelled(n, amount)}" for n, amount in wanted.items())
    raise ConfigError(f"resources: no single node of the cluster has {asked}", ("resources",))


def _spelled(name: str, amount: float) -> str:
    return f"{amount:,.0f} bytes" if name == "memory" else f"{amount:g}"


def _wanted(resources: Resources) -> dict[str, float]:
    amounts = {
        "CPU": resources.cpu,
        "GPU": resources.gpu,
        "memory": float(resources.memory or 0),
        **resources.custom,
    }
    return {name: amount for name, amount in amounts.items() if amount > 0}


def _fitting(wanted: Mapping[str, float], node: Mapping[str, float]) -> int:
    return min(int(node.get(name, 0.0) / amount + _EPSILON) for name, amount in wanted.items())
