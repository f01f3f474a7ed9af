"""Charts as SVG text: plain lists in, one string out, no dependency.

The same functions serve the HTML report and notebooks. Every text is escaped, because names of
trials, parameters and documents are the input of others. Colours are CSS variables with the
Okabe-Ito colours as fallback, lines and text are `currentColor`, so a chart fits a light and a
dark page alike. A chart has a `<title>` and a `<desc>` that say in words what it shows.
"""

from raytuner.charts.bars import Part, bars
from raytuner.charts.curves import Curve, curves
from raytuner.charts.effects import Level, effects
from raytuner.charts.family import Member, family
from raytuner.charts.forest import Estimate, forest, whisker
from raytuner.charts.heatmap import heatmap
from raytuner.charts.parallel import Axis, Line, parallel
from raytuner.charts.scatter import Point, scatter
from raytuner.charts.steps import Series, steps

__all__ = [
    "Axis", "Curve", "Estimate", "Level", "Line", "Member", "Part", "Point", "Series",
    "bars", "curves", "effects", "family", "forest", "heatmap", "parallel", "scatter", "steps",
    "whisker",
]  # fmt: skip
