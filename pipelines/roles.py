"""The seams of a pipeline: one role per stage, each a configuration that can do its stage.

Implementations live in the module named after their role and register by existing. Nothing
here imports a heavy library, and no implementation may at module level: a study that uses BM25
must not pay for Chroma.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, TypeVar

from pydantic import Field

from pipelines.embedding import CorpusEmbedder as CorpusEmbedder  # noqa: PLC0414 - roles too
from pipelines.embedding import Embed as Embed  # noqa: PLC0414
from pipelines.embedding import Embedded as Embedded  # noqa: PLC0414
from pipelines.embedding import Embedder as Embedder  # noqa: PLC0414
from pipelines.embedding import EmbedTexts as EmbedTexts  # noqa: PLC0414
from pipelines.types import Answer, Corpus, IntArray, Question, Ranking, Response, Vectors
from raytuner.component import Component
from raytuner.objective import Failure

if TYPE_CHECKING:
    from pipelines.llm.batch import Converse, Dialogue

_Result = TypeVar("_Result")


class Edited(NamedTuple):
    """A preprocessed text and where its characters came from.

    Attributes:
        text: the new text, n characters.
        origin: int64 [n + 1], non-decreasing. Character i of `text` came from
            original[origin[i]]; a slice [a, b) of `text` covers original
            [origin[a], origin[b - 1] + 1). The last entry is the original length.
    """

    text: str
    origin: IntArray


class Preprocessor(Component):
    """Rewrites a document before it is chunked; keeps track of offsets."""

    @abstractmethod
    def apply(self, text: str) -> Edited:
        """Rewrite one text."""


class Chunker(Component):
    """Cuts documents into chunks. Pure and deterministic."""

    @abstractmethod
    def split(self, text: str) -> list[tuple[int, int, int, int]]:
        """Cut one text.

        Returns:
            (start, end, match_start, match_end) per chunk, ordered by start then end; each
            0 <= start <= match_start < match_end <= end <= len(text). No chunk is blank, and
            every non-blank character of the text lies in at least one chunk.
        """

    def split_all(
        self, texts: Sequence[str], embed: Embed
    ) -> list[list[tuple[int, int, int, int]]]:
        """Do `split` for many texts; a chunker that compares vectors takes them from `embed`."""
        del embed
        return [self.split(text) for text in texts]


class Index(Protocol):
    """A searchable set of vectors."""

    def search(self, queries: Vectors, depth: int) -> Ranking:
        """Find the `depth` nearest rows of every query, best first, ties by row number."""


class Store(Component):
    """Holds vectors and finds the nearest ones."""

    @abstractmethod
    def index(self, key: str, vectors: Vectors, directory: Path) -> Index:
        """Build the index of `vectors`, or open it if `directory` already holds one for `key`."""


class Library(Protocol):
    """What a retriever or reranker may ask for; each answer is computed once and cached."""

    @property
    def texts(self) -> Sequence[str]:
        """The matched text of every chunk."""

    @property
    def queries(self) -> Sequence[str]:
        """The query texts."""

    def dense(self, depth: int) -> Ranking:
        """Rank chunks by vector similarity (cosine; higher is better)."""

    def rank(self, retriever: Retriever, depth: int) -> Ranking:
        """Run a nested retriever, through the cache."""

    def vectors(self) -> Vectors:
        """One vector per chunk: its own, or the normalised mean of its sentences'."""

    def query_vectors(self) -> Vectors:
        """One vector per query."""

    def embed(self, texts: Sequence[str], *, query: bool = False) -> Vectors:
        """Embed other texts (sentences of hits) with the pipeline's embedder, cached."""

    def gather(
        self, dialogues: Sequence[Dialogue[_Result]], stage: str
    ) -> Iterator[list[tuple[int, _Result]]]:
        """Lead dialogues with language models; see `pipelines.llm.client.Client.gather`."""


