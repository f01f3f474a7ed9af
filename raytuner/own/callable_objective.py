"""A function of the user's own as an objective: one result, or one for each of many items."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

from raytuner.component import digest
from raytuner.objective import Meter, Params, UnitScore
from raytuner.own.identity import identity
from raytuner.own.item_calls import ItemCalls
from raytuner.own.objective import OwnObjective
from raytuner.own.settings import OwnSettings


class CallableObjective(OwnObjective):
    """Calls `function(item, config)` for every item, or `function(config)` once.

    Args:
        function: sync or async; gives metrics (see `raytuner.own.reading`).
        settings: items, what is declared of the metrics, and how it is called.
        root: folder that relative paths start from.
        seed: of the order of items.

    Raises:
        ConfigError: items that cannot be read.
    """

    name: ClassVar[str] = "callable"

    def __init__(
        self, function: Callable[..., Any], settings: OwnSettings, root: Path, seed: int = 0
    ) -> None:
        super().__init__(settings, root, seed)
        self.function = function
        self._calls = ItemCalls(function, settings)
        self._scope: str | None = None

    def scope(self) -> str:
        """Identify function, items and version."""
        if self._scope is None:
            items = None if self.items is None else self.items.key
            kept = [self.settings.version, list(self.settings.metrics)]
            self._scope = digest("callable", identity(self.function), items, *kept)
        return self._scope

    def evaluate(
        self, params: Params, units: Sequence[str], meter: Meter
    ) -> Iterator[Sequence[UnitScore]]:
        """Call for every unit; several at the same time if the function is async."""
        yield from self._calls.evaluate(self.configured(params), self.items, units, meter)

    async def aevaluate(
        self, params: Params, units: Sequence[str], meter: Meter
    ) -> AsyncIterator[Sequence[UnitScore]]:
        """Do it in the running loop; a function that is not async gets a thread."""
        batches = self._calls.aevaluate(self.configured(params), self.items, units, meter)
        async for batch in batches:
            yield batch
