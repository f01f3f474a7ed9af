"""raytuner: which configuration is really best for my data, how sure are we, what did it cost?

The names below are loaded on first use, so that importing the package costs next to nothing and
never imports Ray, LlamaIndex or Chroma.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "AskTell": "raytuner.asktell",
    "AsyncParamTuner": "raytuner.compat.param_tuner",
    "Budget": "raytuner.budget",
    "CompletionAnalysis": "raytuner.compat.completion_analysis",
    "ConfigError": "raytuner.component",
    "Objective": "raytuner.objective",
    "ParamTuner": "raytuner.compat.param_tuner",
    "RayTuneParamTuner": "raytuner.compat.ray_param_tuner",
    "Results": "raytuner.results",
    "RunResult": "raytuner.compat.param_tuner",
    "Space": "raytuner.space",
    "Study": "raytuner.study",
    "TunedResult": "raytuner.compat.param_tuner",
    "UnitScore": "raytuner.objective",
    "arun": "raytuner.tuner",
    "load_study": "raytuner.study",
    "run": "raytuner.tuner",
    "tune_completion": "raytuner.compat.completion",
}

if TYPE_CHECKING:
    from raytuner.asktell import AskTell as AskTell
    from raytuner.budget import Budget as Budget
    from raytuner.compat.completion import tune_completion as tune_completion
    from raytuner.compat.completion_analysis import CompletionAnalysis as CompletionAnalysis
    from raytuner.compat.param_tuner import AsyncParamTuner as AsyncParamTuner
    from raytuner.compat.param_tuner import ParamTuner as ParamTuner
    from raytuner.compat.param_tuner import RunResult as RunResult
    from raytuner.compat.param_tuner import TunedResult as TunedResult
    from raytuner.compat.ray_param_tuner import RayTuneParamTuner as RayTuneParamTuner
    from raytuner.component import ConfigError as ConfigError
    from raytuner.objective import Objective as Objective
    from raytuner.objective import UnitScore as UnitScore
    from raytuner.results import Results as Results
    from raytuner.space import Space as Space
    from raytuner.study import Study as Study
    from raytuner.study import load_study as load_study
    from raytuner.tuner import arun as arun
    from raytuner.tuner import run as run


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'raytuner' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
