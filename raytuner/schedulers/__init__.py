"""Schedulers: who goes on to more questions, and who is stopped early. Never imports Ray."""

from raytuner.schedulers.asha import Asha
from raytuner.schedulers.bohb import Bohb
from raytuner.schedulers.full import Full
from raytuner.schedulers.halving import Halving
from raytuner.schedulers.hyperband import HyperBand
from raytuner.schedulers.median import Median
from raytuner.schedulers.pbt import PopulationBased
from raytuner.schedulers.port import Decisions, Judge, Paired, Scheduler, Settling
from raytuner.schedulers.race import Race

__all__ = [
    "Asha",
    "Bohb",
    "Decisions",
    "Full",
    "Halving",
    "HyperBand",
    "Judge",
    "Median",
    "Paired",
    "PopulationBased",
    "Race",
    "Scheduler",
    "Settling",
]
