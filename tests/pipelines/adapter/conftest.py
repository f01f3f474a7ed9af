"""A small adapter study over the handbook: tf-idf directions, so that nothing is embedded."""

import pytest

from pipelines.adapter.objective import AdapterObjective
from raytuner.objective import Tally

PIPELINE = {
    "chunker": {"kind": "sentence", "size": 24, "overlap": 0},
    "embedder": {"kind": "lsa", "dimensions": 24},
}


@pytest.fixture
def make(handbook):
    """Build an objective from changes to its section."""

    def build(root=None, seed=0, **changes):
        section = {
            **handbook.section, "metrics": ["ndcg@10", "mrr"], "pipeline": PIPELINE, "epochs": 7,
            **changes,
        }  # fmt: skip
        return AdapterObjective.build(section, root=root or handbook.root, seed=seed)

    return build


@pytest.fixture
def scored():
    """Evaluate units; give scores by unit, and what was counted."""

    def evaluate(objective, params, units=None):
        meter = Tally()
        wanted = objective.units() if units is None else units
        found = [one for part in objective.evaluate(params, wanted, meter) for one in part]
        return {one.unit: one for one in found}, meter.counts

    return evaluate
