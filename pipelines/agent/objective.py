"""The agent objective: what `kind: agent` in a study means. Units are golden items."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar

from pipelines.agent.config import AgentConfig
from pipelines.agent.history import kept, read_history, told
from pipelines.agent.running import Trace, load, play
from pipelines.agent.searching import check_search, described, search_tool
from pipelines.agent.spec import AgentSpec
from pipelines.agent.tools import (
    SEARCH,
    Tool,
    check_names,
    check_schemas,
    docstring,
    expected,
    f1,
    find_tools,
)
from pipelines.completion_code import Evaluated, code_of
from pipelines.completion_data import Instance, Instances
from pipelines.config import RagConfig
from pipelines.estimate import Bounds, count
from pipelines.explaining import LONGEST_ANSWER
from pipelines.llm.models import LanguageModel, resolved
from pipelines.tasks import Line, Outcome, TaskObjective, changing
from pipelines.tasks.answering import HISTORY, item_of
from pipelines.types import Corpus
from pipelines.workspace import load_corpus
from raytuner.answering import Query
from raytuner.component import ConfigError, digest
from raytuner.objective import Meter, Params, UnitScore
from raytuner.ports.explanation import Explanation

_VERSION = 1
"""Goes up when the same agent would be told something else."""
_LONGEST_NOTE = 200
_MOST_STEPS = 10
_RESULT_TOKENS = 500
"""What a call of a tool is taken to bring, for estimates."""
SUCCESS = "success"
NO_SUCCESS = "no success"
"""Key in notes: why a run has none, whatever it said."""


class AgentObjective(TaskObjective[AgentSpec, AgentConfig]):
    """Runs an agent on golden items; scores its success, and what it took.

    Raises:
        ConfigError: for bad input, naming the field.
    """

    what = "an agent"
    Spec = AgentSpec
    minimised: ClassVar[frozenset[str]] = frozenset({"steps", "tool_calls", "tool_errors"})

    def __init__(self, spec: AgentSpec, root: Path, seed: int = 0) -> None:
        self._tools: dict[str, Tool] = find_tools(spec.tools, search=spec.documents is not None)
        super().__init__(spec, root, seed)
        check_names(self.config, self.declared)

    @classmethod
    def schema(cls) -> dict[str, Any]:
        """Give the JSON Schema of the section, for editors."""
        schema = super().schema()
        schema["properties"]["agent"] = AgentConfig.model_json_schema()
        return schema

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        for name in ("corpus", "_checked", "_program"):
            state.pop(name, None)
        if all(isinstance(one, str) for one in self.spec.tools):
            del state["_tools"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if "_tools" not in state:
            self._tools = find_tools(self.spec.tools, search=self.spec.documents is not None)

    @property
    def declared(self) -> tuple[str, ...]:
        """Names of all tools, in the order in which agents are offered them."""
        return (*self._tools, *([SEARCH] if self.spec.documents is not None else []))

    @cached_property
    def corpus(self) -> Corpus:
        """What `search` searches."""
        if self.spec.documents is None:
            raise ConfigError("documents: there are none to search", ("documents",))
        return load_corpus(self.spec.documents, self.root)[0]

    # ---- what the base asks for

    def standing(self) -> AgentConfig:
        """Read the agent as it stands; what is said of no tool is its docstring."""
        config = changing.parsed(AgentConfig, self.spec.agent, ("agent",))
        known = {name: docstring(self._tools.get(name, described())) for name in self.declared}
        told = {**known, **config.tool_descriptions}
        return config.model_copy(update={"tool_descriptions": told})

    def configured(self, params: Params) -> AgentConfig:
        """Configure a trial; what it does not use is dropped."""
        return super().configured(params).trimmed(self.declared)

    def check(self, config: AgentConfig, instances: Instances) -> None:
        """Look whether tools and agents that are named are there, and can be told to a model."""
        del instances
        check_names(config, self.declared)
        if config.type == "function":
            _check_protocol(resolved(config.model))
        check_search(_searched(config))
        _ = self._checked

    @cached_property
    def _checked(self) -> bool:
        check_schemas(self._tools)
        return True

    def check_items(self, instances: Instances) -> None:
        """Look whether items have questions, histories, and tools that there are."""
        super().check_items(instances)
        instances.require(self.spec.question, "is what the agent is asked")
        for unit in instances.ids:
            item, where = instances[unit], f"instances: instance {unit}"
            if not isinstance(item[self.spec.question], str):
                raise ConfigError(f"{where}: its {self.spec.question} is no text", ("instances",))
            read_history(item.get(HISTORY), where)
            expected(item, self.declared, where)

    def program(self) -> Any:
        """Spell tools, documents, and how a run counts."""
        documents = self.corpus.key if self.spec.documents is not None else ""
        tools = {name: code_of(tool) for name, tool in self._tools.items()}
        counted = [self.spec.question, self.spec.tool_errors]
        return [_VERSION, _release(), list(tools), tools, documents, counted]

    def question(self, item: Instance) -> str:
        """Give what an item asks."""
        return str(item[self.spec.question])

    def bounds(self, config: AgentConfig, item: Instance) -> Sequence[Bounds]:
        """Bound one item: an answer at once, or turns until it is over, each with all before.

        What tools give is not known before; they are taken to give 500 tokens each.
        """
        history = read_history(item.get(HISTORY), "item")
        texts = [config.system_prompt, self.question(item), *(one.content for one in history)]
        offered = [config.tool_descriptions[name] for name in config.tools or ()]
        least = float(sum(map(count, [*texts, *offered])))
        turns = config.max_iterations + (kept(history, config.history) < len(history))
        grown = (config.max_tokens + _RESULT_TOKENS) * turns * (turns - 1) / 2
        spent = (1.0, float(config.max_tokens * turns))
        asked = resolved(config.model)
        return [Bounds(asked, (1, turns), (least, least * turns + grown), spent)]

    # ---- running

    def evaluate(
        self, params: Params, units: Sequence[str], meter: Meter
    ) -> Iterator[Sequence[UnitScore]]:
        """Run the agent on items side by side; what it searches is there before."""
        with meter.stage("prepare"):
            self.prepare(self.configured(params))
        yield from super().evaluate(params, units, meter)

    def prepare(self, config: AgentConfig) -> None:
        """Load LlamaIndex, and what the tools search."""
        load()
        self._functions(config)

    def item_of(self, config: AgentConfig, query: Query) -> Instance:
        """Take the question, and what was said before."""
        del config
        return item_of(query, self.spec.question, (self.spec.question, HISTORY))

    def run(self, config: AgentConfig, item: Instance, ask: Line) -> Outcome:
        """Let the agent answer; however it ends is a result, unless a model fails."""
        trace, summarised = self._play(config, item, ask)
        self.responses.add({self._trace_key(config, item): trace.spelled(_LONGEST_NOTE).encode()})
        scores = {
            "steps": float(ask.calls - summarised),
            "tool_calls": float(len(trace.calls)),
            "tool_errors": float(len(trace.errors)),
        }
        wanted = expected(item, self.declared, "item")
        if wanted is not None:
            scores["tools_f1"] = f1({step.tool for step in trace.calls}, wanted)
        why = self._why(trace)
        notes: dict[str, Any] = {
            "trace": [step.plain(_LONGEST_NOTE) for step in trace.steps[:_MOST_STEPS]]
        }
        if why is not None:
            notes[NO_SUCCESS] = why
        return Outcome(trace.answer, scores, notes)

    def reply(self, config: AgentConfig, item: Instance, ask: Line) -> Outcome:
        """Answer what somebody asks; no trace is kept of that."""
        return Outcome(self._play(config, item, ask)[0].answer)

    def _play(self, config: AgentConfig, item: Instance, ask: Line) -> tuple[Trace, bool]:
        """Give what the agent did, and whether a model summed up what was said before."""
        model, sampling = resolved(config.model), config.sampling()
        earlier = read_history(item.get(HISTORY), "item")
        said, summarised = told(earlier, config.history, model, sampling, ask)
        return play(config, self._functions(config), self.question(item), said, ask), summarised

    def _why(self, trace: Trace) -> str | None:
        """Say why a run has no success, whatever it said."""
        if trace.broke_off is None and trace.errors and self.spec.tool_errors == "fail":
            return trace.errors[0]
        return trace.broke_off

    def score(self, outcome: Outcome, item: Instance, unit: str) -> Evaluated:
        """Score the answer; a run that broke off, or that tools failed, has no success."""
        found, why = super().score(outcome, item, unit), outcome.notes.get(NO_SUCCESS)
        if found.failure is not None:  # of a function that cannot do without an answer
            return found if why is None else Evaluated({SUCCESS: 0.0}, {})
        success = found.metrics.get(SUCCESS, next(iter(found.metrics.values()), 0.0))
        metrics = {**found.metrics, SUCCESS: success if why is None else 0.0}
        return found._replace(metrics=metrics)

    def _functions(self, config: AgentConfig) -> dict[str, Tool]:
        """Give the tools that are in use, by name."""
        used = {*(config.tools or ()), *(t for one in config.agents.values() for t in one.tools)}
        found = {name: tool for name, tool in self._tools.items() if name in used}
        if SEARCH in used and SEARCH not in found:
            found[SEARCH] = search_tool(_searched(config), self.corpus, self.kept)
        return found

    # ---- for people

    def explain(self, params: Params, units: Sequence[str]) -> Sequence[Mapping[str, Any]]:
        """Show what agents did, where that is kept. No tool is called again."""
        config = self.configured(params)
        keys = {unit: self._trace_key(config, self.instances[unit]) for unit in units}
        runs = self.responses.lookup(list(keys.values()))
        return [self._shown(unit, runs.get(keys[unit])) for unit in units]

    def _shown(self, unit: str, run: bytes | None) -> Explanation:
        item = self.instances[unit]
        shown = Explanation(unit=unit, question=self.question(item))
        if self.spec.reference in item:
            shown["reference"] = str(item[self.spec.reference])
        if run is None:
            shown["missing"] = "what the agent did is not among what is kept here"
        else:
            shown["answer"] = run.decode()[:LONGEST_ANSWER]
        return shown

    def _trace_key(self, config: AgentConfig, item: Instance) -> str:
        return digest("agent run", self._program, changing.identity(config), dict(item))

    @cached_property
    def _program(self) -> str:
        return digest(self.program())


def _searched(config: AgentConfig) -> RagConfig:
    return config.search or RagConfig()


def _check_protocol(model: LanguageModel) -> None:
    for member in model.members():
        if member.kind == "llama-index":
            raise ConfigError(
                f"type: function needs a model that is offered tools, and {member.name} of kind "
                "llama-index is not; say react, or name a model of kind openai",
                ("type",),
            )


def _release() -> str:
    """Give the release of LlamaIndex, whose prompts agents are told."""
    return version("llama-index-core")
