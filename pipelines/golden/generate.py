"""Writes golden questions with a language model: passages in turn, until there are enough.

Every answer is kept in the cache of responses, so that the same command run again pays only for
what it has not asked yet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

from pipelines.golden import filters
from pipelines.golden.excerpts import Excerpt, cut_excerpts, in_turn
from pipelines.golden.files import Record
from pipelines.golden.filters import Asked, Draft, find_quote, flaw
from pipelines.golden.growing import GoldenFile, Progress, Wanted
from pipelines.golden.prompts import Verdict, vetting, writing
from pipelines.golden.spans import Locator
from pipelines.llm.batch import Ask, Dialogue
from pipelines.llm.client import Client
from pipelines.llm.models import LanguageModel
from pipelines.llm.types import ChatRequest, Reply
from pipelines.types import Corpus
from raytuner.component import ConfigError, RaytunerError
from raytuner.objective import Failure, Meter

_Result = TypeVar("_Result")

ROUNDS = 3
"""Questions that are asked for about one passage, at most."""
DRAFTS = 4
"""Drafts per question that is wanted, at most: what a run can cost is known before it."""
_BATCH = 64
GENERATED = "generated:llm"
GENERAL_KNOWLEDGE = "general-knowledge"


class Writer:
    """Writes one file from one corpus.

    Args:
        corpus: the documents.
        model: who writes, and looks again.
        client: asks it.
        meter: counts, and has the gate that knows the budget.
        file: where questions go.
        wanted: how many, and which.
    """

    def __init__(
        self, corpus: Corpus, model: LanguageModel, client: Client, meter: Meter,
        file: GoldenFile, wanted: Wanted,
    ) -> None:  # fmt: skip
        self._corpus, self._model, self._client, self._meter = corpus, model, client, meter
        self._file, self._wanted = file, wanted
        self._locator = Locator(corpus)
        self._before: dict[Excerpt, list[str]] = {}
        self._tags = (GENERATED, f"model:{model.name}")
        self.progress = Progress(there=len(file))

    def run(self, tell: Callable[[Progress], None]) -> Progress:
        """Ask until the file holds enough, or passages or the budget are used up.

        Args:
            tell: is called after every batch.

        Raises:
            ConfigError: the endpoint refuses key or model.
        """
        left = DRAFTS * self._wanted.questions
        ordered = in_turn(self._corpus, cut_excerpts(self._corpus), self._wanted.seed)
        for number in range(ROUNDS):
            passages = (e for e in ordered if self._open(e, number))
            while left > 0 and (batch := self._next(passages, left)):
                left -= self._batch(batch)
                tell(self.progress)
        return self.progress

    def _next(self, passages: Iterator[Excerpt], left: int) -> list[Excerpt]:
        """Take the passages of the next batch; none if there is no need for more."""
        missing = self._wanted.questions - self.progress.held
        if missing <= 0 or self.progress.stopped is not None:
            return []
        return list(islice(passages, min(_BATCH, missing + missing // 4 + 1, left)))

    def _open(self, excerpt: Excerpt, number: int) -> bool:
        """Tell whether a passage has brought a question every time, and its document wants more."""
        brought = len(self._before.get(excerpt, ()))
        name = self._corpus.documents[excerpt.doc].name
        return brought == number and not self._file.full(name, self._wanted.per_document)

    def _batch(self, batch: Sequence[Excerpt]) -> int:
        """Ask about passages; keep, in their order, the questions that are good.

        Returns:
            the passages that brought something else than a question of an earlier run.
        """
        progress = self.progress
        replies = self._lead([_asking(self._model, self._request(e)) for e in batch], "generate")
        progress.asked += len(replies)
        drafts, known = [], 0
        for number, reply in sorted(replies.items()):
            draft = self._draft(batch[number], reply)
            known += draft is None
            if isinstance(draft, Draft):
                drafts.append(draft)
            elif draft is not None:
                progress.drop(draft)
        if replies and all(reply.failure is not None for reply in replies.values()):
            progress.stopped = f"no call succeeded: {progress.failures[-1]}"
        verdicts = self._lead([vetting(self._model, d, self._corpus) for d in drafts], "filter")
        self._keep([(drafts[number], verdict) for number, verdict in sorted(verdicts.items())])
        return len(batch) - known

    def _request(self, excerpt: Excerpt) -> ChatRequest:
        document = self._corpus.documents[excerpt.doc]
        text = document.text[excerpt.start : excerpt.end]
        return writing(document.name, text, self._before.get(excerpt, ()))

    def _draft(self, excerpt: Excerpt, reply: Reply) -> Draft | str | Failure | None:
        """Read a draft; or say why it is none, None for one that is in the file already."""
        if reply.failure is not None:
            return reply.failure
        if reply.first.label is not None:
            return filters.UNREADABLE
        said = {name: " ".join(reply.first.data[name].split()) for name in ("question", "answer")}
        question, answer, quote = said["question"], said["answer"], reply.first.data["quote"]
        if not question:
            return filters.NOTHING
        self._before.setdefault(excerpt, []).append(question)
        wrong = flaw(question, answer, quote)
        if wrong is not None:
            return wrong
        span = find_quote(quote, excerpt, self._corpus)
        if span is None:
            return filters.UNFOUND
        draft = Draft(question, answer, span, self._tags)
        made = draft.record(self._locator)["id"]
        if made in self._file.ids:
            return None
        return filters.TWICE if self._file.asked.like(question) else draft

    def _keep(self, judged: Sequence[tuple[Draft, Verdict]]) -> None:
        kept: list[Record] = []
        asked = Asked()
        for draft, verdict in judged:
            if verdict == filters.KNOWN and self._wanted.keep_known:
                draft = draft._replace(tags=(*draft.tags, GENERAL_KNOWLEDGE))  # noqa: PLW2901
                verdict = None  # noqa: PLW2901
            if verdict is not None:
                self.progress.drop(verdict)
            elif asked.like(draft.question):
                self.progress.drop(filters.TWICE)
            elif self._room(draft, kept):
                kept.append(draft.record(self._locator))
                asked.add(draft.question)
        if kept:
            self._file.add(kept)
            self.progress.kept += len(kept)

    def _room(self, draft: Draft, kept: Sequence[Record]) -> bool:
        """Tell whether another question is wanted; answers beyond stay in the cache."""
        if self.progress.held + len(kept) >= self._wanted.questions:
            return False
        most = self._wanted.per_document
        name = self._corpus.documents[draft.evidence.doc].name
        own = self._file.groups[name] + sum(record["group"] == name for record in kept)
        return most is None or own < most

    def _lead(self, dialogues: Sequence[Dialogue[_Result]], stage: str) -> dict[int, _Result]:
        """Lead dialogues; where the budget ends, give those that came to their end."""
        ended: dict[int, _Result] = {}
        try:
            for number, result in self._client.converse(dialogues, self._meter, stage):
                ended[number] = result  # noqa: PERF403 - what has come stays after an error
        except ConfigError:
            raise
        except RaytunerError as error:
            self.progress.stopped = str(error)
        return ended


def _asking(model: LanguageModel, request: ChatRequest) -> Dialogue[Reply]:
    (reply,) = yield [Ask(model, request)]
    return reply
