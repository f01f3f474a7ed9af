"""Functions as a user would declare them, at the top level of a module that workers can import."""

import asyncio
import json
import os
import time

from raytuner.decorator import objective
from raytuner.objective import ObjectiveFailure

ROWS = [{"id": f"q{n}", "n": n, "doc": f"d{n % 12}", "kind": "ab"[n % 2]} for n in range(60)]


def note(config, item):
    """Log a call, if the configuration says where."""
    if config.get("log"):
        line = json.dumps([config["x"], item["id"], os.getpid()]) + "\n"
        handle = os.open(config["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(handle, line.encode())
        os.close(handle)


@objective(items=ROWS, group="doc", stratum="kind", metrics=("hit",), config={"x": 1})
def answer(item, config):
    note(config, item)
    time.sleep(config.get("pause", 0))
    return {"hit": (item["n"] * config["x"]) % 7 / 7, "said": f"{item['n']}"}


@objective(items=ROWS, group="doc", stratum="kind", metrics=("hit",), config={"x": 1})
async def ask(item, config):
    note(config, item)
    await asyncio.sleep(config.get("pause", 0))
    return {"hit": (item["n"] * config["x"]) % 7 / 7, "said": f"{item['n']}"}


@objective(items=ROWS, group="doc", metrics=("hit",), config={"x": 1})
def priced(item, config):
    return {"hit": float(item["n"] * 7 % 10 < 2 + 2 * config["x"]), "cost_usd": config["x"] / 250}


@objective(metrics=["worth"], minimise="worth", config={"x": 3, "model": {"size": 2}})
def whole(config):
    return config["x"] * config["model"]["size"]


def plain_item(item, config):
    return {"hit": item["n"] * config["x"]}


def plain_config(config):
    return config["x"]


FAULTS = {
    "nothing": lambda: None,
    "nan": lambda: {"hit": float("nan")},
    "lacking": lambda: {"hits": 1},
    "typed": lambda: (_ for _ in ()).throw(ObjectiveFailure("provider", "503", retryable=True)),
    "slow": lambda: time.sleep(30),
    "raise": lambda: {}["x"],
    "exit": lambda: os.sys.exit(3),
    "cancel": lambda: (_ for _ in ()).throw(asyncio.CancelledError),
}


def faulty(item, config):
    """Go wrong at item q3."""
    return FAULTS[config["fault"]]() if item["id"] == "q3" else {"hit": 1.0}


async def faulty_later(item, config):
    await asyncio.sleep(0)
    if config["fault"] == "slow" and item["id"] == "q3":
        await asyncio.sleep(30)
    return faulty(item, config)


def training(config):
    for step in range(5):
        yield {"accuracy": step * config["x"]}
