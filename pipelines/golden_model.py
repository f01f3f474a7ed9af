"""Which language model a command outside a study asks, and what its study says of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from pipelines.llm.models import LanguageModel, OpenAIModel, resolved, unpriced
from pipelines.llm.prices import Price
from pipelines.spec import RagSpec
from raytuner.component import ConfigError, import_plugins


def study_spec(path: Path) -> RagSpec:
    """Read the `objective` section of a RAG study, its plugins imported.

    Raises:
        ConfigError: the file cannot be read, or its section is none of RAG.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        data = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"study {str(path)!r} cannot be read: {error.strerror}") from None
    except (YAMLError, ValueError) as error:
        raise ConfigError(f"{path}: not valid YAML: {str(error).splitlines()[0]}") from None
    section = data.get("objective") if isinstance(data, Mapping) else None
    if not isinstance(section, Mapping) or section.get("kind") != "rag":
        raise ConfigError(f"{path}: a study with `objective: {{kind: rag, ...}}` is needed")
    import_plugins(data.get("plugins") or ())
    try:
        return RagSpec.parse({name: value for name, value in section.items() if name != "kind"})
    except ConfigError as error:
        raise ConfigError(f"{path}: objective.{error.message}", error.field) from None


def study_model(spec: RagSpec, name: str | None) -> LanguageModel:
    """Give a model of a study: the one named, or its only one.

    Raises:
        ConfigError: the study has no models, several and none is named, or not this one.
    """
    if not spec.models:
        raise ConfigError("the study names no models (objective.models); give --model without it")
    if name is None and len(spec.models) > 1:
        raise ConfigError(
            f"the study has several models: {', '.join(spec.models)}; choose one by --model"
        )
    return resolved(name or next(iter(spec.models)), spec.models)


def named_model(
    name: str, base_url: str | None, api_key_env: str | None, price: tuple[float, float] | None,
    *, free: bool,
) -> LanguageModel:  # fmt: skip
    """Give a model of any endpoint that speaks OpenAI's protocol.

    Raises:
        ConfigError: a value that cannot be.
    """
    key: dict[str, str | None] = {} if api_key_env is None else {"api_key_env": api_key_env}
    if api_key_env == "none":
        key = {"api_key_env": None}
    try:
        costs = None if price is None else Price(input=price[0], output=price[1])
        return OpenAIModel(model=name, base_url=base_url, price=costs, free=free, **key)
    except ValidationError as error:
        raise ConfigError.of(error) from None


def check_price(model: LanguageModel, usd: float | None) -> None:
    """Refuse a limit in dollars where nobody knows what a call costs.

    Raises:
        ConfigError: naming the models without a price.
    """
    unknown = [member.name for member in unpriced([model])]
    if usd is not None and unknown:
        raise ConfigError(
            f"--usd {usd:g}: the price of {', '.join(unknown)} is not known; give --price INPUT "
            "OUTPUT (dollars per million tokens), --free, or a study that has its price"
        )
