"""Blind comparisons by people: who prefers what, turned into strengths, and how sure these are."""
