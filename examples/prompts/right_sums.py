"""Tells whether the last number of an answer is the solution."""

import re


def correct(responses, solution, **_):
    found = re.findall(r"-?\d+(?:\.\d+)?", responses[0])
    return {"correct": float(bool(found) and float(found[-1]) == solution)}
