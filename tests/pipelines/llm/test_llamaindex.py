"""LlamaIndex's own class for OpenAI against the endpoint, and a class of a user's own."""

import pytest
from pydantic import ValidationError

from pipelines.llm.batch import Ask
from pipelines.llm.imported import release
from pipelines.llm.llamaindex import LlamaIndexModel
from pipelines.llm.models import LanguageModel, OpenAIModel
from pipelines.llm.prices import FREE, Price
from raytuner.component import ConfigError
from raytuner.objective import Cost, ObjectiveFailure
from raytuner.ports.gate import Report, paid_counter

OPENAI = "llama_index.llms.openai:OpenAI"
NAME = "gpt-4o-mini"
PRICE = Price(input=1000, output=2000)
SCHEMA = {"type": "object", "properties": {"score": {"type": "integer"}}, "required": ["score"]}
MODULE = """
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, LLMMetadata
from llama_index.core.llms import CustomLLM

class Echo(CustomLLM):
    mood: str = ""
    max_retries: int = 7
    @property
    def metadata(self):
        if self.mood == "unknown":
            raise ValueError("no model of that name")
        return LLMMetadata()
    def complete(self, prompt, **_):
        raise NotImplementedError
    def stream_complete(self, prompt, **_):
        raise NotImplementedError
    async def achat(self, messages, **options):
        if self.mood == "angry":
            raise RateLimitError("slow down")
        text = "; ".join(f"{m.role.value}={m.content}" for m in messages)
        raw = {"usage": {"input_tokens": 7, "output_tokens": 3}, "stop_reason": "max_tokens"}
        message = ChatMessage(content=f"{text} {sorted(options)}")
        return ChatResponse(message=message, raw=raw if self.mood == "telling" else None)

class RateLimitError(Exception):
    pass

class Other:
    pass
"""

pytestmark = pytest.mark.usefixtures("no_pauses")


@pytest.fixture
def own(own_module):
    return own_module(MODULE)


def theirs(endpoint, **fields):
    args = {"model": NAME, "api_base": endpoint.url}
    return LlamaIndexModel(path=OPENAI, args=args, **{"price": PRICE, "timeout": 5.0, **fields})


def ours(**fields):
    return OpenAIModel(model=NAME, price=PRICE, timeout=5.0, **fields)


def summary(reply):
    return [
        (one.text, one.label, one.usage, one.logprob, one.data, one.cached) for one in reply.samples
    ]


# --- as if it were our own


@pytest.mark.parametrize(
    "asked",
    [
        {"temperature": 0.3},
        {"temperature": 0.3, "samples": 3, "seed": 4},
        {"temperature": 0.0, "stop": ("is",), "presence_penalty": 0.5, "frequency_penalty": 0.5},
        {"temperature": 0.3, "max_tokens": 1},
        {"temperature": 0.3, "logprobs": True},
        {"temperature": 0.3, "schema": SCHEMA},
    ],
)
def test_answers_and_counts_are_those_of_our_own_client(client, endpoint, sweep, question, asked):
    request, meters, replies = question(**asked), [], []
    for model in (ours(), theirs(endpoint)):
        meters.append(sweep())
        replies += client.complete([Ask(model, request)], meters[-1], "answer")
    assert summary(replies[0]) == summary(replies[1])
    assert meters[0].cost == meters[1].cost
    assert meters[0].counts == meters[1].counts
    bodies = [record.body for record in endpoint.requests]
    assert len(bodies) == 2
    assert all(bodies[0][name] == bodies[1][name] for name in bodies[0])


def test_it_has_answers_of_its_own_and_keeps_them(client, endpoint, sweep, question):
    ask = Ask(theirs(endpoint), question(temperature=0.3))
    first, again = (client.complete([ask], sweep(), "answer")[0] for _ in range(2))
    assert endpoint.calls() == 1
    assert first.first.text == again.first.text
    assert again.first.cached


