"""Runs a workflow on one item: a plain function, sync or async, or a LlamaIndex Workflow."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Mapping
from typing import Any

from pipelines.completion_code import class_code, code_of, find_object
from pipelines.workflows.steps import Steps
from raytuner.component import ConfigError

_FIELD = "workflow"


def find_workflow(given: Any) -> Any:
    """Give the function or Workflow class that a study names or holds.

    Raises:
        ConfigError: it cannot be imported, or is neither.
    """
    found = find_object(given, _FIELD) if isinstance(given, str) else given
    if inspect.isclass(found):
        if is_workflow(found):
            return found
        raise ConfigError(
            f"workflow: {given!r:.80} is a class, but no LlamaIndex Workflow", (_FIELD,)
        )
    if not callable(found):
        raise ConfigError(
            f"workflow: {given!r:.80} is neither a function nor a Workflow class", (_FIELD,)
        )
    if inspect.isgeneratorfunction(found) or inspect.isasyncgenfunction(found):
        raise ConfigError(
            f"workflow: {given!r:.80} is a generator; give a function that returns its answer",
            (_FIELD,),
        )
    try:
        inspect.signature(found).bind({}, {})
    except (TypeError, ValueError):
        raise ConfigError(
            f"workflow: {given!r:.80} does not take (item, steps), with which it is called",
            (_FIELD,),
        ) from None
    return found


def is_workflow(found: Any) -> bool:
    """Tell whether something is a Workflow class of LlamaIndex."""
    if not inspect.isclass(found):
        return False
    from workflows import Workflow

    return issubclass(found, Workflow)


def program_of(workflow: Any) -> Any:
    """Spell what a workflow does, for a key."""
    return class_code(workflow) if inspect.isclass(workflow) else code_of(workflow)


def run_workflow(workflow: Any, item: Mapping[str, Any], steps: Steps) -> Any:
    """Run a workflow on one item, in this thread; give what it gives."""
    if is_workflow(workflow):
        return asyncio.run(_run_class(workflow, item, steps))
    given = workflow(dict(item), steps)
    return asyncio.run(_awaited(given)) if inspect.isawaitable(given) else given


async def _run_class(workflow: Any, item: Mapping[str, Any], steps: Steps) -> Any:
    """Run a Workflow; its StartEvent has the fields of the item.

    Its own timeout is off: it would count the time in which calls wait for leave.
    """
    takes = inspect.signature(workflow).parameters
    others = any(one.kind is inspect.Parameter.VAR_KEYWORD for one in takes.values())
    given: dict[str, Any] = {"timeout": None} if "timeout" in takes or others else {}
    if "steps" in takes:
        given["steps"] = steps
    flow = workflow(**given)
    if "steps" not in takes:
        flow.steps = steps
    from workflows.errors import WorkflowTimeoutError

    try:
        return await flow.run(**item)
    except WorkflowTimeoutError as error:
        raise TimeoutError(str(error)) from error


async def _awaited(given: Any) -> Any:
    return await given
