"""Looks, before a run and without spending, whether endpoints take their keys and models."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from raytuner.component import ConfigError
from raytuner.ports.gate import run_in_background


class Probed(Protocol):
    """A model, for answers or for vectors, that can be asked about."""

    def check(self) -> None:
        """Look whether it can be asked from this process at all."""

    async def probe(self) -> None:
        """Ask its endpoint, without spending, whether it takes key and model."""


def probe_all(models: Sequence[Probed], *, remote: bool) -> None:
    """Ask all endpoints at once.

    Args:
        models: each is asked about once.
        remote: whether calls are made elsewhere: then a key may be missing here.

    Raises:
        ConfigError: the first key that is missing or refused, or model that is unknown.
    """
    able = []
    for model in models:
        try:
            model.check()
        except ConfigError:
            if not remote:
                raise
        else:
            able.append(model)
    if able:
        run_in_background(_probe(able))


async def _probe(models: Sequence[Probed]) -> None:
    found = await asyncio.gather(*(model.probe() for model in models), return_exceptions=True)
    for error in found:
        if isinstance(error, ConfigError):
            raise error
