"""The HyperBand half of BOHB.

S. Falkner, A. Klein and F. Hutter, "BOHB: Robust and Efficient Hyperparameter Optimization at
Scale", ICML 2018.
"""

from __future__ import annotations

from typing import ClassVar

from raytuner.schedulers.hyperband import HyperBand


class Bohb(HyperBand, kind="bohb"):
    """Run HyperBand's brackets; what fills them is proposed by the search `bohb`.

    A bracket does not wait for the one before it: while its last trials are under way, the next
    one is filled, as the paper does it in parallel.
    """

    searches: ClassVar[frozenset[str]] = frozenset({"bohb"})
