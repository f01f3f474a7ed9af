"""Samples are found by name."""

import pytest

from pipelines import samples
from raytuner.component import ConfigError


def test_every_sample_loads():
    for name in samples.names():
        corpus, questions = samples.load(name)
        assert len(corpus) > 1
        assert questions


def test_loading_twice_gives_equal_values():
    first, second = samples.load("python-api"), samples.load("python-api")
    assert first[0].key == second[0].key
    assert first[1] == second[1]


def test_unknown_name_lists_the_known_ones_and_the_nearest():
    with pytest.raises(ConfigError, match=r"known: python-api\. Did you mean 'python-api'\?"):
        samples.load("python_api")


def test_questions_of_another_folder(tmp_path):
    with pytest.raises(ConfigError, match="no file questions"):
        samples.load("python-api", tmp_path)
