"""A LlamaIndex LLM for agents: it may call functions, and its answers come from our client.

Importing this module imports LlamaIndex.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    LLMMetadata,
    MessageRole,
    TextBlock,
    ToolCallBlock,
)
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.llms.llm import ToolSelection

from pipelines.llm.bridge import BridgeLLM, message_of
from pipelines.llm.types import Calling, ChatRequest, Completion, ToolCall, ToolResult, Tools, Turn


class CallingLLM(BridgeLLM, FunctionCallingLLM):  # type: ignore[misc]  # LlamaIndex has no types
    """A LlamaIndex LLM that calls functions, for FunctionAgent and AgentWorkflow.

    Its arguments are those of BridgeLLM.
    """

    @property
    def metadata(self) -> LLMMetadata:
        """Say what agents may count on."""
        return super().metadata.model_copy(update={"is_function_calling_model": True})

    def _prepare_chat_with_tools(
        self,
        tools: Sequence[Any],
        user_msg: str | ChatMessage | None = None,
        chat_history: list[ChatMessage] | None = None,
        verbose: bool = False,
        allow_parallel_tool_calls: bool = False,
        tool_required: bool = False,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """Give the arguments of `chat`; of other wishes none is granted."""
        del verbose, kwargs
        messages = list(chat_history or [])
        if user_msg is not None:
            asked = user_msg
            if isinstance(asked, str):
                asked = ChatMessage(role=MessageRole.USER, content=asked)
            messages.append(asked)
        functions = tuple(
            tool.metadata.to_openai_tool(skip_length_check=True)["function"] for tool in tools
        )
        offered = Tools(functions, tool_required, allow_parallel_tool_calls) if functions else None
        return {"messages": messages, "tools": offered}

    def get_tool_calls_from_response(
        self, response: ChatResponse, error_on_no_tool_call: bool = True, **kwargs: Any
    ) -> list[ToolSelection]:
        """List the functions to call; arguments that are no JSON object are none.

        Raises:
            ValueError: there are none, and there should be.
        """
        del kwargs
        blocks = [one for one in response.message.blocks if isinstance(one, ToolCallBlock)]
        if not blocks and error_on_no_tool_call:
            raise ValueError("the model called no tool")
        return [
            ToolSelection(
                tool_id=block.tool_call_id or "",
                tool_name=block.tool_name,
                tool_kwargs=_arguments(block.tool_kwargs),
            )
            for block in blocks
        ]

    def _request(
        self, messages: Sequence[ChatMessage], tools: Tools | None = None, **wishes: Any
    ) -> ChatRequest:
        del wishes
        said = tuple(_turn(message) for message in messages)
        return ChatRequest(said, self._sampling, self._sample + 1, tools=tools)

    def _chat_response(self, said: Completion) -> ChatResponse:
        blocks = [TextBlock(text=said.text)] if said.text or not said.calls else []
        blocks += [
            ToolCallBlock(tool_call_id=call.id, tool_name=call.name, tool_kwargs=call.arguments)
            for call in said.calls
        ]
        return ChatResponse(message=ChatMessage(role=MessageRole.ASSISTANT, blocks=blocks))


def _turn(message: ChatMessage) -> Turn:
    if message.role == MessageRole.TOOL and "tool_call_id" in message.additional_kwargs:
        named = str(message.additional_kwargs["tool_call_id"])
        return ToolResult(str(message.content or ""), named)
    calls = tuple(_call(block) for block in message.blocks if isinstance(block, ToolCallBlock))
    return Calling(str(message.content or ""), calls) if calls else message_of(message)


def _call(block: ToolCallBlock) -> ToolCall:
    given = block.tool_kwargs
    spelled = given if isinstance(given, str) else json.dumps(given)
    return ToolCall(block.tool_call_id or "", block.tool_name, spelled)


def _arguments(given: Any) -> dict[str, Any]:
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except (ValueError, RecursionError):
            return {}
    return given if isinstance(given, dict) else {}
