"""Looks, before a run and without spending, whether endpoints take their keys and models."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from pipelines.llm.models import LanguageModel
from raytuner.component import ConfigError
from raytuner.gate import run_in_background


def probe_all(models: Sequence[LanguageModel], *, remote: bool) -> None:
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


async def _probe(models: Sequence[LanguageModel]) -> None:
    found = await asyncio.gather(*(model.probe() for model in models), return_exceptions=True)
    for error in found:
        if isinstance(error, ConfigError):
            raise error
