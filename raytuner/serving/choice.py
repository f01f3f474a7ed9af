"""What is served: the trial, the objective that it is of, and what the verdict says of both."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from raytuner import __version__
from raytuner.answering import Answerer
from raytuner.component import ConfigError
from raytuner.export import chosen
from raytuner.objective import Objective, Params
from raytuner.printable import json_ready, plain
from raytuner.recorded import Recorded, recorded
from raytuner.results import Results
from raytuner.strike import strike, struck
from raytuner.trial import Trial


class Recipe(NamedTuple):
    """What an answerer is made from, in any process that sees the same files. Plain values.

    Attributes:
        source: the study as the journal has it.
        params: of the trial.
    """

    source: Recorded
    params: Params

    def objective(self) -> Objective:
        """Make the objective; raises ConfigError as it does."""
        return self.source.objective()

    def answerer(self, objective: Objective | None = None) -> Answerer:
        """Make the answerer.

        Args:
            objective: if it is there already.

        Raises:
            ConfigError: documents or models are missing, or the objective answers no questions.
        """
        found = (objective or self.objective()).answerer(self.params)
        if found is None:
            raise ConfigError(
                f"{self.source.config.get('name')}: its objective answers no questions, so there "
                "is nothing to serve"
            )
        return found


class Choice(NamedTuple):
    """What is served, and why.

    Attributes:
        recipe: makes the answerer.
        name: of the study.
        said: for people, in one sentence.
        about: for programs: study, trial, score, verdict.
        key: of the trial.
        folder: of the run.
    """

    recipe: Recipe
    name: str
    said: str
    about: Mapping[str, Any]
    key: str
    folder: Path | None

    def changed(self, objective: Objective) -> str | None:
        """Say so if what would be served is not what was judged; None if it is."""
        if objective.key(self.recipe.params) == self.key:
            return None
        return (
            "documents, questions or parts of the pipeline have changed since the run: what is "
            "served is not quite what was judged"
        )


def choose(results: Results, number: int | None = None) -> Choice:
    """Choose a trial of a run.

    Args:
        results: of a run folder.
        number: the trial; None: what the verdict recommends, or, where there is no verdict, the
            best one.

    Raises:
        ConfigError: there is no such trial, or nothing that could be served.
    """
    trial = chosen(results, number, none="nothing to serve")
    recipe = _recipe(results, trial)
    verdict = results.verdict
    said = f"trial {trial.number} of study {results.name}, {_why(results, trial, number)}"
    about = {
        "study": results.name,
        "trial": trial.number,
        "key": trial.key,
        "raytuner": __version__,
        "metric": results.metric,
        "score": results.score(trial),
        "questions": len(trial.units),
        "verdict": {"status": verdict.status, "sentence": verdict.sentence},
        "chosen": said,
    }
    return Choice(recipe, results.name, plain(strike(said)), about, trial.key, results.folder)


def public(about: Mapping[str, Any], configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Give what clients may see: plain JSON values, secrets struck out."""
    shown: dict[str, Any] = struck(json_ready({**about, "configuration": configuration}))
    return shown


def _why(results: Results, trial: Trial, number: int | None) -> str:
    verdict, recommended = results.verdict, results.recommended
    if verdict.status == "NONE":
        wanted = "as you asked" if number is not None else "the best of the search"
        return f"{wanted}; there is no verdict: {verdict.sentence}"
    if recommended is None or trial.number == recommended.number:
        return f"which the verdict recommends: {verdict.sentence}"
    other = f"the verdict recommends trial {recommended.number}"
    return f"as you asked; {other}: {verdict.sentence}"


def _recipe(results: Results, trial: Trial) -> Recipe:
    source = recorded(results.folder)
    if source is None:
        raise ConfigError(
            f"{results.name}: its objective is a Python object, which the journal cannot hold, so "
            "there is nothing to serve"
        )
    return Recipe(source, dict(trial.params))
