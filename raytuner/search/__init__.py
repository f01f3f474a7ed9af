"""Searches: what proposes the next parameters. Importing this never imports Ray."""

from raytuner.search.grid import Grid
from raytuner.search.port import Exhausted, Proposer, Search
from raytuner.search.sampling import Random

__all__ = ["Exhausted", "Grid", "Proposer", "Random", "Search"]
