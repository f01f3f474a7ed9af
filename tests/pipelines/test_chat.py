"""The chat generator, against the loopback endpoint: templates, modes, samples, labels, costs."""

import pytest

from pipelines.chat import Chat
from pipelines.llm.models import OpenAIModel
from pipelines.llm.prices import Price
from pipelines.llm.selecting import normalised
from pipelines.plain_library import PlainLibrary
from raytuner.component import ConfigError
from raytuner.objective import Tally
from tests.endpoint.fixtures import endpoint

__all__ = ["endpoint"]

GOOD = OpenAIModel(model="good-1", price=Price(input=1.0, output=4.0))
PASSAGES = [
    "The river is long. Zinc is mined in the hills near Aldersey.",
    "The town of Aldersey was founded in 1820.",
    "Fish swim in the river.",
]
QUESTION = "Where is zinc mined?"


@pytest.fixture
def library():
    return PlainLibrary(PASSAGES, [], meter=Tally())


def answer_of(library, passages=PASSAGES, question=QUESTION, **fields):
    chat = Chat(**{"model": GOOD, "temperature": 0.3, "max_tokens": 60, **fields})
    ((_, answer),) = [
        pair for part in chat.stream(library, [question], [passages]) for pair in part
    ]
    return answer


def bodies(endpoint):
    return [record.body for record in endpoint.requests if record.path.endswith("/completions")]


def test_templates_are_filled_and_parameters_sent(endpoint, library):
    answer = answer_of(
        library, system="Use only the context.",
        prompt="Context:\n{context}\n\nQuestion: {question}", passage="[{number}] {text}",
        separator="\n", top_p=None, stop=("\n\n",),
        presence_penalty=0.5, frequency_penalty=-0.5, seed=7,
    )  # fmt: skip
    (body,) = bodies(endpoint)
    context = "\n".join(f"[{number}] {text}" for number, text in enumerate(PASSAGES, 1))
    assert body["messages"] == [
        {"role": "system", "content": "Use only the context."},
        {"role": "user", "content": f"Context:\n{context}\n\nQuestion: {QUESTION}"},
    ]
    sent = {name: body[name] for name in body if name not in ("messages", "model")}
    assert sent == {"temperature": 0.3, "max_tokens": 60, "stop": ["\n\n"], "seed": 7,
                    "presence_penalty": 0.5, "frequency_penalty": -0.5}  # fmt: skip
    assert answer.text == "Zinc is mined in the hills near Aldersey."
    assert answer.label is None
    assert answer.failure is None


def test_what_an_answer_costs_is_what_the_server_charges(endpoint, library):
    answer = answer_of(library)
    assert answer.usage.usd == pytest.approx(endpoint.usd(1.0, 4.0))
    assert library.meter.cost.usd == pytest.approx(endpoint.usd(1.0, 4.0))
    assert answer.usage.tokens_in + answer.usage.tokens_out == sum(endpoint.tokens[:2])


def test_a_second_time_it_is_free_but_costs_the_same_at_list_price(endpoint, library):
    first = answer_of(library)
    spent = library.meter.cost
    again = answer_of(library)
    assert endpoint.calls("chat") == 1
    assert library.meter.cost == spent
    assert (again.text, again.usage) == (first.text, first.usage)


def test_braces_in_documents_are_text(endpoint, library):
    answer_of(library, passages=["A set {question} is {written} like {this}."])
    (body,) = bodies(endpoint)
    assert "A set {question} is {written} like {this}." in body["messages"][-1]["content"]


def test_refine_gives_one_passage_at_a_time(endpoint, library):
    answer = answer_of(library, mode="refine")
    asked = [body["messages"][-1]["content"] for body in bodies(endpoint)]
    assert len(asked) == len(PASSAGES)
    assert all(sum(text in one for text in PASSAGES) == 1 for one in asked)
    assert "Answer so far: " in asked[1]
    assert answer.usage.calls == len(PASSAGES)


def test_compact_refines_with_what_does_not_fit(endpoint, library):
    answer_of(library, context_tokens=16)
    asked = [body["messages"][-1]["content"] for body in bodies(endpoint)]
    assert 1 < len(asked) <= len(PASSAGES)
    assert [text for one in asked for text in PASSAGES if text in one] == PASSAGES


def test_tree_summarise_ends_with_one_answer_over_the_answers(endpoint, library):
    many = [f"Fact {number}: item {number} weighs {number} grams." for number in range(9)]
    answer = answer_of(library, passages=many, mode="tree-summarize", context_tokens=32)
    asked = [body["messages"][-1]["content"] for body in bodies(endpoint)]
    first = [one for one in asked if "Fact" in one]
    assert len(first) >= 3
    assert all(sum(text in one for one in asked) >= 1 for text in many)
    assert answer.text
    assert answer.failure is None


def test_nothing_retrieved_is_an_empty_context(endpoint, library):
    answer_of(library, passages=[])
    (body,) = bodies(endpoint)
    assert body["messages"][-1]["content"].startswith("Context:\n\n\nQuestion:")


