"""How answers that are not what was asked for count, and how a study names its models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from pipelines.llm.models import OpenAIModel
from raytuner.component import ConfigError, inlined

Treatment = Literal["keep", "zero", "fail"]


class Outputs(BaseModel):
    """How answers with a label count.

    `keep`: like any other, by their text; `zero`: 0 on every metric that looks at the answer;
    `fail`: as missing, so that the configuration cannot win.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    truncated: Treatment = Field(default="keep", description="cut at max_tokens")
    empty: Treatment = Field(default="keep", description="without text")
    filtered: Treatment = Field(default="keep", description="refused by model or filter")
    invalid: Treatment = Field(default="keep", description="no JSON of the schema")

    def treatment(self, label: str | None) -> Treatment:
        """Say how an answer with this label counts."""
        return "keep" if label is None else getattr(self, label)


def named_models(value: Any) -> dict[str, Any]:
    """Read a study's `models`: a bare name is one of the default endpoint, no `kind` is openai.

    Raises:
        ConfigError: it is no mapping.
    """
    if not isinstance(value, Mapping):
        raise ConfigError(f"give names and models, such as `small: gpt-4o-mini`, got {value!r:.80}")
    return {name: _model(given) for name, given in value.items()}


def models_schema(schema: dict[str, Any]) -> None:
    """Let the JSON Schema of a study's `models` take what `named_models` takes."""
    unsaid = inlined(OpenAIModel.model_json_schema())
    unsaid["required"] = [name for name in unsaid["required"] if name != "kind"]
    spelled = schema["additionalProperties"]
    schema["additionalProperties"] = {"anyOf": [{"type": "string"}, unsaid, spelled]}


def _model(given: Any) -> Any:
    if isinstance(given, str):
        return {"kind": "openai", "model": given}
    if isinstance(given, Mapping) and "kind" not in given:
        return {"kind": "openai", **given}
    return given
