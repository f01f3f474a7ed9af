"""The endpoint as an agent's model."""

import json

import openai
import pytest

from tests.endpoint.fixtures import endpoint

__all__ = ["endpoint"]

STOP = "Answer as soon as you know."
CITY = {"type": "object", "properties": {"city": {"type": "string"}}}
RAISE = {"type": "object", "properties": {"amount": {"type": "number"},
                                          "percent": {"type": "integer"}}}  # fmt: skip
WEATHER = ("weather", "Tell the weather of a city.", CITY)
RENT = ("rent", "Tell the monthly rent in a city.", CITY)
ADD = ("add_percent", "Add percent to an amount.", RAISE)


@pytest.fixture
def ask(endpoint):
    endpoint.configure(skills={"good-1": 1000.0})
    client = openai.OpenAI(base_url=endpoint.url, api_key=endpoint.key)

    def asked(question, tools=(), made=(), system=STOP, **more):
        """Ask with calls that were made: pairs of a call and its result."""
        messages = [{"role": "system", "content": system}, {"role": "user", "content": question}]
        for number, ((name, arguments), result) in enumerate(made):
            spelled = {"name": name, "arguments": json.dumps(arguments)}
            call = {"id": f"c{number}", "type": "function", "function": spelled}
            messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
            messages.append({"role": "tool", "tool_call_id": f"c{number}", "content": result})
        offered = [
            {"type": "function",
             "function": {"name": name, "description": description, "parameters": parameters}}
            for name, description, parameters in tools
        ]  # fmt: skip
        given = {"model": "good-1", "temperature": 0, "messages": messages, **more}
        return client.chat.completions.create(**given, tools=offered or openai.omit).choices[0]

    return asked


def called(choice):
    return [
        (call.function.name, json.loads(call.function.arguments))
        for call in choice.message.tool_calls or []
    ]


def test_it_calls_the_tool_that_its_description_fits(ask):
    question = "How much is the monthly rent in Rome?"
    assert called(ask(question, [WEATHER, RENT])) == [("rent", {"city": "Rome"})]
    vague = ("lookup", "Looks things up.", CITY)
    assert called(ask(question, [WEATHER, vague])) == []
    hint = "Use `lookup` for rent and prices."
    assert called(ask(question, [WEATHER, vague], system=hint)) == [("lookup", {"city": "Rome"})]


def test_it_goes_on_with_what_it_got_and_then_answers(ask):
    question = "What is the monthly rent in Rome plus 10 percent?"
    first = ("rent", {"city": "Rome"})
    assert called(ask(question, [RENT, ADD])) == [first]
    second = ("add_percent", {"amount": 900, "percent": 10})
    assert called(ask(question, [RENT, ADD], [(first, "900")])) == [second]
    last = ask(question, [RENT, ADD], [(first, "900"), (second, "990")])
    assert (called(last), last.message.content) == ([], "The answer is 990.")
    assert last.finish_reason == "stop"


def test_it_calls_several_at_once_if_told_so(ask):
    question = "What is the monthly rent in Rome plus 10 percent?"
    both = ask(question, [RENT, ADD], system=f"Call tools in parallel. {STOP}")
    assert [name for name, _ in called(both)] == ["rent", "add_percent"]
    ids = [call.id for call in both.message.tool_calls]
    assert len(set(ids)) == 2
    one = ask(question, [RENT, ADD], system="Call tools in parallel.", parallel_tool_calls=False)
    assert len(called(one)) == 1


def test_it_may_never_stop_unless_told_when(ask):
    made = [(("weather", {"city": "Rome"}), "sunny")]
    looped = 0
    for city in ("Rome", "Oslo", "Paris", "Milan", "Madrid", "Vienna"):
        question = f"What is the weather in {city}?"
        again = [called(ask(question, [WEATHER], made * n, "Be nice.")) for n in (1, 2, 5)]
        assert again[0] == again[1] == again[2]
        looped += bool(again[0])
        assert not called(ask(question, [WEATHER], made))
    assert 0 < looped < 6


def test_it_calls_what_is_not_there_if_told_so(ask):
    system = f"Look at `barometer` for the weather. {STOP}"
    question = "What is the weather in Rome?"
    missing = ("barometer", {"city": "Rome"})
    assert called(ask(question, [WEATHER], system=system)) == [missing]
    made = [(missing, "Tool barometer not found.")]
    assert called(ask(question, [WEATHER], made, system)) == [("weather", {"city": "Rome"})]


def test_hot_models_invent_tools(ask):
    cities = ("Rome", "Oslo", "Paris", "Milan", "Madrid", "Vienna")
    names = [
        called(ask(f"What is the weather in {city}?", [WEATHER], temperature=2))[0][0]
        for city in cities
    ]
    assert set(names) == {"weather", "weather_tool"}


def test_it_is_wrong_as_often_as_its_temperature_has_it(endpoint, ask):
    endpoint.configure(skills={"good-1": 0.9})

    def right(temperature):
        found = 0
        for number in range(40):
            question = f"How much is the monthly rent in Rome, flat {number}?"
            made = [(("rent", {"city": "Rome"}), f"{900 + number} euro")]
            said = ask(question, [RENT], made, temperature=temperature).message.content
            found += f"{900 + number} euro" in said
        return found

    assert right(0.3) > right(2.0) + 5


def test_calls_and_results_have_to_belong_together(ask):
    call = {"id": "a", "type": "function", "function": {"name": "rent", "arguments": "{}"}}
    calling = {"role": "assistant", "content": None, "tool_calls": [call]}
    result = {"role": "tool", "tool_call_id": "a", "content": "900"}
    user = {"role": "user", "content": "Why?"}
    for messages in ([user, calling], [user, calling, user], [user, result],
                     [user, calling, {**result, "tool_call_id": "b"}]):  # fmt: skip
        with pytest.raises(openai.BadRequestError):
            ask("", messages=messages)
    assert ask("", messages=[user, calling, result])


def test_equal_requests_have_equal_answers(ask):
    one, other = (ask("How much is the rent in Rome?", [RENT]) for _ in range(2))
    assert one.message == other.message