@pytest.mark.parametrize(
    ("fault", "rule", "kind", "retryable"),
    [
        ("status", {"status": 500}, "provider", True),
        ("status", {"status": 429, "retry_after_ms": 1}, "rate_limit", True),
        ("status", {"status": 400}, "config", False),
        ("quota", {}, "rate_limit", False),
        ("drop", {}, "provider", True),
        ("drop-body", {}, "provider", True),
        ("malformed", {}, "provider", True),
        ("html", {}, "provider", True),
        ("null-choices", {}, "provider", True),
    ],
)
def test_failures_are_typed_and_an_attempt_is_one_request(
    client, endpoint, sweep, question, fault, rule, kind, retryable
):
    """LlamaIndex and the client under it would each try again by themselves."""
    endpoint.fault(fault, **rule)
    model = theirs(endpoint, retries=2)
    (reply,) = client.complete([Ask(model, question(temperature=0.3))], sweep(), "answer")
    assert (reply.failure.kind, reply.failure.retryable) == (kind, retryable)
    assert endpoint.calls() == (3 if retryable else 1)
    assert endpoint.key not in reply.failure.message


@pytest.mark.parametrize(
    ("fault", "label"),
    [("null-content", "empty"), ("truncated", "truncated"), ("content-filter", "filtered"),
     ("refusal", "filtered"), ("no-usage", None)],
)  # fmt: skip
def test_what_is_strange_has_its_label(client, endpoint, sweep, question, fault, label):
    endpoint.fault(fault)
    meter = sweep()
    ask = Ask(theirs(endpoint), question(temperature=0.3))
    (reply,) = client.complete([ask], meter, "answer")
    assert (reply.failure, reply.first.label) == (None, label)
    assert meter.cost.usd >= endpoint.usd(1000, 2000) * (1 - 1e-12)


def test_a_hang_is_a_timeout(client, endpoint, sweep, question):
    endpoint.fault("hang")
    model = theirs(endpoint, timeout=0.2, retries=1)
    (reply,) = client.complete([Ask(model, question(temperature=0.3))], sweep(), "answer")
    assert (reply.failure.kind, endpoint.calls()) == ("timeout", 2)


