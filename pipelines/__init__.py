"""The objective-function layer: RAG pipelines built from a configuration, scored on a golden set.

The names below are loaded on first use, so that importing the package costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

_HOMES = {
    "AnsweringPipeline": "pipelines.rebuild",
    "RagConfig": "pipelines.config",
    "RagObjective": "pipelines.objective",
    "load_pipeline": "pipelines.rebuild",
}

if TYPE_CHECKING:
    from pipelines.config import RagConfig as RagConfig
    from pipelines.objective import RagObjective as RagObjective
    from pipelines.rebuild import AnsweringPipeline as AnsweringPipeline
    from pipelines.rebuild import load_pipeline as load_pipeline


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'pipelines' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
