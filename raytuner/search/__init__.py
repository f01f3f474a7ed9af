"""Searches: what proposes the next parameters. Importing this never imports Ray."""

from raytuner.search.bayes import Bayes
from raytuner.search.bohb import Bohb
from raytuner.search.evolution import Evolution
from raytuner.search.greedy import Greedy
from raytuner.search.grid import Grid
from raytuner.search.hyperopt import HyperOpt
from raytuner.search.manual import Manual
from raytuner.search.neighbours import Neighbours
from raytuner.search.optuna import Optuna
from raytuner.search.passthrough import RaySearcher
from raytuner.search.population import PopulationBandit, PopulationBased
from raytuner.search.port import Exhausted, Proposer, Search
from raytuner.search.prompts import Prompts
from raytuner.search.sampling import Random
from raytuner.search.sobol import Sobol

__all__ = [
    "Bayes",
    "Bohb",
    "Evolution",
    "Exhausted",
    "Greedy",
    "Grid",
    "HyperOpt",
    "Manual",
    "Neighbours",
    "Optuna",
    "PopulationBandit",
    "PopulationBased",
    "Prompts",
    "Proposer",
    "Random",
    "RaySearcher",
    "Search",
    "Sobol",
]
