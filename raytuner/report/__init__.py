"""The report that people read: one HTML file that needs nothing else, not even a network."""

from raytuner.report.page import render, write

__all__ = ["render", "write"]