class Retriever(Component):
    """Ranks chunks for queries.

    `top_k` and `min_score` are applied after ranking: a ranking of some depth serves every
    smaller `top_k` as its prefix, so these two fields are in no key above the final cut.
    """

    late: ClassVar[frozenset[str]] = frozenset({"top_k", "min_score"})

    top_k: int = Field(default=5, ge=1, le=10_000, description="chunks handed on per question")
    min_score: float | None = Field(default=None, description="drop hits that score below this")

    @abstractmethod
    def rank(self, library: Library, depth: int) -> Ranking:
        """Rank at most `depth` chunks per query. A smaller depth gives a prefix of a larger one."""

    def needs_vectors(self) -> bool:
        """Whether ranking compares vectors; if no stage does, nothing is embedded."""
        return True

    def ranking_identity(self) -> tuple[Any, ...]:
        """Give the identity of `rank`: everything but the late fields."""
        role, kind, version, fields = self.identity()
        return (role, kind, version, {k: v for k, v in fields.items() if k not in self.late})


class Reranker(Component):
    """Reorders the first `candidates` of a ranking; the rest is dropped."""

    paid: ClassVar[bool] = False

    candidates: int = Field(
        default=20, ge=1, le=10_000, description="hits that are looked at; the rest is dropped"
    )

    def needs_vectors(self) -> bool:
        """Whether reranking asks the library for vectors."""
        return True

    @abstractmethod
    def rerank(self, library: Library, ranking: Ranking) -> Ranking:
        """Give the same chunk numbers (of the first `candidates`) in a better order."""


class Generator(Component):
    """Answers questions from the texts that were retrieved."""

    paid: ClassVar[bool] = False
    """Asks a language model, so that answers come one by one and cost something."""

    def needs_vectors(self) -> bool:
        """Whether answering asks the library for vectors."""
        return True

    @abstractmethod
    def answers(
        self, library: Library, questions: Sequence[str], contexts: Sequence[Sequence[str]]
    ) -> list[str]:
        """Give one answer per question; contexts[i] are the texts of its hits, best first."""

    def stream(
        self, library: Library, questions: Sequence[str], contexts: Sequence[Sequence[str]]
    ) -> Iterator[list[tuple[int, Answer]]]:
        """Give answers with the number of their question, as soon as they are there."""
        yield list(enumerate(map(Answer, self.answers(library, questions, contexts))))


@dataclass(frozen=True)
class Bench:
    """What metrics may need beside question and response.

    Attributes:
        corpus: the original documents; all spans point into it.
        token_starts: (tokenizer name, document number) -> sorted int64 offsets at which the
            tokens of that document start. The number of tokens in [a, b) is the number of
            starts in [a, b).
        embed: gives vectors of any texts (answers), by any embedder.
        converse: leads dialogues with language models (judges); None: there are none.
    """

    corpus: Corpus
    token_starts: Callable[[str, int], IntArray]
    embed: Embed
    converse: Converse | None = None


class Judgement(NamedTuple):
    """A score and what is worth keeping beside it, as plain JSON values."""

    score: float
    notes: dict[str, Any]


class Metric(Component):
    """Scores responses against golden questions; formula and source are in the docstring."""

    needs_answer: ClassVar[bool] = False
    """Compares answers: meaningless without a generator and reference answers."""
    needs_chunks: ClassVar[bool] = False
    """Looks at every chunk that overlaps the evidence, retrieved or not, instead of the hits."""
    lower_is_better: ClassVar[bool] = False
    paid: ClassVar[bool] = False
    """Asks a language model."""

    def applies(self, question: Question) -> bool:
        """Tell whether the metric is defined for this question (it has evidence, an answer)."""
        del question
        return True

    @property
    @abstractmethod
    def name(self) -> str:
        """Canonical name with its parameters, as in the literature: `recall`, `ndcg@10`."""

    @abstractmethod
    def score(self, question: Question, response: Response, bench: Bench) -> float:
        """Give one finite number. A question with nothing retrieved scores 0."""

    def scores(
        self, questions: Sequence[Question], responses: Sequence[Response], bench: Bench
    ) -> Sequence[float | Judgement | Failure]:
        """Score a batch; override where a batch is cheaper than its parts.

        A failure is the missing score of a question whose judge could not be had.
        """
        return [self.score(q, r, bench) for q, r in zip(questions, responses, strict=True)]
