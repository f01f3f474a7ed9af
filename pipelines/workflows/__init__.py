"""Workflows: LlamaIndex Workflows and plain functions whose steps are tuned by name."""

from pipelines.workflows.objective import WorkflowObjective
from pipelines.workflows.steps import Step, Steps, UnfitAnswerError

__all__ = ["Step", "Steps", "UnfitAnswerError", "WorkflowObjective"]
