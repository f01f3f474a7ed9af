"""Lets code that is written for a LlamaIndex LLM ask through our client.

Such code runs in threads of its own and waits there for its answers. The calling thread, and no
other, leads the dialogues with the models, so that every call is counted, kept and paid for as any
other. Neither the loop of paid calls nor a loop of the code's own is ever blocked.

Importing this module imports LlamaIndex.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    CompletionResponse,
    LLMMetadata,
    MessageRole,
)
from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.core.llms.callbacks import llm_chat_callback, llm_completion_callback
from llama_index.core.llms.custom import CustomLLM

from pipelines.llm.batch import Ask, Converse, single
from pipelines.llm.models import LanguageModel
from pipelines.llm.types import CallFailedError as CallFailedError  # noqa: PLC0414
from pipelines.llm.types import ChatRequest, Completion, Message, Reply, Sampling

_MOST_THREADS = 64
_Result = TypeVar("_Result")
_Item = TypeVar("_Item")


Answers = Callable[[Ask], Reply]
"""Gives the reply to an ask; waits for it."""


@dataclass(frozen=True)
class _Open:
    work: int
    ask: Ask
    reply: Future[Reply]


class Switchboard(Generic[_Result]):
    """Runs pieces of work side by side in threads, and answers what they ask.

    Asks are collected until every piece that runs waits for one, and are asked together.

    Args:
        works: each gives its result, and may ask from any thread until it has.
    """

    def __init__(self, works: Sequence[Callable[[Answers], _Result]]) -> None:
        self._works = works
        self._threads = max(1, min(len(works), _MOST_THREADS))
        self._changed = threading.Condition()
        self._asked: list[_Open] = []
        self._open: set[Future[Reply]] = set()
        self._waiting: dict[int, int] = {}  # pieces that run -> their asks without a reply
        self._begun = self._ended = 0
        self._error: BaseException | None = None

    def run(self, converse: Converse, stage: str) -> list[_Result]:
        """Run everything; give the results in order.

        Raises:
            Exception: what a piece of work raises, or leading dialogues with a model.
        """
        with ThreadPoolExecutor(self._threads, "raytuner-bridge") as pool:
            results = [pool.submit(self._work, number) for number in range(len(self._works))]
            try:
                while asked := self._collect():
                    talks = [single(one.ask) for one in asked]
                    for number, reply in converse(talks, stage):
                        self._answer(asked[number], reply)
            except BaseException as error:
                self._break(error)
                raise
        return [result.result() for result in results]

    def _work(self, number: int) -> _Result:
        with self._changed:
            self._begun += 1
            self._waiting[number] = 0
        try:
            return self._works[number](partial(self._ask, number))
        finally:
            with self._changed:
                del self._waiting[number]
                self._ended += 1
                self._changed.notify_all()

    def _ask(self, number: int, ask: Ask) -> Reply:
        one = _Open(number, ask, Future())
        with self._changed:
            if self._error is not None:
                raise self._error
            self._asked.append(one)
            self._open.add(one.reply)
            self._waiting[number] += 1
            self._changed.notify_all()
        return one.reply.result()

    def _collect(self) -> list[_Open]:
        """Wait until nothing runs that could still ask; give what was asked."""
        with self._changed:
            self._changed.wait_for(self._still)
            asked, self._asked = self._asked, []
            return asked

    def _still(self) -> bool:
        if self._ended == len(self._works):
            return True
        full = self._begun == len(self._works) or len(self._waiting) == self._threads
        return full and bool(self._asked) and all(self._waiting.values())

    def _answer(self, one: _Open, reply: Reply) -> None:
        with self._changed:
            self._waiting[one.work] -= 1
            self._open.discard(one.reply)
        one.reply.set_result(reply)

    def _break(self, error: BaseException) -> None:
        """Let every piece of work that waits, or will ask again, hear of an error."""
        with self._changed:
            self._error = error
            left, self._open = self._open, set()
        for reply in left:
            reply.set_exception(error)


class BridgeLLM(CustomLLM):  # type: ignore[misc]  # LlamaIndex has no types here
    """A LlamaIndex LLM whose answers come from one of our models.

    Args:
        answers: gives replies; None: asking is an error.
        model: who is asked.
        sampling: how to answer; what the code that asks wishes for is not looked at.
        sample: number of the sample that is taken.
        context_window: tokens that the code may count on.
        strict: whether an answer with a label is none; otherwise its text is given as it is.
    """

    _answers: Answers | None = PrivateAttr()
    _model: LanguageModel = PrivateAttr()
    _sampling: Sampling = PrivateAttr()
    _sample: int = PrivateAttr()
    _window: int = PrivateAttr()
    _strict: bool = PrivateAttr()
    _failed: CallFailedError | None = PrivateAttr(default=None)

    def __init__(
        self,
        answers: Answers | None,
        model: LanguageModel,
        sampling: Sampling,
        sample: int = 0,
        context_window: int = 16_000,
        *,
        strict: bool = True,
    ) -> None:
        super().__init__()
        self._answers, self._model, self._sampling = answers, model, sampling
        self._sample, self._window, self._strict = sample, context_window, strict

    @property
    def failed(self) -> CallFailedError | None:
        """The first call that brought no usable answer, whatever the code made of it."""
        return self._failed

    @property
    def metadata(self) -> LLMMetadata:
        """Say what code may count on."""
        return LLMMetadata(
            context_window=self._window,
            num_output=self._sampling.max_tokens,
            is_chat_model=True,
            model_name=self._model.name,
        )

    @llm_chat_callback()  # type: ignore[untyped-decorator]
    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Ask, and wait in this thread."""
        return self._chat_response(self._ask(messages, **kwargs))

    @llm_chat_callback()  # type: ignore[untyped-decorator]
    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Ask without blocking the loop of the code that asks."""
        return self._chat_response(await asyncio.to_thread(self._ask, messages, **kwargs))

    @llm_completion_callback()  # type: ignore[untyped-decorator]
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """Ask, and wait in this thread."""
        del formatted, kwargs
        return CompletionResponse(text=self._ask([_user(prompt)]).text)

    @llm_completion_callback()  # type: ignore[untyped-decorator]
    async def acomplete(
        self, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> CompletionResponse:
        """Ask without blocking the loop of the code that asks."""
        del formatted, kwargs
        said = await asyncio.to_thread(self._ask, [_user(prompt)])
        return CompletionResponse(text=said.text)

    # whoever wants an answer in pieces gets it in one

    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> Iterator[ChatResponse]:
        """Ask, and give the whole answer as its only piece."""
        yield _whole(self.chat(messages, **kwargs))

    async def astream_chat(
        self, messages: Sequence[ChatMessage], **kwargs: Any
    ) -> AsyncIterator[ChatResponse]:
        """Ask, and give the whole answer as its only piece."""
        return _once(_whole(await self.achat(messages, **kwargs)))

    def stream_complete(
        self, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> Iterator[CompletionResponse]:
        """Ask, and give the whole answer as its only piece."""
        whole = self.complete(prompt, formatted, **kwargs)
        yield whole.model_copy(update={"delta": whole.text})

    async def astream_complete(
        self, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> AsyncIterator[CompletionResponse]:
        """Ask, and give the whole answer as its only piece."""
        whole = await self.acomplete(prompt, formatted, **kwargs)
        return _once(whole.model_copy(update={"delta": whole.text}))

    def _request(self, messages: Sequence[ChatMessage], **wishes: Any) -> ChatRequest:
        del wishes
        said = tuple(message_of(one) for one in messages)
        return ChatRequest(said, self._sampling, self._sample + 1)

    def _ask(self, messages: Sequence[ChatMessage], **wishes: Any) -> Completion:
        if self._answers is None:
            raise TypeError("this LLM leads nowhere")
        request = self._request(messages, **wishes)
        reply = self._answers(Ask(self._model, request))
        found = reply.samples[self._sample] if reply.failure is None else None
        if found is None or (found.label is not None and self._strict):
            error = CallFailedError(reply.failure, found.label if found else None)
            self._failed = self._failed or error
            raise error
        return found

    def _chat_response(self, said: Completion) -> ChatResponse:
        return ChatResponse(message=ChatMessage(role=MessageRole.ASSISTANT, content=said.text))


def message_of(message: ChatMessage) -> Message:
    """Give a message as our client has it; of what is no text, only the text."""
    return Message(_role(message.role), str(message.content or ""))


def _role(role: MessageRole) -> Any:
    if role in (MessageRole.SYSTEM, MessageRole.DEVELOPER):
        return "system"
    answers = (MessageRole.ASSISTANT, MessageRole.CHATBOT, MessageRole.MODEL)
    return "assistant" if role in answers else "user"


def _user(text: str) -> ChatMessage:
    return ChatMessage(role=MessageRole.USER, content=text)


def _whole(response: ChatResponse) -> ChatResponse:
    return response.model_copy(update={"delta": response.message.content or ""})


async def _once(item: _Item) -> AsyncIterator[_Item]:
    yield item
