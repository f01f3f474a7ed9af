"""The winner, rebuilt for use: from an exported configuration to a pipeline that takes questions.

Knows files and pipelines; nothing of studies, golden sets or metrics.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipelines.answering import Opened
from pipelines.cache import Cache
from pipelines.config import RagConfig
from pipelines.documents import Source
from pipelines.embedders.adapted import rooted
from pipelines.ingestion import Editions, Ingestion
from pipelines.pipeline import Pipeline
from pipelines.records import read_text
from pipelines.types import Corpus, Hit, Response
from pipelines.workspace import load_corpus, open_cache
from raytuner.component import ConfigError
from raytuner.objective import Meter, Tally


class AnsweringPipeline:
    """A pipeline over documents that takes any question.

    Chunks and vectors come from the cache where a study has left them there, and are made
    otherwise, when the first question comes; from then on they are held. Rankings of questions
    are not kept.

    Args:
        config: the pipeline.
        corpus: the documents.
        cache: chunks and vectors.
        meter: where work is counted.
    """

    def __init__(
        self, config: RagConfig, corpus: Corpus, *, cache: Cache, meter: Meter | None = None
    ) -> None:
        self.config = config
        self.corpus = corpus
        ingestion = Ingestion(Editions(corpus), config, cache=cache, meter=meter or Tally())
        self._opened = Opened(ingestion, cache)

    def retrieve(self, question: str) -> tuple[Hit, ...]:
        """Find what the pipeline hands on for a question, best first.

        Returns:
            Hits. `hit.text` is what a reader sees; `corpus.documents[hit.doc].text` from
            `hit.start` to `hit.end` is where it lies in the original document.

        Raises:
            ObjectiveFailure: a remote model or store failed; the kind says how.
            ConfigError: the configuration cannot run here (missing model, key or package).
        """
        return Pipeline(self._opened.library([question])).hits(0)

    def answer(self, question: str) -> Response:
        """Retrieve, and answer if the pipeline has a generator; raises as `retrieve` does."""
        return self.ask_many([question])[0]

    def ask_many(self, questions: Sequence[str]) -> list[Response]:
        """Answer many questions at once: the same responses as one by one, sooner."""
        return Pipeline(self._opened.library(questions)).respond(range(len(questions)))


def load_pipeline(
    config: str | Path | Mapping[str, Any],
    documents: Source | Corpus,
    *,
    cache: str | Path | None = None,
    root: str | Path | None = None,
) -> AnsweringPipeline:
    """Rebuild a pipeline from what `raytuner export` prints.

    For the questions of the golden set it finds what the tuned trial found, to the last bit of
    every score (an approximate store excepted).

        raytuner export study.yaml -o best.yaml

        >>> from pipelines import load_pipeline
        >>> pipeline = load_pipeline("best.yaml", documents="docs/")  # doctest: +SKIP
        >>> pipeline.retrieve("How long is the warranty?")[0].text  # doctest: +SKIP
        'The warranty lasts 24 months.'

    Args:
        config: the YAML file, or its content as a mapping.
        documents: as in a study: folder, file, glob, a list of these, or `sample:python-api`;
            or a corpus, e.g. of a golden set that brings its own.
        cache: folder of the cache; None: RAYTUNER_CACHE or ~/.cache/raytuner, as for a study.
        root: folder that relative paths of `documents` and `cache` start from; None: the current
            one.

    Raises:
        ConfigError: a file that is missing or not valid, naming line or field; documents that
            cannot be read.
    """
    base = Path(root).resolve() if root is not None else Path.cwd()
    data = config if isinstance(config, Mapping) else _read(Path(config))
    if isinstance(documents, Corpus):
        corpus = documents
    else:
        corpus, _ = load_corpus(documents, base)
    return AnsweringPipeline(
        rooted(RagConfig.parse(data), base), corpus, cache=open_cache(cache, base)
    )


def _read(path: Path) -> Mapping[str, Any]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    text = read_text(path, str(path))
    try:
        data = YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        problem = str(getattr(error, "problem", None) or error).splitlines()[0]
        raise ConfigError(f"{path}{where}: not valid YAML: {problem}") from None
    if not isinstance(data, Mapping):
        raise ConfigError(
            f"{path}: expected the stages of a pipeline, as `raytuner export` writes them, got "
            f"{type(data).__name__}"
        )
    return data
