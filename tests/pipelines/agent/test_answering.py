"""An agent in use: it calls its tools for whoever asks, and knows what was said before."""

import pytest

from raytuner.answering import Query, Turn
from raytuner.component import ConfigError

FAR = "What is the distance from Rome to Oslo?"


@pytest.mark.parametrize("kind", ["function", "react"])
def test_it_calls_tools_as_in_its_trials(made, endpoint, kind):
    answerer = made(type=kind).answerer({})
    answerer.prepare()
    assert not endpoint.requests
    served = answerer.answer(Query(FAR))
    assert "2005" in served.answer
    assert served.usage.tokens_out > 0
    assert endpoint.calls("chat") >= 2


def test_it_knows_what_was_said(made, endpoint):
    earlier = (Turn("user", "I start in Rome."), Turn("assistant", "Noted."))
    made().answerer({}).answer(Query(FAR, None, earlier))
    told = [one["content"] for one in endpoint.requests[0].body["messages"]]
    assert told.index("I start in Rome.") < told.index("Noted.") < told.index(FAR)


def test_one_that_breaks_off_has_no_answer(made):
    looping = made(system_prompt="You are an agent.", temperature=1.5, max_iterations=2)
    served = looping.answerer({}).answer(Query(FAR))
    assert (served.answer, served.label) == ("", "empty")


def test_it_takes_a_question_alone(made):
    with pytest.raises(ConfigError, match="items have no field 'tools'"):
        made().answerer({}).check(Query(FAR, {"tools": "distance"}))
