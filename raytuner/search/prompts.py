"""Prompt evolution: texts that nobody has listed, written by a language model or from fragments.

L. A. Agrawal et al., "GEPA: Reflective Prompt Evolution Can Outperform Reinforcement Learning",
arXiv:2507.19457 (2025); C. Fernando et al., "Promptbreeder: Self-Referential Self-Improvement via
Prompt Evolution", arXiv:2309.16797 (2023). Parents are drawn from those that are best on some
question; a model is shown the parent's text and questions that it fails, and writes another; two
texts exchange sentences; fragments are put in and taken out. The other parameters of the space
change a little on the way.
"""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field, field_validator

from raytuner.component import ConfigError
from raytuner.objective import Cost, Objective
from raytuner.ports.rewriting import Rewriter
from raytuner.search.author import Author
from raytuner.search.descent import Descent, Habits
from raytuner.search.learner import mixed
from raytuner.search.offspring import Breeding
from raytuner.search.port import Proposer, Sampled
from raytuner.search.writing import ATTEMPTS, LONGEST, Desk
from raytuner.space import Space
from raytuner.spaces.texts import Text


class Prompts(Sampled, kind="prompts"):
    """Evolve texts (`evolve` in the space): a language model rewrites what fails.

    Without `model`, and wherever the model gives nothing that can be used, sentences are put in
    from `fragments`, taken out and exchanged.
    """

    learns: ClassVar[bool] = True

    model: str | dict[str, Any] | None = Field(
        default=None,
        description="who writes, by its name in the objective's `models` or in full; null: nobody",
    )
    examples: int = Field(
        default=3, ge=0, le=20, description="How many questions that failed are shown at a time."
    )
    rivals: int = Field(
        default=2, ge=0, le=10, description="How many of the best other texts are shown."
    )
    merge: float = Field(
        default=0.15, ge=0, le=1, description="Chance of a child to be mixed from two parents."
    )
    change: float = Field(
        default=0.2,
        ge=0,
        le=1,
        description="Chance of a parameter that is no text to change in a child.",
    )
    writers: int = Field(
        default=1,
        ge=1,
        le=64,
        description="How many texts may be written at a time; as many as there are workers keeps "
        "all of them busy.",
    )

    @field_validator("model")
    @classmethod
    def _named(cls, value: Any) -> Any:
        if isinstance(value, str) and not value.strip():
            raise ConfigError("give the name of a model, or null for changes from fragments alone")
        return value

    def total(self, space: Space) -> int | None:
        """Count the proposals: `samples`; there is no end of texts."""
        del space
        return self.samples

    def start(self, space: Space, seed: int) -> Proposer:
        """Begin without an objective, so with nobody who writes."""
        if self.model is not None:
            raise ConfigError(
                f"search.model: {self.model!r} can write only for an objective that has models",
                ("search", "model"),
            )
        return Author(self._descent(space, seed, None), samples=self.samples)

    def begin(self, space: Space, seed: int, objective: Objective) -> Proposer:
        """Begin."""
        descent, writer = self._descent(space, seed, objective), self.writer(objective)
        if writer is None:
            return Author(descent, samples=self.samples)
        desk = Desk(objective, writer, descent.breeding.texts)
        return Author(descent, samples=self.samples, desk=desk, writers=self.writers)

    def writer(self, objective: Objective) -> Rewriter | None:
        """Ask the objective for who writes.

        Raises:
            ConfigError: it knows no such model, or none at all.
        """
        if self.model is None:
            return None
        try:
            found = objective.rewriter(self.model)
        except ConfigError as error:
            reason = f"search.model: {error.message}"
            raise ConfigError(reason, ("search", "model", *error.field)) from None
        if found is None:
            raise ConfigError(
                f"search.model: this objective has no language models to write with, got "
                f"{self.model!r}; leave `model` out, and give `fragments` in the space",
                ("search", "model"),
            )
        return found

    def most(self, space: Space, objective: Objective) -> Cost:
        """Bound from above what a new text costs, asked for as often as may be."""
        writer = self.writer(objective)
        texts = [domain.max_chars for domain in space.domains.values() if isinstance(domain, Text)]
        if writer is None or not texts:
            return Cost()
        shown = max(texts) * (1 + self.rivals) + 3 * LONGEST * self.examples
        one = writer.most(shown, max(texts))
        usd, *counts = one
        return Cost(usd * ATTEMPTS, *(count * ATTEMPTS for count in counts))

    def _descent(self, space: Space, seed: int, objective: Objective | None) -> Descent:
        """Begin with an empty population; refuse a space without texts."""
        breeding = Breeding(space, self.change)
        if not breeding.texts:
            raise ConfigError(
                "search: prompts evolves texts, and the space has none; give one as {evolve: "
                f'["…"]}}, e.g. `prompt: {{evolve: ["Answer: {{question}}"]}}`; it has '
                f"{', '.join(space.names)}",
                ("search",),
            )
        standing = objective.defaults(space.names) if objective is not None else None
        habits = Habits(self.merge, self.examples, self.rivals)
        return Descent(breeding, breeding.first(standing, mixed(seed)), habits, seed)
