"""Tools of agents in tests."""

import time

CALLS = []


class Opener:
    """What has no JSON Schema."""


_KM = {("Rome", "Oslo"): 2005, ("Rome", "Milan"): 477}


def distance(start: str, end: str) -> str:
    """Tell the distance in kilometres between two cities.

    Args:
        start: a city.
        end: another city.
    """
    CALLS.append((start, end))
    return f"{_KM[start, end]} km"


def to_miles(kilometres: float) -> str:
    """Convert kilometres to miles."""
    return f"{kilometres * 0.6214:.0f} miles"


def weather(city: str) -> str:
    """Tell the weather in a city."""
    raise OSError(f"no satellite over {city}")


def wordless(city: str) -> str:
    return city


def grasping(*cities: str) -> str:
    """Take anything."""
    return ", ".join(cities)


async def lazy(city: str) -> str:
    """Tell it later."""
    return city


def handoff(city: str) -> str:
    """Bear a name that is taken."""
    return city


def distance_slowly(start: str, end: str) -> str:
    """Tell the distance between two cities, in a while."""
    time.sleep(2)
    return distance(start, end)


def rated(answer, item):
    """Say how good an answer is."""
    del item
    return {"words": len(answer.split()), "success": 0.75}


def picky(answer, item):
    """Refuse to look at nothing."""
    del item
    return {"letters": 1 / len(answer)}


def search(query: str) -> str:
    """Search for what is never found."""
    return query


def untellable(opener: Opener) -> str:
    """Take what no JSON can spell."""
    return str(opener)


def leave(city: str) -> str:
    """Say what leave says of a city."""
    raise SystemExit(city)


def interrupt(city: str) -> str:
    """Say what interrupt says of a city."""
    raise KeyboardInterrupt(city)
