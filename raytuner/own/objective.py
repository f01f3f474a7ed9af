"""What objectives of the user's own have in common: items, metrics, the baseline."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from raytuner.component import ConfigError, digest
from raytuner.objective import COSTS, Exchange, Objective, Params
from raytuner.own.configuration import Config
from raytuner.own.function import UNIT
from raytuner.own.identity import plain
from raytuner.own.items import Items
from raytuner.own.reading import measured
from raytuner.own.settings import Declared

_QUESTIONS = ("question", "input", "prompt", "text")
_REFERENCES = ("reference", "answer", "expected", "output")


class OwnObjective(Objective):
    """An objective that is one result, or one for each of many items.

    Args:
        settings: items, the configuration as it stands, what is declared of the metrics.
        root: folder that relative paths start from.
        seed: of the order of items.

    Raises:
        ConfigError: items that cannot be read.
    """

    def __init__(self, settings: Declared, root: Path, seed: int = 0) -> None:
        self.settings = settings
        self.root = root
        self.seed = seed
        self.config = dict(settings.config)
        self._given: Items | None = None
        _ = self.items

    @cached_property
    def items(self) -> Items | None:
        """What is asked about, read once per process, or given by another one."""
        if self.settings.items is None or self._given is not None:
            return self._given
        return Items.read(self.settings.items, self.root, self.settings.fields)

    @property
    def _file(self) -> bool:
        return isinstance(self.settings.items, str | Path)

    def __getstate__(self) -> dict[str, Any]:
        """Leave behind what lies in a file; what a function has given travels."""
        state = {**self.__dict__, "_given": None}
        items = state.pop("items", None)
        if not self._file:
            state["_given"] = items
        return state

    def share(self, exchange: Exchange) -> None:
        """Pass items on; the process that asks first reads the file."""
        if not self._file:
            return  # they travel with the objective
        loaded = False

        def load() -> Any:
            nonlocal loaded
            loaded = True
            assert self.items is not None
            return self.items.packed()

        source = [str(self.settings.items), str(self.root), *self.settings.fields]
        arrays = exchange.obtain(digest("items", *source), load)
        if not loaded:
            self.__dict__.pop("items", None)
            self._given = Items.unpacked(arrays, self.settings.fields)

    # ---- what the tuner asks before it runs anything

    def units(self) -> Sequence[str]:
        """List the items in the order of evaluation."""
        return (UNIT,) if self.items is None else self.items.ordered(self.seed)

    def key(self, params: Params) -> str:
        """Identify what is computed: equal configurations have equal keys, however spelt."""
        return digest(self.scope(), plain(self.configured(params)))

    def configured(self, params: Params) -> Config:
        """Give the whole configuration of a trial."""
        return Config({**self.config, **params})

    def metrics(self) -> tuple[str, ...] | None:
        """Name what is declared, and costs; without a declaration the first result has to tell."""
        return measured(self.settings.metrics)

    def maximise(self, metric: str) -> bool:
        """Tell whether more of a metric is better."""
        return metric not in {*COSTS, *self.settings.minimise}

    def defaults(self, names: Sequence[str]) -> Params | None:
        """Give the configuration as it stands, if it has a value for every parameter."""
        return standing(self.config, names)

    def groups(self) -> Mapping[str, str]:
        """Name what items come from."""
        return self.items.groups() if self.items else {}

    def strata(self) -> Mapping[str, str]:
        """Name the kind of items."""
        return self.items.strata() if self.items else {}

    def contents(self) -> Mapping[str, str]:
        """Digest every item."""
        return self.items.contents() if self.items else {}

    def plan(self, points: Sequence[Params]) -> Mapping[str, float]:
        """Count the items."""
        del points
        return {"items": len(self.items.ids)} if self.items else {}

    def warnings(self) -> Sequence[str]:
        """Say what looks wrong with the data."""
        number = len(self.items.ids) if self.items else None
        if number is None or number >= 50:
            return ()
        few = f"only {number} items: expect to tell apart only very different configurations"
        return (f"{few} (100 or more are worth having)",)

    def export(self, params: Params) -> Mapping[str, Any]:
        """Give the whole configuration."""
        whole = self.configured(params)
        try:
            return whole.nested()
        except ConfigError:  # a name is a part of another one: dotted, then
            return whole

    def explain(self, params: Params, units: Sequence[str]) -> Sequence[Mapping[str, Any]]:
        """Show the items; what became of them is in the notes of their scores."""
        del params
        return [_shown(unit, self.items[unit]) for unit in units] if self.items else ()


def standing(config: Mapping[str, Any], names: Sequence[str]) -> Params | None:
    """Give what a configuration has for parameters, if it has something for each of them."""
    if not all(name in config for name in names):
        return None
    values = {name: config[name] for name in names}
    return {n: tuple(v) if isinstance(v, list) else v for n, v in values.items()}


def _shown(unit: str, item: Mapping[str, Any]) -> Mapping[str, Any]:
    """Spell an item as a question and its reference, where it has fields called like that."""

    def first(names: Sequence[str]) -> str | None:
        return next((str(item[name]) for name in names if isinstance(item.get(name), str)), None)

    question = first(_QUESTIONS) or json.dumps(dict(item), ensure_ascii=False, default=repr)
    reference = first(_REFERENCES)
    return {"unit": unit, "question": question, **({"reference": reference} if reference else {})}
