"""What can be chosen about a training: the knobs of an adapter study, by their dotted names."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipelines.embedders.projection import Sides
from pipelines.overrides import blamed, changed, tree
from raytuner.component import Component, ConfigError, nearest, refuse_unknown
from raytuner.objective import Params, Value


class Adapter(Component):
    """What is trained: a function of vectors that is the identity before it is trained."""

    @property
    def sides(self) -> Sides:
        """Say whose vectors it is for."""
        return "queries"


class NoAdapter(Adapter, kind="none"):
    """Leave the embedder as it is."""


_SIDES = "project vectors of queries only, or of documents too (then the index is built anew)"


class Linear(Adapter, kind="linear"):
    """One matrix, which begins as the identity: y = W x (+ b)."""

    bias: bool = Field(default=False, description="add a vector b, which begins at 0")
    applies_to: Sides = Field(default="queries", description=_SIDES)

    @property
    def sides(self) -> Sides:
        """Say whose vectors it is for."""
        return self.applies_to


class TwoLayer(Adapter, kind="two-layer"):
    """A residual layer, whose outer matrix begins at 0: y = x + B relu(A x + a) + b."""

    hidden: int = Field(default=128, ge=1, le=4096, description="rows of the inner matrix")
    applies_to: Sides = Field(default="queries", description=_SIDES)

    @property
    def sides(self) -> Sides:
        """Say whose vectors it is for."""
        return self.applies_to


class Decay(Component):
    """How the learning rate falls from epoch to epoch."""

    @abstractmethod
    def factor(self, epoch: int) -> float:
        """Give what the learning rate is multiplied by, after so many epochs."""


class Constant(Decay, kind="constant"):
    """Leave it as it is."""

    def factor(self, epoch: int) -> float:
        """Give 1."""
        del epoch
        return 1.0


class TimeDecay(Decay, kind="time"):
    """Divide it by 1 + rate x epochs."""

    rate: float = Field(default=0.1, ge=0, le=100, description="what a further epoch adds to 1")

    def factor(self, epoch: int) -> float:
        """Give 1 / (1 + rate x epoch)."""
        return 1.0 / (1.0 + self.rate * epoch)


class StepDecay(Decay, kind="step"):
    """Multiply it by `rate` after every `every` epochs."""

    rate: float = Field(default=0.5, gt=0, le=1, description="what it is multiplied by")
    every: int = Field(default=5, ge=1, le=10_000, description="epochs from one step to the next")

    def factor(self, epoch: int) -> float:
        """Give rate ^ (epoch // every)."""
        return float(self.rate ** (epoch // self.every))


class ExponentialDecay(Decay, kind="exponential"):
    """Multiply it by `rate` after every epoch."""

    rate: float = Field(default=0.9, gt=0, le=1, description="what it is multiplied by")

    def factor(self, epoch: int) -> float:
        """Give rate ^ epoch."""
        return float(self.rate**epoch)


class Loss(Component):
    """What training makes small; see `pipelines.adapter.losses`."""


class Contrastive(Loss, kind="contrastive"):
    """Cross-entropy of the right passage among those of the batch (InfoNCE, multiple negatives).

    Sources: van den Oord et al., arXiv:1807.03748; Henderson et al., arXiv:1705.00652.
    """

    temperature: float = Field(
        default=0.05, gt=0, le=10, description="cosines are divided by it before the softmax"
    )


class Triplet(Loss, kind="triplet"):
    """Hinge: the right passage is to be closer than any other by `margin` (arXiv:1503.03832)."""

    margin: float = Field(default=0.1, ge=0, le=2, description="difference of cosines")


class Training(BaseModel):
    """How an adapter is trained. Dotted parameter names are paths into it (`decay.rate`)."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    adapter: Adapter = Field(default_factory=Linear, description="what is trained")
    epochs: int | None = Field(
        default=None, ge=1, description="epochs that train; in those left it stays; null: all"
    )
    learning_rate: float = Field(default=3e-4, ge=0, description="of Adam, in the first epoch")
    decay: Decay = Field(default_factory=Constant, description="how the learning rate falls")
    batch_size: int = Field(default=32, ge=2, le=65_536, description="questions in a batch")
    negatives: int = Field(
        default=4, ge=0, le=64,
        description="passages per question that rank high and hold no evidence of it, beside "
        "those of the batch's other questions",
    )  # fmt: skip
    regularisation: float = Field(
        default=0.01, ge=0, description="half of it times the squared distance from the start"
    )
    loss: Loss = Field(default_factory=Contrastive, description="what is made small")
    seed: int | None = Field(
        default=None, ge=0, le=2**63 - 1,
        description="of the order of questions and the inner matrix; null: the study's",
    )  # fmt: skip

    @classmethod
    def parse(cls, data: Any) -> Self:
        """Read the section `training`.

        Raises:
            ConfigError: naming the field, its value and what would be right.
        """
        if not isinstance(data, Mapping):
            raise ConfigError(
                f"training: give fields such as `learning_rate: 1e-3`, got {data!r:.80}",
                ("training",),
            )
        refuse_unknown(
            data, cls.model_fields, "a training has no such field; it has", ("training",)
        )
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise ConfigError.of(error, ("training",)) from error

    def override(self, params: Params) -> Self:
        """Give the training with some parameters changed.

        Raises:
            ConfigError: a name it does not have or a value it cannot take; its field is the
                parameter to blame.
        """
        fields: dict[str, Any] = {name: getattr(self, name) for name in type(self).model_fields}
        try:
            for name, change in tree(params).items():
                if name not in fields:
                    known = ", ".join(fields)
                    raise ConfigError(
                        f"{name}: a training has no parameter of that name; it has: {known}."
                        f"{nearest(name, fields)}",
                        (name,),
                    )
                fields[name] = changed(type(self), name, fields[name], change, (name,))
            return type(self).model_validate(fields)
        except ValidationError as error:
            raise blamed(ConfigError.of(error), params) from error
        except ConfigError as error:
            raise blamed(error, params) from error

    def values(self, names: Iterable[str]) -> dict[str, Value]:
        """Give the value of each dotted name that this training has."""
        known = self.flat()
        bare = {name: known[f"{name}.kind"] for name in _PARTS}
        return {name: (known | bare)[name] for name in names if name in known or name in bare}

    def flat(self) -> dict[str, Value]:
        """Give every value by its dotted name; `override` reads it back."""
        found: dict[str, Value] = {}
        for name, value in self.model_dump(mode="json").items():
            inner = {f"{name}.{key}": one for key, one in value.items()} if name in _PARTS else None
            found.update({name: value} if inner is None else inner)
        return found

    def seeded(self, seed: int) -> Self:
        """Give it with a seed, where it names none."""
        return self if self.seed is not None else self.model_copy(update={"seed": seed})

    def identity(self) -> Sequence[Any] | None:
        """Give what an epoch of it depends on; None if it trains nothing."""
        if self.adapter.kind == "none":
            return None
        return [getattr(self, name) for name in sorted(type(self).model_fields) if name != "epochs"]


_PARTS = ("adapter", "decay", "loss")
