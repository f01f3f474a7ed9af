"""What can be learned from a run: questions, parameters, goals, progress.

Functions take a `Results` and give plain pandas tables. They read what is on record and spend
nothing. Everything random has a fixed seed: the same run gives the same numbers.
"""

from raytuner.insight.curve import curve
from raytuner.insight.importance import Importance, importance
from raytuner.insight.pareto import pareto
from raytuner.insight.plot import Chart, Plots
from raytuner.insight.questions import questions

__all__ = ["Chart", "Importance", "Plots", "curve", "importance", "pareto", "questions"]
