"""A chatbot in use: it is told the conversation so far, and answers the last turn."""

import pytest

from raytuner.answering import Query, Turn
from raytuner.component import ConfigError
from tests.endpoint.fixtures import endpoint
from tests.pipelines.dialogue.test_objective import make

__all__ = ["endpoint", "make"]

EARLIER = (
    Turn("user", "What is the capital of Peru?"), Turn("assistant", "Lima."),
    Turn("user", "Thanks."), Turn("assistant", "You are welcome."),
)  # fmt: skip
ITALY = "What is the capital of Italy?"


def test_it_answers_the_last_turn_and_asks_nothing_again(make, endpoint):
    answerer = make(bot={"system": "You know {land}."}).answerer({})
    answerer.prepare()
    served = answerer.answer(Query(ITALY, {"land": "Rome"}, EARLIER))
    assert served.answer
    assert endpoint.calls("chat") == 1
    sent = [(one["role"], one["content"]) for one in endpoint.requests[-1].body["messages"]]
    assert sent == [("system", "You know Rome."), *EARLIER, ("user", ITALY)]


def test_it_is_told_no_more_than_in_its_trials(make, endpoint):
    answerer = make().answerer({"history": 1})
    answerer.answer(Query(ITALY, None, EARLIER))
    sent = [one["content"] for one in endpoint.requests[-1].body["messages"]]
    assert sent == ["Thanks.", "You are welcome.", ITALY]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        (Query(ITALY, {"land": "x"}, EARLIER[1:]), "user and assistant take turns"),
        (Query(ITALY, {"land": "x"}, EARLIER[:1]), "user and assistant take turns"),
        (Query(" ", {"land": "x"}, EARLIER), "question: it is empty"),
        (Query(ITALY), r"fields\.land: it is missing; the system message asks for it"),
        (Query(ITALY, {"land": "x", "lant": "y"}), "no field 'lant'"),
        (Query(ITALY, {"land": "x", "turns": "y"}), "no field 'turns'"),
    ],
)
def test_what_is_no_conversation_is_refused(make, endpoint, query, words):
    answerer = make(bot={"system": "You know {land}."}).answerer({})
    with pytest.raises(ConfigError, match=words):
        answerer.check(query)
    assert not endpoint.requests
