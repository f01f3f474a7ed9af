"""One run of an agent: LlamaIndex's, with every model call through our client.

LlamaIndex is imported when an agent runs.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from pipelines.agent.config import AgentConfig, SubAgent
from pipelines.agent.tools import MAIN, Tool, llamaindex_tool
from pipelines.llm.batch import Ask
from pipelines.llm.models import resolved
from pipelines.llm.types import Message, Reply
from pipelines.scrub import scrubbed
from pipelines.tokenizers import encodable

HANDOFF = "handoff"
_UNCUT = 10_000_000
"""Tokens of memory: what is too long for the model is an error, not silently forgotten."""


@dataclass(frozen=True)
class Step:
    """A call of a tool.

    Attributes:
        tool: its name.
        arguments: as the model gave them.
        result: text that the model got.
        error: what went wrong, or None.
    """

    tool: str
    arguments: Mapping[str, Any]
    result: str
    error: str | None = None

    def plain(self, longest: int) -> dict[str, Any]:
        """Give it as plain values, long texts cut."""
        spelled = {name: _cut(value, longest) for name, value in self.arguments.items()}
        shown = {"tool": self.tool, "arguments": spelled, "result": self.result[:longest]}
        return shown if self.error is None else {**shown, "error": self.error}


@dataclass
class Trace:
    """What an agent did.

    Attributes:
        answer: its last word; empty if there was none.
        steps: calls of tools, in order of their results.
        broke_off: why there is no answer, or None.
    """

    answer: str = ""
    steps: list[Step] = field(default_factory=list)
    broke_off: str | None = None

    @property
    def calls(self) -> list[Step]:
        """Calls of tools, handing off aside."""
        return [step for step in self.steps if step.tool != HANDOFF]

    @property
    def errors(self) -> list[str]:
        """What went wrong with tools."""
        return [step.error for step in self.steps if step.error is not None]

    def spelled(self, longest: int) -> str:
        """Spell it for people: what was called and what came, cut short, and the last word."""
        lines = []
        for number, step in enumerate(self.steps, start=1):
            given = json.dumps(step.plain(longest)["arguments"], ensure_ascii=False)
            came = step.error or step.result[:longest]
            lines.append(encodable(f"{number}. {step.tool} {given}: {came}"))
        return "\n".join([*lines, encodable(self.broke_off or self.answer)])


def play(
    config: AgentConfig,
    tools: Mapping[str, Tool],
    question: str,
    history: Sequence[Message],
    ask: Callable[[Ask], Reply],
) -> Trace:
    """Run an agent to its end, in this thread.

    Args:
        config: models in place of their names.
        tools: functions of all tools in use, by name.
        question: the last message of the user.
        history: earlier ones.
        ask: asks a model.

    Raises:
        CallFailedError: a call of a model failed.
    """
    return asyncio.run(_played(config, tools, question, history, ask))


def load() -> None:
    """Import what runs agents, so that no item is timed with it."""
    _kinds()


async def _played(
    config: AgentConfig,
    tools: Mapping[str, Tool],
    question: str,
    history: Sequence[Message],
    ask: Callable[[Ask], Reply],
) -> Trace:
    from llama_index.core.agent.workflow import AgentOutput, ToolCallResult
    from llama_index.core.base.llms.types import ChatMessage
    from llama_index.core.memory import ChatMemoryBuffer
    from workflows.errors import WorkflowRuntimeError

    workflow, offered = _workflow(config, tools, ask)
    memory = ChatMemoryBuffer.from_defaults(token_limit=_UNCUT)
    said = [ChatMessage(role=message.role, content=message.content) for message in history]
    handler = workflow.run(
        user_msg=question,
        chat_history=said,
        memory=memory,
        max_iterations=config.max_iterations,
    )
    trace, agent = Trace(), MAIN
    async for event in handler.stream_events():
        if isinstance(event, ToolCallResult):
            trace.steps.append(_step(event, agent, offered))
        elif isinstance(event, AgentOutput):
            agent = event.current_agent_name
    try:
        result = await handler
    except WorkflowRuntimeError as error:
        if "Max iterations" not in str(error):
            raise
        trace.broke_off = f"no answer within max_iterations {config.max_iterations}"
        return trace
    trace.answer = str(result.response.content or "")
    return trace


def _step(event: Any, agent: str, offered: Mapping[str, Sequence[str]]) -> Step:
    name, arguments, output = event.tool_name, dict(event.tool_kwargs), event.tool_output
    text, error = str(output.content or ""), None
    if name not in offered[agent]:
        error = f"called {name}, which is no tool"
    elif name == HANDOFF and not output.is_error and arguments.get("to_agent") not in offered:
        error = f"handed off to {arguments.get('to_agent')!s:.60}, which is no agent"
    elif output.is_error:
        raised = output.exception
        kind = type(raised).__name__ if raised is not None else "an error"
        error = f"{name} raised {kind}: {scrubbed(raised if raised is not None else text)}"
    return Step(name, arguments, text, error)


def _workflow(
    config: AgentConfig, tools: Mapping[str, Tool], ask: Callable[[Ask], Reply]
) -> tuple[Any, dict[str, list[str]]]:
    """Give LlamaIndex's workflow, and the names of each agent's tools."""
    from llama_index.core.agent.workflow import AgentWorkflow

    helpers = config.helpers()
    main = SubAgent(
        description="Answers the user.",
        system_prompt=config.system_prompt,
        tools=tuple(config.tools or ()),
    )
    made, offered = [], {}
    for name, one in {MAIN: main, **helpers}.items():
        onward = list(helpers) if name == MAIN else []
        made.append(_agent(config, name, one, tools, onward, ask))
        offered[name] = [*one.tools, *([HANDOFF] if onward else [])]
    return AgentWorkflow(agents=made, root_agent=MAIN, timeout=None), offered


def _agent(
    config: AgentConfig, name: str, one: SubAgent, tools: Mapping[str, Tool],
    onward: list[str], ask: Callable[[Ask], Reply],
) -> Any:  # fmt: skip
    from pipelines.llm.calling import CallingLLM

    told = config.tool_descriptions
    llm = CallingLLM(ask, resolved(config.model), config.sampling(), strict=False)
    return _kinds()[config.type](
        name=name,
        description=one.description,
        system_prompt=one.system_prompt or None,
        tools=[llamaindex_tool(tool, tools[tool], told[tool]) for tool in one.tools],
        can_handoff_to=onward,
        llm=llm,
        streaming=False,
    )


@lru_cache(maxsize=1)
def _kinds() -> dict[str, Any]:
    from llama_index.core.agent.workflow import FunctionAgent, ReActAgent

    class OrderedFunctionAgent(FunctionAgent):  # type: ignore[misc]
        """Tells results of tools in the order of their calls, whichever came first.

        The next request, and the key of its answer, must not depend on which tool was quicker.
        """

        async def handle_tool_call_results(self, ctx: Any, results: Any, memory: Any) -> None:
            said = await ctx.store.get(self.scratchpad_key, default=[])
            calls = [getattr(block, "tool_call_id", None) for one in said for block in one.blocks]
            ordered = sorted(results, key=lambda one: calls.index(one.tool_id))
            await super().handle_tool_call_results(ctx, ordered, memory)

    return {"function": OrderedFunctionAgent, "react": ReActAgent}


def _cut(value: Any, longest: int) -> Any:
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        return str(value)[:longest]
    return value if len(text) <= longest else text[:longest]