def test_a_refused_key_is_said_without_it(client, endpoint, sweep, question, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-wrong-0123456789abcdef")
    # a key is read when the class is made: other arguments make another one
    model = theirs(endpoint, timeout=4.5)
    with pytest.raises(ConfigError, match="refused") as caught:
        client.complete([Ask(model, question(temperature=0.3))], sweep(), "answer")
    assert "sk-wrong" not in str(caught.value)


def test_a_missing_key_is_a_configuration_error(client, endpoint, sweep, question, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    model = theirs(endpoint, timeout=4.25)
    with pytest.raises(ConfigError, match="OPENAI_API_KEY"):
        client.complete([Ask(model, question(temperature=0.3))], sweep(), "answer")
    assert endpoint.calls() == 0


def test_a_model_that_the_class_does_not_know_is_found_before_any_call(
    client, endpoint, sweep, question
):
    args = {"model": "no-such-model", "api_base": endpoint.url}
    model = LlamaIndexModel(path=OPENAI, args=args)
    with pytest.raises(ConfigError, match="no-such-model"):
        client.complete([Ask(model, question())], sweep(), "answer")
    assert endpoint.calls() == 0


# --- classes that do not speak OpenAI's protocol


def test_any_class_gives_one_sample_a_time(client, own, sweep, question):
    model, meter = LlamaIndexModel(path=f"{own}:Echo"), sweep()
    (reply,) = client.complete([Ask(model, question("Why?", samples=2))], meter, "answer")
    said = "system=Be brief.; user=Why? ['max_tokens']"
    assert [one.text for one in reply.samples] == [said] * 2
    assert meter.counts[paid_counter("answer", "Echo", "calls")] == 2
    assert reply.first.usage.tokens_in > 0


def test_usage_and_ends_are_read_under_other_names(client, own, sweep, question):
    model = LlamaIndexModel(path=f"{own}:Echo", args={"mood": "telling"}, price=PRICE)
    (reply,) = client.complete([Ask(model, question("Why?"))], sweep(), "answer")
    assert reply.first.label == "truncated"
    assert reply.paid == Cost(0.013, 7, 3, 1)


def test_a_schema_is_put_into_words(client, own, sweep, question):
    model = LlamaIndexModel(path=f"{own}:Echo")
    (reply,) = client.complete([Ask(model, question("Why?", schema=SCHEMA))], sweep(), "answer")
    assert '"score"' in reply.first.text
    assert reply.first.label == "invalid"


def test_errors_of_unknown_libraries_are_typed_by_name(client, own, sweep, question):
    model = LlamaIndexModel(path=f"{own}:Echo", args={"mood": "angry"}, retries=0)
    (reply,) = client.complete([Ask(model, question("Why?"))], sweep(), "answer")
    assert (reply.failure.kind, reply.failure.retryable) == ("rate_limit", True)


@pytest.mark.parametrize("error", [ObjectiveFailure("provider", "x"), ConfigError("no class")])
def test_our_own_errors_pass(error):
    model = LlamaIndexModel(path=OPENAI, args={"model": NAME})
    assert model.translate(error) == (error, Report(cost=Cost()))


def test_an_option_that_a_class_does_not_take_is_not_tried_again():
    model = LlamaIndexModel(path=OPENAI, args={"model": NAME})
    error, _ = model.translate(TypeError("create() got an unexpected keyword argument 'top_k'"))
    assert (error.failure.kind, error.failure.retryable) == ("provider", False)


# --- configuration


def test_it_is_a_language_model_by_kind():
    given = {"kind": "llama-index", "path": OPENAI, "args": {"model": NAME}}
    model = LanguageModel.model_validate(given)
    assert isinstance(model, LlamaIndexModel)
    assert model.name == NAME
    assert LlamaIndexModel(path="a.b:Class").name == "Class"


@pytest.mark.parametrize("name", ["max_tokens", "max_retries", "timeout"])
def test_arguments_that_would_overrule_ours_are_refused(name):
    with pytest.raises(ValidationError, match=f"args.{name} 5 would overrule ours"):
        LlamaIndexModel(path=OPENAI, args={name: 5})


@pytest.mark.parametrize("args", [{"api_key": "x"}, {"headers": {"x": "sk-abcdefghijklmnopqrst"}}])
def test_secrets_in_args_are_refused_without_repeating_them(args):
    with pytest.raises(ValidationError, match="give the key by environment") as caught:
        LlamaIndexModel(path=OPENAI, args=args)
    assert "sk-abc" not in caught.value.errors()[0]["msg"]


def test_only_import_paths_are_taken():
    with pytest.raises(ValidationError, match=r"module\.name:ClassName"):
        LlamaIndexModel(path="OpenAI")


def test_what_is_no_language_model_is_refused(own):
    with pytest.raises(ConfigError, match="names no LlamaIndex language model"):
        LlamaIndexModel(path=f"{own}:Other").check()
    with pytest.raises(ConfigError, match="pip install llama-index-llms-absent"):
        LlamaIndexModel(path="llama_index.llms.absent:Absent").check()
    with pytest.raises(ConfigError, match="no model of that name"):
        LlamaIndexModel(path=f"{own}:Echo", args={"mood": "unknown"}).check()


def test_prices_are_given_free_or_unknown():
    model = {"path": OPENAI, "args": {"model": NAME}}
    assert LlamaIndexModel(**model).rates() is None
    assert LlamaIndexModel(**model, free=True).rates() == FREE
    assert LlamaIndexModel(**model, free=True, price=PRICE).rates() == PRICE


def test_the_fingerprint_covers_class_args_and_release(own, tmp_path):
    one = LlamaIndexModel(path=f"{own}:Echo")
    same = LlamaIndexModel(path=f"{own}:Echo", timeout=1, concurrency=1, free=True)
    assert one.fingerprint() == same.fingerprint()
    assert one.identity() == same.identity()
    assert one.fingerprint() != LlamaIndexModel(path=one.path, args={"mood": "x"}).fingerprint()
    before = one.fingerprint()
    (tmp_path / f"{own}.py").write_text(MODULE + "\n# changed\n")
    assert one.fingerprint() != before
    assert release("llama_index.llms.openai").startswith("llama-index-llms-openai ")
