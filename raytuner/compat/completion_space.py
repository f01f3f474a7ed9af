"""The space of a completion study from AutoGen's arguments, over AutoGen's default space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from raytuner.component import ConfigError, nearest

MODELS = ("gpt-4o-mini", "gpt-4o")
"""Tried unless told otherwise; AutoGen's own are no longer served."""
_PAIR = ("temperature", "top_p")
_EITHER = "temperature_or_top_p"
_DEFAULTS: Mapping[str, Any] = {
    _EITHER: [{"temperature": {"float": [0.0, 2.0]}}, {"top_p": {"float": [0.01, 1.0]}}],
    "max_tokens": {"int": [50, 1000], "log": True},
    "n": {"int": [1, 100]},
    "prompt": "{prompt}",
}
_NAMES = (
    "model", "prompt", "messages", "max_tokens", *_PAIR, _EITHER, "n", "best_of", "stop",
    "presence_penalty", "frequency_penalty", "seed", "response_schema",
)  # fmt: skip


@dataclass
class Chosen:
    """What is tuned, and what is not.

    Attributes:
        space: domains by parameter.
        fixed: values by parameter.
        messages: conversations by the names that the space uses.
        stops: lists of stop texts by the names that the space uses.
    """

    space: dict[str, Any] = field(default_factory=dict)
    fixed: dict[str, Any] = field(default_factory=dict)
    messages: dict[str, Any] = field(default_factory=dict)
    stops: dict[str, Any] = field(default_factory=dict)

    def put(self, name: str, value: Any, **when: str) -> None:
        """Take in a parameter: a scalar holds, a list is a choice, a mapping is a domain."""
        if isinstance(value, list | tuple):
            if len(value) != 1:
                value = {"choice": list(value)}
            else:
                (value,) = value
        if isinstance(value, Mapping):
            self.space[name] = {**value, "when": when} if when else dict(value)
        elif when:
            self.space[name] = {"choice": [value], "when": when}
        else:
            self.fixed[name] = value


def completion_space(given: Mapping[str, Any], models: Sequence[str] = ()) -> Chosen:
    """Read the space.

    Args:
        given: parameters as `tune_completion` takes them; None is as if not given.
        models: names of the study's models, tried unless `model` is given.

    Raises:
        ConfigError: naming the parameter, its value and what would be right.
    """
    config = {name: value for name, value in given.items() if value is not None}
    _refuse_unknown(config)
    sampling = _sampling(config)
    wanted = {"model": list(models or MODELS), **_DEFAULTS, **config}
    if "messages" in config:
        if "prompt" in config:
            raise ConfigError("prompt and messages are both given; give one of them", ("prompt",))
        del wanted["prompt"]
    chosen = Chosen()
    for name in ("model", "prompt", "messages", "stop"):
        if name in wanted:
            _SPECIAL.get(name, Chosen.put)(chosen, name, wanted.pop(name))
    _put_sampling(chosen, sampling)
    for name in (*_PAIR, _EITHER):
        wanted.pop(name, None)
    schema = wanted.pop("response_schema", None)
    for name, value in wanted.items():
        chosen.put(name, value)
    if schema is not None:
        chosen.fixed["response_schema"] = schema
    if not chosen.space:  # a study has at least one parameter
        chosen.space["model"] = [chosen.fixed.pop("model")]
    return chosen


def _refuse_unknown(config: Mapping[str, Any]) -> None:
    for name in config:
        if name not in _NAMES:
            raise ConfigError(
                f"{name}: no such parameter of a completion; there are: {', '.join(_NAMES)}."
                f"{nearest(name, _NAMES)}",
                (name,),
            )


def _sampling(config: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """List the alternatives of temperature and top_p."""
    named = [name for name in (*_PAIR, _EITHER) if name in config]
    if len(named) > 1:
        raise ConfigError(
            f"{' and '.join(named)} are both given; vary temperature or top_p and leave the other "
            f"out, or give {_EITHER} alone",
            (named[1],),
        )
    if named and named[0] != _EITHER:
        return [{named[0]: config[named[0]]}]
    either = config.get(_EITHER, _DEFAULTS[_EITHER])
    options = [either] if isinstance(either, Mapping) else either
    if not isinstance(options, list | tuple) or not options:
        options = [either]
    for option in options:
        if not isinstance(option, Mapping) or len(option) != 1 or next(iter(option)) not in _PAIR:
            raise ConfigError(
                f"{_EITHER}: give a list of {{temperature: …}} and {{top_p: …}}, got "
                f"{option!r:.80}",
                (_EITHER,),
            )
    return list(options)


def _put_sampling(chosen: Chosen, options: Sequence[Mapping[str, Any]]) -> None:
    """Make one parameter of each, active where it is chosen."""
    names = [next(iter(option)) for option in options]
    if len(set(names)) < len(names):
        raise ConfigError(f"{_EITHER}: {names[0]} is listed twice: give a list of its values")
    if len(options) > 1:
        chosen.space["sampler"] = {"choice": names}
    for option in options:
        for name, value in option.items():
            chosen.put(name, value, **({"sampler": name} if len(options) > 1 else {}))


def _put_prompt(chosen: Chosen, name: str, value: Any) -> None:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list | tuple) or not all(isinstance(text, str) for text in texts):
        raise ConfigError(
            f"{name}: give a template or a list of templates with {{fields}}, got {value!r:.80}; a "
            "function cannot be kept on record: put what it makes into the instances",
            (name,),
        )
    chosen.put(name, list(texts))


def _put_messages(chosen: Chosen, name: str, value: Any) -> None:
    if not isinstance(value, list | tuple) or not value:
        raise ConfigError(
            f"{name}: give a list of {{role, content}}, or a list of such lists, got {value!r:.80}",
            (name,),
        )
    conversations = [value] if isinstance(value[0], Mapping) else list(value)
    chosen.messages = {str(number): one for number, one in enumerate(conversations)}
    chosen.put(name, list(chosen.messages))


def _put_stop(chosen: Chosen, name: str, value: Any) -> None:
    """Take stops as AutoGen does: a list of texts is one setting, a list of lists a choice."""
    lists = value if isinstance(value, list | tuple) else [value]
    if not any(isinstance(item, list | tuple) for item in lists):
        chosen.fixed[name] = value if isinstance(value, str) else list(lists)
        return
    chosen.stops = {
        str(number): [item] if isinstance(item, str) else list(item)
        for number, item in enumerate(lists)
        if item is not None
    }
    none = [None] if any(item is None for item in lists) else []
    chosen.put(name, [*chosen.stops, *none])


_SPECIAL = {"prompt": _put_prompt, "messages": _put_messages, "stop": _put_stop}
