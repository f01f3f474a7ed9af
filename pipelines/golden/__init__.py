"""Golden sets: questions with their evidence in the corpus, from the formats people have.

Each format has its loader in a file of its own and is converted once, at the edge, into
`Question` and `Span`. Nothing further in knows what a file looked like.
"""

from pipelines.golden.goldenset import GoldenSet
from pipelines.golden.load import FORMATS, load_golden
from pipelines.golden.order import order_units

__all__ = ["FORMATS", "GoldenSet", "load_golden", "order_units"]
