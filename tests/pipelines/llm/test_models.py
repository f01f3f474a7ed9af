"""Models as a study writes them: what is refused, and that no message holds a key."""

import pytest
from pydantic import BaseModel, ValidationError

from pipelines.llm.models import Fallback, LanguageModel, OpenAIModel, check_named, resolved
from raytuner.component import ConfigError

KEY = "sk-proj-AbCdEfGhIjKlMnOpQrStUvWxYz0123456789"


class Holder(BaseModel):
    """Anything that holds a model, so that errors are those of a study."""

    model: LanguageModel


def refusal(**fields):
    with pytest.raises((ValidationError, ConfigError)) as caught:
        Holder.model_validate({"model": {"kind": "openai", "model": "m", **fields}})
    error = caught.value
    return str(error if isinstance(error, ConfigError) else ConfigError.of(error))


@pytest.mark.parametrize(
    "fields",
    [
        {"api_key_env": KEY},
        {"base_url": f"https://user:{KEY}@host/v1"},
        {"base_url": f"https://host/v1?api_key={KEY}"},
        {"extra": {"api_key": KEY}},
        {"extra": {"headers": {"Authorization": f"Bearer {KEY}"}}},
        {"api_key": KEY},
    ],
)
def test_a_key_in_the_wrong_place_is_refused_and_not_repeated(fields):
    message = refusal(**fields)
    assert KEY not in message
    assert next(iter(fields)) in message


@pytest.mark.parametrize("name", ["n", "messages", "stream", "max_tokens", "temperature"])
def test_what_is_paid_by_the_request_cannot_be_overruled(name):
    assert f"extra: {name} is no further field" in refusal(extra={name: 3})


def test_further_fields_are_taken():
    assert OpenAIModel(model="m", extra={"top_k": 3, "best_of": 2}).extra["top_k"] == 3


def test_a_pattern_that_cannot_be_read_is_refused():
    with pytest.raises((ValidationError, ConfigError), match="no regular expression"):
        Fallback(models=("a",), reject_pattern="(")


@pytest.mark.parametrize(
    ("models", "said"),
    [
        ({"a": ["a"]}, "models.a: model 'a' is a fallback that comes back to itself: a > a"),
        ({"a": ["b"], "b": ["a"]}, "comes back to itself: a > b > a"),
        ({"a": ["good", "goood"]}, "'goood' is not one of.*Did you mean 'good'"),
    ],
)
def test_fallbacks_name_models_that_there_are(models, said):
    known = {name: Fallback(models=tuple(members)) for name, members in models.items()}
    with pytest.raises(ConfigError, match=said):
        check_named({**known, "good": OpenAIModel(model="m")})


def test_a_fallback_may_name_a_model_twice():
    models = {"good": OpenAIModel(model="m"), "a": Fallback(models=("good",))}
    both = {**models, "b": Fallback(models=("a", "good"))}
    check_named(both)
    assert [model.name for model in resolved("b", both).members()] == ["m", "m"]
