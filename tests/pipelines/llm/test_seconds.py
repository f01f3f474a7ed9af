"""How long a user would have waited for a reply: the calls that brought it, as they were made."""

import json

from pipelines.llm.asking import request_keys
from pipelines.llm.models import Fallback
from tests.pipelines.llm.test_asking import CALLS, Parrot, answer, asked, calls, shelf

__all__ = ["calls", "shelf"]


async def keep(model, request, shelf, *seconds, text="yes"):
    """Put answers on the shelf that took so many seconds when they were asked for."""
    keys = request_keys(model, request)
    rows = [json.dumps([text, "stop", 2, 1, 0, None, False, taken]).encode() for taken in seconds]
    await shelf.put(dict(zip(keys, rows, strict=True)))


async def test_an_answer_that_was_kept_tells_how_long_it_took(make_gate, shelf):
    model = Parrot()
    await keep(model, asked(3), shelf, 1.25, 3.5, 2.0)
    found = await answer(model, asked(3), make_gate(), shelf)
    assert found.reply.seconds == 3.5  # the samples were there when the slowest one was
    assert not CALLS


async def test_waiting_for_models_that_are_passed_over_counts(make_gate, shelf):
    first, second = Parrot(title="a"), Parrot(title="b")
    await keep(first, asked(), shelf, 1.5, text="")
    await keep(second, asked(), shelf, 2.0)
    found = await answer(Fallback(models=(first, second)), asked(), make_gate(), shelf)
    assert (found.reply.first.text, found.reply.seconds) == ("yes", 3.5)


async def test_waiting_for_nothing_takes_no_time(make_gate, shelf):
    found = await answer(Parrot(does="fail"), asked(), make_gate(), shelf)
    assert found.reply.seconds == 0.0
    again = [await answer(Parrot(), asked(), make_gate(), shelf) for _ in range(2)]
    assert again[0].reply.seconds == again[1].reply.seconds
