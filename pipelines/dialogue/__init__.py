"""Chatbots: golden dialogues of several turns, each answered with what was said before."""

from pipelines.dialogue.objective import DialogueObjective

__all__ = ["DialogueObjective"]
