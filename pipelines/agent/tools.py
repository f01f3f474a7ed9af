"""The tools of an agent: found, looked over, described, and made LlamaIndex's."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence, Set
from functools import lru_cache
from typing import Any

from pipelines.agent.config import AgentConfig
from pipelines.completion_code import find_function
from raytuner.component import ConfigError, nearest

Tool = Callable[..., Any]
SEARCH = "search"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_RESERVED = ("handoff",)
_PLAIN = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def find_tools(given: Sequence[Any], *, search: bool) -> dict[str, Tool]:
    """Import tools; give them by name.

    Args:
        given: `module:function`, or functions.
        search: whether there is the built-in tool of that name.

    Raises:
        ConfigError: one cannot be imported, has no docstring or no usable signature, or a name
            is there twice.
    """
    found: dict[str, Tool] = {}
    for one in given:
        tool = find_function(one, "tools")
        name = _named(tool, one)
        if name in found or (search and name == SEARCH):
            both = "the built-in tool has it" if name not in found else "another tool has it"
            raise ConfigError(f"tools: {one!r:.80} is called {name}, but {both}", ("tools",))
        _check_signature(tool, name)
        found[name] = tool
    return found


def docstring(tool: Tool) -> str:
    """Give a function's docstring, as its author sees it."""
    return (inspect.getdoc(tool) or "").strip()


def _named(tool: Tool, given: Any) -> str:
    name = getattr(tool, "__name__", "")
    if not _NAME.fullmatch(name) or name in _RESERVED:
        raise ConfigError(
            f"tools: {given!r:.80} is called {name or 'nothing'!r}, which no tool can be; give a "
            "function with a plain name",
            ("tools",),
        )
    if not docstring(tool):
        raise ConfigError(
            f"tools: {given!r:.80} has no docstring, by which a model would know what it is for; "
            "write one",
            ("tools",),
        )
    return name


def _check_signature(tool: Tool, name: str) -> None:
    for parameter in inspect.signature(tool).parameters.values():
        if parameter.kind not in _PLAIN:
            raise ConfigError(
                f"tools: {name} takes {parameter}, which no model can fill in; name its arguments",
                ("tools",),
            )


def check_names(config: AgentConfig, declared: Sequence[str]) -> None:
    """Look whether a configuration names tools and agents that there are.

    Raises:
        ConfigError: naming the field, with the nearest name.
    """
    _check_known("tools", config.tools or (), declared, "tool")
    _check_known("tool_descriptions", config.tool_descriptions, declared, "tool")
    for name, text in config.tool_descriptions.items():
        if not text.strip():
            field = f"tool_descriptions.{name}"
            raise ConfigError(f"{field}: it is empty; say what the tool is for", (field,))
    for name, agent in config.agents.items():
        if not _NAME.fullmatch(name) or name == MAIN:
            raise ConfigError(f"agents: {name!r} is no name for an agent", ("agents",))
        _check_known(f"agents.{name}.tools", agent.tools, declared, "tool")
    _check_known("sub_agents", config.sub_agents or (), list(config.agents), "agent")


MAIN = "main"
"""Name of the agent that is asked first."""


def _check_known(field: str, names: Any, known: Sequence[str], what: str) -> None:
    seen = set()
    for name in names:
        if name not in known:
            raise ConfigError(
                f"{field}: there is no {what} {name!r}; there are: {', '.join(known) or 'none'}."
                f"{nearest(name, known)}",
                (field,),
            )
        if name in seen:
            raise ConfigError(f"{field}: {name!r} is there twice; name it once", (field,))
        seen.add(name)


def expected(item: Mapping[str, Any], known: Sequence[str], where: str) -> frozenset[str] | None:
    """Give the tools that an item says should be called, or None.

    Raises:
        ConfigError: a tool that there is not.
    """
    given = item.get("tools")
    if given is None:
        return None
    if not isinstance(given, list | tuple):
        raise ConfigError(f"{where}: tools is a list of names, got {given!r:.80}", ("instances",))
    for name in given:
        if name not in known:
            raise ConfigError(
                f"{where}: there is no tool {name!r}; there are: {', '.join(known) or 'none'}."
                f"{nearest(str(name), known)}",
                ("instances",),
            )
    return frozenset(given)


def f1(called: Set[str], wanted: Set[str]) -> float:
    """Give the F1 of the tools that were called, each counted once; 1 where none was to be."""
    if not called and not wanted:
        return 1.0
    return 2 * len(called & wanted) / (len(called) + len(wanted))


def check_schemas(tools: Mapping[str, Tool]) -> None:
    """Look whether the arguments of tools can be told to a model.

    Raises:
        ConfigError: an annotation that has no JSON Schema.
    """
    for name, tool in tools.items():
        try:
            llamaindex_tool(name, tool, "?").metadata.get_parameters_dict()
        except Exception as error:
            reason = f"its arguments cannot be told to a model: {error!s:.200}"
            raise ConfigError(f"tools: {name}: {reason}", ("tools",)) from error


def llamaindex_tool(name: str, tool: Tool, description: str) -> Any:
    """Make a function LlamaIndex's.

    It runs in the item's own thread: tools of one item never run beside each other.
    """
    from llama_index.core.tools import FunctionTool

    async def called(**arguments: Any) -> Any:
        try:
            return tool(**arguments)
        except (SystemExit, KeyboardInterrupt) as error:  # would tear LlamaIndex's loop down
            raise RuntimeError(f"it raised {type(error).__name__}: {error}") from error

    return FunctionTool(async_fn=called, metadata=_metadata(name, tool, description))


@lru_cache(maxsize=256)
def _metadata(name: str, tool: Tool, description: str) -> Any:
    """Read the arguments of a tool; once, as this takes longer than most tools do."""
    from llama_index.core.tools import FunctionTool

    return FunctionTool.from_defaults(tool, name=name, description=description).metadata
