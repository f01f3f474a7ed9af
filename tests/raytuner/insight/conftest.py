"""Runs of plain functions whose scores can be worked out by hand."""

import pytest

import raytuner
from tests.raytuner.insight.sheet import made


@pytest.fixture
def run(tmp_path):
    """Run a function over a space in a folder; see `made`."""

    def go(function, space, **more):
        return raytuner.run(made(function, space, **more), tmp_path)

    return go
