"""The completion objective: what `kind: completion` in a study means.

Templates are filled from instances, a language model answers, the user's function scores. There is
no retrieval; units are instances.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from pipelines.completion_answering import CompletionAnswerer
from pipelines.completion_asking import STAGE, Created, create, dialogue, told
from pipelines.completion_code import Evaluated, code_of, evaluate, failed, find_function
from pipelines.completion_config import CompletionConfig, identity_of, plain
from pipelines.completion_data import filled
from pipelines.completion_explaining import explained
from pipelines.completion_spec import CompletionSpec
from pipelines.estimate import Bounds, count, total
from pipelines.llm.models import resolved, unpriced
from pipelines.llm.naming import models_in
from pipelines.llm.types import Completion, Reply
from pipelines.tasks.instances import InstanceObjective
from raytuner.answering import Answerer
from raytuner.component import digest
from raytuner.objective import (
    LATENCY,
    UNIT_TOKENS,
    UNIT_USD,
    Cost,
    Meter,
    Params,
    Tally,
    UnitScore,
)

_TEMPLATE_TOKENS = 8
"""What a chat template may put around a message, about."""


class CompletionObjective(InstanceObjective[CompletionSpec, CompletionConfig]):
    """Asks a language model about instances and scores what it says by the user's function.

    Args:
        spec: instances, evaluation function, and the configuration as it stands.
        root: folder that relative paths start from.
        seed: seed of the order of instances.

    Raises:
        ConfigError: for bad input, naming the field.
    """

    by_name = True

    def __init__(self, spec: CompletionSpec, root: Path, seed: int = 0) -> None:
        super().__init__(spec, root, seed)
        self.config = CompletionConfig.parse(spec.completion, ("completion",))
        spec.check(self.config)
        self._function = find_function(spec.eval_func)

    @classmethod
    def build(cls, args: Mapping[str, Any], *, root: Path, seed: int) -> Self:
        """Make one from a study's `objective:` section."""
        return cls(CompletionSpec.parse(args), root.resolve(), seed)

    @staticmethod
    def schema() -> dict[str, Any]:
        """Give the JSON Schema of the section, for editors."""
        schema = CompletionSpec.model_json_schema()
        schema["properties"]["completion"] = CompletionConfig.model_json_schema()
        return schema

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        if isinstance(self.spec.eval_func, str):
            del state["_function"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._function = find_function(self.spec.eval_func)

    # ---- what the tuner asks before it runs anything

    def scope(self) -> str:
        """Identify instances, evaluation function and how answers count."""
        function = [code_of(self._function), self.spec.version, *self.spec.metrics]
        treated = self.spec.outputs.model_dump()
        return digest("completion", self.instances.key, function, treated, self.seed)

    def key(self, params: Params) -> str:
        """Identify what the trial computes: equal requests have equal keys, however spelt."""
        return digest(self.scope(), identity_of(self.configured(params)))

    def configured(self, params: Params) -> CompletionConfig:
        """Configure a trial, names resolved, templates checked."""
        config = self.config.override(params)
        found = self.spec.resolved(config)
        self.instances.check(found.templates, "prompt" if config.prompt else "messages")
        return found

    def defaults(self, names: Sequence[str]) -> Params | None:
        """Give the value each parameter has in the configuration as it stands, if it can be run."""
        standing = self.config
        if standing.prompt is None and standing.messages is None:
            return None
        return {name: standing.value(name) for name in names}

    def estimate_range(self, params: Params, units: Sequence[str]) -> tuple[Cost, Cost]:
        """Bound the cost of answering: n answers of a token each, or of `max_tokens`.

        An endpoint that gives one answer a call is sent the prompt for each of them.
        """
        config = self.configured(params)
        answers = max(config.n, config.best_of or 1)
        bounds = []
        for unit in units:
            messages = filled(config.templates, self.instances[unit])
            tokens = float(sum(count(message.content) for message in messages))
            framed = (tokens + _TEMPLATE_TOKENS * len(messages)) * config.n
            out = (float(config.n), float(config.max_tokens * answers))
            bounds.append(Bounds(resolved(config.model), (1, config.n), (tokens, framed), out))
        return total(bounds)

    # ---- answering and scoring

    def evaluate(
        self, params: Params, units: Sequence[str], meter: Meter
    ) -> Iterator[Sequence[UnitScore]]:
        """Ask about all instances at once; score answers as they come."""
        config = self.configured(params)
        priced = not unpriced(tuple(models_in(config)))
        dialogues = [dialogue(config, self.instances[unit]) for unit in units]
        began = time.perf_counter()
        for part in self.client().gather(dialogues, meter, STAGE):
            with meter.stage("score"):
                scored = [self._score(units[n], reply, priced=priced) for n, reply in part]
            seconds = (time.perf_counter() - began) / len(part)
            yield [score._replace(seconds=seconds) for score in scored]
            began = time.perf_counter()

    def _score(self, unit: str, reply: Reply, *, priced: bool) -> UnitScore:
        if reply.failure is not None:
            return UnitScore(unit, {}, reply.paid, failure=reply.failure)
        treated = [self.spec.outputs.treatment(sample.label) for sample in reply.samples]
        if "fail" in treated:
            label = reply.samples[treated.index("fail")].label
            found = failed(unit, f"an answer is {label}, which is to count as missing")
        else:
            found = self._evaluated(unit, reply.samples, treated)
        if found.failure is not None:
            return UnitScore(unit, {}, reply.paid, failure=found.failure)
        usage = reply.usage
        scores = {**found.metrics, UNIT_TOKENS: float(usage.tokens_in + usage.tokens_out)}
        if priced:
            scores[UNIT_USD] = usage.usd
        notes = {**told(reply.samples), **found.notes, LATENCY: round(reply.seconds, 6)}
        return UnitScore(unit, scores, reply.paid, notes=notes)

    def _evaluated(
        self, unit: str, samples: Sequence[Completion], treated: Sequence[str]
    ) -> Evaluated:
        pairs = zip(samples, treated, strict=True)
        texts = ["" if how == "zero" else sample.text for sample, how in pairs]
        found = evaluate(self._function, unit, texts, self.instances[unit])
        lacking = self.spec.lacking(found.metrics)
        if lacking and found.failure is None:
            return failed(unit, f"eval_func {lacking}")
        if all(how == "zero" for how in treated):
            return found._replace(metrics=dict.fromkeys(found.metrics, 0.0))
        return found

    def explain(self, params: Params, units: Sequence[str]) -> Sequence[Mapping[str, Any]]:
        """Show what was asked and answered, without paying for anything."""
        return explained(self.configured(params), self.instances, units, self.responses)

    # ---- the tuned configuration in use

    def export(self, params: Params) -> Mapping[str, Any]:
        """Give the full configuration behind a trial."""
        return plain(self.configured(params))

    def answerer(self, params: Params) -> Answerer:
        """Answer new instances."""
        return CompletionAnswerer(self.configured(params), self.client())

    def configuration(self, params: Params) -> dict[str, Any]:
        """Give what was chosen as `create` takes it: templates in full, models by name."""
        config = self.config.override(params)
        full = self.spec.resolved(config)
        changes: dict[str, Any] = {"stop": full.stop, "prompt": config.prompt}
        changes["messages"] = None if config.prompt is not None else full.messages
        return plain(config.model_copy(update=changes))

    def create(
        self, context: Mapping[str, Any], config: Mapping[str, Any], *, meter: Meter | None = None
    ) -> Created:
        """Ask about one new instance.

        Args:
            context: fields for the templates.
            config: as `configuration` gives it.
            meter: where work is counted.

        Raises:
            ConfigError: a field that the context lacks, or a configuration that cannot be.
            ObjectiveFailure: the model did not answer; the kind says how.
        """
        found = self.spec.resolved(CompletionConfig.parse(config))
        return create(found, context, self.client(), meter or Tally())
