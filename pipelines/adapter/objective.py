"""The objective of kind `adapter`: trains an adapter on top of an embedder, epoch by epoch."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Self

from pipelines.adapter.config import Training
from pipelines.adapter.course import Course, Epoch, Grounds, Stretch, Walk, course
from pipelines.adapter.material import Material
from pipelines.adapter.parts import Parts, parts_of
from pipelines.adapter.spec import AdapterSpec, refuse
from pipelines.adapter.trainer import DivergedError
from pipelines.config import RagConfig
from pipelines.embedders.adapted import rooted
from pipelines.embedders.paid import bought
from pipelines.embedders.projection import AdapterFile, Projection, write_adapter
from pipelines.explaining import contents
from pipelines.golden_objective import GoldenObjective
from pipelines.llm.client import client_of
from pipelines.llm.probing import probe_all
from pipelines.paying import paid_in, preparation
from pipelines.roles import CorpusEmbedder
from pipelines.scoring import parse_metrics
from raytuner.checkpoints import Checkpoints
from raytuner.component import ConfigError, digest
from raytuner.objective import Failure, Meter, ObjectiveFailure, Params, Tally, UnitScore
from raytuner.ports.gate import Answers
from raytuner.schedule import Schedule
from raytuner.training import Step, Trainable

VERSION = 1
"""Bumped when equal parameters would train something else."""
_RETRIEVES = {"kind": "dense", "top_k": 10}
_build = threading.Lock()


class AdapterObjective(GoldenObjective, Trainable):
    """Trains an adapter on some questions, scores every epoch on others, and is judged on the rest.

    Args:
        spec: documents, golden set, metrics, what retrieves, and how is trained what is not tuned.
        root: folder that relative paths start from.
        seed: of trainings that name none.

    Raises:
        ConfigError: for bad input, naming file, line or field.
    """

    step_name: ClassVar[str] = "epoch"

    def __init__(self, spec: AdapterSpec, root: Path, seed: int = 0) -> None:
        super().__init__(spec.sources(), root, seed)
        self.spec = spec
        pipeline = {"retriever": _RETRIEVES, **spec.pipeline}
        self.config = rooted(RagConfig.parse(pipeline, ("pipeline",)), root)
        self.training = Training.parse(spec.training)
        self._measures = parse_metrics(spec.metrics)
        refuse(self.config, self._measures)
        self._material: Material | None = None

    @classmethod
    def build(cls, args: Mapping[str, Any], *, root: Path, seed: int) -> Self:
        """Make one from a study's `objective:` section."""
        return cls(AdapterSpec.parse(args), root.resolve(), seed)

    @staticmethod
    def schema() -> dict[str, Any]:
        """Give the JSON Schema of the section, for editors."""
        schema = AdapterSpec.model_json_schema()
        pipeline = RagConfig.model_json_schema()
        for stage in ("query", "generator"):  # only retrieves
            del pipeline["properties"][stage]
        schema["properties"]["pipeline"] = pipeline
        schema["properties"]["training"] = Training.model_json_schema()
        return schema

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_material": None}

    # ---- what the tuner asks before it runs anything

    def steps(self) -> int:
        """Give the epochs of a complete training."""
        return self.spec.epochs

    def tests(self) -> Sequence[str]:
        """List the questions that judge."""
        return self.parts.held_out

    @property
    def parts(self) -> Parts:
        """Which questions are for what."""
        return parts_of(self.workspace, self._measures, self.spec.split)

    def scope(self) -> str:
        """Identify documents, questions, their division, metrics, what retrieves, and epochs."""
        space = self.workspace
        measures = sorted(self._measures, key=lambda metric: metric.name)
        asked = contents(space)
        parts = [[[unit, asked[unit]] for unit in part] for part in self.parts[:3]]
        facts = [self.spec.epochs, self.seed, VERSION]
        return digest("adapter", space.corpus.key, self.config.identity(), measures, parts, facts)

    def key(self, params: Params) -> str:
        """Identify what a trial trains, however it is spelt."""
        spelt: list[list[Any]] = []
        begin = 0
        for until, training in self._stretches(self.schedule(params)):
            last = until if training.epochs is None else min(until, training.epochs)
            trains = max(last - begin, 0) if training.identity() is not None else 0
            entry = [until - begin, trains, training.identity() if trains else None]
            spelt.append(entry)
            begin = until
        return digest(self.scope(), spelt)

    def metrics(self) -> tuple[str, ...]:
        """Name the metrics."""
        return tuple(metric.name for metric in self._measures)

    def maximise(self, metric: str) -> bool:
        """Tell whether more of a metric is better."""
        return not any(m.lower_is_better for m in self._measures if m.name == metric)

    def defaults(self, names: Sequence[str]) -> Params:
        """Give the embedder as it stands: no adapter, whatever else would be trained with."""
        others = [name for name in names if name.split(".")[0] != "adapter"]
        bare = "adapter" if "adapter" in names else "adapter.kind"
        return {**self.training.values(others), bare: "none"}

    def export(self, params: Params) -> Mapping[str, Any]:
        """Give what retrieves, and the whole schedule with every parameter.

        `raytuner.schedule.read_schedule` makes parameters of it that train the same again.
        """
        stretches = self._stretches(self.schedule(params))
        schedule = [{"until": until, **training.flat()} for until, training in stretches]
        return {"schedule": schedule, "pipeline": self.config.plain()}

    def warnings(self) -> Sequence[str]:
        """Say what looks wrong with the data."""
        parts, found = self.parts, list(self.workspace.warnings)
        if parts.mixed and self.spec.split.by == "document":
            found.append(
                "the questions come from too few documents to divide them by document: questions "
                "about one document both train and judge"
            )
        if len(parts.train) < 50:
            found.append(
                f"only {len(parts.train)} questions train: expect little of an adapter (some "
                "hundreds are worth writing)"
            )
        return found

    def plan(self, points: Sequence[Params]) -> Mapping[str, float]:
        """Count chunks and texts to be embedded; bound what that costs."""
        del points
        ingestion = self.workspace.ingestion(self.config, Tally())
        return preparation([ingestion], self.workspace.queries, self.workspace.missing)

    # ---- money and services, where the embedder that is adapted is somebody else's

    def paid(self) -> bool:
        """Tell whether embedding costs money."""
        return bought(self.config.embedder)

    def answers(self) -> Answers | None:
        """Give the cache of this host."""
        return client_of(self.workspace.cache.responses).shelf if self.paid() else None

    def unpriced(self, params: Params) -> Sequence[str]:
        """Name the embedder, if nobody knows its price."""
        del params
        return [one.name for one in paid_in(self.config.embedder) if one.rates() is None]

    def preflight(self, points: Sequence[Params], *, remote: bool) -> None:
        """Ask the embedder's endpoint whether it takes key and model."""
        del points
        probe_all(list(paid_in(self.config.embedder)), remote=remote)

    # ---- training and judging

    def train(self, schedule: Schedule, first: int, last: int, meter: Meter) -> Iterator[Step]:
        """Train epoch by epoch; see `Trainable.train`.

        A checkpoint is kept of every fifth epoch and of the last one that was asked for.
        """
        stretches = self._stretches(schedule)
        courses = {step: course(stretches, step) for step in range(first, last + 1)}
        longest = {one.start: one for one in courses.values() if one.runs}
        grounds = self._grounds(meter)
        walks: dict[int, Walk] = {}
        try:
            for step, one in courses.items():
                if one.runs and one.start not in walks:
                    walks[one.start] = Walk(grounds, longest[one.start], meter)
                yield self._step(step, one, walks.get(one.start), meter)
        finally:
            for walk in walks.values():
                walk.keep()

    def _step(self, step: int, one: Course, walk: Walk | None, meter: Meter) -> Step:
        if not one.runs or walk is None:
            return Step(self._ground(meter).validated(Projection(), meter))
        try:
            known: Epoch = walk.after(one.epochs)
        except DivergedError:
            rate = one.training(one.epochs).learning_rate
            reason = f"epoch {step}: learning_rate {rate:g} is too high, the weights overflow"
            return Step({}, failure=Failure("objective", reason))
        return Step(known.scores, notes={"loss": known.loss})

    def judge(
        self, schedule: Schedule, units: Sequence[str], meter: Meter
    ) -> Iterator[Sequence[UnitScore]]:
        """Score held-out questions with what the whole schedule trains."""
        found = self._ground(meter).scores(self.trained(schedule, meter), units, meter)
        yield [
            UnitScore(unit, one.scores, failure=one.failure)
            for unit, one in zip(units, found, strict=True)
        ]

    def trained(self, schedule: Schedule, meter: Meter) -> Projection:
        """Give the adapter that a schedule trains; from its last checkpoint if it is there.

        Raises:
            ObjectiveFailure: the weights overflow on the way.
        """
        one = course(self._stretches(schedule), self.steps())
        if not one.runs:
            return Projection()
        walk = Walk(self._grounds(meter), one, meter)
        try:
            return walk.projection()
        except DivergedError:
            reason = "the learning rate is too high, the weights overflow"
            raise ObjectiveFailure("objective", reason) from None

    def write(self, params: Params, path: Path, meter: Meter) -> str:
        """Write the adapter that a trial has trained, for the embedder of kind `adapted`.

        Raises:
            ConfigError: the trial trains none, or the file cannot be written.
            ObjectiveFailure: as `trained`.
        """
        schedule = self.schedule(params)
        projection = self.trained(schedule, meter)
        if projection.kind == "none":
            raise ConfigError("this is the embedder as it stands: there is no adapter to write")
        embedder, asked = self.config.embedder, contents(self.workspace)
        fitted = isinstance(embedder, CorpusEmbedder)
        about = {
            "schedule": self.export(params)["schedule"],
            "embedder": embedder.model_dump(mode="json"),
            "questions": sorted(asked[unit] for part in self.parts[:2] for unit in part),
        }
        ground = self._ground(meter)
        file = AdapterFile(projection, embedder.fingerprint(), ground.fitted_on, about)
        try:
            write_adapter(file, path)
        except OSError as error:
            raise ConfigError(f"{path}: {error.strerror or error}") from None
        kind = "adapted-fitted" if fitted else "adapted"
        return (
            f"use it as `embedder: {{kind: {kind}, base: {embedder.kind}, adapter: {path.name}}}`"
        )

    def _stretches(self, schedule: Schedule) -> list[Stretch]:
        found = [Stretch(until, self.training.override(params)) for until, params in schedule]
        return [Stretch(until, training.seeded(self.seed)) for until, training in found]

    def _ground(self, meter: Meter) -> Material:
        if self._material is None:
            with _build:
                if self._material is None:
                    space = self.workspace
                    parts = (self._measures, self.parts, meter)
                    self._material = Material(space, self.config, *parts)
        return self._material

    def _grounds(self, meter: Meter) -> Grounds:
        ground = self._ground(meter)
        place = self.workspace.cache.place("checkpoints")
        scores = partial(ground.validated, meter=meter)
        return Grounds(digest(ground.key, VERSION), ground.pairs, scores, Checkpoints(place))
