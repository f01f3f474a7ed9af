"""An objective whose answers name the process that gave them."""

import os
import time
from pathlib import Path

from raytuner.answering import Answerer, Served
from raytuner.component import ConfigError
from raytuner.objective import Failure, Objective
from raytuner.ports.cost import Cost


class Named(Objective):
    """`hold PATH` is answered once there is such a file; `die` ends the process."""

    def units(self):
        return ("all",)

    def key(self, params):
        return "named"

    def evaluate(self, params, units, meter):
        yield from ()

    def answerer(self, params):
        return _Named(params["prefix"])


class _Named(Answerer):
    def __init__(self, prefix):
        self.prefix = prefix

    def about(self):
        return {}

    def prepare(self):
        if self.prefix == "broken":
            raise ConfigError("weights are missing")

    def check(self, query):
        if query.question == "refuse":
            raise ConfigError("question: refused", ("question",))

    def answers(self, queries):
        yield ()
        for number, query in enumerate(queries):
            word, _, path = query.question.partition(" ")
            while word == "hold" and not Path(path).exists():
                time.sleep(0.01)
            if word == "die":
                os._exit(1)
            if word == "fail":
                yield [(number, Failure("provider", "no"))]
            else:
                yield [(number, Served(f"{self.prefix} {os.getpid()}", usage=Cost(0.0, 3, 4)))]
