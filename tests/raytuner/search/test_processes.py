"""Equal seeds and reports give equal proposals in every process, and nothing heavy comes early."""

import json
import os
import subprocess
import sys

import pytest

from raytuner.search import (
    Bayes,
    Bohb,
    Evolution,
    HyperOpt,
    Optuna,
    PopulationBandit,
    Random,
    RaySearcher,
    Search,
    Sobol,
)
from tests.raytuner.search.conformance import RAG, lead, worth

SEARCHES = [
    Random(),
    Sobol(samples=40),
    HyperOpt(startup=2, candidates=4),
    Bohb(candidates=4),
    Optuna(startup=4),
    PopulationBandit(candidates=20),
    Evolution(population=4),
]
OTHERS = [
    Bayes(startup=3, candidates=30),
    Optuna(sampler="cmaes", startup=4),
    Optuna(sampler="nsga2", startup=4),
    RaySearcher(searcher="nevergrad"),
]
HEAVY = ("ray", "hyperopt", "hpbandster", "ConfigSpace", "optuna", "sklearn")
SCRIPT = f"""
import json, random, sys
import raytuner.search
print([name for name in {HEAVY} if name in sys.modules])
import numpy as np
np.random.seed(int(sys.argv[1])); random.seed(int(sys.argv[1]))
from tests.raytuner.search.conformance import RAG, lead, worth
for spelled in json.loads(sys.argv[2]):
    print(lead(raytuner.search.Search.model_validate(spelled).start(RAG, 5), worth, 16))
print('ray' in sys.modules)
"""


def proposed(searches: list[Search]) -> list[str]:
    """Give what two other processes, with other hash seeds, print; it is the same."""
    spelled = json.dumps([search.model_dump(mode="json") for search in searches])
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT, seed, spelled],
            env={**os.environ, "PYTHONHASHSEED": seed},
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed in ("1", "2")
    ]
    first, second = (process.communicate()[0] for process in processes)
    assert [process.returncode for process in processes] == [0, 0]
    assert first == second
    return first.splitlines()


def test_proposals_are_the_same_in_every_process_and_no_search_of_ours_imports_ray():
    imported, *found, ray = proposed(SEARCHES)
    assert (imported, ray) == ("[]", "False")
    assert found == [str(lead(search.start(RAG, 5), worth, 16)) for search in SEARCHES]


@pytest.mark.slow
def test_other_searches_too():
    _, *found, _ = proposed(OTHERS)
    assert found == [str(lead(search.start(RAG, 5), worth, 16)) for search in OTHERS]