@pytest.mark.parametrize("n", [3, 7])
def test_the_majority_of_n_is_taken(endpoint, library, n):
    texts = [
        answer_of(PlainLibrary(PASSAGES, []), model=OpenAIModel(model="cheap-1"), seed=i).text
        for i in range(n)
    ]
    spelled = [normalised(text) for text in texts]
    wanted = max(spelled, key=lambda one: (spelled.count(one), -spelled.index(one)))
    answer = answer_of(
        PlainLibrary(PASSAGES, []), model=OpenAIModel(model="cheap-1"), seed=0, n=n,
        select="majority",
    )  # fmt: skip
    assert normalised(answer.text) == wanted


def test_raising_n_pays_for_the_new_samples_only(endpoint, library):
    answer_of(library, n=2, seed=0, temperature=1.0)
    answer_of(library, n=5, seed=0, temperature=1.0, select="majority")
    assert [body.get("n", 1) for body in bodies(endpoint)] == [2, 3]
    assert bodies(endpoint)[1]["seed"] == 2
    assert endpoint.repeated_samples() == []


def test_the_likeliest_is_asked_for_with_logprobs(endpoint, library):
    answer_of(library, n=3, seed=0, temperature=1.0, select="logprob")
    (body,) = bodies(endpoint)
    assert body["logprobs"] is True


def test_a_judge_chooses_among_n(endpoint, library):
    answer = answer_of(library, n=3, seed=0, temperature=1.5, select="judge", selector=GOOD)
    samples, verdict = bodies(endpoint)
    assert samples["n"] == 3
    assert verdict["response_format"]["json_schema"]["schema"]["properties"]["best"]["maximum"] <= 3
    assert answer.usage.calls == 2
    assert answer.usage.usd == pytest.approx(endpoint.usd(1.0, 4.0))


@pytest.mark.parametrize(
    ("fault", "label"),
    [("truncated", "truncated"), ("content-filter", "filtered"), ("refusal", "filtered"),
     ("null-content", "empty"), ("empty-content", "empty"),
     ("no-choices", "empty")],
)  # fmt: skip
def test_a_malformed_answer_is_a_result_with_a_label(endpoint, library, fault, label):
    endpoint.fault(fault)
    answer = answer_of(library)
    assert (answer.label, answer.failure) == (label, None)
    assert endpoint.calls("chat") == 1


def test_json_that_fits_no_schema_is_labelled(endpoint, library):
    schema = {
        "type": "object",
        "properties": {"answer": {"type": "string"}},
        "required": ["answer"],
    }
    good = answer_of(library, response_schema=schema, answer_field="answer")
    assert good.label is None
    assert not good.text.startswith("{")
    endpoint.fault("invalid-json")
    bad = answer_of(library, response_schema=schema, answer_field="answer", seed=1)
    assert bad.label == "invalid"


def test_one_question_that_fails_leaves_the_others(endpoint, library):
    endpoint.fault("status", status=400, containing="POISON")
    chat = Chat(model=GOOD, temperature=0.3)
    asked = [QUESTION, "POISON?", "When was the town founded?"]
    found = {}
    for part in chat.stream(library, asked, [PASSAGES] * 3):
        found.update(part)
    assert [found[number].failure is None for number in range(3)] == [True, False, True]
    assert found[1].failure.kind == "config"
    assert not found[1].failure.retryable


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"temperature": 0.5, "top_p": 0.5}, "temperature .0.5. and top_p .0.5. are both given"),
        (
            {"prompt": "{context} {querstion}"},
            r"nothing fills \{querstion\}.*Did you mean 'question'",
        ),
        ({"prompt": "{context"}, "is no field"),
        ({"passage": "{context}"}, r"nothing fills \{context\}"),
        ({"n": 0}, "greater than or equal to 1"),
        ({"max_tokens": 0}, "greater than or equal to 1"),
        ({"select": "best"}, "first"),
        ({"response_schema": {"type": "objct"}}, "response_schema.type is no JSON Schema"),
        ({"answer_field": "answer"}, "response_schema, which is not given"),
        (
            {"answer_field": "anwser", "response_schema": {"properties": {"answer": {}}}},
            "no property of response_schema.*Did you mean 'answer'",
        ),
    ],
)
def test_bad_settings_are_refused_in_one_sentence(fields, message):
    with pytest.raises((ConfigError, ValueError), match=message):
        Chat(**fields)


@pytest.mark.parametrize("mode", ["refine", "tree-summarize"])
def test_an_answer_tells_how_long_a_user_would_have_waited(endpoint, library, mode):
    endpoint.configure(latency=0.05)
    made = answer_of(library, mode=mode, context_tokens=16)
    asked = endpoint.calls()
    # `refine` asks one after the other; parts of a tree are asked together
    assert made.seconds >= 0.05 * (asked if mode == "refine" else 2)
    assert answer_of(library, mode=mode, context_tokens=16).seconds == made.seconds
    assert endpoint.calls() == asked > 2


def test_choosing_takes_time_too(endpoint, library):
    endpoint.configure(latency=0.05)
    assert answer_of(library, n=3, select="judge").seconds >= 0.1
