"""Workflows of the tests: plain functions and LlamaIndex Workflows."""

import asyncio
import threading
import time

from workflows import Workflow, step
from workflows.events import Event, StartEvent, StopEvent

PARTS = {"towns": ("capital", "town"), "sums": ("plus", "minus", "number")}


def plain(item, steps):
    part = steps["route"].choose(item["question"], PARTS)
    said = steps["draft"].complete(context=f"about {part}")
    return f"{part}: {said}"


async def later(item, steps):
    part = await steps["route"].achoose(item["question"], PARTS)
    said, _ = await asyncio.gather(
        steps["draft"].acomplete(context=f"about {part}"), asyncio.sleep(0)
    )
    return f"{part}: {said}"


def structured(item, steps):
    return steps["draft"].complete(context="")


def troubled(item, steps):
    if item["id"] == "c0":
        raise ValueError("out of order")
    if item["id"] == "c1":
        return None
    if item["id"] == "c2":
        return steps["drft"].complete()
    if item["id"] == "c3":
        return ""
    return steps["draft"].complete(context="")


class Routed(Event):
    part: str


class Flow(Workflow):
    prefix = "so: "

    @step
    async def route(self, ev: StartEvent) -> Routed:
        return Routed(part=await self.steps["route"].achoose(ev.question, PARTS))

    @step
    async def draft(self, ev: Routed) -> StopEvent:
        said = await self.steps["draft"].acomplete(context=f"about {ev.part}")
        return StopEvent(result=f"{ev.part}: {said}")


class Deep(Workflow):
    def __init__(self, steps, timeout):
        super().__init__(timeout=timeout)
        self.own = steps

    @step
    async def only(self, ev: StartEvent) -> StopEvent:
        if ev.id == "c1":
            raise ValueError("a step broke")
        said = await self.own["draft"].llm.acomplete(f"Question: {ev.question}")
        return StopEvent(result=said.text)


class Short(Workflow):
    def __init__(self):
        super().__init__(timeout=0.2)

    @step
    async def only(self, ev: StartEvent) -> StopEvent:
        await asyncio.sleep(30 if ev.id == "c1" else 0)
        return StopEvent(result="done")


def score(answer, item):
    part, _, said = answer.partition(": ")
    return {"right": item["answer"] in said, "routed": part == "towns", "length": len(answer)}


def hasty(item, steps):
    """Ask in the background, wait for nothing; and ask again once it is over."""

    def asks():
        steps["draft"].complete(context="")
        steps["draft"].complete(context="again")

    asking = threading.Thread(target=asks, daemon=True)
    asking.start()
    while not steps["draft"]._line.waiting:
        time.sleep(0.001)
    return "done"


def yielding(item, steps):
    yield "done"


def boundless(answer, item):
    return {"right": 10**400}


def no_workflow(item):
    return ""


class NoWorkflow:
    pass
