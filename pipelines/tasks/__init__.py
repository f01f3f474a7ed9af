"""Objectives over golden items: something runs on one item at a time and asks language models.

`TaskObjective` is what workflows, dialogues and agents have in common; `InstanceObjective` what
they have in common with completions.
"""

from pipelines.tasks.instances import InstanceObjective, InstanceSpec
from pipelines.tasks.objective import NoAnswerError, Outcome, TaskObjective, TaskSpec
from pipelines.tasks.running import Line

__all__ = [
    "InstanceObjective",
    "InstanceSpec",
    "Line",
    "NoAnswerError",
    "Outcome",
    "TaskObjective",
    "TaskSpec",
]
