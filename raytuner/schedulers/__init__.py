"""Schedulers: who goes on to more questions, and who is stopped early. Never imports Ray."""

from raytuner.schedulers.full import Full
from raytuner.schedulers.port import Decisions, Judge, Scheduler

__all__ = ["Decisions", "Full", "Judge", "Scheduler"]
