"""The workflow objective: what `kind: workflow` in a study means."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import Field, WithJsonSchema

from pipelines.completion_data import Instance, Instances
from pipelines.estimate import Bounds, count
from pipelines.llm.labels import check_schema
from pipelines.llm.models import LanguageModel, resolved
from pipelines.llm.templates import check_template, template_fields
from pipelines.routing import PROMPT
from pipelines.tasks import changing
from pipelines.tasks.answering import missing
from pipelines.tasks.line import Line
from pipelines.tasks.objective import Outcome, TaskObjective
from pipelines.tasks.outcome import TaskSpec
from pipelines.workflows.config import Expected, StepConfig, WorkflowConfig
from pipelines.workflows.running import find_workflow, program_of, run_workflow
from pipelines.workflows.steps import Steps
from raytuner.answering import Query
from raytuner.component import ConfigError, nearest

_FRAME = 24
"""Tokens that a chat template puts around messages, about."""


class WorkflowSpec(TaskSpec):
    """The `objective:` section of a workflow study."""

    wanted: ClassVar[Mapping[str, str]] = {
        **TaskSpec.wanted,
        "workflow": "module:name of a function or a LlamaIndex Workflow class",
        "steps": "the workflow's steps by name, such as `draft: {model: …, prompt: …}`",
    }

    workflow: Annotated[Any, WithJsonSchema({"type": "string"})] = Field(
        description="module:name of a function that takes the item and its steps, or of a "
        "LlamaIndex Workflow class, which finds its steps in self.steps"
    )
    steps: dict[str, dict[str, Any] | None] = Field(
        description="the steps as they stand, by name: trial 0"
    )
    expected: dict[str, Expected] = Field(
        default_factory=dict, description="what steps may take, by step, for checks and estimates"
    )
    schemas: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="JSON Schemas by the names that the space uses"
    )


class WorkflowObjective(TaskObjective[WorkflowSpec, WorkflowConfig]):
    """Runs a workflow on golden items, and scores what it gives.

    Args:
        spec: workflow, items, scoring, and the steps as they stand.
        root: folder that relative paths start from.
        seed: seed of the order of items.

    Raises:
        ConfigError: for bad input, naming the field.
    """

    what = "a workflow"
    Spec = WorkflowSpec

    def __init__(self, spec: WorkflowSpec, root: Path, seed: int = 0) -> None:
        super().__init__(spec, root, seed)
        self._workflow = find_workflow(spec.workflow)

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        if isinstance(self.spec.workflow, str):
            del state["_workflow"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._workflow = find_workflow(self.spec.workflow)

    @classmethod
    def schema(cls) -> dict[str, Any]:
        """Give the JSON Schema of the section, for editors."""
        schema = super().schema()
        step = StepConfig.model_json_schema()
        schema["properties"]["steps"]["additionalProperties"] = {"anyOf": [step, {"type": "null"}]}
        return schema

    def standing(self) -> WorkflowConfig:
        """Read the steps."""
        given = {name: step or {} for name, step in self.spec.steps.items()}
        for name in self.spec.steps:
            if not name.isidentifier():
                raise ConfigError(
                    f"steps: {name!r} is no name for a step; use letters, digits and _", ("steps",)
                )
        self._check_expected(given)
        for name, schema in self.spec.schemas.items():
            try:
                check_schema(schema)
            except ConfigError as error:
                reason = f"schemas.{name}: {error.message}"
                raise ConfigError(reason, ("schemas", name)) from None
        found = {
            name: changing.parsed(StepConfig, one, ("steps", name)) for name, one in given.items()
        }
        return WorkflowConfig(steps=found)

    def _check_expected(self, steps: Mapping[str, Any]) -> None:
        for name in self.spec.expected:
            if name not in steps:
                raise ConfigError(
                    f"expected.{name}: there is no such step; there are: "
                    f"{', '.join(steps) or 'none'}.{nearest(name, steps)}",
                    ("expected", name),
                )

    def check(self, config: WorkflowConfig, instances: Instances) -> None:
        """Look at prompts, schemas and models of all steps."""
        for name, step in config.steps.items():
            step.check(name)
            self._schema(name, step)
            self._check_prompts(name, step, instances)

    def _check_prompts(self, name: str, step: StepConfig, instances: Instances) -> None:
        fills = self._expected(name).fills
        if fills is None:
            return
        for field in ("prompt", "system"):
            template = getattr(step, field) or ""
            here = f"steps.{name}.{field}"
            try:
                check_template(template, (*fills, *instances.fields))
            except ConfigError as error:
                raise ConfigError(f"{here}: {error.message}", (here,)) from None
            for asked in template_fields(template):
                if asked not in fills:
                    instances.require(asked, f"{here} asks for")

    def _expected(self, name: str) -> Expected:
        return self.spec.expected.get(name) or Expected()

    def _schema(self, name: str, step: StepConfig) -> Mapping[str, Any] | None:
        given, known = step.response_schema, self.spec.schemas
        if not isinstance(given, str):
            return given
        if given not in known:
            here = f"steps.{name}.schema"
            raise ConfigError(
                f"{here}: {given!r:.60} is not one of the objective's schemas: "
                f"{', '.join(known) or 'none'}.{nearest(given, known)}",
                (here,),
            )
        return known[given]

    def configured(self, params: Mapping[str, Any]) -> WorkflowConfig:
        """Configure a trial: models and schemas in place of their names."""
        config = super().configured(params)
        steps = {
            name: step.model_copy(update={"response_schema": self._schema(name, step)})
            for name, step in config.steps.items()
        }
        return config.model_copy(update={"steps": steps})

    def item_of(self, config: WorkflowConfig, query: Query) -> Instance:
        """Make an item of what somebody asks; what prompts take from items has to be there."""
        item = super().item_of(config, query)
        for name, step in config.steps.items():
            there = {*item, *(self._expected(name).fills or ())}
            for asked in (*template_fields(step.prompt or ""), *template_fields(step.system)):
                if asked in self.instances.fields and asked not in there:
                    raise missing(asked, f"steps.{name}")
        return item

    def program(self) -> Any:
        """Spell the workflow's code."""
        return program_of(self._workflow)

    def asked(self, config: WorkflowConfig) -> Iterable[LanguageModel]:
        """List the models of the steps that may ask."""
        asking = [step.model for step in config.steps.values() if step.asks]
        return [one for ref in asking if ref is not None for one in resolved(ref).members()]

    def bounds(self, config: WorkflowConfig, item: Instance) -> Sequence[Bounds]:
        """Bound what steps take: none of their calls, or all that `expected` allows."""
        own = count(json.dumps(dict(item), ensure_ascii=False))
        found = []
        for name, step in config.steps.items():
            if not step.asks or step.model is None:
                continue
            expected = self._expected(name)
            frame = count(step.system) + count(step.prompt or PROMPT) + _FRAME
            most = float((frame + own + expected.filled_tokens) * expected.calls)
            out = (0.0, float(step.max_tokens * expected.calls))
            found.append(Bounds(resolved(step.model), (0, expected.calls), (0.0, most), out))
        return found

    def run(self, config: WorkflowConfig, item: Instance, ask: Line) -> Outcome:
        """Run the workflow on one item."""
        steps = Steps(config.steps, item, ask)
        given = run_workflow(self._workflow, item, steps)
        if isinstance(given, Outcome):
            return given
        if given is None:
            raise ValueError("the workflow gave nothing: return an answer, or raise NoAnswerError")
        return Outcome(given)
